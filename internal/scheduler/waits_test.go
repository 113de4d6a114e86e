package scheduler_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sim"
)

const toSlack = "notify: {channels: {team: {slack: env:SLACK}}}\n"

// TestAnAgreementThatNobodyGaveInTimeIsAskedForAgain, of a run that waits with both
// credentials live: nobody can answer the old request any more, and people are told of the
// new one.
func TestAnAgreementThatNobodyGaveInTimeIsAskedForAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: automatically\n    approvals: {before: retiring, expire: 2d}\n", toSlack)
	e, s := b.service("one")
	tick := func() {
		t.Helper()
		for _, do := range []func() error{func() error { return s.Begin(t.Context()) }, func() error { b.ended(e); return s.Tell(t.Context()) }} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	asked := func() (ids []string) {
		t.Helper()
		list, err := e.Approvals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.Standing == approvals.Waiting {
				ids = append(ids, a.Request.ID)
			}
		}
		return ids
	}
	tick()
	before := asked()
	if len(before) != 1 || strings.Count(strings.Join(b.told, "\n"), "somebody has to agree to revoke") != 1 {
		t.Fatalf("asked %v, told %q", before, b.told)
	}
	b.later(49 * time.Hour)
	if now := asked(); len(now) != 0 {
		t.Fatalf("it can still be answered: %v", now)
	}
	b.told = nil
	tick()
	tick()
	if now := asked(); len(now) != 1 || now[0] == before[0] || strings.Count(strings.Join(b.told, "\n"), "somebody has to agree to revoke") != 1 {
		t.Errorf("asked %v after %v, told %q", now, before, b.told)
	}
	if _, err := e.Approve(t.Context(), estate.Answering{About: asked()[0]}); err != nil {
		t.Fatal(err)
	}
	tick()
	if runs := b.ended(e); runs[0].Open() {
		t.Errorf("what was agreed to does not go on: %+v", runs[0])
	}
}

// TestPeopleAreToldThatARunWaitsForThem: somebody has to do something by hand; somebody has
// to say a word; somebody has interrupted a run, and nobody goes on with it. Each once.
func TestPeopleAreToldThatARunWaitsForThem(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", toSlack, "\nvendors:\n", "\nvendors:\n  portal: {vendor: assisted, link: \"https://portal.example.com/keys\"}\n", "\ncredentials:\n", "\ncredentials:\n"+sim.PortalCredential)
	b.world.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
	e, s := b.service("one")
	told := func(about string) (titles []string) {
		t.Helper()
		b.told = nil
		if err := s.Tell(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, text := range b.told {
			if strings.Contains(text, about) {
				titles = append(titles, text)
			}
		}
		return titles
	}
	run, err := e.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: "PORTAL_KEY"}})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if asked, err := b.desk.Asked(t.Context(), run); err != nil || time.Now().After(deadline) {
			t.Fatalf("nobody is asked to do anything (%v)", err)
		} else if asked != nil {
			break
		}
	}
	got := told("PORTAL_KEY waits for a manual step")
	if len(got) != 1 || !strings.Contains(got[0], "somebody has to look which credentials are live, at https://portal.example.com/keys; the run's page says how") {
		t.Errorf("%q", b.told)
	}
	if got := told("PORTAL_KEY"); len(got) != 0 {
		t.Errorf("told again: %q", got)
	}
	st, err := e.Status(t.Context(), estate.StatusAsked{})
	if err != nil || st.Rows[0].Attention != "asks" || !st.Rows[0].Working {
		t.Errorf("%+v %v", st.Rows[0], err)
	}
	d, err := e.Schedule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Credentials {
		if c.Credential == "PORTAL_KEY" && !strings.Contains(c.Why[len(c.Why)-1].Why, "waits for a person") {
			t.Errorf("%+v", c.Why)
		}
	}

	// One that a process has opened, which has ended, waits for a word.
	if _, err := b.estate().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Alongside: true}, estate.Silent{}); err != nil {
		t.Fatal(err)
	}
	if got := told(console + " waits for a confirmation or approval"); len(got) != 1 || !strings.Contains(got[0], "the old one is revoked when somebody confirms it") {
		t.Errorf("%q", b.told)
	}
	if got := told(console); len(got) != 0 {
		t.Errorf("told again: %q", got)
	}

	// Whoever has begun one has gone away in the middle of it.
	ctx, stop := context.WithCancel(t.Context())
	ended, err := b.estate().Open(ctx, estate.Opening{Wish: estate.Wish{Credential: vault}, Alongside: true}, goesAway{stop: stop})
	if err != nil || !ended.Detached {
		t.Fatalf("%+v %v", ended, err)
	}
	if got := told(vault); len(got) != 0 {
		t.Errorf("told at once: %q", got)
	}
	b.later(2 * time.Hour)
	if got := told("a run of " + vault + " was interrupted, and nobody has resumed it"); len(got) != 1 || !strings.Contains(got[0], "rekey resume "+ended.State.Run) {
		t.Errorf("%q", b.told)
	}
}

// goesAway stops following a run once the new credential is made.
type goesAway struct {
	estate.Silent
	stop func()
}

func (g goesAway) Event(e rotation.Event) {
	if e.Outcome != nil && e.Outcome.Step == string(rotation.Create) {
		g.stop()
	}
}
