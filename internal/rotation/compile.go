package rotation

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Capabilities decide what a plan can be made of; from the vendors' sheets.
type Capabilities struct {
	MaxLive  int      // how many generations may live at once, as published; 0: unknown
	Create   bool     // a second generation can be made beside the first
	Roll     string   // RollWithGrace, RollAtOnce, or "": the same handle cannot get a new secret
	Disable  bool     // a generation can be switched off and on again
	Admits   bool     // rules elsewhere decide which generation is accepted
	LastSeen bool     // the issuer tells when a generation was last used
	Users    bool     // the issuer tells who uses a generation now
	Nameless bool     // the issuer shows no name that we choose, so what a lost answer left bears no label
	OwnScope bool     // its list shows only what is ours: what a lost answer left is told by difference
	Lingers  bool     // a grace has no end by itself
	End      string   // what its end is called, as a participle: "dropped"; "": "deleted"
	Public   []string // fields of a bundle that are not secret
	// Calls are the requests by which the vendors change something, in words,
	// for the reader of a plan: by "create", "delete", kind of place, and the key
	// of the store and of each consumer.
	Calls map[string]string
	// Places tells how the store and each consumer hold values, by key.
	Places map[string]Keeping
}

// Keeping is how a store or a consumer holds values; from its vendor's sheet.
type Keeping struct {
	Applied   bool   // what is written takes effect by a step of its own
	WriteOnly bool   // what it holds is shown to nobody
	Piecewise bool   // a write of several slots may end with some of them written
	Cost      string // of a write, in the vendor's words; "": none
}

// Compile makes the plan, or says everything that stands against it. All
// refusals happen here, before anything is touched.
func Compile(spec sop.Spec, seen Observation, can Capabilities, run string) (Plan, []Refusal) {
	switch spec.Purpose {
	case sop.ToRevoke, sop.ToDelete:
		return compileRevoke(spec, seen, can, run)
	case sop.ToRepair:
		return compileRepair(spec, seen, can, run)
	case sop.ToForget:
		return compileRetireName(spec, seen, can, run)
	case sop.ToRehearse:
		return compileRehearsal(spec, seen, can, run)
	}
	old, _ := seen.handle(seen.Issuer.Owner)
	strategy, refusals := choose(spec, can, old, seen.Issuer.Self != "" && seen.Issuer.Self == old.ID, seen.Theirs())
	if refusals = append(refuse(spec, &seen, can, strategy, run), refusals...); len(refusals) > 0 {
		return Plan{}, append(refusals, Left(spec, &seen, run)...)
	}
	p := Plan{
		Version: PlanVersion, Strategy: strategy, Run: run,
		Spec: spec, Seen: seen, Old: old,
		NewName: NewName(spec, seen.At, run),
	}
	p.Seen.Admission.Places = naming(seen.Admission.Places, old)
	if seen.Issuer.Gone {
		p.Seen.Admission.Places = seen.Admission.Lost
		p.Notes = append(p.Notes, fmt.Sprintf("%s no longer has %s: the new one is added where the journal remembers that it was", spec.Issuer.Vendor, old.Name))
	}
	p.Seen.Issuer.Live = p.remembered(can, seen.Issuer.Live, old)
	p.layOut(can)
	p.remarks(can)
	return p, nil
}

// layOut makes the steps of a rotation, there and back.
func (p *Plan) layOut(can Capabilities) {
	switch p.Strategy {
	case RollWithGrace:
		p.rollWithGrace(can)
	case RollAtOnce:
		p.rollAtOnce(can)
	default:
		p.replace(can)
	}
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
		if h.ID == old.ID || BearsName(spec, h.Name) {
			out = append(out, h)
		}
	}
	return out
}

// remembered are the generations that the journal keeps of what the issuer listed: where
// they show no name of ours, all of them, for what is made later is told from them only
// by not being among them.
func (p *Plan) remembered(can Capabilities, live []cred.Handle, old cred.Handle) []cred.Handle {
	if can.Nameless && can.OwnScope {
		return live
	}
	return related(live, p.Spec, old)
}

// BearsName reports whether a name looks like one of the credential, by the fixed
// beginning of the name pattern.
func BearsName(spec sop.Spec, name string) bool {
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

func stepID(v Verb, target string) string {
	if target == "" {
		return string(v)
	}
	return string(v) + " " + target
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e" // processes
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// IsCheck reports whether the step runs the i-th check of the spec.
func (s Step) IsCheck(i int) bool {
	return s.Verb == Check && strings.HasPrefix(s.Target, fmt.Sprintf("%d ", i+1))
}

// first is the attempt that a plan begins with.
func (p *Plan) first() int { return p.Seen.Lost + 1 }
