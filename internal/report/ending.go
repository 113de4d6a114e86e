package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
)

// Ending tells how a run came out.
func Ending(st *rotation.State, s Style, now time.Time) string {
	st = legible(st)
	text := ending(st, s, now)
	if st.Opened != nil && st.Opened.Simulated {
		text = s.Mind("simulated") + "; nothing of this is real\n" + text
	}
	return text
}

func ending(st *rotation.State, s Style, now time.Time) string {
	switch {
	case st.Stuck != nil:
		return stuckText(st, s)
	case st.Closed == nil:
		return fmt.Sprintf("%s is open.\n  go on  rekey resume %s\n", st.Run, st.Run)
	case st.Closed.Ending == rotation.RefusedRun:
		return refusedText(st, s)
	case st.Closed.Ending == rotation.RolledBack:
		return rolledBackText(st, s)
	}
	switch st.Closed.Ending {
	case rotation.Revoked:
		return revokedText(st, s)
	case rotation.Repaired:
		return repairedText(st, s)
	case rotation.NameGone:
		return nameGoneText(st, s)
	case rotation.Rehearsed:
		return rehearsedText(st, s)
	}
	if st.Closed.Ending != rotation.Rotated || st.Made == nil {
		return fmt.Sprintf("%s has ended as %q, and the journal does not say why.\n  next  find out whether it was edited: rekey verify\n", st.Run, string(st.Closed.Ending))
	}
	return rotatedText(st, s, now)
}

func rotatedText(st *rotation.State, s Style, now time.Time) string {
	p := st.Plan
	out := []string{fmt.Sprintf("%s  %s in %s", s.Good("rotated"), s.Bold(st.Opened.Credential), Span(st.ClosedAt.Sub(st.OpenedAt))), ""}
	generations := [][]string{
		{s.Dim("old"), p.Old.Name, s.Dim(p.Old.ID), s.Mind("deleted")},
		{s.Dim("new"), s.Name(st.Made.Handle.Name), s.Dim(st.Made.Handle.ID), s.Good("in use")},
	}
	changed := heldOtherwise(st)
	if len(changed) > 0 {
		generations[1][3] = s.Mind("live")
	}
	if p.Strategy != rotation.Replace {
		generations = [][]string{{s.Dim("same"), s.Name(p.Old.Name), s.Dim(p.Old.ID), s.Good("with a new secret; the old one no longer works")}}
	}
	out = append(out, indent(table(generations, 2), "  ")...)
	out = append(out, "")
	var rows [][]string
	group := func(key string, slots []rotation.SlotSeen) {
		for _, x := range slots {
			was, is := x.Fingerprint.Short(), s.Good(st.Expected(key, x.Slot).Short())
			if x.Hidden {
				was, is = "not shown", is+s.Dim(" as written, not read back")
			}
			rows = append(rows, []string{s.Dim(key), x.Slot, was + " → " + is})
		}
	}
	for _, pl := range p.Spec.Stores() {
		group(pl.Key, p.Seen.SlotsOf(p.Spec, pl.Key))
	}
	for _, c := range p.Seen.Consumers {
		group(c.Key, c.Slots)
	}
	out = append(out, "  "+s.Bold("What changed")+s.Dim(", by fingerprint"))
	out = append(out, fit(rows, s, "  ")...)
	out = append(out, "", "  "+s.Bold("Proof"))
	for _, e := range proofs(st) {
		out = append(out, "  "+weigh(e, s)+" "+e)
	}
	for _, l := range atTheEnd(st) {
		out = append(out, "  "+s.Bad("✗")+" "+l)
	}
	if len(changed) > 0 {
		out = append(out, "", "  next  rekey drift "+st.Opened.Credential)
	}
	if p.Spec.Cadence > 0 {
		due := st.ClosedAt.Add(p.Spec.Cadence)
		out = append(out, "", fmt.Sprintf("  next due %s (%s)", due.Format(time.DateOnly), Ago(due, now)))
	}
	return strings.Join(out, "\n") + "\n"
}

// heldOtherwise are the places that did not hold the new one when the run looked last.
func heldOtherwise(st *rotation.State) []string {
	var out []string
	for _, step := range st.Plan.Steps {
		if p := st.Steps[step.ID]; step.Verb == rotation.Running && p != nil && p.Last != nil {
			out = append(out, p.Last.Held...)
		}
	}
	return out
}

// atTheEnd says how they did not.
func atTheEnd(st *rotation.State) []string {
	var out []string
	for _, step := range st.Plan.Steps {
		if p := st.Steps[step.ID]; step.Verb == rotation.Running && p != nil && p.Last != nil && len(p.Last.Held) > 0 {
			out = append(out, "at the end: "+p.Last.Why)
		}
	}
	return out
}

// proofs collects what was seen, in the order of the plan.
func proofs(st *rotation.State) []string {
	var out []string
	for _, step := range st.Plan.Steps {
		p := st.Steps[step.ID]
		if p == nil || p.Last == nil {
			continue
		}
		switch step.Verb {
		case rotation.Settle, rotation.Check, rotation.Quiet, rotation.Survey, rotation.Disable, rotation.Confirm, rotation.Delete, rotation.Expire, rotation.Denied, rotation.Watch, rotation.Running:
			for _, e := range p.Last.Evidence {
				if step.Verb == rotation.Check {
					e = step.Title + ": " + e
				}
				if !slices.Contains(out, e) {
					out = append(out, e)
				}
			}
		}
	}
	return out
}

// weigh is the mark before what a step has shown: that nobody could look is not proof.
func weigh(shown string, s Style) string {
	if strings.HasPrefix(shown, rotation.HoldersUnknown) {
		return s.Mind("?")
	}
	return s.Good("✓")
}

func rolledBackText(st *rotation.State, s Style) string {
	if text, other := wentBack(st, s); other {
		return text
	}
	seen, whole := lastLook(st)
	head := "what was seen then is below"
	if whole {
		head = "every place holds the previous credential"
	}
	out := []string{fmt.Sprintf("%s  %s: %s", s.Mind("rolled back"), s.Bold(st.Opened.Credential), head), "", "  why     " + st.Closed.Why}
	for i, l := range seen {
		label := "  now     "
		if i > 0 {
			label = "          "
		}
		out = append(out, label+l)
	}
	for _, l := range leftAlone(st) {
		out = append(out, "  mind    "+l)
	}
	out = append(out, "  next    fix what failed, then: "+Again(st.Opened))
	return strings.Join(out, "\n") + "\n"
}

// lastLook is what was seen after going back, and whether all of it is as it was
// before the run. What was not looked at is said.
func lastLook(st *rotation.State) (lines []string, whole bool) {
	p := st.Plan
	look := st.Steps[string(rotation.Look)]
	if look == nil || look.Last == nil || look.Status != rotation.Ended {
		return []string{fmt.Sprintf("nothing was written; %s was in use when the run looked, at %s", p.Old.Named(), p.Seen.At.UTC().Format(time.TimeOnly))}, true
	}
	o := look.Last
	lines = append(lines, o.Evidence...)
	for _, u := range o.Unseen {
		lines = append(lines, "not seen: "+u)
	}
	lines = append(lines, "seen at "+look.Done.UTC().Format(time.TimeOnly)+" UTC")
	if !st.Keep.IsZero() {
		lines = append(lines, fmt.Sprintf("the secret from before works until %s: rotate again before", st.Keep.UTC().Format(time.RFC3339)))
	}
	return lines, len(o.Held)+len(o.Missing)+len(o.Unseen) == 0
}

// leftAlone is what somebody else had changed and a rollback did not touch.
func leftAlone(st *rotation.State) []string {
	var out []string
	for _, step := range st.Plan.Back {
		if p := st.Steps[step.ID]; p != nil && p.Last != nil {
			for _, e := range p.Last.Evidence {
				if strings.Contains(e, "left alone") {
					out = append(out, e)
				}
			}
		}
	}
	return out
}

func stuckText(st *rotation.State, s Style) string {
	out := []string{
		fmt.Sprintf("%s  %s needs you", s.Bad("stuck"), s.Bold(st.Opened.Credential)),
		"",
		"  failed  " + st.Stuck.Why,
	}
	for i, l := range st.Stuck.Live {
		head := "  live    "
		if i > 0 {
			head = "          "
		}
		out = append(out, head+l)
	}
	out = append(out, "  next    "+st.Stuck.Next)
	if held := st.Held(); len(held) > 0 {
		leave := "  or      continue, and let it lose access: rekey resume " + st.Run
		for _, c := range held {
			leave += " --despite " + Quote(c.Key)
		}
		out = append(out, leave)
	}
	if !st.Final && st.Mode == rotation.Forward {
		out = append(out, "  or      rekey rollback "+st.Run)
	}
	return strings.Join(out, "\n") + "\n"
}

func refusedText(st *rotation.State, s Style) string {
	touched, now := "was not touched", "this run changed nothing"
	if slices.ContainsFunc(st.Closed.Refusals, func(r rotation.Refusal) bool {
		return r.Code == rotation.RunTaken || r.Code == rotation.MadeNotSeen || r.Code == rotation.DoneNotKnown
	}) {
		// The journal knows of nothing, and something was seen that bears this run's label,
		// or the issuer could not be asked whether there is.
		touched = "was not changed since this check; what was done before it is not in the journal"
		now = "not known: see what store, consumers and issuer hold with: rekey drift " + st.Opened.Credential
	}
	out := []string{fmt.Sprintf("%s  %s %s", s.Bad("refused"), s.Bold(st.Opened.Credential), touched), "", "  why     " + st.Closed.Why}
	if len(st.Closed.Refusals) > 0 {
		out = append(append(out, ""), reasons(st.Closed.Refusals, s)...)
	}
	out = append(out, "", "  now     "+now, "  next    fix what failed, then: rekey check "+st.Opened.Credential)
	return strings.Join(out, "\n") + "\n"
}
