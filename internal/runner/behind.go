package runner

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// looked is what one look at all places and at what runs there has seen.
type looked struct {
	ran  []*provider.Progress          // of each consumer; nil: it could not be looked at
	held []map[string]cred.Fingerprint // of each place; nil: it could not be asked
	err  error                         // what could not be looked at, joined
}

// lookAround looks at what every consumer runs on and at what every place holds; sure: an
// answer that is a little older does not count. Further looks are made beside it.
func (r *Runner) lookAround(ctx context.Context, sure bool, beside ...func() error) looked {
	plan := r.state.Plan
	ran, runs := r.lookingAtRuns(ctx, plan.Spec.Consumers, sure)
	held, holds := r.lookingAt(ctx, r.places(), sure)
	// What consumers hold is mostly seen by what they run on; the stores are asked beside that.
	stores := 1 + len(plan.Spec.Further)
	first := slices.Concat(beside, runs, holds[:stores])
	return looked{ran, held, errors.Join(r.Together(first...), r.Together(holds[stores:]...))}
}

// lookingAtRuns are the looks at what consumers run on, and where what they see is put;
// nil: it could not be looked at.
func (r *Runner) lookingAtRuns(ctx context.Context, consumers []sop.Place, sure bool) (ran []*provider.Progress, looks []func() error) {
	ran = make([]*provider.Progress, len(consumers))
	for i, c := range consumers {
		looks = append(looks, func() error {
			p, err := r.progress(ctx, c, sure)
			if err == nil {
				ran[i] = &p
			}
			return err
		})
	}
	return ran, looks
}

// guardRuns: everything that can be seen to run does so on what it was given. What is
// starting is waited for by the step that follows a roll-out.
func (r *Runner) guardRuns(consumers []sop.Place, ran []*provider.Progress) *rotation.Outcome {
	if o := r.behind(consumers, ran, "nothing was taken away"); o != nil {
		return o
	}
	var follow, why []string
	for i, c := range consumers {
		if p := ran[i]; p != nil && p.Class != cred.Done {
			steps := r.rollsOut(c.Key)
			follow = append(follow, steps[slices.IndexFunc(steps, r.follows)])
			why = append(why, c.Key+": "+p.Detail)
		}
	}
	if follow == nil {
		return nil
	}
	o := failed(cred.Waiting, "nothing is taken away before everything runs: %s", strings.Join(why, "; "))
	o.Redo = follow
	return &o
}

func (r *Runner) follows(id string) bool {
	st, _ := r.state.Plan.Step(id)
	return st.Verb == rotation.Settle || st.Verb == rotation.Resettle
}

// guardRunsBack: whoever was given the old one again runs on it.
func (r *Runner) guardRunsBack(ctx context.Context) *rotation.Outcome {
	var given []sop.Place
	for _, c := range r.state.Plan.Spec.Consumers {
		if r.state.Step(string(rotation.Resettle)+" "+c.Key).Status == rotation.Ended {
			given = append(given, c)
		}
	}
	ran, looks := r.lookingAtRuns(ctx, given, true)
	if err := r.Together(looks...); err != nil {
		return beforehand(err)
	}
	return r.guardRuns(given, ran)
}

// behind has the roll-out made once more at every consumer where something runs on what
// was there before: a process may come up on an old image after all others were seen to run
// on what they were given, and no slot tells of it. nil: nothing of it was seen.
func (r *Runner) behind(places []sop.Place, ran []*provider.Progress, what string) *rotation.Outcome {
	var redo, why []string
	for i, c := range places {
		if p := ran[i]; p != nil && p.Class == cred.Waiting && p.Behind {
			why, redo = append(why, c.Key+": "+p.Detail), append(redo, r.rollsOut(c.Key)...)
		}
	}
	if redo == nil {
		return nil
	}
	o := failed(cred.Foreign, "%s: %s, although everything was seen to run on what it was given; the roll-out is made once more", what, strings.Join(why, "; "))
	o.Redo = redo
	return &o
}

// rollsOut are the steps of the direction under way that give a consumer what it is to run
// on, follow that, and wait for the processes before to end.
func (r *Runner) rollsOut(key string) (ids []string) {
	settles := ""
	for _, st := range r.state.Active() {
		switch st.Verb {
		case rotation.Propagate, rotation.Return:
			if st.Target == key {
				ids = append(ids, st.ID)
			}
		case rotation.Settle, rotation.Resettle:
			if st.Target == key {
				ids, settles = append(ids, st.ID), st.ID
			}
		case rotation.Quiet, rotation.Pause:
			if slices.Contains(st.Needs, settles) {
				ids = append(ids, st.ID)
			}
		}
	}
	return ids
}

// endsSoon reports whether a step that waits is about to be given up.
func (r *Runner) endsSoon(a rotation.Action) bool {
	first := r.state.Step(a.Step.ID).First
	return !first.IsZero() && r.Clock.Now().Sub(first)+10*r.state.Plan.Spec.Timing.Poll >= a.Step.Within
}

// usedBy finds out, where the old one is in use until the wait for the end of that is about
// to be given up, whether it is by what runs at a consumer of the run: then that is rolled
// out once more.
func (r *Runner) usedBy(ctx context.Context, a rotation.Action, o rotation.Outcome) rotation.Outcome {
	if o.Class != cred.Waiting || !r.endsSoon(a) {
		return o
	}
	consumers := r.state.Plan.Spec.Consumers
	ran, looks := r.lookingAtRuns(ctx, consumers, true)
	_ = r.Together(looks...) // what cannot be seen tells nothing of who uses it
	if b := r.behind(consumers, ran, o.Why); b != nil {
		return *b
	}
	for i, c := range consumers {
		if p := ran[i]; p != nil && p.Class == cred.Waiting {
			o.Why += "; " + c.Key + ": " + p.Detail
		}
	}
	return o
}

// leftBehind looks, before a roll-out that is made once more, whether it is still needed: a
// process before this one may have made it.
func (r *Runner) leftBehind(ctx context.Context, a rotation.Action, place sop.Place) (bool, error) {
	if !r.state.Step(a.Step.ID).Redone {
		return false, nil
	}
	r.forgetRan(place.Key)
	p, err := r.progress(ctx, place, true)
	return p.Behind, err
}
