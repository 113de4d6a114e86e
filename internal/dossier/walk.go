package dossier

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

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
		return errors.New("it is not JSON object")
	}
	deep := 1
	if kind.Type == "entry" {
		deep = 2
	}
	if err := unambiguous(l, deep); err != nil {
		return err
	}
	if w.ended {
		return errors.New("it follows the summary, which must be the last line")
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
		c.fault(n, x.Seq, "line %d: entry %d comes after entry %d", n, x.Seq, w.before.Seq)
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
