package dossier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// runOf reads one run from its events; others are runs that were open beside it.
func runOf(events []rotation.Event, others []*rotation.State) Run {
	st := rotation.Fold(events)
	o := st.Opened
	r := Run{
		Type: "run", Run: st.Run, Credential: o.Credential, Purpose: string(o.Spec.Purpose), Simulated: o.Simulated, Actor: o.Actor, By: o.By, Reason: o.Reason, Ticket: o.Ticket,
		Tool: o.Tool, Overrides: o.Overrides, Opened: st.OpenedAt.UTC(), Reviewed: o.Expect,
	}
	if r.Purpose == "" {
		r.Purpose = "rotate"
	}
	r.outcome(st)
	for _, e := range events {
		switch {
		case e.Confirmed != nil:
			r.Confirmed = append(r.Confirmed, By{Actor: e.Confirmed.Actor, By: e.Confirmed.By, At: e.At.UTC(), How: e.Confirmed.How, Name: e.Confirmed.Name})
		case e.Resumed != nil:
			r.Resumed = append(r.Resumed, By{Actor: e.Resumed.Actor, By: e.Resumed.By, At: e.At.UTC(), Why: e.Resumed.Reason})
		case e.Asked != nil:
			r.AskedBack = append(r.AskedBack, By{Actor: e.Asked.Actor, By: e.Asked.By, At: e.At.UTC(), Why: e.Asked.Reason})
		}
	}
	if p := st.Plan; p != nil {
		r.Strategy = p.Strategy
		if p.Old.ID != "" {
			old := p.Old
			r.Old = &old
		}
		if st.Made != nil {
			r.New = st.Made.Handle
		}
		r.proofs(st)
		r.places(st, events)
	}
	r.notCovered(st, others)
	return r
}

func (r *Run) outcome(st *rotation.State) {
	switch {
	case st.Closed != nil:
		r.Ending, r.Why, r.Record, r.Closed = string(st.Closed.Ending), st.Closed.Why, st.Closed.Record, st.ClosedAt.UTC()
		for _, x := range st.Closed.Refusals {
			r.Why += "; " + x.What
		}
		r.Why = strings.TrimPrefix(r.Why, "; ")
	case st.Stuck != nil:
		r.Ending, r.Why, r.Live = "stuck", st.Stuck.Why, st.Stuck.Live
	default:
		r.Ending = "open"
	}
}

// proofs collects what every step has shown that was tried, in the order of the
// plan, and then of the way back.
func (r *Run) proofs(st *rotation.State) {
	settled, denied := 0, false
	for _, list := range [][]rotation.Step{st.Plan.Steps, st.Plan.Back} {
		for _, step := range list {
			p := st.Steps[step.ID]
			if p == nil || p.Last == nil {
				continue
			}
			holds := p.Status == rotation.Ended
			x := Proof{Step: step.ID, Verb: step.Verb, Target: step.Target, Title: step.Title, Holds: holds, Evidence: p.Last.Evidence}
			if holds {
				x.At = p.Done.UTC()
			} else {
				x.Why = p.Last.Why
			}
			r.Proofs = append(r.Proofs, x)
			switch step.Verb {
			case rotation.Settle:
				if holds {
					settled++
				}
			case rotation.Confirm, rotation.Denied:
				denied = denied || holds
			}
		}
	}
	switch st.Opened.Spec.Purpose {
	case "", sop.AfterRevoke:
		r.Consumers = r.Ending == string(rotation.Rotated) && settled == len(st.Plan.Spec.Consumers) && settled > 0
		r.Denied = r.Ending == string(rotation.Rotated) && denied
	case sop.ToRepair: // those that it did not touch were only read
		r.Consumers = r.Ending == string(rotation.Repaired) && settled == len(st.Plan.Spec.Consumers) && settled > 0
	case sop.ToRevoke, sop.ToDelete:
		r.Denied = r.Ending == string(rotation.Revoked) && denied
	}
}

// notCovered says what was set aside, and what this run proves nothing of.
func (r *Run) notCovered(st *rotation.State, others []*rotation.State) {
	say := func(format string, args ...any) { r.NotCovered = append(r.NotCovered, fmt.Sprintf(format, args...)) }
	o := st.Opened
	if o.Simulated {
		say("anything real: it was simulated")
	}
	for _, x := range o.Overrides {
		say("begun with %s", x)
	}
	if o.Spec.Purpose == "" && !sop.Open(o.Spec.Windows, st.OpenedAt) {
		say("begun outside of its maintenance windows")
	}
	for _, other := range others {
		if key := shared(o.Spec, other.Opened.Spec); key != "" {
			say("run %s of %s, which changes %s too, was open at the same time", other.Run, other.Opened.Credential, key)
		}
	}
	rotates := o.Spec.Purpose == "" || o.Spec.Purpose == sop.AfterRevoke
	switch {
	case r.Ending == "stuck", r.Ending == "open":
		say("it is not over")
	case rotates && r.Ending != string(rotation.Rotated):
		say("the credential was not rotated by it")
	}
	if st.Plan != nil {
		for _, u := range st.Plan.Seen.Unseen {
			say("not seen: %s", u)
		}
	}
	r.notReadBack(st, say)
	if o.Spec.Purpose == sop.ToRepair && r.Ending == string(rotation.Repaired) && !r.Consumers {
		say("places that it did not touch were read before it began, and not proven to run on what they hold")
	}
	if rotates && r.Ending == string(rotation.Rotated) {
		if !r.Consumers {
			say("not every consumer was shown to use the new one")
		}
		if !r.Denied {
			say("the old one was not shown to be denied")
		}
		if len(o.Spec.Verify) == 0 {
			say("the procedure has no check of its own: consumers were shown to run on the new one, not that they work")
		}
		if len(r.Confirmed) == 0 {
			say("nobody confirmed what cannot be undone")
		}
	}
	if len(r.Confirmed) > 0 && !slices.ContainsFunc(r.Confirmed, func(b By) bool { return b.Actor != r.Actor }) {
		say("started and confirmed by the same actor")
	}
	if r.Reason == "" {
		say("no reason was given")
	}
	r.standing(o, say)
}

// notReadBack names the slots that nobody is shown, and when they were last written.
func (r *Run) notReadBack(st *rotation.State, say func(string, ...any)) {
	if st.Plan == nil {
		return
	}
	last := func(key string, steps ...string) {
		for _, id := range steps {
			last := st.Step(id).Last
			if last == nil || !slices.ContainsFunc(last.Slots, func(s cred.SlotState) bool { return s.Hidden }) {
				continue
			}
			for _, s := range last.Slots {
				if s.Hidden {
					say("what %s holds in %s is shown to nobody and was not read back; it was last written at %s, by its clock", key, s.Slot, s.Written.UTC().Format(time.RFC3339))
				}
			}
			break
		}
	}
	for _, f := range st.Plan.Seen.Further {
		last(f.Key, st.Plan.GivesBack(f.Key), st.Plan.Writes(f.Key))
	}
	for _, c := range st.Plan.Seen.Consumers {
		last(c.Key, string(rotation.Resettle)+" "+c.Key, string(rotation.Settle)+" "+c.Key)
	}
}

// standing tells what the word of those who acted is worth.
func (r *Run) standing(o *rotation.Opened, say func(string, ...any)) {
	switch {
	case r.By == nil:
		say("how its actor is known was not recorded")
	case !r.By.Verified:
		say("who began it is self-declared (%s)", r.By.How)
	}
	if role := o.Spec.Role; role != "" && (r.By == nil || !slices.Contains(r.By.Roles, role) && r.By.Without == "") {
		say("nothing enforced the required role %s", role)
	}
	without := func(actor string, who *rotation.Who) {
		if who != nil && who.Without != "" {
			say("%s went on without the required role %s", actor, who.Without)
		}
	}
	without(r.Actor, r.By)
	for _, list := range [][]By{r.Resumed, r.AskedBack} {
		for _, b := range list {
			without(b.Actor, b.By)
		}
	}
}

// shared is a consumer that both change.
func shared(a, b sop.Spec) string {
	for _, s := range []sop.Spec{a, b} {
		if s.Purpose == sop.ToRevoke || s.Purpose == sop.ToDelete || s.Purpose == sop.ToRehearse {
			return "" // they write no consumer
		}
	}
	for _, x := range a.Consumers {
		for _, y := range b.Consumers {
			if x.Key == y.Key {
				return x.Key
			}
		}
	}
	return ""
}
