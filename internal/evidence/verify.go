package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"rekey/internal/journal"
)

// Given is a note that is said to be a checkpoint of the journal.
type Given struct {
	Where string `json:"where"`         // file, or "the journal"
	Own   bool   `json:"own,omitempty"` // it was kept in the journal itself: whoever edits that can leave it out
	Note  string `json:"note"`
	Told  string `json:"told,omitempty"` // when it was made and sent, as this machine says
}

// Kind of what does not verify.
type Kind string

// The kinds.
const (
	Chain     Kind = "chain"     // the chain of hashes breaks at an entry
	Edited    Kind = "edited"    // the chain holds, and it is not the one that was signed: it was rebuilt
	Truncated Kind = "truncated" // signed entries are gone from the end
	Fork      Kind = "fork"      // one key signed two histories
	Foreign   Kind = "foreign"   // a note that is not a checkpoint of this journal by a known key
	KeptTree  Kind = "tree"      // hashes kept beside the entries are not theirs
	KeptOpen  Kind = "open"      // what is kept of open runs beside the entries is not theirs
	Unread    Kind = "unread"    // an entry cannot be read
)

// Finding is one thing that does not verify, with its place.
type Finding struct {
	Kind Kind   `json:"kind"`
	From int64  `json:"from,omitempty"` // entries; 0: none in particular
	To   int64  `json:"to,omitempty"`
	What string `json:"what"`
}

// Checked is one checkpoint and what became of it.
type Checked struct {
	Where  string   `json:"where"`
	Own    bool     `json:"own"` // kept in the journal itself
	Origin string   `json:"origin,omitempty"`
	Size   int64    `json:"size"`
	Root   string   `json:"root,omitempty"`
	By     []string `json:"by,omitempty"` // keys that signed it
	Holds  bool     `json:"holds"`        // the entries are those that were signed
	Told   string   `json:"told,omitempty"`

	// At is the time of the last entry that it is about, by the clock of the machine
	// that wrote it: it was signed no earlier, if that clock was right.
	At time.Time `json:"at,omitzero"`
	c  Checkpoint
}

// Report is what is proven of a journal, and what is not.
type Report struct {
	Entries     int64     `json:"entries"`
	Last        string    `json:"last"` // hash of the last entry
	Root        string    `json:"root"` // of the tree over all entries
	Findings    []Finding `json:"findings"`
	Checkpoints []Checked `json:"checkpoints"`
	Proven      int64     `json:"proven"`     // entries 1..Proven are as in a checkpoint that came from elsewhere
	ProvenOwn   int64     `json:"proven_own"` // 1..ProvenOwn are as in one that the journal itself keeps; never below Proven
	By          *Checked  `json:"by,omitempty"`
	ByOwn       *Checked  `json:"by_own,omitempty"`
	lastSeq     int64
}

// OK reports whether nothing speaks against the journal.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

func (r *Report) find(k Kind, from, to int64, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Kind: k, From: from, To: to, What: fmt.Sprintf(format, args...)})
}

// Verify checks entries against their chain, against checkpoints and against the
// hashes that are kept beside them. each calls its argument with every entry in
// order. The error is one of reading; what does not verify is in the report.
func Verify(each func(func(journal.Entry) error) error, given []Given, kept []journal.KeptHash, keys Keys) (*Report, error) {
	r := &Report{Findings: []Finding{}, Checkpoints: []Checked{}}
	w := walk{r: r, kept: map[[2]int64]string{}}
	r.open(given, keys)
	for _, k := range kept {
		w.kept[[2]int64{int64(k.Level), k.N}] = k.Hash
	}
	err := each(w.entry)
	var broken *journal.Broken
	switch {
	case errors.As(err, &broken):
		r.find(Unread, broken.Seq, broken.Seq, "entry %d: %s; nothing after it was looked at", broken.Seq, broken.Why)
	case err != nil:
		return nil, fmt.Errorf("read journal: %w", err)
	}
	r.Entries, r.Last, r.lastSeq = w.tree.size, w.before.Hash, w.before.Seq
	root := w.tree.root()
	r.Root = encode(root)
	r.judge(err == nil)
	return r, nil
}

// open reads the notes; those that are none of ours are told.
func (r *Report) open(given []Given, keys Keys) {
	for _, g := range given {
		c, by, err := Open(g.Note, keys)
		if err != nil {
			size := ""
			if c.Size > 0 {
				size = fmt.Sprintf(" over %d entries", c.Size)
			}
			r.find(Foreign, 0, 0, "a checkpoint%s in %s proves nothing: %s", size, g.Where, err)
			continue
		}
		if len(r.Checkpoints) > 0 && r.Checkpoints[0].Origin != c.Origin {
			r.find(Foreign, 0, 0, "a checkpoint over %d entries in %s is of %s, and the others are of %s", c.Size, g.Where, c.Origin, r.Checkpoints[0].Origin)
			continue
		}
		r.Checkpoints = append(r.Checkpoints, Checked{Where: g.Where, Own: g.Own, Origin: c.Origin, Size: c.Size, Root: encode(c.Root), By: by, Told: g.Told, c: c})
	}
	slices.SortStableFunc(r.Checkpoints, func(a, b Checked) int { return cmp.Compare(a.Size, b.Size) })
}

// walk goes over the entries once, whatever is wrong with them.
type walk struct {
	r       *Report
	tree    ridge
	before  journal.Entry
	next    int // checkpoint that is reached next
	kept    map[[2]int64]string
	chain   bool // its break was told
	unsound bool // the kept tree's fault was told
}

func (w *walk) entry(e journal.Entry) error {
	var broken *journal.Broken
	if err := e.Follows(w.before); !w.chain && errors.As(err, &broken) {
		w.chain = true // from here on everything would be told
		w.r.find(Chain, broken.Seq, broken.Seq, "entry %d: %s", broken.Seq, broken.Why)
	}
	w.before = e
	w.tree.add(LeafHash(e), w.compare)
	w.reached(e.At)
	return nil
}

// compare holds a hash that was kept against the one that the entries give.
func (w *walk) compare(level int, n int64, h tlog.Hash) {
	if level < blockLevel || w.unsound {
		return
	}
	was, ok := w.kept[[2]int64{int64(level), n}]
	if ok && was != encode(h) {
		w.unsound = true
		from, to := span(level, n)
		w.r.find(KeptTree, from, to, "entries %d..%d do not match the tree that was built over them", from, to)
	}
}

// reached holds checkpoints of this size against the tree so far.
func (w *walk) reached(at time.Time) {
	list := w.r.Checkpoints
	for ; w.next < len(list) && list[w.next].Size <= w.tree.size; w.next++ {
		c := &list[w.next]
		if c.Size == w.tree.size {
			c.Holds, c.At = w.tree.root() == c.c.Root, at
		}
	}
}

// judge says what the checkpoints amount to. whole is false where reading ended at
// an entry that cannot be read.
func (r *Report) judge(whole bool) {
	for i := range r.Checkpoints {
		c := &r.Checkpoints[i]
		if c.Size == 0 {
			empty, _ := tlog.TreeHash(0, nil)
			c.Holds = c.c.Root == empty
		}
		if !c.Holds || c.Size > r.Entries {
			continue
		}
		if c.Size >= r.ProvenOwn {
			r.ProvenOwn, r.ByOwn = c.Size, c
		}
		if !c.Own && c.Size >= r.Proven {
			r.Proven, r.By = c.Size, c
		}
	}
	r.forks()
	r.edits()
	if whole {
		r.truncation()
	}
}

// forks: two checkpoints of one size with two roots, or one that holds after one
// that does not.
func (r *Report) forks() {
	for i := 1; i < len(r.Checkpoints); i++ {
		a, b := &r.Checkpoints[i-1], &r.Checkpoints[i]
		if a.Size == b.Size && a.c.Root != b.c.Root {
			r.find(Fork, r.holdsBelow(a.Size)+1, a.Size, "two histories of %d entries were signed: %s and %s are of one size and differ%s", a.Size, a.name(), b.name(), r.which(a, b))
		}
	}
	for i := range r.Checkpoints {
		c := &r.Checkpoints[i]
		if c.Holds || c.Size > r.Entries || c.Size >= r.ProvenOwn {
			continue
		}
		r.find(Fork, r.holdsBelow(c.Size)+1, c.Size, "two histories were signed: %s does not hold for these entries, and %s, which is later, does; they differ from entries %d..%d", c.name(), r.ByOwn.name(), r.holdsBelow(c.Size)+1, c.Size)
		return
	}
}

func (r *Report) which(a, b *Checked) string {
	switch {
	case a.Holds:
		return "; these entries are the first one's"
	case b.Holds:
		return "; these entries are the second one's"
	}
	return ""
}

// edits: the first checkpoint after all that hold which does not.
func (r *Report) edits() {
	for i := range r.Checkpoints {
		c := &r.Checkpoints[i]
		if c.Holds || c.Size > r.Entries || c.Size < r.ProvenOwn {
			continue
		}
		from, why := r.holdsBelow(c.Size)+1, ""
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind == Chain && f.From <= c.Size }) {
			why = "; their chain was rebuilt, which only a checkpoint shows"
		}
		r.find(Edited, from, c.Size, "entries %d..%d are not those that were signed: %s does not hold for them%s", from, c.Size, c.name(), why)
		return // the later ones fail for the same reason
	}
}

// truncation: a checkpoint about more entries than there are.
func (r *Report) truncation() {
	if len(r.Checkpoints) == 0 {
		return
	}
	c := &r.Checkpoints[len(r.Checkpoints)-1]
	from := r.holdsBelow(c.Size) + 1
	switch {
	case c.Size <= r.Entries || r.lastSeq >= c.Size:
	case from == r.Entries+1:
		r.find(Truncated, from, c.Size, "entries %d..%d are gone: there are %d, and %s is signed", from, c.Size, r.Entries, c.name())
	default:
		r.find(Truncated, from, c.Size, "%d of the entries %d..%d are gone: there are %d, and %s is signed", c.Size-r.Entries, from, c.Size, r.Entries, c.name())
	}
}

// holdsBelow is the size of the largest checkpoint below a size that holds.
func (r *Report) holdsBelow(size int64) int64 {
	var n int64
	for _, c := range r.Checkpoints {
		if c.Holds && c.Size < size && c.Size <= r.Entries {
			n = max(n, c.Size)
		}
	}
	return n
}

func (c *Checked) name() string {
	return fmt.Sprintf("the checkpoint over %d entries in %s", c.Size, c.Where)
}
