package dossier

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// Fault is one thing in an export that does not verify.
type Fault struct {
	Line  int    `json:"line"`            // of the file, from 1
	Entry int64  `json:"entry,omitempty"` // 0: none in particular
	What  string `json:"what"`
}

// Checked is what is proven of an export.
type Checked struct {
	Header  Header              `json:"header"`
	By      []string            `json:"by"`   // keys that signed the checkpoint
	Size    int64               `json:"size"` // entries that it is about
	Entries int                 `json:"entries"`
	Runs    int                 `json:"runs"`        // whose lines were compared with their entries
	Drift   int                 `json:"comparisons"` // the same of comparisons
	Signed  bool                `json:"signed"`      // the signature over the whole file holds
	Lines   int                 `json:"lines"`
	Others  []Other             `json:"others,omitempty"` // checkpoints from elsewhere that speak of no more entries
	Faults  []Fault             `json:"faults"`
	point   evidence.Checkpoint // the one of the header, verified
	proven  bool                // it is
}

// Other is a checkpoint from elsewhere and what the export shows of it.
type Other struct {
	Where    string `json:"where"`
	Size     int64  `json:"size"`
	Compared bool   `json:"compared"` // its root was recomputed from the export, and is that
}

// OK reports whether nothing speaks against the export.
func (c *Checked) OK() bool { return len(c.Faults) == 0 }

func (c *Checked) fault(line int, entry int64, format string, args ...any) {
	c.Faults = append(c.Faults, Fault{Line: line, Entry: entry, What: fmt.Sprintf(format, args...)})
}

// ErrNoExport means that a file is something else.
var ErrNoExport = errors.New("this is not an export of rekey evidence")

// Check verifies an export by itself, with public keys alone: that every program
// reads the same in it, the checkpoint's signature, every entry's proof, that no entry
// of the period is missing, that the other lines say what the entries say, the counts,
// and the signature over the whole file. others are checkpoints from elsewhere.
func Check(export []byte, keys evidence.Keys, others []evidence.Given) (*Checked, error) {
	lines := bytes.Split(bytes.TrimSuffix(export, []byte("\n")), []byte("\n"))
	c := &Checked{Faults: []Fault{}, Lines: len(lines)}
	if err := json.Unmarshal(lines[0], &c.Header); err != nil || c.Header.Type != "header" {
		return nil, ErrNoExport
	}
	if c.Header.Format != Format {
		return nil, fmt.Errorf("%w of this version: it is %q, and this Rekey reads %s", ErrNoExport, c.Header.Format, Format)
	}
	if err := unambiguous(lines[0], 1); err != nil {
		c.fault(1, 0, "line 1: %s", err)
	}
	c.checkpoint(keys)
	w := walker{c: c, seen: map[string]int{}, entries: map[int64]journal.Entry{}}
	for i, l := range lines[1:] {
		if err := w.line(i+2, l); err != nil {
			c.fault(i+2, 0, "line %d: %s", i+2, err)
		}
	}
	w.whole()
	c.elsewhere(keys, others, w)
	c.counts(len(lines), w)
	w.compare()
	c.signature(export, lines[len(lines)-1], keys)
	return c, nil
}

func (c *Checked) checkpoint(keys evidence.Keys) {
	point, by, err := evidence.Open(c.Header.Checkpoint, keys)
	if err != nil {
		c.fault(1, 0, "the checkpoint of this export proves nothing: %s", err)
		return
	}
	c.point, c.proven, c.By, c.Size = point, true, by, point.Size
}

// elsewhere holds the export against checkpoints that were kept by others. One over
// more entries shows that the journal had gone on when the export was made, or has
// since: what came then is not in it. One over fewer is recomputed where the export
// has the entry at which it ends.
func (c *Checked) elsewhere(keys evidence.Keys, others []evidence.Given, w walker) {
	for _, g := range others {
		o, _, err := evidence.Open(g.Note, keys)
		switch {
		case err != nil:
			c.fault(0, 0, "a checkpoint in %s proves nothing: %s", g.Where, err)
		case !c.proven: // told at the checkpoint
		case o.Origin != c.point.Origin:
			c.fault(0, 0, "a checkpoint in %s is of %s, and the export's is of %s", g.Where, o.Origin, c.point.Origin)
		case o.Size > c.point.Size:
			c.fault(1, 0, "this export is stale: it is over %d entries, and the checkpoint in %s is over %d; what entries %d..%d hold is not in it, so ask for a new one", c.point.Size, g.Where, o.Size, c.point.Size+1, o.Size)
		default:
			root, known := c.point.Root, o.Size == c.point.Size
			if !known {
				root, known = w.roots[o.Size]
			}
			if known && root != o.Root {
				c.fault(1, 0, "two histories of %d entries were signed: the one of this export and the one in %s", o.Size, g.Where)
				continue
			}
			c.Others = append(c.Others, Other{Where: g.Where, Size: o.Size, Compared: known})
		}
	}
}

func (c *Checked) counts(lines int, w walker) {
	end := w.end
	if !w.ended {
		c.fault(lines, 0, "there is no summary: the file is cut off")
		return
	}
	for _, x := range []struct {
		what      string
		said, got int
	}{{"lines", end.Lines, lines}, {"credentials", end.Credentials, w.seen["credential"]}, {"entries", end.Entries, w.seen["entry"]}, {"comparisons", end.Drift, w.seen["drift"]}, {"runs", total(end.Runs), w.seen["run"]}} {
		if x.said != x.got {
			c.fault(lines, 0, "the summary says %d %s, and there are %d", x.said, x.what, x.got)
		}
	}
}

func total(m map[string]int) int {
	n := 0
	for _, x := range m {
		n += x
	}
	return n
}

// signature checks the last field of the last line, over everything before it. After
// it there is nothing but the end of the line: whatever stood there would be read by
// every program and covered by nothing.
func (c *Checked) signature(export, last []byte, keys evidence.Keys) {
	at := bytes.LastIndex(export, []byte(signatureKey))
	if at < len(export)-len(last)-1 {
		c.fault(c.Lines, 0, "the file as a whole is not signed")
		return
	}
	quoted, ends := bytes.CutSuffix(export[at+len(signatureKey):], []byte("}\n"))
	var signed string
	if !ends || len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' || json.Unmarshal(quoted, &signed) != nil {
		c.fault(c.Lines, 0, "something follows the signature, or the file is truncated there: it has to be one text and its end line")
		return
	}
	n, err := note.Open([]byte(signed), note.VerifierList(keys.Verifiers()...))
	switch {
	case err != nil:
		c.fault(c.Lines, 0, "the signature over the whole file is not by a known key")
	case !c.proven || n.Text != SignedText(c.point.Origin, export[:at]):
		c.fault(c.Lines, 0, "the file is not as it was signed: a line was edited, left out or added")
	default:
		c.Signed = true
	}
}
