package dossier

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

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
var ErrNoExport = errors.New("this is no export of rekey evidence")

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

// walker goes over the lines after the header.
type walker struct {
	c       *Checked
	seen    map[string]int
	before  journal.Entry
	entries map[int64]journal.Entry
	list    []journal.Entry     // the same, as they stand in the file
	roots   map[int64]tlog.Hash // of the tree as it was when the entry was its last
	runs    []at[Run]
	drifts  []at[Drift]
	people  []at[Credential]
	asked   []at[Approval]
	end     Summary
	ended   bool
}

// at is a line with its number.
type at[T any] struct {
	line int
	is   T
}

func (w *walker) line(n int, l []byte) error {
	var kind struct{ Type string }
	if err := json.Unmarshal(l, &kind); err != nil {
		return errors.New("it is no JSON object")
	}
	deep := 1
	if kind.Type == "entry" {
		deep = 2
	}
	if err := unambiguous(l, deep); err != nil {
		return err
	}
	if w.ended {
		return errors.New("it stands after the summary, which is the last line")
	}
	w.seen[kind.Type]++
	var err error
	switch kind.Type {
	case "entry":
		var e Entry
		if err = json.Unmarshal(l, &e); err == nil {
			w.entry(n, e)
		}
	case "run":
		err = keep(&w.runs, n, l)
	case "drift":
		err = keep(&w.drifts, n, l)
	case "approval":
		err = keep(&w.asked, n, l)
	case "credential":
		err = keep(&w.people, n, l)
	case "summary":
		w.ended = true
		err = json.Unmarshal(l, &w.end)
	case "header":
		return errors.New("there is a second header")
	}
	if err != nil {
		return fmt.Errorf("it is no %s", kind.Type)
	}
	return nil
}

func keep[T any](list *[]at[T], n int, l []byte) error {
	var x T
	if err := json.Unmarshal(l, &x); err != nil {
		return err
	}
	*list = append(*list, at[T]{n, x})
	return nil
}

// entry checks its hash, its place and its proof.
func (w *walker) entry(n int, e Entry) {
	c, x := w.c, e.Entry
	c.Entries++
	w.entries[x.Seq], w.list = x, append(w.list, x)
	switch {
	case x.Seq <= w.before.Seq:
		c.fault(n, x.Seq, "line %d: entry %d stands after entry %d", n, x.Seq, w.before.Seq)
	case x.Hash != x.Sum():
		c.fault(n, x.Seq, "line %d: entry %d was edited: its hash is not that of its content", n, x.Seq)
	case x.Seq == w.before.Seq+1 && x.Prev != w.before.Hash:
		c.fault(n, x.Seq, "line %d: entry %d does not follow entry %d", n, x.Seq, w.before.Seq)
	}
	if h := c.Header; h.Whole && h.First > 0 && (x.Seq == h.First-1 || x.Seq == h.Last+1) && !x.At.Before(h.From) && x.At.Before(h.To) {
		c.fault(n, x.Seq, "line %d: entry %d is of the period, and the header says that this is %d..%d", n, x.Seq, h.First, h.Last)
	}
	w.before = x
	if !c.proven {
		return // told at the checkpoint
	}
	proof := make(tlog.RecordProof, len(e.Proof))
	for i, p := range e.Proof {
		b, err := base64.StdEncoding.DecodeString(p)
		if err != nil || len(b) != tlog.HashSize {
			c.fault(n, x.Seq, "line %d: the proof of entry %d cannot be read", n, x.Seq)
			return
		}
		copy(proof[i][:], b)
	}
	if x.Seq < 1 || x.Seq > c.point.Size || tlog.CheckRecord(proof, c.point.Size, c.point.Root, x.Seq-1, evidence.LeafHash(x)) != nil {
		c.fault(n, x.Seq, "line %d: entry %d is not the one over which the checkpoint was signed", n, x.Seq)
		return
	}
	if w.roots == nil {
		w.roots = map[int64]tlog.Hash{}
	}
	w.roots[x.Seq] = evidence.RootAt(x.Seq, c.point.Size, evidence.LeafHash(x), proof)
}

// whole: an export of all credentials holds every entry of its period, and one more
// at each end where there is one.
func (w *walker) whole() {
	h := w.c.Header
	if h.Whole && h.Credential != "" {
		w.c.fault(1, 0, "the header says that this is whole, and that it is about %s alone", h.Credential)
	}
	if !h.Whole || h.First == 0 {
		return
	}
	from, to := max(1, h.First-1), h.Last+1
	if w.c.proven {
		to = min(to, w.c.point.Size)
	}
	for seq := from; seq <= to; seq++ {
		if _, there := w.entries[seq]; !there {
			w.c.fault(0, seq, "entry %d is missing: this export says that it holds %d..%d whole", seq, h.First, h.Last)
			return
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
		c.fault(c.Lines, 0, "something stands after the signature, or the file is cut off there: it has to be one text and the end")
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
