package reference_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/stage"
)

var (
	guards = flag.Bool("guards", false, "break each guard of the runner on purpose, and see whether this play catches it (some minutes)")
	guard  = flag.String("guard", "", "with -guards, only those whose name contains this")
)

// root is where go.mod stands.
const root = "../../.."

// broken is a guard taken out: in one file, one text becomes another.
type broken struct{ guard, file, from, to string }

// guardsOut are the guards, each with what takes it out. These the samples do not miss, for
// another one stands behind each, or nothing here does what it is against:
//   - "an unclear answer counts only twice", "an answer that is too early is none": before
//     what cannot be undone the same question is asked again;
//   - "the first store is given back last": what it held is found in its history and in the
//     stores that follow, too;
//   - "who holds what a lost answer made": a process that goes on takes it up before;
//   - "the last look of the way back …": the ending tells it, which is no promise broken;
//   - "the new one is named still after the old one was taken out": the last proof names it again;
//   - "silence is longer than the plan wants": nobody but the consumer uses the old one here.
var guardsOut = []broken{
	{"the look before the old one is taken away", "runner/guard.go", "		return r.guardOld(ctx, a)\n", "		return nil\n"},
	{"that look finds who holds the old one", "runner/guard.go", `		if w := r.mismatch(p, around.held[i]); w != "" {`, `		if w := r.mismatch(p, around.held[i]); w == "never" {`},
	{"that look finds who runs on what was there before", "runner/behind.go", "p.Class == cred.Waiting && p.Behind {", "p.Class == cred.Waiting && p.Behind && i < 0 {"},
	{"what runs on what it was given is looked at before the old one is taken away", "runner/guard.go", "	if o := r.guardRuns(r.state.Plan.Spec.Consumers, around.ran); o != nil {\n		return o\n	}\n", ""},
	{"the same on the way back", "runner/guard.go", "		return r.guardRunsBack(ctx)\n", "		return nil\n"},
	{"what is rolled out once more is written once more", "runner/behind.go", "	return p.Behind, err\n", "	return false, err\n"},
	{"old processes of a roll-out that is made once more are waited for", "runner/behind.go", "			if slices.Contains(st.Needs, settles) {\n				ids = append(ids, st.ID)\n			}\n", ""},
	{"the look before the new one is taken away", "runner/guard.go", "			return r.guardNew(ctx)\n", "			return nil\n"},
	{"the gate has learned before the old one is switched on again", "runner/guard.go", "		return r.guardAgain(ctx, a)\n", "		return nil\n"},
	{"the rules still name the new one", "runner/guard.go", "		if !now.NamesAny(*r.state.Made.Handle) {\n			redo", "		if now.ID == \"never\" {\n			redo"},
	{"the new one still works before what cannot be undone", "runner/guard.go", "		return r.guardWorks(ctx)\n", "		return nil\n"},
	{"nobody else has rolled it since", "runner/guard.go", "		return r.guardRoll(ctx)\n", "		return nil\n"},
	{"the old one is on and named before anybody is given it", "runner/act_probe.go", "	if o := r.takenAway(ctx); o != nil {\n		return *o\n	}\n", ""},
	{"an unclear answer counts only twice", "runner/act_probe.go", "last == nil || last.Since == nil {", "last == nil {"},
	{"an answer that is too early is none", "runner/act_probe.go", "	if o := r.tooEarly(a); o != nil {\n		return *o\n	}\n", ""},
	{"who else wrote the store in between", "runner/act_store_between.go", "func (r *Runner) interleaved(ctx context.Context, p sop.Place, written map[string]provider.Held) (rotation.Outcome, bool) {\n", "func (r *Runner) interleaved(ctx context.Context, p sop.Place, written map[string]provider.Held) (rotation.Outcome, bool) {\n	if true {\n		return rotation.Outcome{}, false\n	}\n"},
	{"a store that follows is looked at before it is written", "runner/act_store.go", "	if a.Look || follows {", "	if a.Look {"},
	{"what somebody else wrote to a store that follows is not overwritten", "runner/act_store.go", "r.writtenByOthers(place.Key, held); o != nil && follows {", "r.writtenByOthers(place.Key, held); o != nil && false {"},
	{"consumers wait for every store", "rotation/keep.go", "			kept = append(slices.Clone(kept), last...)\n", "			_ = last\n"},
	{"a store that has lost the new one is given it before consumers are", "runner/see.go", "			o.Redo = append(o.Redo, plan.Writes(p.Key))\n", ""},
	{"the first store is given back last", "rotation/keep.go", "			needs = slices.Clone(out)\n", "			_ = out\n"},
	{"what they wrote is given back", "runner/act_store_between.go", "				back[i].Value = theirs\n", "				_, _ = i, theirs\n"},
	{"what somebody else wrote is left alone on the way back", "runner/act_store.go", `now != "" && !r.isOurs(p.Key, was.Slot, now):`, `now != "" && now == "never":`},
	{"a consumer is looked at right before it is written", "runner/act_consumer.go", "	} else if age > justNow {", "	} else if age < 0 {"},
	{"what somebody else wrote at a consumer is not overwritten", "runner/act_consumer.go", "!same && !r.isOurs(key, was.Slot, fp) {", "false && !same && !r.isOurs(key, was.Slot, fp) {"},
	{"what a consumer holds is compared once it runs", "runner/act_consumer.go", "p.Slots[slot]); got != want(slot) {", "p.Slots[slot]); got == \"never\" {"},
	{"applied by a process that goes on", "runner/act_apply.go", "	r.forgetRan(place.Key)\n", "	if a.Look {\n		return rotation.Outcome{Class: cred.Done, Already: true}\n	}\n"},
	{"applied once more, given back once more", "rotation/redo.go", "	if id := stepID(Reapply, key); s.planHas(id) {", "	if id := stepID(Reapply, key); false {"},
	{"the date of what is shown to nobody", "runner/hidden.go", "if s.Slot == slot && s.Present && s.Written.Equal(h.Written) {", "if s.Slot == slot && s.Present {"},
	{"a write of unknown date is made again", "runner/hidden.go", `		if h.Hidden && h.Stamp["fingerprint"] == "" {`, `		if h.Hidden && h.Stamp["fingerprint"] == "never" {`},
	{"a date that one answer told is not taken for ours or for theirs", "runner/act_store.go", "(r.unsureOf(p.Key) || r.datedOnce(p.Key)):", "r.unsureOf(p.Key):"},
	{"what is older than the run is not of the run", "runner/act_discard.go", "known[h.ID] || r.beforeUs(h)", "known[h.ID]"},
	{"what the run put there is removed, whatever one answer says", "runner/act_store.go", "!was.Present && !r.maybeWritten(p.Key) {", "!was.Present {"},
	{"a date of before a write that was made is not its own", "runner/act_store.go", "was.Present && !again && !wrong ||", "was.Present && !again ||"},
	{"rules and list are of one account", "runner/absent.go", "	if !names || r.Can.OwnScope || len(listed) == 0 {", "	if names || !names {"},
	{"who holds what a lost answer made, before it is revoked", "runner/act_discard.go", "		if found != nil && found.handle.ID == h.ID {", `		if found != nil && found.handle.ID == "never" {`},
	{"not there counts only if the list says so too", "runner/absent.go", "	if slices.ContainsFunc(listed, func(x cred.Handle) bool { return x.ID == h.ID }) {", "	if slices.ContainsFunc(listed, func(x cred.Handle) bool { return x.ID == \"never\" }) {"},
	{"a process that was overtaken sends nothing", "provider/outside.go", "		if err := e.Ours(ctx); err != nil {\n			return err\n		}\n", "		_ = e.Ours(ctx)\n"},
	{"a process that takes a run up looks first", "rotation/sight.go", "	return s.Plan != nil && s.Closed == nil && (", "	return false && s.Plan != nil && s.Closed == nil && ("},
	{"writes that the journal has forgotten", "runner/see.go", "	for _, p := range r.state.Unwritten() {\n", "	for range r.state.Unwritten() {\n		p := r.state.Plan.Spec.Store\n"},
	{"the new one is validated again by who goes on", "rotation/resume.go", "		if st.Verb == Validate && s.done(st.ID) && !s.Given() {", "		if st.Verb == Validate && s.done(st.ID) && false {"},
	{"the watch looks whether everybody still holds it", "runner/act_watch.go", `		if w := r.mismatch(p, around.held[i]); w != "" && !r.Unguarded {`, `		if w := r.mismatch(p, around.held[i]); w == "never" && !r.Unguarded {`},
	{"the last look of the way back finds the new one alive", "runner/act_watch.go", "			o.Redo = append(o.Redo, string(rotation.Discard))\n", ""},
	{"the last look of the way back finds the old one off", "runner/act_watch.go", "			o.Redo = append(o.Redo, string(rotation.Enable))\n", ""},
	{"a rule that names it again is edited again", "runner/act_issuer.go", "				o.Redo = append(o.Redo, id)\n", "				_ = id\n"},
	{"the new one is named still after the old one was taken out", "runner/act_issuer.go", "		if !e.Place.NamesAny(*r.state.Made.Handle) {", "		if false {"},
	{"silence is longer than the plan wants", "runner/act_quiet.go", "	if ago < plan.Spec.Timing.Quiet {", "	if ago < plan.Spec.Timing.Quiet-time.Hour {"},
	{"old processes are waited for", "rotation/replace.go", "		g = max(g, c.Grace)\n", "		_ = c\n"},
	{"a creation is never made twice under one label", "rotation/lost.go", "	return s.startOver(why), true\n", "	return Decision{}, false\n"},
}

// TestEveryGuardIsWhereItWas: the list of guards is about the code as it is. With
// -args -guards each is taken out, in a copy that only the compiler sees, and the
// samples of this package are played without it: one of them has to fail.
func TestEveryGuardIsWhereItWas(t *testing.T) {
	proof := stage.Proof{
		Run: []string{"TestWhatWasFound", "TestSomebodyElse", "TestEvery"}, Skip: t.Name(), // the quicker and the likelier first
		Says: func(line string) bool {
			return strings.Contains(line, "(seed ") || strings.Contains(line, "found_test.go:")
		},
	}
	for _, b := range guardsOut {
		g := stage.Guard{Name: b.guard, File: filepath.Join(root, "internal", filepath.FromSlash(b.file)), From: b.from, To: b.to}
		if *guards && strings.Contains(b.guard, *guard) {
			g.MustBeCaught(t, proof)
		} else {
			g.Without(t)
		}
	}
}
