package traces

import (
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Of makes the spans of a run from its events, which have their numbers: one for the run
// once it is over, one for each step that was tried, and one without length for each time
// it was taken up, turned, or stuck. The same events give the same spans, in any process.
func Of(events []rotation.Event) []Span {
	if len(events) == 0 || events[0].Opened == nil {
		return nil
	}
	r := reading{run: events[0].Run, first: events[0], begun: map[string]begun{}}
	for _, e := range events {
		r.read(e)
	}
	return r.out
}

// begun is an intent whose outcome has not come yet.
type begun struct {
	rotation.Event
	generation int
}

// reading is a run that is read.
type reading struct {
	run   string
	first rotation.Event
	plan  *rotation.Plan
	begun map[string]begun // by step
	out   []Span
}

func (r *reading) read(e rotation.Event) {
	switch {
	case e.Planned != nil:
		r.plan = e.Planned
	case e.Intent != nil:
		for _, step := range e.Intent.Steps {
			r.unknown(step, e) // it is tried again, and what came of it before was never told
			r.begun[step] = begun{e, e.Intent.Generation}
		}
	case e.Outcome != nil:
		r.outcome(e)
	case e.Resumed != nil:
		a := []Attribute{yes("rekey.clean", e.Resumed.Clean)}
		if e.Resumed.Worker != "" {
			a = append(a, text("rekey.worker", e.Resumed.Worker))
		}
		r.moment("taken up", e, Unset, "", a...)
	case e.Turned != nil:
		r.moment("turned", e, Unset, "", text("rekey.mode", string(e.Turned.Mode)), number("rekey.generation", int64(e.Turned.Generation)))
	case e.Stuck != nil:
		r.moment("stuck", e, Failed, "it needs a person: rekey resume "+r.run)
	case e.Closed != nil:
		for _, step := range r.open() {
			r.unknown(step, e)
		}
		r.closed(e)
	}
}

// common is what each span of a run says.
func (r *reading) common() []Attribute {
	return []Attribute{text("rekey.run", r.run), text("rekey.credential", r.first.Opened.Credential)}
}

func (r *reading) add(s Span) {
	s.Trace, s.Attributes = TraceOf(r.run), append(r.common(), s.Attributes...)
	r.out = append(r.out, s)
}

func (r *reading) moment(name string, e rotation.Event, status Status, why string, a ...Attribute) {
	r.add(Span{ID: spanOf(r.run, name, e.Seq), Parent: rootOf(r.run), Name: name, Start: e.At, End: e.At, Seq: e.Seq,
		Status: status, Why: why, Attributes: append(a, number("rekey.journal.seq", e.Seq))})
}

// outcome ends the span of a step. One without an intent was a look, of which only the
// end is known.
func (r *reading) outcome(e rotation.Event) {
	o, began := e.Outcome, e
	if b, ok := r.begun[o.Step]; ok {
		began = b.Event
		delete(r.begun, o.Step)
	}
	r.step(o.Step, o.Generation, began, e, string(o.Class), standing(o.Class),
		yes("rekey.already", o.Already), number("rekey.calls", int64(o.Calls)))
}

// unknown ends the span of a step of which nothing was heard: whoever tried it is gone.
// That is neither a failure nor a success.
func (r *reading) unknown(step string, at rotation.Event) {
	if b, ok := r.begun[step]; ok {
		delete(r.begun, step)
		r.step(step, b.generation, b.Event, at, string(cred.Unknown), Unset)
	}
}

func (r *reading) step(id string, generation int, began, ended rotation.Event, outcome string, status Status, more ...Attribute) {
	a := []Attribute{text("rekey.step", named(id)), number("rekey.generation", int64(generation)), text("rekey.outcome", outcome)}
	name := named(id)
	if st, ok := r.find(id); ok {
		name = string(st.Verb)
		a = append(a, yes("rekey.changes", st.Verb.Effect()))
		if st.Target != "" {
			a = append(a, text("rekey.target", named(st.Target)))
		}
		if vendor := r.vendor(st); vendor != "" {
			a = append(a, text("rekey.vendor", vendor))
		}
	}
	a = append(append(a, more...), number("rekey.journal.seq", began.Seq), number("rekey.journal.seq.end", ended.Seq))
	s := Span{ID: spanOf(r.run, "step "+id, began.Seq), Parent: rootOf(r.run), Name: name, Start: began.At, End: ended.At, Seq: ended.Seq, Status: status, Attributes: a}
	if status == Failed {
		s.Why = outcome
	}
	r.add(s)
}

// named is a step's or a place's name. Of those that are addresses of rekey.yaml, what stands
// behind the question mark is left out.
func named(key string) string {
	if strings.Contains(key, "://") {
		key, _, _ = strings.Cut(key, "?")
	}
	return key
}

func (r *reading) open() (out []string) {
	for step := range r.begun {
		out = append(out, step)
	}
	slices.Sort(out)
	return out
}

func (r *reading) find(id string) (rotation.Step, bool) {
	if r.plan != nil {
		for _, steps := range [][]rotation.Step{r.plan.Steps, r.plan.Back} {
			for _, st := range steps {
				if st.ID == id {
					return st, true
				}
			}
		}
	}
	return rotation.Step{}, false
}

// vendor is who is asked in a step, as named in rekey.yaml; "": several, or nobody.
func (r *reading) vendor(st rotation.Step) string {
	spec := r.first.Opened.Spec
	if st.Target == "" {
		switch st.Verb {
		case rotation.Create, rotation.Roll, rotation.Extend, rotation.Disable, rotation.Enable, rotation.Delete, rotation.Expire, rotation.Discard, rotation.Prolong:
			return spec.Issuer.Vendor
		}
	}
	for _, p := range spec.Places() {
		if p.Key == st.Target {
			return p.Vendor
		}
	}
	return ""
}

// standing: done is well, waiting and unknown are neither, and the rest failed.
func standing(c cred.Class) Status {
	switch c {
	case cred.Done:
		return Well
	case cred.Waiting, cred.Unknown:
		return Unset
	}
	return Failed
}

func (r *reading) closed(e rotation.Event) {
	purpose := r.first.Opened.Spec.Purpose
	name := string(purpose)
	if purpose == "" || purpose == sop.AfterRevoke {
		name = "rotate"
	}
	s := Span{ID: rootOf(r.run), Name: name, Start: r.first.At, End: e.At, Seq: e.Seq, Status: Well, Attributes: []Attribute{
		text("rekey.ending", string(e.Closed.Ending)), text("rekey.version", r.first.Opened.Tool), yes("rekey.simulated", r.first.Opened.Simulated),
		number("rekey.journal.seq", r.first.Seq), number("rekey.journal.seq.end", e.Seq),
	}}
	if e.Closed.Ending == rotation.RolledBack || e.Closed.Ending == rotation.RefusedRun {
		s.Status, s.Why = Failed, string(e.Closed.Ending)
	}
	r.add(s)
}
