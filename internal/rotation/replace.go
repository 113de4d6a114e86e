package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// replace lays out: create beside, swap, retire by the ladder, confirm.
func (p *Plan) replace(can Capabilities) {
	var b builder
	create := b.add(Step{Verb: Create, Title: "create the new credential", Call: can.Calls["create"],
		Change: fmt.Sprintf("%s: new %s named %s", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Named(p.first()))})
	ready := []string{create}
	for _, pl := range p.Seen.Admission.Places {
		if pl.Admits {
			ready = append(ready, b.add(Step{Verb: Admit, Target: pl.Key(), Needs: []string{create},
				Title: fmt.Sprintf("add it to %s %q", pl.Kind, pl.Name), Call: can.edit(pl),
				Change: fmt.Sprintf("%s: %s %q also names the new one", p.Spec.Issuer.Vendor, pl.Kind, pl.Name)}))
		}
	}
	proven := p.prove(&b, can, p.spread(&b, can, p.validate(&b, ready)))
	proven = p.ladder(&b, can, proven)
	if !p.laddered(can) || p.Spec.Timing.Watch > longWatch {
		proven = p.survey(&b, "before it is deleted", proven)
	}
	gone := slices.Clone(proven)
	for _, pl := range p.Seen.Admission.Places {
		gone = append(gone, b.add(Step{Verb: Dismiss, Target: pl.Key(), Needs: proven, Ask: true,
			Title: fmt.Sprintf("remove the old one from %s %q", pl.Kind, pl.Name), Call: can.edit(pl),
			Change: fmt.Sprintf("%s: %s %q no longer names the old one", p.Spec.Issuer.Vendor, pl.Kind, pl.Name)}))
	}
	title := "delete the old credential"
	if can.End != "" {
		title = "end the old credential: it is " + can.End
	}
	del := b.add(Step{Verb: Delete, Needs: gone, Ask: true, Final: true,
		Title: title, Call: strings.ReplaceAll(can.Calls["delete"], "{id}", p.Old.ID),
		Change: fmt.Sprintf("%s: %s %s ends for good", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Old.Named())})
	p.confirm(&b, del)
	b.add(Step{Verb: Sweep, Needs: []string{del}, Strays: true, Title: "clean up: nothing else that this run made is left"})
	p.Steps = b.steps

	var back builder
	var again []string
	if can.Disable {
		again = append(again, back.add(Step{Verb: Enable, Undoes: stepID(Disable, ""), Title: "switch the old one on again"}))
	}
	for _, pl := range p.Seen.Admission.Places {
		again = append(again, back.add(Step{Verb: Readmit, Target: pl.Key(), Undoes: stepID(Dismiss, pl.Key()),
			Title: fmt.Sprintf("add the old one again to %s %q", pl.Kind, pl.Name)}))
	}
	returned, grace := p.giveBack(&back, can, again)
	var out []string
	for _, pl := range p.Seen.Admission.Places {
		if pl.Admits {
			out = append(out, back.add(Step{Verb: Withdraw, Target: pl.Key(), Undoes: stepID(Admit, pl.Key()), Needs: returned, After: grace,
				Title: fmt.Sprintf("remove the new one from %s %q", pl.Kind, pl.Name)}))
		}
	}
	discard := back.add(Step{Verb: Discard, Undoes: stepID(Create, ""), Needs: slices.Concat(out, returned), After: grace,
		Title: "delete the new credential"})
	back.add(Step{Verb: Sweep, Target: "after going back", Needs: []string{discard}, Strays: true,
		Title: "clean up: nothing that this run made is left"})
	p.lookBack(&back, stepID(Create, ""))
	p.Back = back.steps
}

// longWatch is a watch in which somebody may well copy the old one: it is looked
// again after it.
const longWatch = 10 * time.Minute

func (p *Plan) laddered(can Capabilities) bool { return can.Disable && !p.Old.Disabled }

// ladder is the part of retiring that can be undone at once: switch off, and
// watch whether anybody breaks.
func (p *Plan) ladder(b *builder, can Capabilities, proven []string) []string {
	if !p.laddered(can) {
		return proven
	}
	proven = p.survey(b, "before it is switched off", proven)
	off := b.add(Step{Verb: Disable, Needs: proven, Ask: true,
		Title: "switch the old credential off", Call: strings.ReplaceAll(can.Calls["disable"], "{id}", p.Old.ID),
		Change: fmt.Sprintf("%s: %s %s is switched off, and on again if anything breaks", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Old.Name)})
	// The address may learn of it late: only from then on is the old one really off, and
	// a watch worth something.
	watched := []string{off}
	for _, probe := range p.Spec.Validate {
		watched = append(watched, b.add(Step{Verb: Denied, Target: probe.URL, Needs: []string{off}, Within: p.Spec.Timing.Confirm,
			Title: "confirm: " + probe.Title() + " denies the old one"}))
	}
	watched = p.watch(b, watched, "to watch", p.Spec.Timing.Watch, "watch for "+brief(p.Spec.Timing.Watch)+" whether anything breaks")
	return append(watched, p.checks(b, watched, "while the old one is off")...)
}

// watch lets time pass and looks, now and then and at the end, whether every
// consumer stays well on the new one.
func (p *Plan) watch(b *builder, needs []string, target string, long time.Duration, title string) []string {
	if long == 0 {
		return needs
	}
	return append(slices.Clone(needs), b.add(Step{Verb: Watch, Target: target, Needs: needs, After: LookEvery(long), Long: long, Within: long + p.Spec.Timing.Settle, Title: title}))
}

// LookEvery is how often consumers are looked at during a watch of this length: ten
// times, but not more often than every ten seconds.
func LookEvery(long time.Duration) time.Duration { return min(long, max(long/10, 10*time.Second)) }

// validate adds the proof that the protected address accepts the new one.
func (p *Plan) validate(b *builder, ready []string) []string {
	valid := slices.Clone(ready)
	for _, probe := range p.Spec.Validate {
		valid = append(valid, b.add(Step{Verb: Validate, Target: probe.URL, Needs: ready, Within: p.Spec.Timing.Validate,
			Title: "validate: " + probe.Title() + " accepts it"}))
	}
	return valid
}

// spread adds the stores and every consumer, each followed until it is rolled out.
func (p *Plan) spread(b *builder, can Capabilities, valid []string) (settled []string) {
	w := p.Spec.Timing
	stored := p.keep(b, can, valid)
	for _, c := range p.Spec.Consumers {
		propagate := b.add(Step{Verb: Propagate, Target: c.Key, Needs: stored,
			Title: fmt.Sprintf("deploy to %s (%s)", c.Key, count(len(c.Slots), "slot")), Call: can.Calls[c.Key],
			Change: fmt.Sprintf("%s: one write of %s", c.Key, strings.Join(c.SlotNames(), ", "))})
		propagate = p.apply(b, can, c.Key, Step{Needs: []string{propagate}})
		settled = append(settled, b.add(Step{Verb: Settle, Target: c.Key, Needs: []string{propagate}, Within: w.Settle,
			Title: p.settles(c.Key)}))
	}
	return settled
}

// Unfollowed reports whether a consumer can only be asked what it holds: nothing tells
// what runs with it. Where it was not looked at that is not known.
func (p *Plan) Unfollowed(key string) bool {
	return slices.ContainsFunc(p.Seen.Consumers, func(c ConsumerSeen) bool { return c.Key == key && len(c.Slots) > 0 && c.Mark == "" })
}

// settles says what is waited for after a write: no more than can be seen.
func (p *Plan) settles(key string) string {
	if p.Unfollowed(key) {
		return "look that " + key + " holds it"
	}
	return "wait until all of " + key + " runs on it"
}

// apply adds the step that makes what was written take effect, where that is one of its
// own, and returns the step that comes last: a process that is killed between the two
// has written, and applies when it goes on.
func (p *Plan) apply(b *builder, can Capabilities, key string, s Step) (last string) {
	how := can.Places[key]
	if !how.Applied {
		return s.Needs[0]
	}
	s.Verb, s.Target, s.Call = Apply, key, can.Calls["apply "+key]
	s.Title, s.Change = "apply it in "+key, key+": what was written takes effect"
	if how.Cost != "" {
		s.Change += ", by " + how.Cost
	}
	return b.add(s)
}

// reapply is apply on the way back.
func (p *Plan) reapply(b *builder, can Capabilities, key, undoes, given string) (last string) {
	if !can.Places[key].Applied {
		return given
	}
	return b.add(Step{Verb: Reapply, Target: key, Undoes: undoes, Needs: []string{given},
		Title: "apply the old values in " + key})
}

// prove adds the proofs that the consumers use the new one: checks, silence of
// the old one, and a soak.
func (p *Plan) prove(b *builder, can Capabilities, settled []string) []string {
	w := p.Spec.Timing
	proven := slices.Concat(settled, p.checks(b, settled, "after the switch"))
	if (can.LastSeen || can.Users) && p.Strategy == Replace {
		proven = append(proven, b.add(Step{Verb: Quiet, Needs: settled, After: p.grace() + w.Quiet, Within: w.Verify,
			Title: "wait until the old one is unused"}))
	} else {
		proven = append(proven, b.add(Step{Verb: Pause, Target: "for old processes", Needs: settled, After: p.grace() + w.Quiet,
			Title: "wait until old processes have ended"}))
	}
	if w.Soak == 0 {
		return proven
	}
	soak := p.watch(b, proven, "to soak", w.Soak, "soak: both live for "+brief(w.Soak))
	return append(soak, p.checks(b, soak, "after the soak")...)
}

// checks adds the procedure's checks at one moment of the run.
func (p *Plan) checks(b *builder, needs []string, when string) []string {
	var out []string
	for i, c := range p.Spec.Verify {
		out = append(out, b.add(Step{Verb: Check, Target: fmt.Sprintf("%d %s", i+1, when), Needs: needs, Within: p.Spec.Timing.Verify,
			Title: "check " + when + ": " + c.Title()}))
	}
	return out
}

// confirm adds the proof that the old one is dead and the new one is not.
func (p *Plan) confirm(b *builder, after string) {
	for _, probe := range p.Spec.Validate {
		b.add(Step{Verb: Confirm, Target: probe.URL, Needs: []string{after}, Within: p.Spec.Timing.Confirm,
			Title: "confirm: " + probe.Title() + " denies the old one and accepts the new one"})
	}
	p.running(b, append([]string{after}, p.checks(b, []string{after}, "at the end")...))
}

// running adds the last look: what the ending says was seen then.
func (p *Plan) running(b *builder, needs []string) {
	runs := ", and everything runs"
	if slices.ContainsFunc(p.Seen.Consumers, func(c ConsumerSeen) bool { return p.Unfollowed(c.Key) }) {
		runs = ", and what can be seen runs"
	}
	b.add(Step{Verb: Running, Target: "at the end", Needs: needs, Within: p.Spec.Timing.Verify,
		Title: "final check: " + p.Kept() + " and consumers hold the new one" + runs})
}

// giveBack adds the way back of consumers and stores. Nothing of the new
// generation is taken away before every consumer runs on the old one.
func (p *Plan) giveBack(b *builder, can Capabilities, again []string) (returned []string, grace time.Duration) {
	w := p.Spec.Timing
	again = append(slices.Clone(again), p.revalidate(b, again)...)
	for _, c := range p.Spec.Consumers {
		undoes := stepID(Propagate, c.Key)
		ret := b.add(Step{Verb: Return, Target: c.Key, Undoes: undoes, Needs: again, Within: w.Settle,
			Title: "give " + c.Key + " its old values back"})
		ret = p.reapply(b, can, c.Key, undoes, ret)
		returned = append(returned, b.add(Step{Verb: Resettle, Target: c.Key, Undoes: undoes, Needs: []string{ret}, Within: w.Settle,
			Title: "wait until all of " + c.Key + " runs on the old one"}))
	}
	return p.restore(b, can, returned), p.grace()
}

// revalidate adds the proof that the address accepts the old one, before anybody is given it
// again: what was switched on or named again may take effect late.
func (p *Plan) revalidate(b *builder, needs []string) []string {
	if p.Old.Disabled || !p.Old.Expires.IsZero() && !p.Old.Expires.After(p.Seen.At) {
		return nil // it was not accepted before the run either
	}
	undoes := []string{stepID(Disable, ""), stepID(Roll, "")}
	for _, pl := range p.Seen.Admission.Places {
		undoes = append(undoes, stepID(Dismiss, pl.Key()))
	}
	for _, c := range p.Spec.Consumers {
		undoes = append(undoes, stepID(Propagate, c.Key))
	}
	var out []string
	for _, probe := range p.Spec.Validate {
		out = append(out, b.add(Step{Verb: Revalidate, Target: probe.URL, UndoesAny: undoes, Needs: needs, Within: p.Spec.Timing.Settle,
			Title: "validate: " + probe.Title() + " accepts the old one"}))
	}
	return out
}

// lookBack adds the last look of the way back: what the ending says was seen then.
func (p *Plan) lookBack(back *builder, undoes string) {
	var all []string
	for _, st := range back.steps {
		all = append(all, st.ID)
	}
	back.add(Step{Verb: Look, UndoesAny: []string{undoes}, Needs: all, Title: "final check: who holds what, and what is live"})
}

// grace is how long old processes of any consumer may live on.
func (p *Plan) grace() time.Duration {
	var g time.Duration
	for _, c := range p.Seen.Consumers {
		g = max(g, c.Grace)
	}
	return g
}

// brief says a length of time without trailing zeros.
func brief(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
