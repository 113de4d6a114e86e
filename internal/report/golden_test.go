package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"rekey/internal/discover"
	"rekey/internal/drift"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

var update = flag.Bool("update", false, "write the golden files anew; read the diff")

// scenes are one run for each ending, and what it looks like to a reader.
var scenes = map[string]func(s *stage.Stage){
	"rotated":     func(*stage.Stage) {},
	"rolled-back": func(s *stage.Stage) { s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422}) },
	"refused":     func(s *stage.Stage) { s.World.Look(func(w *sim.State) { w.Heroku.Apps[0].Maintenance = true }) },
	"stuck": func(s *stage.Stage) {
		s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "DELETE", Status: 403, Times: -1})
	},
}

// TestGolden keeps every text that a person reads of a run under review: a
// change of words is a diff.
func TestGolden(t *testing.T) {
	for name, arrange := range scenes {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			arrange(s)
			result, err := s.Play("CF_ACCESS_SVC_CONSOLE")
			if err != nil {
				t.Fatal(err)
			}
			events, err := s.Log.Events()
			if err != nil {
				t.Fatal(err)
			}
			style, now := report.Style{Width: 100}, s.Clock.Now()
			var b strings.Builder
			if p := result.State.Plan; p != nil {
				b.WriteString(report.Plan(p, style, stage.Start))
			}
			b.WriteString("\n=== the end\n\n" + report.Ending(result.State, style, now))
			b.WriteString("\n=== the log\n\n" + report.Log(events, style))
			same(t, name, b.String())
			for what, secret := range s.Secrets() {
				if strings.Contains(b.String(), secret) {
					t.Errorf("%s is shown", what)
				}
			}
		})
	}
}

// TestDiscover keeps the text of what nobody registered, on a terminal of 80 columns.
func TestDiscover(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		stage.Scatter(w)
		stage.AddApp(w, "raxx-team", nil).Closed = true
	})
	findings, seen, _, err := s.Discovered()
	if err != nil {
		t.Fatal(err)
	}
	var all []report.Discovered
	for _, x := range seen {
		all = append(all, report.Discovered{Credential: x.Spec.Name, Rules: discover.RulesOf(x)})
	}
	text := report.Discover(all, findings, report.Style{Width: 80})
	same(t, "discover", text)
	for what, secret := range s.Secrets() {
		if strings.Contains(text, secret) {
			t.Errorf("%s is shown", what)
		}
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 && !strings.Contains(line, "next  rekey ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	none := report.Discover(all[:1], nil, report.Style{Width: 80})
	if !strings.Contains(none, "1 credential: nobody unregistered holds one; nothing was touched.") {
		t.Error(none)
	}
}

// TestHeldByAnother: the run that stands still because of somebody says who it is,
// and both ways to go on.
func TestHeldByAnother(t *testing.T) {
	s := stage.NewCopied(0)(1, stage.Knobs)
	result, err := s.Play("CF_ACCESS_SVC_CONSOLE")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "held", report.Ending(result.State, report.Style{Width: 100}, s.Clock.Now()))
}

// TestStatus: what needs a person stands first, and says by which command.
func TestStatus(t *testing.T) {
	c, err := sop.Parse("rekey.yaml", []byte(sop.Example()))
	if err != nil {
		t.Fatal(err)
	}
	now := stage.Start
	spec := func(name string) sop.Spec {
		sp := c.Specs[0]
		sp.Name = name
		return sp
	}
	specs := []sop.Spec{spec("FRESH"), spec("OVERDUE"), spec("SOON"), spec("NEVER_SEEN"), spec("OPEN"), spec("STUCK"), spec("DRIFTED"), spec("REPAIRED"), spec("REVOKED"), spec("LOST")}
	ago := func(name string, days int, more func(*history.Summary)) history.Summary {
		at := now.AddDate(0, 0, -days)
		s := history.Summary{Run: "run-" + strings.ToLower(name), Credential: name, Opened: at, Closed: at, Ending: rotation.Rotated}
		if more != nil {
			more(&s)
		}
		return s
	}
	running := func(s *history.Summary) { s.Ending = "" }
	rows := report.Rows(specs, report.Known{Runs: []history.Summary{
		ago("FRESH", 3, nil), ago("OVERDUE", 100, nil), ago("SOON", 85, nil), ago("OPEN", 0, running),
		ago("STUCK", 0, func(s *history.Summary) { s.Ending, s.Stuck = "", "delete the old credential: denied" }),
		ago("DRIFTED", 20, nil), ago("REPAIRED", 20, nil),
		ago("REPAIRED", 1, func(s *history.Summary) { s.Ending = rotation.Repaired }),
		ago("REVOKED", 20, nil), ago("REVOKED", 1, func(s *history.Summary) { s.Ending = rotation.Revoked }),
	}, Compared: map[string]report.Compared{
		"DRIFTED":  {At: now.AddDate(0, 0, -2), Findings: []drift.Finding{{Kind: drift.Changed}}},
		"REPAIRED": {At: now.AddDate(0, 0, -2), Findings: []drift.Finding{{Kind: drift.Changed}}},
		"FRESH":    {At: now.AddDate(0, 0, -1)},
	}, Discovered: map[string]report.Discovered{
		"FRESH": {At: now.AddDate(0, 0, -2), Findings: []discover.Finding{{Kind: discover.Unregistered}, {Kind: discover.Orphan}, {Kind: discover.Named}, {Kind: discover.NotSeen}}},
		"SOON":  {At: now.AddDate(0, 0, -2), Findings: []discover.Finding{{Kind: discover.Named}}},
	}, Live: map[string]report.Live{"LOST": {Problem: "cloudflare lists no live access-service-token to which the stored credential belongs"}}}, now)
	want := []string{"LOST", "STUCK", "REVOKED", "OPEN", "DRIFTED", "OVERDUE", "NEVER_SEEN", "SOON", "REPAIRED", "FRESH"}
	for i, r := range rows {
		if r.Credential != want[i] {
			t.Errorf("place %d: %s, want %s", i+1, r.Credential, want[i])
		}
		if r.Attention != "" && !strings.HasPrefix(r.Next, "rekey ") {
			t.Errorf("%s needs %s, and the command is %q", r.Credential, r.Attention, r.Next)
		}
	}
	same(t, "status", report.Status(rows, report.Style{Width: 120}, now))
}

func same(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("%s:%d\n got  %s\n want %s\n(-update writes it anew)", path, i+1, g[i], w[i])
			return
		}
	}
	t.Errorf("%s: %d lines, want %d", path, len(g), len(w))
}

// TestEveryCodeIsExplained: a refusal's code leads to an explanation.
func TestEveryCodeIsExplained(t *testing.T) {
	for _, code := range []string{
		rotation.NothingStored, rotation.StoreTorn, rotation.StoreUnwritable, rotation.NoHistory, rotation.EndRefused, rotation.NotIssued, rotation.SwitchedOff, rotation.Expired,
		rotation.PlaceStuck, rotation.ConsumerDrift, rotation.ConsumerUnwell, rotation.OpenDoor, rotation.GateUnclear, rotation.GateElsewhere, rotation.GateDenies, rotation.RunTaken,
		rotation.CheckFalse, rotation.NotSeen, rotation.MadeNotSeen, rotation.PlanChanged, rotation.UnregisteredConsumer,
		string(discover.StoredCopy), string(discover.Earlier), string(discover.Orphan), string(discover.Unclaimed), string(discover.Named),
	} {
		if text, ok := report.Explain(code); !ok || len(text) < 60 {
			t.Errorf("%s is not explained: %q", code, text)
		}
	}
	for _, topic := range report.Topics() {
		if _, ok := report.Explain(topic); !ok {
			t.Errorf("%s is listed and not explained", topic)
		}
	}
}
