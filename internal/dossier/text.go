package dossier

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/visible"
)

// Text is the dossier for a terminal: what an auditor asks first.
func Text(d *Dossier, s report.Style) string {
	d = visible.Copy(d)
	h, sum := d.Header, d.Summary
	var b strings.Builder
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	say("%s  %s to %s%s", s.Bold("Evidence"), day(h.From), day(h.To), scope(h))
	if h.Simulated {
		say("%s  %s", s.Bad("SIMULATED"), simulatedStatement)
	}
	say("")
	say("  %d of %s had a run%s", sum.WithRuns, count(sum.Credentials, "credential"), listed("; without one: ", sum.Without))
	if len(sum.Overdue) > 0 {
		say("  %s%s", s.Bad("overdue"), listed(" ", sum.Overdue))
	}
	if len(sum.Unknown) > 0 {
		say("  %s%s", s.Mind("age not known, so whether it is overdue is not known"), listed(": ", sum.Unknown))
	}
	say("  runs: %s", endings(sum.Runs))
	if len(sum.Unproven) > 0 {
		say("  %s%s", s.Bad("rotated without complete proof"), listed(" ", sum.Unproven))
	}
	say("  %s, %s", count(sum.Drift, "comparison"), count(sum.Findings, "disagreement"))
	for _, r := range d.Runs {
		say("")
		say("%s  %s  %s", s.Bold(r.Run), r.Credential, painted(r.Ending, s))
		for _, l := range facts(r) {
			say("  %-9s %s", l[0], l[1])
		}
		for _, p := range r.shown() {
			say("  %s %s", s.Good("✓"), p)
		}
		for _, n := range r.NotCovered {
			say("  %s %s", s.Mind("–"), n)
		}
	}
	for _, x := range d.Approvals {
		say("")
		say("%s  %s  %s", s.Bold(x.ID), x.Credential, s.Mind("requested, with no run in this period"))
		for _, l := range agreed(x) {
			say("  %-9s %s", l[0], l[1])
		}
	}
	say("")
	say("%s", s.Dim(h.Statement))
	return b.String()
}

const simulatedStatement = "these runs were simulated; this is no evidence of real rotations."

func painted(ending string, s report.Style) string {
	switch ending {
	case "rotated", "rehearsed", "repaired", "name retired":
		return s.Good(ending)
	case "stuck":
		return s.Bad(ending)
	}
	return s.Mind(ending)
}

// known is an actor, and how he is known where that was recorded.
func known(actor string, who *rotation.Who) string {
	if who == nil {
		return actor
	}
	return who.String()
}

// facts are who, when and why of a run, in pairs.
func facts(r Run) [][2]string {
	out := [][2]string{{"who", known(r.Actor, r.By)}, {"when", when(r)}}
	why := r.Reason
	if r.Ticket != "" {
		why = strings.TrimPrefix(why+" ("+r.Ticket+")", " ")
	}
	if why != "" {
		out = append(out, [2]string{"why", why})
	}
	if r.Purpose != "rotate" {
		out = append(out, [2]string{"to", r.Purpose})
	}
	for _, x := range r.Approvals {
		out = append(out, agreed(x)...)
	}
	for _, c := range r.Confirmed {
		out = append(out, [2]string{"confirmed", fmt.Sprintf("by %s at %s, %s %s", known(c.Actor, c.By), clock(c.At), c.How, c.Name)})
	}
	for _, c := range r.Resumed {
		out = append(out, [2]string{"resumed", fmt.Sprintf("by %s at %s", known(c.Actor, c.By), clock(c.At)) + because(c.Why)})
	}
	for _, c := range r.AskedBack {
		out = append(out, [2]string{"back", fmt.Sprintf("asked for by %s at %s", known(c.Actor, c.By), clock(c.At)) + because(c.Why)})
	}
	if r.Old != nil {
		out = append(out, [2]string{"old", r.Old.Name + "  " + r.Old.ID})
	}
	if r.New != nil {
		out = append(out, [2]string{"new", r.New.Name + "  " + r.New.ID})
	}
	if r.Why != "" {
		out = append(out, [2]string{"because", r.Why})
	}
	return out
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// shown are the proofs that hold, in words.
func (r Run) shown() []string {
	var out []string
	for _, p := range r.Proofs {
		if p.Holds && len(p.Evidence) > 0 {
			out = append(out, p.Title+": "+strings.Join(p.Evidence, "; ")+", seen "+clock(p.At))
		}
	}
	return out
}

func when(r Run) string {
	if r.Closed.IsZero() {
		return clock(r.Opened) + ", not over"
	}
	return fmt.Sprintf("%s, %s", clock(r.Opened), report.Span(r.Closed.Sub(r.Opened)))
}

func scope(h Header) string {
	if h.Credential == "" {
		return ", all credentials"
	}
	return ", " + h.Credential + " alone"
}

func endings(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	var out []string
	for k, n := range m {
		out = append(out, fmt.Sprintf("%d %s", n, k))
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

func listed(before string, names []string) string {
	const most = 12
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		return before + strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return before + strings.Join(names, ", ")
}

func day(t time.Time) string {
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.UTC().Format(time.DateOnly)
	}
	return t.UTC().Format("2006-01-02T15:04Z")
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Line is the dossier in one line.
func Line(d *Dossier) string {
	d = visible.Copy(d)
	return fmt.Sprintf("%s to %s%s: %s, %s, %s with their proofs", day(d.Header.From), day(d.Header.To), scope(d.Header), count(len(d.Credentials), "credential"), count(len(d.Runs), "run"), entriesOf(d.Summary.Entries))
}

func entriesOf(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// Verified tells what is proven of an export, and what is not.
func Verified(c *Checked, remarks []string, s report.Style) string {
	c, remarks = visible.Copy(c), visible.Copy(remarks)
	var b strings.Builder
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	const most = 20
	for i, f := range c.Faults {
		if i == most {
			say("%s and %d more", s.Bad("✗"), len(c.Faults)-most)
			break
		}
		say("%s %s", s.Bad("✗"), f.What)
	}
	h := c.Header
	if !c.OK() {
		say("")
		say("%s", s.Bad("the export does not verify"))
		return b.String()
	}
	if h.Simulated {
		say("%s  %s", s.Bad("SIMULATED"), simulatedStatement)
	}
	say("%s the file is as it was signed by %s: %s", s.Good("✓"), strings.Join(c.By, " and "), count(c.Lines, "line"))
	say("%s each of its %s is in the journal of %d, over which the checkpoint was signed", s.Good("✓"), entriesOf(c.Entries), c.Size)
	for _, o := range c.Others {
		if o.Compared {
			say("%s the checkpoint over %s in %s is of the same history", s.Good("✓"), entriesOf(int(o.Size)), o.Where)
		} else {
			say("  the checkpoint over %s in %s was not compared: this export has not the entry at which it ends", entriesOf(int(o.Size)), o.Where)
		}
	}
	if c.Runs+c.Drift > 0 {
		say("%s what it says of %s and %s is what their entries say: who, when, why, outcome, proofs and counts", s.Good("✓"), count(c.Runs, "run"), count(c.Drift, "comparison"))
	}
	switch {
	case h.Whole && h.First > 0:
		say("%s nothing of the period is left out: entries %d..%d without a gap%s", s.Good("✓"), h.First, h.Last, c.around())
	case h.Whole:
		say("  it says that the journal holds nothing of the period, which no proof shows: ask for the journal, or for a longer period")
	default:
		say("  it is about %s alone: what it leaves out is not proven to be nothing", h.Credential)
	}
	say("  the list of credentials is the one in %s: the signature proves that it was not changed since, not that it is complete", h.File)
	for _, m := range remarks {
		say("  %s", s.Dim("mind  "+m))
	}
	return b.String()
}

// around says what shows where the period begins and ends in the journal.
func (c *Checked) around() string {
	out := ", and the entries before and after"
	switch first, last := c.Header.First == 1, c.Header.Last >= c.Size; {
	case first && last:
		out = ", which is the whole journal"
	case first:
		out = ", from the journal's first on, and the entries after"
	case last:
		out = ", and the entries before"
	}
	if c.Header.Last >= c.Size {
		out += fmt.Sprintf("; what was written after entry %d, only a later checkpoint shows", c.Size)
	}
	if c.Header.Generated.Before(c.Header.To) {
		out += "; it was made on " + clock(c.Header.Generated) + ", before the period ended"
	}
	return out
}
