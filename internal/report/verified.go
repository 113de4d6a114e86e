package report

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/evidence"
)

// Attested is what became of signing and sending.
type Attested struct {
	Size    int64    // entries that the newest checkpoint is about; 0: there is none
	Made    bool     // just now
	Problem string   // why none was made
	Next    []string // what can be done about that, the best first
	Sinks   []SentTo
}

// SentTo is what became of one place to which checkpoints are sent.
type SentTo struct {
	Sink         string
	Sent, Behind int // checkpoints
	Problem      string
}

// Unattested says loudly what is not signed or not sent, and that nothing else
// is affected.
func Unattested(o Attested, s Style) string {
	o = legible(o)
	out := []string{}
	if o.Problem != "" {
		out = append(out, append([]string{s.Bad("! evidence") + "  no checkpoint was made: " + o.Problem}, o.next(s)...)...)
	}
	for _, x := range o.Sinks {
		if x.Behind > 0 || x.Problem != "" {
			out = append(out, s.Bad("! evidence")+"  "+lagText(x))
		}
	}
	if len(out) == 0 {
		return ""
	}
	if len(o.Next) == 0 {
		out = append(out, "  nothing else is affected; the next command catches up, or now: rekey checkpoint")
	}
	return strings.Join(out, "\n") + "\n"
}

// next is what can be done, one command a line.
func (o Attested) next(s Style) []string {
	var out []string
	for i, n := range o.Next {
		word := "next"
		if i > 0 {
			word = "or  "
		}
		out = append(out, "  "+s.Dim(word)+"  "+n)
	}
	return out
}

func lagText(x SentTo) string {
	if x.Behind == 0 {
		return x.Sink + ": " + x.Problem
	}
	text := fmt.Sprintf("%s does not have %s", x.Sink, countOf(x.Behind, "checkpoint"))
	if x.Problem != "" {
		text += ": " + x.Problem
	}
	return text
}

// Checkpoint tells what was signed and where it went.
func Checkpoint(o Attested, key string, s Style) string {
	o = legible(o)
	out := []string{}
	switch {
	case o.Problem != "":
		out = append(out, append([]string{s.Bad("✗") + " no checkpoint was made: " + o.Problem}, o.next(s)...)...)
	case o.Made:
		out = append(out, fmt.Sprintf("%s signed %s with %s", s.Good("✓"), countEntries(o.Size), key))
	default:
		out = append(out, fmt.Sprintf("%s all %s are signed already, with %s", s.Good("✓"), countEntries(o.Size), key))
	}
	rows := [][]string{}
	for _, x := range o.Sinks {
		switch {
		case x.Behind > 0 || x.Problem != "":
			rows = append(rows, []string{s.Bad("✗"), x.Sink, strings.TrimLeft(strings.TrimPrefix(lagText(x), x.Sink), ": ")})
		case x.Sent > 0:
			rows = append(rows, []string{s.Good("✓"), x.Sink, fmt.Sprintf("sent %d", x.Sent)})
		default:
			rows = append(rows, []string{s.Good("✓"), x.Sink, "had it"})
		}
	}
	out = append(out, indent(table(rows, 2), "  ")...)
	if len(o.Sinks) == 0 {
		out = append(out, "  "+s.Mind("it never leaves this machine:")+" anybody who can write here can rewrite all of it unnoticed", "  next  name under evidence.checkpoints in rekey.yaml where to send it")
	}
	return strings.Join(out, "\n") + "\n"
}

func countEntries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// EvidenceLine is one line where something is not signed, not sent, or never leaves
// the machine; nothing where all is well, or nothing was ever done.
func EvidenceLine(e evidence.Standing, s Style, now time.Time) string {
	e = legible(e)
	var what []string
	switch {
	case e.Entries == 0:
		return ""
	case e.Covered == 0:
		what = append(what, "nothing of the journal is signed yet")
	case e.Uncovered > 0:
		what = append(what, fmt.Sprintf("%s not signed yet", countEntries(e.Uncovered)))
	}
	for _, l := range e.Lagging {
		what = append(what, fmt.Sprintf("%s does not have %s, the oldest made %s", l.Sink, countOf(l.Behind, "checkpoint"), Ago(l.Since, now)))
	}
	if len(what) > 0 {
		return fmt.Sprintf("\n%s  %s; next  rekey checkpoint\n", s.Mind("evidence"), strings.Join(what, "; "))
	}
	if !e.Leaves {
		return fmt.Sprintf("\n%s  %s signed, but no checkpoint ever leaves this machine; see  rekey explain checkpoint\n", s.Mind("evidence"), countEntries(e.Covered))
	}
	return ""
}

// Verified tells what is proven of a journal, and what is not.
func Verified(r *evidence.Report, remarks []string, s Style) string {
	r, remarks = legible(r), legible(remarks)
	var out []string
	for _, f := range r.Findings {
		out = append(out, s.Bad("✗")+" "+f.What)
	}
	if r.OK() {
		out = append(out, fmt.Sprintf("%s %s in one chain; the last is %s", s.Good("✓"), countEntries(r.Entries), r.Last))
	} else {
		out = append(out, "", s.Bad("the journal does not verify")+"; of its "+countEntries(r.Entries)+":")
	}
	out = append(out, proven(r, s)...)
	for _, m := range remarks {
		out = append(out, "  "+s.Dim("mind  "+m))
	}
	if !r.OK() {
		out = append(out, "  next  keep this journal as it is, with the checkpoints, and find out who could write to it; then restore a copy that verifies")
	}
	return strings.Join(out, "\n") + "\n"
}

// proven says it for whom it is proven: everybody, or only those without the key.
func proven(r *evidence.Report, s Style) []string {
	var out []string
	if r.By != nil && r.Proven > 0 {
		out = append(out, fmt.Sprintf("%s entries 1..%d are as they were when the checkpoint in %s was signed by %s", s.Good("✓"), r.Proven, r.By.Where, strings.Join(r.By.By, " and ")),
			"  "+s.Dim(fmt.Sprintf("not before %s, when entry %d was written by this machine's clock; when it left is told by whoever received it", r.By.At.UTC().Format(time.RFC3339), r.Proven)))
	}
	if r.ByOwn != nil && r.ProvenOwn > r.Proven {
		told := ""
		if r.ByOwn.Told != "" {
			told = " (" + r.ByOwn.Told + ", it says)"
		}
		out = append(out, fmt.Sprintf("%s entries %d..%d are as in the journal's own checkpoint%s: nobody without the private key has changed them since", s.Good("✓"), r.Proven+1, r.ProvenOwn, told))
	}
	switch {
	case len(r.Checkpoints) == 0 && r.OK():
		out = append(out, "  "+s.Mind("there is no checkpoint:")+" somebody who knows the format could have rewritten everything; next  rekey checkpoint")
	case r.ProvenOwn < r.Entries:
		out = append(out, fmt.Sprintf("  entries %d..%d: %s", r.ProvenOwn+1, r.Entries, s.Mind("no checkpoint that holds covers them")))
	}
	return out
}
