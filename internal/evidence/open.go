package evidence

import (
	"fmt"
	"slices"

	"rekey/internal/journal"
)

// OpenRuns holds what a journal keeps beside its entries of the runs that are open
// against the entries: whoever can write the database could hide a run there. It holds
// what is open, and nothing else, in memory.
type OpenRuns struct {
	kept     []*keptOpen
	findings []Finding
}

type keptOpen struct {
	journal.KeptOpen
	open map[string][]int64 // what begins the runs that are open as of the entry, by run
	met  bool               // the entry as of which it holds was there, and is that one
}

// NewOpenRuns takes what is kept.
func NewOpenRuns(kept []journal.KeptOpen) *OpenRuns {
	o := &OpenRuns{}
	for _, k := range kept {
		o.kept = append(o.kept, &keptOpen{KeptOpen: k, open: map[string][]int64{}})
	}
	return o
}

// Entry takes the next entry.
func (o *OpenRuns) Entry(e journal.Entry) {
	for _, k := range o.kept {
		switch {
		case e.Seq > k.Seq:
			continue
		case e.Kind == k.Begins:
			k.open[e.Run] = append(k.open[e.Run], e.Seq)
		case e.Kind == k.Ends:
			delete(k.open, e.Run)
		}
		if e.Seq == k.Seq {
			k.met = e.Hash == k.Hash
			o.compare(k)
			k.open = nil
		}
	}
}

// again is what helps against a wrong one: it is made anew from the entries.
const again = "; delete that row (DELETE FROM standing), and it is made anew from the entries"

func (o *OpenRuns) compare(k *keptOpen) {
	if !k.met {
		return
	}
	if !k.Readable {
		o.find(k.Seq, "what is kept of open runs as of entry %d cannot be read, and is not used%s", k.Seq, again)
		return
	}
	open := map[int64]string{}
	for run, list := range k.open {
		for _, seq := range list {
			open[seq] = run
		}
	}
	for _, seq := range k.Open {
		if _, is := open[seq]; !is {
			o.find(seq, "what is kept of open runs as of entry %d names entry %d, which is not the beginning of a run that was open then%s", k.Seq, seq, again)
		}
		delete(open, seq)
	}
	left := make([]int64, 0, len(open))
	for seq := range open {
		left = append(left, seq)
	}
	slices.Sort(left)
	for _, seq := range left {
		o.find(seq, "what is kept of open runs as of entry %d leaves out run %s, which begins with entry %d and had not ended: no command shows it%s", k.Seq, open[seq], seq, again)
	}
}

func (o *OpenRuns) find(at int64, format string, args ...any) {
	o.findings = append(o.findings, Finding{Kind: KeptOpen, From: at, To: at, What: fmt.Sprintf(format, args...)})
}

// Findings are where what is kept differs from the entries that were taken.
func (o *OpenRuns) Findings() []Finding {
	out := slices.Clone(o.findings)
	for _, k := range o.kept {
		if !k.met {
			out = append(out, Finding{Kind: KeptOpen, What: fmt.Sprintf("what is kept of open runs as of entry %d does not match these entries, and is not used%s", k.Seq, again)})
		}
	}
	return out
}
