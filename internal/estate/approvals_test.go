package estate_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// agreeing is a bench on which approvals are wanted, and people are known by tokens. It
// begins on a Monday.
func agreeing(t *testing.T, rule string) *bench {
	b := newBench(t, "    cadence: 90d", "    cadence: 90d\n"+rule,
		"# What all credentials", "identity:\n  oidc: [{issuer: https://id.example.com}]\n  roles:\n    superadmin: [{claims: {groups: sre}}]\n    release: [{claims: {groups: release}}]\n\n# What all credentials")
	b.as("bob", "superadmin")
	return b
}

// as has somebody ask who has just signed in.
func (b *bench) as(name string, roles ...string) {
	at := b.clock.Now().Add(-time.Minute)
	b.who = func(context.Context) (rotation.Who, error) {
		return rotation.Who{Name: name, How: "https://id.example.com", Verified: true, Roles: roles,
			Claims: map[string]string{"sub": name, "auth_time": fmt.Sprint(at.Unix())}}, nil
	}
}

func (b *bench) open(o estate.Opening) (estate.Ended, error) {
	b.Helper()
	o.Credential = console
	return b.operations().Open(b.Context(), o, &told{})
}

func (b *bench) approve(about string) estate.Approval {
	b.Helper()
	s, err := b.operations().Approve(b.Context(), estate.Answering{About: about})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// TestARotationWaitsForAnAgreementBeforeItBegins: who wants one asks for it; another
// agrees, by his role, to exactly this plan; it is begun once; the record says who.
func TestARotationWaitsForAnAgreementBeforeItBegins(t *testing.T) {
	t.Parallel()
	b := agreeing(t, "    run: after approval\n    approvals: {before: start, how_many: 2, role: release, expire: 1d}\n")
	_, err := b.open(estate.Opening{Confirm: console, Reason: "quarterly", Ticket: "OPS-1"})
	e := b.refused(err, estate.AwaitsApproval)
	r := e.Approval.Request
	if e.Credential != console || e.Run != "" || r.By.Name != "bob" || r.Reason != "quarterly" || r.Ticket != "OPS-1" || r.Plan == nil || r.Plan.Digest() != r.Digest || e.Approval.Missing != 2 {
		t.Fatalf("%+v %+v", e, r)
	}
	if runs, _ := b.operations().Runs(t.Context()); len(runs) != 0 {
		t.Fatalf("runs %v", runs)
	}
	// Asked again, it is the same request.
	_, err = b.open(estate.Opening{Confirm: console})
	if again := b.refused(err, estate.AwaitsApproval).Approval.Request; again.ID != r.ID || again.Reason != "quarterly" {
		t.Errorf("asked again: %+v", again)
	}
	if list, err := b.operations().Approvals(t.Context()); err != nil || len(list) != 1 || list[0].Request.ID != r.ID || list[0].Standing != approvals.Waiting {
		t.Fatalf("%+v %v", list, err)
	}

	answer := func(code estate.Code, a estate.Answering) {
		t.Helper()
		_, err := b.operations().Approve(t.Context(), a)
		b.refused(err, code)
	}
	about := estate.Answering{About: console}
	b.as("bob", "release")
	answer(estate.OwnRequest, about)
	b.as("carol", "superadmin")
	answer(estate.NotApprover, about)
	b.as("carol", "release")
	answer(estate.NothingAsked, estate.Answering{About: vault})
	answer(estate.OtherAsked, estate.Answering{About: console, Seen: "something else"})
	b.who = func(context.Context) (rotation.Who, error) {
		return rotation.Who{Name: "carol", How: "OS user", Roles: []string{"release"}}, nil
	}
	answer(estate.NotProven, about)
	b.as("carol", "release")
	b.clock.Pass(10 * time.Minute)
	answer(estate.NotFresh, about)
	b.as("carol", "release")
	if s := b.approve(console); s.Standing != approvals.Waiting || s.Missing != 1 || s.Given[0].By.Claims["sub"] != "carol" || s.Given[0].SignedIn.IsZero() {
		t.Fatalf("%+v", s)
	}
	answer(estate.AgreedAlready, about)
	b.as("bob", "superadmin")
	_, err = b.open(estate.Opening{Confirm: console})
	b.refused(err, estate.AwaitsApproval)
	b.as("dave", "release")
	if s := b.approve(r.ID); s.Standing != approvals.Agreed {
		t.Fatalf("%+v", s)
	}
	b.as("bob", "superadmin")
	ended, err := b.open(estate.Opening{Confirm: console})
	if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
		t.Fatalf("%+v %v", ended, err)
	}
	if o := ended.State.Opened; o.Plan != r.ID || o.Expect != r.Digest {
		t.Errorf("it was opened as %+v", o)
	}
	// What was agreed to is begun once.
	if list, err := b.operations().Approvals(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	_, err = b.open(estate.Opening{Confirm: console})
	if next := b.refused(err, estate.AwaitsApproval).Approval; next.Request.ID == r.ID || len(next.Given) != 0 {
		t.Errorf("the next one: %+v", next)
	}
}

// TestAPlanIsWhatIsAgreedTo: once the world is another one, it is asked again, with the
// differences, and the old agreement begins nothing.
func TestAPlanIsWhatIsAgreedTo(t *testing.T) {
	t.Parallel()
	b := agreeing(t, "    run: after approval\n    approvals: {role: release}\n")
	_, err := b.open(estate.Opening{Confirm: console})
	r := b.refused(err, estate.AwaitsApproval).Approval.Request
	b.as("carol", "release")
	b.approve(console)
	b.world.Look(func(s *sim.State) { s.Cloudflare.Policies[0].Set("name", "console renamed") })
	b.as("bob", "superadmin")
	_, err = b.open(estate.Opening{Confirm: console})
	again := b.refused(err, estate.AwaitsApproval).Approval
	if again.Request.ID == r.ID || len(again.Given) != 0 || len(again.Request.Changed) == 0 || !strings.Contains(strings.Join(again.Request.Changed, "\n"), "renamed") {
		t.Errorf("%+v", again.Request)
	}
}

// TestASettingOfTheScheduleAsksNobodyAgain, for nothing that is done is another: when it is
// due, whose it is, and how it is rehearsed. The windows in which it may begin, what the run
// waits for, and who has to agree do.
func TestASettingOfTheScheduleAsksNobodyAgain(t *testing.T) {
	t.Parallel()
	b := agreeing(t, "    run: after approval\n    approvals: {role: release, how_many: 2}\n    windows: [Mon 00:00-24:00 UTC]\n")
	edit := func(old, text string) {
		t.Helper()
		file := filepath.Join(b.dir, "rekey.yaml")
		was, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(was), old) {
			t.Fatalf("rekey.yaml has no %q (%v)", old, err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(was), old, text, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	asked := func() approvals.State {
		t.Helper()
		b.as("bob", "superadmin")
		_, err := b.open(estate.Opening{Confirm: console})
		return *b.refused(err, estate.AwaitsApproval).Approval
	}
	first := asked()
	b.as("carol", "release")
	b.approve(console)
	for old, text := range map[string]string{
		"    cadence: 90d\n": "    cadence: 60d\n    jitter: 2d\n", "    before_expiry: 14d\n": "    before_expiry: 20d\n    owner: platform\n",
	} {
		edit(old, text)
		if again := asked(); again.Request.ID != first.Request.ID || len(again.Given) != 1 {
			t.Fatalf("%q asks again: %v", text, again.Request.Changed)
		}
	}
	for _, c := range []struct{ old, text, says string }{
		{"Mon 00:00-24:00 UTC", "Mon 00:00-23:00 UTC", "windows in which it may begin were Mon 00:00-24:00 UTC and are Mon 00:00-23:00 UTC"},
		{"how_many: 2", "how_many: 1", "spec.approvals.how_many was 2 and is 1"},
		{"    cadence: 60d\n", "    cadence: 60d\n    timing: {soak: 3h}\n", "soak"},
	} {
		before := asked()
		edit(c.old, c.text)
		again := asked()
		if text := strings.Join(again.Request.Changed, "\n"); again.Request.ID == before.Request.ID || len(again.Given) != 0 || !strings.Contains(text, c.says) || strings.Contains(text, "cadence") {
			t.Errorf("%s is not asked again: %s", c.text, text)
		}
	}
	b.as("carol", "release")
	b.approve(console)
	edit("    cadence: 60d\n", "    cadence: 45d\n")
	b.as("bob", "superadmin")
	if ended, err := b.open(estate.Opening{Confirm: console}); err != nil || ended.State.Closed == nil {
		t.Errorf("what was agreed to does not begin after its cadence is another: %+v %v", ended.State, err)
	}
}

// TestWhatWasAgreedToAndTakenBackMeanwhileBeginsNothing, however late that comes; what
// was refused is not asked again until it would have expired, and what has is.
func TestWhatWasAgreedToAndTakenBackMeanwhileBeginsNothing(t *testing.T) {
	t.Parallel()
	b := agreeing(t, "    run: after approval\n    approvals: {role: release, expire: 2d}\n")
	_, err := b.open(estate.Opening{Confirm: console})
	r := b.refused(err, estate.AwaitsApproval).Approval.Request
	b.as("carol", "release")
	b.approve(console)
	// It is taken back after the run that begins has looked for the last time: when it is
	// given its id. The first id is that of the plan.
	carol := b.who
	b.as("bob", "superadmin")
	bob, ids := b.who, 0
	b.random = reading(func(p []byte) (int, error) {
		if ids++; ids == 2 {
			b.random, b.who = nil, carol
			if s, err := b.operations().TakeBack(context.Background(), estate.Answering{About: console}); err != nil || s.Standing != approvals.Waiting {
				t.Errorf("take back: %+v %v", s, err)
			}
			b.who = bob
		}
		return rand.Read(p)
	})
	_, err = b.open(estate.Opening{Confirm: console})
	b.refused(err, estate.AwaitsApproval)
	if ids != 2 {
		t.Fatalf("%d ids were made", ids)
	}
	if runs, _ := b.operations().Runs(t.Context()); len(runs) != 0 {
		t.Fatalf("runs %v", runs)
	}
	b.as("dave", "release")
	_, err = b.operations().Refuse(t.Context(), estate.Answering{About: console})
	b.refused(err, estate.NoReason)
	_, err = b.operations().TakeBack(t.Context(), estate.Answering{About: console})
	b.refused(err, estate.NotTheirs)
	if s, err := b.operations().Refuse(t.Context(), estate.Answering{About: console, Reason: "freeze"}); err != nil || s.Standing != approvals.Denied || s.Refusal.Reason != "freeze" {
		t.Fatalf("%+v %v", s, err)
	}
	b.as("carol", "release")
	_, err = b.operations().Approve(t.Context(), estate.Answering{About: console})
	b.refused(err, estate.NothingAsked)
	b.as("bob", "superadmin")
	_, err = b.open(estate.Opening{Confirm: console})
	if e := b.refused(err, estate.ApprovalRefused); e.Approval.Request.ID != r.ID {
		t.Errorf("asked again at once: %+v", e.Approval.Request)
	}
	b.clock.Pass(49 * time.Hour)
	_, err = b.open(estate.Opening{Confirm: console})
	if e := b.refused(err, estate.AwaitsApproval); e.Approval.Request.ID == r.ID {
		t.Error("it is not asked again")
	}
	// What nobody answers in time is over, and that is on record.
	b.clock.Pass(49 * time.Hour)
	b.as("carol", "release")
	_, err = b.operations().Approve(t.Context(), estate.Answering{About: console})
	b.refused(err, estate.NothingAsked)
}

// TestTheOldCredentialIsRetiredOnceSomebodyElseAgrees: the run waits, whoever confirms
// it; whoever agreed stands in the record; an emergency waits for nobody.
func TestTheOldCredentialIsRetiredOnceSomebodyElseAgrees(t *testing.T) {
	t.Parallel()
	b := agreeing(t, "    run: automatically\n    approvals: {before: retiring}\n")
	ended, err := b.open(estate.Opening{Confirm: console})
	if err != nil || ended.State.Closed != nil || ended.State.Confirmed != nil || !strings.Contains(ended.Waiting, "when one person more has approved it") {
		t.Fatalf("%+v %v", ended, err)
	}
	run := ended.State.Run
	list, err := b.operations().Approvals(t.Context())
	if err != nil || len(list) != 1 || list[0].Request.Run != run || list[0].Request.Gate != approvals.Retiring || list[0].Request.By.Name != "bob" || len(list[0].Request.Final) == 0 {
		t.Fatalf("%+v %v", list, err)
	}
	_, err = b.operations().Advance(t.Context(), estate.Advancing{Run: run, Confirm: console}, &told{})
	b.refused(err, estate.AwaitsApproval)
	f := &told{confirms: true}
	if ended, err = b.operations().Advance(t.Context(), estate.Advancing{Run: run}, f); err != nil || ended.State.Closed != nil || len(f.asked) != 0 {
		t.Fatalf("%+v %v, asked %v", ended, err, f.asked)
	}
	d, err := b.operations().Schedule(t.Context())
	if err != nil || len(d.TakeUp) != 0 {
		t.Errorf("%v %v", d.TakeUp, err)
	}
	b.as("carol", "superadmin")
	b.approve(run)
	if d, err = b.operations().Schedule(t.Context()); err != nil || !slices.Equal(d.TakeUp, []string{run}) {
		t.Errorf("%v %v", d.TakeUp, err)
	}
	b.as("bob", "superadmin")
	if ended, err = b.operations().Advance(t.Context(), estate.Advancing{Run: run}, &told{}); err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
		t.Fatalf("%+v %v", ended, err)
	}
	if c := ended.State.Confirmed; c.Actor != "carol" || c.By.Claims["sub"] != "carol" || c.How != "approved by carol (proven by https://id.example.com)" {
		t.Errorf("%+v", c)
	}
	if d, err = b.operations().Schedule(t.Context()); err != nil || len(d.TakeUp) != 0 {
		t.Errorf("%v %v", d.TakeUp, err)
	}
	b.as("erin", "superadmin")
	ended, err = b.open(estate.Opening{Wish: estate.Wish{Purpose: sop.ToRevoke}, Confirm: console, Reason: "it leaked"})
	if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Revoked {
		t.Errorf("an emergency: %+v %v", ended, err)
	}
}

// TestARunThatWaitsCanBeTurnedBackByWhoBeganIt, and then nothing waits for anybody.
func TestARunThatWaitsCanBeTurnedBackByWhoBeganIt(t *testing.T) {
	t.Parallel()
	b := agreeing(t, "    approvals: {before: retiring}\n")
	before := b.stored(console)
	ended, err := b.open(estate.Opening{})
	if err != nil {
		t.Fatal(err)
	}
	b.as("carol", "superadmin")
	if _, err := b.operations().Refuse(t.Context(), estate.Answering{About: console, Reason: "the app is slow"}); err != nil {
		t.Fatal(err)
	}
	b.as("bob", "superadmin")
	if ended, err = b.operations().Advance(t.Context(), estate.Advancing{}, &told{confirms: true}); err != nil || !strings.Contains(ended.Waiting, "carol has refused") {
		t.Fatalf("%+v %v", ended, err)
	}
	if ended, err = b.operations().GoBack(t.Context(), estate.Backing{Run: ended.State.Run}, &told{}); err != nil || ended.State.Closed.Ending != rotation.RolledBack || b.stored(console) != before {
		t.Fatalf("%+v %v", ended, err)
	}
	if list, err := b.operations().Approvals(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}

// TestTheScheduleSaysWhatBeginsAndWhyNotMore, from the journal alone.
func TestTheScheduleSaysWhatBeginsAndWhyNotMore(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    cadence: 90d", "    cadence: 90d\n    run: automatically")
	d, err := b.operations().Schedule(t.Context())
	if err != nil || len(d.Credentials) != 2 || len(d.Begin) != 0 || d.Credentials[0].Why[0].Code != schedule.UnknownAge || d.Settings.AtMost != 3 {
		t.Fatalf("%+v %v", d, err)
	}
	if _, err := b.operations().Check(t.Context(), estate.Wish{Credential: console}); err != nil {
		t.Fatal(err)
	}
	b.rotate(vault)
	b.clock.Pass(91 * 24 * time.Hour)
	if d, err = b.operations().Schedule(t.Context()); err != nil || len(d.Begin) != 1 {
		t.Fatalf("%+v %v", d, err)
	}
	first := d.Begin[0]
	if err := b.operations().Pause(t.Context(), ""); err == nil {
		t.Error("paused for no reason")
	}
	if err := b.operations().Pause(t.Context(), "freeze"); err != nil {
		t.Fatal(err)
	}
	if d, err = b.operations().Schedule(t.Context()); err != nil || len(d.Begin) != 0 || d.Paused == nil || d.Paused.Reason != "freeze" || d.Paused.By.Name != "alice@laptop" {
		t.Fatalf("%+v %v", d, err)
	}
	if err := b.operations().Continue(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if d, err = b.operations().Schedule(t.Context()); err != nil || !slices.Equal(d.Begin, []string{first}) || d.Paused != nil {
		t.Fatalf("%+v %v", d, err)
	}
	var other schedule.Standing
	for _, c := range d.Credentials {
		if c.Credential != first {
			other = c
		}
	}
	// Both credentials of the example restart one app.
	if len(other.Why) != 1 || other.Why[0].Code != schedule.ConsumerBusy || other.Why[0].Of != first {
		t.Errorf("%+v", other)
	}
}

// reading is a function as a reader.
type reading func([]byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }
