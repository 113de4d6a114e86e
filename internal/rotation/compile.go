package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Capabilities decide what a plan can be made of; from the vendors' sheets.
type Capabilities struct {
	MaxLive  int  // how many generations may live at once; 0: unknown
	LastSeen bool // the issuer tells when a generation was last used
	// Calls are the requests by which the vendors change something, in words,
	// for the reader of a plan: by "create", "delete", kind of place, and the key
	// of the store and of each consumer.
	Calls map[string]string
}

// StrategyReplace creates a new generation beside the old one.
const StrategyReplace = "replace"

// Compile makes the plan, or says everything that stands against it. All
// refusals happen here, before anything is touched.
func Compile(spec sop.Spec, seen Observation, can Capabilities, run string) (Plan, []Refusal) {
	if refusals := refuse(spec, &seen, can); len(refusals) > 0 {
		return Plan{}, refusals
	}
	old, _ := seen.handle(seen.Issuer.Owner)
	p := Plan{
		Version: PlanVersion, Strategy: StrategyReplace, Run: run,
		Spec: spec, Seen: seen, Old: old,
		NewName: NewName(spec, seen.At, run),
	}
	p.Seen.Admission.Places = naming(seen.Admission.Places, old)
	p.Seen.Issuer.Live = related(seen.Issuer.Live, spec, old)
	p.forward(can)
	p.backward()
	p.remarks()
	return p, nil
}

// NewName is the new generation's name up to the attempt, which the runner
// appends: the label is how a creation whose answer was lost is found again.
func NewName(spec sop.Spec, at time.Time, run string) string {
	name := strings.ReplaceAll(spec.Issuer.Name, "<date>", at.UTC().Format(time.DateOnly))
	if strings.Contains(name, "<run>") {
		return name
	}
	return name + "-<run>"
}

// Named is the full name of one attempt.
func (p *Plan) Named(generation int) string {
	return strings.ReplaceAll(p.NewName, "<run>", cred.Label(p.Run, generation))
}

// naming keeps the places that name the generation.
func naming(places []cred.Place, h cred.Handle) []cred.Place {
	var out []cred.Place
	for _, p := range places {
		if p.NamesAny(h) {
			out = append(out, p)
		}
	}
	return out
}

// related keeps the generations that have to do with this credential: the
// others are none of the journal's business.
func related(live []cred.Handle, spec sop.Spec, old cred.Handle) []cred.Handle {
	var out []cred.Handle
	for _, h := range live {
		if h.ID == old.ID || bearsOurName(spec, h.Name) {
			out = append(out, h)
		}
	}
	return out
}

// bearsOurName compares with the fixed beginning of the name pattern.
func bearsOurName(spec sop.Spec, name string) bool {
	fixed, _, _ := strings.Cut(spec.Issuer.Name, "<")
	return len(fixed) > 3 && strings.HasPrefix(name, fixed)
}

// edit is the call that edits a place.
func (c Capabilities) edit(pl cred.Place) string {
	return strings.NewReplacer("{id}", pl.ID, "{parent}", pl.Parent).Replace(c.Calls[pl.Kind])
}

// builder collects steps.
type builder struct{ steps []Step }

func (b *builder) add(s Step) string {
	s.ID = string(s.Verb)
	if s.Target != "" {
		s.ID += " " + s.Target
	}
	b.steps = append(b.steps, s)
	return s.ID
}

// forward lays out the strategy replace.
func (p *Plan) forward(can Capabilities) {
	var b builder
	w := p.Spec.Timing
	create := b.add(Step{Verb: Create, Title: "create the new generation", Call: can.Calls["create"],
		Change: fmt.Sprintf("%s: new %s named %s", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Named(1))})

	ready := []string{create}
	for _, pl := range p.Seen.Admission.Places {
		if pl.Admits {
			ready = append(ready, b.add(Step{Verb: Admit, Target: pl.Key(), Needs: []string{create},
				Title: fmt.Sprintf("admit it in %s %q", pl.Kind, pl.Name), Call: can.edit(pl),
				Change: fmt.Sprintf("%s: %s %q also names the new one", p.Spec.Issuer.Vendor, pl.Kind, pl.Name)}))
		}
	}
	valid := slices.Clone(ready)
	for _, probe := range p.Spec.Validate {
		valid = append(valid, b.add(Step{Verb: Validate, Target: probe.URL, Needs: ready, Within: w.Validate,
			Title: "validate: " + probe.URL + " lets it in"}))
	}
	store := b.add(Step{Verb: Store, Needs: valid, Within: w.Settle,
		Title: fmt.Sprintf("store it in %s (%s)", p.Spec.Store.Key, count(len(p.Spec.Store.Slots), "slot")), Call: can.Calls[p.Spec.Store.Key],
		Change: fmt.Sprintf("%s: one batch of %s", p.Spec.Store.Key, strings.Join(p.Spec.Store.SlotNames(), ", "))})

	var settled []string
	grace := time.Duration(0)
	for _, c := range p.Spec.Consumers {
		propagate := b.add(Step{Verb: Propagate, Target: c.Key, Needs: []string{store},
			Title: fmt.Sprintf("propagate to %s (%s)", c.Key, count(len(c.Slots), "slot")), Call: can.Calls[c.Key],
			Change: fmt.Sprintf("%s: one write of %s", c.Key, strings.Join(c.SlotNames(), ", "))})
		settled = append(settled, b.add(Step{Verb: Settle, Target: c.Key, Needs: []string{propagate}, Within: w.Settle,
			Title: "settle: everything in " + c.Key + " runs on it"}))
		grace = max(grace, p.Seen.consumer(c.Key).Grace)
	}
	proven := slices.Clone(settled)
	for i, c := range p.Spec.Verify {
		proven = append(proven, b.add(Step{Verb: Check, Target: checkKey(i, "after the switch"), Needs: settled, Within: w.Verify,
			Title: "check: " + c.Title()}))
	}
	if can.LastSeen {
		proven = append(proven, b.add(Step{Verb: Quiet, Needs: settled, After: grace + w.Quiet, Within: w.Verify,
			Title: "quiet: nobody uses the old one any more"}))
	} else {
		proven = append(proven, b.add(Step{Verb: Pause, Target: "for old processes", Needs: settled, After: grace + w.Quiet,
			Title: "pause until old processes have ended"}))
	}
	if w.Soak > 0 {
		soaked := []string{b.add(Step{Verb: Pause, Target: "to soak", Needs: proven, After: w.Soak,
			Title: "soak: both live for " + w.Soak.String()})}
		for i, c := range p.Spec.Verify {
			soaked = append(soaked, b.add(Step{Verb: Check, Target: checkKey(i, "after the soak"), Needs: soaked[:1], Within: w.Verify,
				Title: "check once more: " + c.Title()}))
		}
		proven = soaked
	}

	gone := slices.Clone(proven)
	for _, pl := range p.Seen.Admission.Places {
		gone = append(gone, b.add(Step{Verb: Dismiss, Target: pl.Key(), Needs: proven, Ask: true,
			Title: fmt.Sprintf("dismiss the old one from %s %q", pl.Kind, pl.Name), Call: can.edit(pl),
			Change: fmt.Sprintf("%s: %s %q names the old one no more", p.Spec.Issuer.Vendor, pl.Kind, pl.Name)}))
	}
	del := b.add(Step{Verb: Delete, Needs: gone, Ask: true, Final: true,
		Title: "delete the old generation", Call: strings.ReplaceAll(can.Calls["delete"], "{id}", p.Old.ID),
		Change: fmt.Sprintf("%s: %s %s (%s) ends for good", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Old.Name, p.Old.ID)})
	for _, probe := range p.Spec.Validate {
		b.add(Step{Verb: Confirm, Target: probe.URL, Needs: []string{del}, Within: w.Confirm,
			Title: "confirm: " + probe.URL + " turns the old one away and lets the new one in"})
	}
	for i, c := range p.Spec.Verify {
		b.add(Step{Verb: Check, Target: checkKey(i, "after the old one is gone"), Needs: []string{del}, Within: w.Verify,
			Title: "check at the end: " + c.Title()})
	}
	b.add(Step{Verb: Sweep, Needs: []string{del}, Strays: true,
		Title: "sweep: nothing else that this run made is left"})
	p.Steps = b.steps
}

// backward lays out the way back, in the order in which it is walked: nothing of
// the new generation is taken away before every consumer runs on the old one.
func (p *Plan) backward() {
	var b builder
	w := p.Spec.Timing
	var again []string
	for _, pl := range p.Seen.Admission.Places {
		again = append(again, b.add(Step{Verb: Readmit, Target: pl.Key(), Undoes: stepID(Dismiss, pl.Key()),
			Title: fmt.Sprintf("name the old one again in %s %q", pl.Kind, pl.Name)}))
	}
	var back []string
	grace := time.Duration(0)
	for _, c := range p.Spec.Consumers {
		undoes := stepID(Propagate, c.Key)
		ret := b.add(Step{Verb: Return, Target: c.Key, Undoes: undoes, Needs: again, Within: w.Settle,
			Title: "give " + c.Key + " its old values back"})
		back = append(back, b.add(Step{Verb: Resettle, Target: c.Key, Undoes: undoes, Needs: []string{ret}, Within: w.Settle,
			Title: "settle: everything in " + c.Key + " runs on the old one"}))
		grace = max(grace, p.Seen.consumer(c.Key).Grace)
	}
	back = append(back, b.add(Step{Verb: Restore, Undoes: stepID(Store, ""), Needs: back, Within: w.Settle,
		Title: "give " + p.Spec.Store.Key + " its old values back"}))
	var out []string
	for _, pl := range p.Seen.Admission.Places {
		if pl.Admits {
			out = append(out, b.add(Step{Verb: Withdraw, Target: pl.Key(), Undoes: stepID(Admit, pl.Key()), Needs: back, After: grace,
				Title: fmt.Sprintf("name the new one no more in %s %q", pl.Kind, pl.Name)}))
		}
	}
	discard := b.add(Step{Verb: Discard, Undoes: stepID(Create, ""), Needs: slices.Concat(out, back), After: grace,
		Title: "discard the new generation"})
	b.add(Step{Verb: Sweep, Target: "after going back", Needs: []string{discard}, Strays: true,
		Title: "sweep: nothing that this run made is left"})
	p.Back = b.steps
}

func stepID(v Verb, target string) string {
	if target == "" {
		return string(v)
	}
	return string(v) + " " + target
}

func checkKey(i int, when string) string { return fmt.Sprintf("%d %s", i+1, when) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// IsCheck reports whether the step runs the i-th check of the spec.
func (s Step) IsCheck(i int) bool {
	return s.Verb == Check && strings.HasPrefix(s.Target, fmt.Sprintf("%d ", i+1))
}
