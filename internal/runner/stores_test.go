package runner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/drift"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// following is a triple whose store is followed by another one.
func following(t *testing.T) (*triple, *shelf) {
	x := newTriple(t)
	c := &shelf{x: x, name: "copy", history: map[string][]secret.Value{}, held: map[string]kept{}}
	for k, h := range x.store.held {
		c.held[k] = h
		c.history[k] = []secret.Value{h.value}
	}
	x.copies = map[string]*shelf{"copy:x": c}
	x.spec.Further = []sop.Place{{Key: "copy:x", Vendor: "copy", Slots: x.spec.Store.Slots}}
	x.spec.Verify = []sop.Check{{URL: "https://app.test/works"}}
	return x, c
}

// writes are the calls that change what places hold, in order.
func (x *triple) writes() []string {
	return slices.DeleteFunc(slices.Clone(x.calls), func(c string) bool {
		return !strings.HasSuffix(c, " write") && !strings.HasSuffix(c, " remove")
	})
}

// agree reports whether both stores and the app hold one credential.
func (x *triple) agree(c *shelf) bool {
	user, pass := x.store.held["USER"].value, x.store.held["PASS"].value
	return user.Present() && c.held["USER"].value.Equal(user) && c.held["PASS"].value.Equal(pass) &&
		x.app.held["DSN"].value.Reveal() == user.Reveal()+":"+pass.Reveal()
}

// theirs is a write of somebody else.
func (s *shelf) theirs(slot, value string) {
	s.held[slot] = kept{value: secret.New(value), version: s.held[slot].version + 1, written: s.x.clock.now.Add(1e9)}
	if s.history != nil {
		s.history[slot] = append(s.history[slot], secret.New(value))
	}
}

// A store that follows is written after the first one was, and before any consumer is.
func TestStoresThatFollowAreWrittenAfterTheFirstAndBeforeConsumers(t *testing.T) {
	x, c := following(t)
	st := x.ends(rotation.Rotated)
	if got := fmt.Sprint(x.writes()); got != "[store write copy write app write]" {
		t.Error(got)
	}
	follows, _ := st.Plan.Step("store copy:x")
	deploy, _ := st.Plan.Step("propagate app:x")
	if !slices.Equal(follows.Needs, []string{"store"}) || !slices.Contains(deploy.Needs, "store copy:x") || !slices.Contains(deploy.Needs, "store") {
		t.Errorf("%v, %v", follows.Needs, deploy.Needs)
	}
	if !x.agree(c) {
		t.Error("they do not hold the same")
	}
	if told := x.told("store copy:x"); !strings.Contains(told, "every slot holds it") {
		t.Error(told)
	}
	if told := x.told("running at the end"); !strings.Contains(told, "stores and consumers held the new one") {
		t.Error(told)
	}
}

// Going back it is the other way round: consumers, the stores that follow, and the first
// one last.
func TestGoingBackGivesTheFirstStoreItsOldValuesLast(t *testing.T) {
	x, c := following(t)
	x.fails = true
	x.ends(rotation.RolledBack)
	if got := fmt.Sprint(x.writes()[3:]); got != "[app write copy write store write]" {
		t.Error(got)
	}
	if !x.agree(c) || c.held["PASS"].value.Reveal() != "first" {
		t.Error("they do not hold what they held")
	}
}

// What was not there before the run is not there after going back.
func TestAStoreThatHeldNothingIsFilledAndEmptiedAgain(t *testing.T) {
	for _, back := range []bool{false, true} {
		x, c := following(t)
		c.held, c.history, x.fails = map[string]kept{}, map[string][]secret.Value{}, back
		want := rotation.Rotated
		if back {
			want = rotation.RolledBack
		}
		st := x.ends(want)
		if !strings.Contains(strings.Join(st.Plan.Notes, "\n"), "copy:x holds none of its 2 slots yet") {
			t.Error(st.Plan.Notes)
		}
		if back && len(c.held) > 0 || !back && !x.agree(c) {
			t.Errorf("going back %v: it holds %d slots", back, len(c.held))
		}
	}
}

// What somebody else wrote to a store that follows is never overwritten untold, whether it
// counts versions or not: before our write it is seen and left, between our look and our
// write it is found in the history, and given back.
func TestWhatSomebodyElseWroteToAStoreThatFollowsIsNotOverwrittenUntold(t *testing.T) {
	for _, plain := range []bool{false, true} {
		x, c := following(t)
		c.plain = plain
		x.fault = func(op string, n int, after bool) error {
			if op == "store write" && n == 1 && after {
				c.theirs("PASS", "somebody's")
			}
			return nil
		}
		x.ends(rotation.RolledBack)
		if c.held["PASS"].value.Reveal() != "somebody's" || x.done("copy write") != 0 || !strings.Contains(x.told("store copy:x"), "was changed by somebody else") {
			t.Errorf("counting no versions %v: %v, %s", plain, x.calls, x.told("store copy:x"))
		}
	}
	x, c := following(t)
	x.fault = func(op string, n int, after bool) error {
		if op == "copy write" && n == 1 && !after {
			c.theirs("PASS", "somebody's")
		}
		return nil
	}
	x.ends(rotation.RolledBack)
	if c.held["PASS"].value.Reveal() != "somebody's" || !strings.Contains(x.told("store copy:x"), "somebody else wrote slot PASS") ||
		!strings.Contains(x.told("restore copy:x"), "given back what somebody else wrote") {
		t.Errorf("%v, %s, %s", x.calls, x.told("store copy:x"), x.told("restore copy:x"))
	}
}

// Whatever is written there after us keeps the old one from being taken away.
func TestNothingIsTakenAwayWhileAStoreThatFollowsHoldsSomethingElse(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		x, c := following(t)
		c.hidden = hidden
		x.can.Places = map[string]rotation.Keeping{"copy:x": {WriteOnly: hidden}}
		x.between = func() { c.theirs("PASS", "somebody's") }
		x.ends(rotation.RolledBack)
		if x.done("revoke") != 1 || x.logins["db-old"] == nil || c.held["PASS"].value.Reveal() != "somebody's" {
			t.Errorf("hidden %v: %v", hidden, x.calls)
		}
	}
}

// A store that does not show what it holds may follow: what it was given is known by its
// date, and said not to be read back.
func TestAStoreThatShowsNobodyWhatItHoldsMayFollow(t *testing.T) {
	for _, stamps := range []bool{false, true} {
		x, c := following(t)
		c.hidden, c.stamps = true, stamps
		x.can.Places = map[string]rotation.Keeping{"copy:x": {WriteOnly: true, Piecewise: true}}
		st := x.ends(rotation.Rotated)
		notes := strings.Join(st.Plan.Notes, "\n")
		if !x.agree(c) || !strings.Contains(notes, "copy:x does not show what it holds") || !strings.Contains(notes, "copy:x takes one slot at a time") {
			t.Error(notes)
		}
		if told := x.told("store copy:x"); !strings.Contains(told, "not read back: PASS, USER of copy:x") {
			t.Error(told)
		}
		x, c = following(t)
		c.hidden, c.stamps, x.fails = true, stamps, true
		x.can.Places = map[string]rotation.Keeping{"copy:x": {WriteOnly: true}}
		x.ends(rotation.RolledBack)
		if !x.agree(c) {
			t.Error("it was not given back")
		}
	}
}

// A process may die and an answer be lost at every call: the stores and the app hold the
// same at the end, of the one that lives.
func TestStoresAgreeAfterEveryDeathAndEveryLostAnswer(t *testing.T) {
	played := 0
	for _, kind := range []string{"plain", "hidden", "stamped", "empty"} {
		for _, back := range []bool{false, true} {
			for _, dies := range []bool{false, true} {
				for at := 1; at <= 14; at++ {
					for _, after := range []bool{false, true} {
						x, c := following(t)
						x.name = fmt.Sprintf("%s, back %v, dies %v at %d, after %v", kind, back, dies, at, after)
						c.plain, c.hidden, c.stamps, x.fails = true, kind == "hidden" || kind == "stamped", kind == "stamped", back
						if kind == "empty" {
							c.held, c.history = map[string]kept{}, map[string][]secret.Value{}
						}
						x.can.Places = map[string]rotation.Keeping{"copy:x": {WriteOnly: c.hidden}}
						calls, hit := 0, false
						x.fault = func(op string, n int, is bool) error {
							if op == "works" {
								return nil
							}
							if !is {
								calls++
							}
							if calls != at || is != after || hit {
								return nil
							}
							hit = true
							if dies {
								panic(stage.Crash{})
							}
							return lostAnswer()
						}
						want := rotation.Rotated
						if back {
							want = rotation.RolledBack
						}
						x.ends(want)
						if emptied := kind == "empty" && back && len(c.held) == 0; !x.agree(c) && !emptied || len(x.logins) != 1 {
							t.Errorf("%s: they do not agree: %v", x.name, x.calls)
						}
						if hit {
							played++
						}
					}
				}
			}
		}
	}
	if played < 200 {
		t.Errorf("only %d were played", played)
	}
}

// One that holds something else stops a run before anything is made; drift says what it
// holds, and a repair gives it what the first one holds, or the other way round.
func TestAStoreThatHoldsSomethingElseStopsARunAndIsRepaired(t *testing.T) {
	x, c := following(t)
	c.theirs("PASS", "somebody's")
	c.theirs("USER", "somebody")
	st := x.ends(rotation.RefusedRun)
	if code := st.Closed.Refusals[0].Code; code != rotation.StoreDrift || len(x.calls) > 0 {
		t.Error(code, x.calls)
	}
	f := drift.Compare(x.spec, x.runner().Compare(t.Context(), x.spec), nil)
	if len(f) != 1 || f[0].Kind != drift.StoreOther || f[0].Where != "copy:x" || f[0].Repair != "rekey repair DB" || !strings.Contains(f[0].What, "neither store:x nor the journal knows") {
		t.Fatalf("%+v", f)
	}
	x.events, x.spec.Purpose = nil, sop.ToRepair
	st = x.ends(rotation.Repaired)
	if !x.agree(c) || fmt.Sprint(x.writes()) != "[copy write]" {
		t.Error(x.calls)
	}
	if !strings.Contains(strings.Join(st.Plan.Notes, "\n"), "which is overwritten; it was version 2 there") {
		t.Error(st.Plan.Notes)
	}

	// Somebody wrote over the first: what the other one holds lives.
	x, c = following(t)
	x.store.theirs("PASS", "somebody's")
	x.store.theirs("USER", "nobody")
	f = drift.Compare(x.spec, x.runner().Compare(t.Context(), x.spec), nil)
	if !slices.ContainsFunc(f, func(f drift.Finding) bool {
		return f.Kind == drift.NotIssued && f.Repair == "rekey repair DB --from copy:x"
	}) ||
		!slices.ContainsFunc(f, func(f drift.Finding) bool { return f.Kind == drift.StoreBehind && f.Where == "copy:x" }) {
		t.Fatalf("%+v", f)
	}
	x.spec.Purpose, x.spec.Target = sop.ToRepair, "copy:x"
	x.ends(rotation.Repaired)
	if !x.agree(c) || fmt.Sprint(x.writes()) != "[store write]" {
		t.Error(x.calls)
	}
}

// A former name is taken out of the stores that follow before the first one loses it.
func TestARetiredNameLeavesTheFirstStoreLast(t *testing.T) {
	x, c := following(t)
	former := sop.Slot{Name: "OLD_PASS", Template: template(t, "{password}"), For: "OLD"}
	x.spec.Former = []string{"OLD"}
	x.spec.Store.Slots = append(slices.Clone(x.spec.Store.Slots), former)
	x.spec.Further[0].Slots = x.spec.Store.Slots
	for _, s := range []*shelf{x.store, c} {
		s.held["OLD_PASS"] = kept{value: secret.New("first"), version: 1}
		s.history["OLD_PASS"] = []secret.Value{secret.New("first")}
	}
	x.spec = x.spec.WithoutName("OLD")
	x.ends(rotation.NameGone)
	if got := fmt.Sprint(x.writes()); got != "[copy remove store remove]" || c.held["OLD_PASS"].value.Present() || x.store.held["OLD_PASS"].value.Present() {
		t.Error(got)
	}
}

// What cannot be asked is not known: a run does not start, drift says so.
func TestAStoreThatCannotBeReadIsNotSaidToAgree(t *testing.T) {
	x, _ := following(t)
	r := x.runner()
	r.Roles.Further["copy:x"] = unreadable{}
	f := drift.Compare(x.spec, r.Compare(t.Context(), x.spec), nil)
	if len(f) != 1 || f[0].Kind != drift.NotSeen {
		t.Errorf("%+v", f)
	}
	if _, err := r.Observe(t.Context(), x.spec); cred.ClassOf(err) != cred.Denied {
		t.Error(err)
	}
}

// unreadable is a store that may not be read.
type unreadable struct{ *shelf }

func (unreadable) Read(context.Context, []string) (map[string]provider.Held, error) {
	return nil, &cred.Error{Vendor: "copy", Op: "read", Class: cred.Denied, Why: "not allowed"}
}
