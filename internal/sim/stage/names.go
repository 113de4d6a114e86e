package stage

import (
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// NewWithoutReaders is the SOP's world, set to retire the former name of its
// first credential, which nobody reads any more.
func NewWithoutReaders(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.Target(driftedFormer)
	return s
}

// judgeForgotten: everybody goes on under the name at every moment; the former
// name is gone from everywhere, or was given back to everybody.
func judgeForgotten(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	for _, o := range w.Outages {
		bad("promise 1: %s was out: %s", o.Process, o.Why)
	}
	if stored(w, "UNRELATED") != "not ours" || len(w.Cloudflare.Tokens) != 3 || len(w.Cloudflare.Deleted) > 0 {
		bad("what is not ours was changed")
	}
	if st.Closed == nil || st.Plan == nil {
		return
	}
	spec := st.Opened.Spec
	has := map[string]bool{}
	for _, n := range append(spec.Store.SlotNames(), spec.Consumers[0].SlotNames()...) {
		_, app := current(w.Heroku.Apps[0])[n]
		has[n] = app || stored(w, n) != ""
		if !strings.HasPrefix(n, spec.Target) && !has[n] {
			bad("promise 3: %s, which was to stay, is gone", n)
		}
	}
	former := has[spec.Target] || has[spec.Target+"__CLIENT_ID"]
	switch {
	case st.Closed.Ending == rotation.NameGone && former:
		bad("promise 6: it says that the name is retired, and somebody has it")
	case st.Closed.Ending == rotation.RolledBack:
		if _, broken := Agreement(w, spec); len(broken) > 0 {
			bad("promise 6: it says rolled back: %v", broken)
		}
	}
	for id, p := range st.Steps {
		if step, _ := st.Plan.Step(id); st.Closed.Ending == rotation.RolledBack && step.Final && (p.Maybe || p.Status == rotation.Ended) {
			bad("it went back after its point of no return")
		}
	}
}
