package estate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// holds gives the app another value of the credential.
func (b *bench) holds(value string) {
	b.world.Look(func(s *sim.State) { s.Heroku.Apps[0].Current().Vars[console] = value })
}

// drifted compares, and returns the finding about the app.
func (b *bench) drifted() report.Finding {
	b.Helper()
	if _, err := b.operations().Compare(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	return b.finding(func(f report.Finding) bool { return f.Look == report.ByDrift && f.Counts })
}

func (b *bench) finding(is func(report.Finding) bool) report.Finding {
	b.Helper()
	all, err := b.operations().Findings(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	i := slices.IndexFunc(all.Findings, is)
	if i < 0 {
		b.Fatalf("it is not among %+v", all.Findings)
	}
	return all.Findings[i]
}

func (b *bench) row() report.Row {
	b.Helper()
	st, err := b.operations().Status(b.Context(), estate.StatusAsked{})
	if err != nil {
		b.Fatal(err)
	}
	return st.Rows[slices.IndexFunc(st.Rows, func(r report.Row) bool { return r.Credential == console })]
}

// TestAFindingThatSomebodyLetsBeDoesNotCountUntilItsDay: it stays in the list, with who, why
// and until when; another value of the same slot, its day, and its coming up again bring
// it back.
func TestAFindingThatSomebodyLetsBeDoesNotCountUntilItsDay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rotate(console)
	_ = b.clock.Sleep(t.Context(), time.Hour)
	right := ""
	b.world.Look(func(s *sim.State) { right = s.Heroku.Apps[0].Current().Vars[console] })
	b.holds("something:else")
	f := b.drifted()
	if r := b.row(); r.Attention != "drift" || !r.HasDrifted() {
		t.Fatalf("nothing has drifted: %+v", r)
	}
	ops, month := b.operations(), b.clock.Now().Add(30*24*time.Hour)
	for code, a := range map[estate.Code]estate.Acknowledging{
		estate.NoFinding: {Finding: "0123456789", Reason: "why", Until: month}, estate.NoReason: {Finding: f.ID, Reason: " ", Until: month},
		estate.BadUntil: {Finding: f.ID, Reason: "why"}, estate.FindingChanged: {Finding: f.ID, Reason: "why", Until: month, Seen: "other"}, estate.NotAcknowledged: {Finding: f.ID, TakeBack: true},
	} {
		_, err := ops.Acknowledge(t.Context(), a)
		b.refused(err, code)
	}
	_, err := ops.Acknowledge(t.Context(), estate.Acknowledging{Finding: f.ID, Reason: "why", Until: b.clock.Now().Add(400 * 24 * time.Hour)})
	b.refused(err, estate.BadUntil)
	let := func() {
		t.Helper()
		done, err := ops.Acknowledge(t.Context(), estate.Acknowledging{Finding: f.ID, Seen: f.State, Reason: "it moves in March", Until: b.clock.Now().Add(30 * 24 * time.Hour)})
		if err != nil || done.Finding.Acknowledged == nil || done.Finding.Acknowledged.By.Name != "alice@laptop" {
			t.Fatalf("%+v %v", done, err)
		}
		got := b.finding(func(x report.Finding) bool { return x.ID == f.ID })
		if k := got.Acknowledged; k == nil || k.Reason != "it moves in March" || k.What != f.What {
			t.Errorf("it stands as %+v", k)
		}
		if r := b.row(); r.Attention == "drift" || r.HasDrifted() || r.Drift.Findings != 1 || r.Drift.Acknowledged != 1 {
			t.Errorf("it still counts: %+v %+v", r.Attention, r.Drift)
		}
	}
	back := func(why string) {
		t.Helper()
		if r := b.row(); r.Attention != "drift" || r.Drift.Acknowledged != 0 {
			t.Errorf("%s: it does not come back: %s %+v", why, r.Attention, r.Drift)
		}
	}
	let()
	b.drifted() // the same again
	if r := b.row(); r.Drift.Acknowledged != 1 {
		t.Errorf("a look that finds the same ends it: %+v", r.Drift)
	}
	if _, err := ops.Acknowledge(t.Context(), estate.Acknowledging{Finding: f.ID, TakeBack: true}); err != nil {
		t.Fatal(err)
	}
	back("taken back")
	let()
	b.clock.Pass(31 * 24 * time.Hour)
	back("its day")
	let()
	b.holds("another:one")
	if now := b.drifted(); now.ID != f.ID || now.State == f.State || now.What != f.What {
		t.Errorf("another value is %+v, before %+v", now, f)
	}
	back("another value")
	b.holds("something:else")
	b.drifted()
	back("the first value again, after another")
	let()
	b.holds(right)
	if _, err := ops.Compare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.holds("something:else")
	if b.drifted().ID != f.ID {
		t.Error("it has another id")
	}
	back("gone, and there again")

	// All of it stands in the journal, with who and why.
	var said []string
	b.notes(func(n history.Note) {
		var k report.Acknowledged
		if err := json.Unmarshal(n.Body, &k); err != nil || len(k.About) != 1 || k.About[0].What != f.What || k.Said != report.SaidOver && k.By.Name != "alice@laptop" {
			t.Errorf("%s %v", n.Body, err)
		}
		said = append(said, k.Said)
	}, console, history.Acknowledged)
	if got := strings.Join(said, " "); got != "seen taken back seen seen over seen over" {
		t.Errorf("the journal says %s", got)
	}
}

// notes reads the journal's notes of a kind about a credential.
func (b *bench) notes(each func(history.Note), credential, kind string) {
	b.Helper()
	j, err := journal.OpenExisting(filepath.Join(b.dir, ".rekey"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	all, err := history.Book{J: j}.Notes(b.Context(), credential, kind)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range all {
		each(n)
	}
}

// TestWhatIsLetBeIsNotNotified, and is again from its day on.
func TestWhatIsLetBeIsNotNotified(t *testing.T) {
	t.Parallel()
	b := newBench(t, "credentials:\n", "notify:\n  channels:\n    team: {slack: env:SLACK}\n  rules:\n    - {when: [found], to: [team]}\n\ncredentials:\n")
	config, err := sop.Load(b.dir + "/rekey.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env, posted := b.world.Env(), 0
	env["SLACK"] = "https://hooks.slack.example.com/hunter2"
	es := estate.New(config, estate.Surroundings{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, User: func() string { return "alice@laptop" }, Clock: b.clock,
		Network: roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Host != "hooks.slack.example.com" {
				return b.RoundTrip(req)
			}
			posted++
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("ok")), Request: req}, nil
		}),
	})
	tell := func(want int, why string) {
		t.Helper()
		posted = 0
		if told, err := es.TellNotices(t.Context()); err != nil || len(told.Trouble) != 0 || posted != want {
			t.Errorf("%s: %d notices, want %d (%+v %v)", why, posted, want, told, err)
		}
	}
	b.holds("something:else")
	f := b.drifted()
	if _, err := es.Acknowledge(t.Context(), estate.Acknowledging{Finding: f.ID, Reason: "known", Until: b.clock.Now().Add(48 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	tell(0, "acknowledged")
	b.clock.Pass(49 * time.Hour)
	tell(1, "its day is past")
	tell(0, "it was told")
}

// TestWhoMayNotChangeACredentialLetsNothingOfItBe.
func TestWhoMayNotChangeACredentialLetsNothingOfItBe(t *testing.T) {
	t.Parallel()
	b := newBench(t, "# What all credentials", "identity:\n  roles:\n    superadmin: [{user: bob@desk}]\n\n# What all credentials")
	b.holds("something:else")
	f := b.drifted()
	_, err := b.operations().Acknowledge(t.Context(), estate.Acknowledging{Finding: f.ID, Reason: "why", Until: b.clock.Now().Add(time.Hour)})
	if e := b.refused(err, estate.NoRole); len(e.Known) != 1 {
		t.Errorf("%+v", e)
	}
	if r := b.row(); r.Drift.Acknowledged != 0 {
		t.Errorf("%+v", r.Drift)
	}
}
