package runner_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rekey/internal/discover"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// discovered returns what nobody registered.
func discovered(t *testing.T, s *stage.Stage) []discover.Finding {
	t.Helper()
	before := see(s)
	found, _, _, err := s.Discovered()
	if err != nil {
		t.Fatal(err)
	}
	same(t, before, see(s))
	text, _ := json.Marshal(found)
	for what, value := range s.Secrets() {
		if strings.Contains(string(text), value) {
			t.Errorf("%s is told", what)
		}
	}
	return found
}

// finding returns the one of a kind at a place.
func finding(t *testing.T, found []discover.Finding, kind discover.Kind, where string) discover.Finding {
	t.Helper()
	for _, f := range found {
		if f.Kind == kind && f.Where == where {
			return f
		}
	}
	t.Fatalf("no %s at %s in %+v", kind, where, found)
	return discover.Finding{}
}

// TestEveryKindOfDiscovery scatters everything that nobody registered in the world
// and looks whether each is told as what it is, the worst first, with no value.
func TestEveryKindOfDiscovery(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	clean := discovered(t, s)
	if len(clean) != 1 || clean[0].Kind != discover.Unclaimed || !strings.HasPrefix(clean[0].What, "ci-deploy-") {
		t.Fatalf("before: %+v", clean)
	}
	if clean[0].Handle == nil || !strings.Contains(clean[0].What, `named by policy "console service auth"`) {
		t.Errorf("%+v", clean[0])
	}
	s.World.Look(stage.Scatter)
	found := discovered(t, s)
	for _, want := range []struct {
		kind  discover.Kind
		where string
		slots string
		says  string
	}{
		{discover.Unregistered, "heroku:raxx-other", "EDGE_TOKEN", "is not registered"},
		{discover.Unregistered, "heroku:raxx-worker", "ACCESS_SECRET,SETTINGS", "SETTINGS (inside a longer value)"},
		{discover.Unregistered, "heroku:raxx-console-prod", "OLD_EDGE_TOKEN", "which rekey.yaml does not name"},
		{discover.Unregistered, "heroku:raxx/review", "EDGE_TOKEN", "is not registered"},
		{discover.StoredCopy, "infisical:prod/backup", "CONSOLE_SECRET", "anything that reads it there"},
		{discover.StoredCopy, "infisical:dev/MooseQuest", console, "anything that reads it there"},
		{discover.Named, "heroku:raxx-docs", "EDGE_CLIENT", "the public half alone"},
	} {
		f := finding(t, found, want.kind, want.where)
		if strings.Join(f.Slots, ",") != want.slots || !strings.Contains(f.What, want.says) || f.Credential != console || f.Next == "" {
			t.Errorf("%+v", f)
		}
	}
	if f := found[slices.IndexFunc(found, func(f discover.Finding) bool { return f.Kind == discover.Unclaimed })]; !strings.Contains(f.What, "bears the name of "+console) {
		t.Errorf("ours comes first: %+v", f)
	}
	order := []discover.Kind{}
	for _, f := range found {
		if len(order) == 0 || order[len(order)-1] != f.Kind {
			order = append(order, f.Kind)
		}
	}
	if got := fmt.Sprint(order); got != "[unregistered-consumer stored-copy unclaimed named]" {
		t.Errorf("in this order: %s", got)
	}
	if text, _ := json.Marshal(found); strings.Contains(string(text), "hunter2") {
		t.Error("what stands beside it is told")
	}
}

// TestFoundConsumersCanBePasted: what is printed is read again, means the place that
// was found, and the next run switches it.
func TestFoundConsumersCanBePasted(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		stage.Scatter(w)
		w.Heroku.Apps[2].Releases[0].Vars["SETTINGS"] = "no longer" // a person's part
		stage.AddApp(w, "null", map[string]string{console: w.Cloudflare.Tokens[0].Secret, "AUTH": "Bearer " + w.Cloudflare.Tokens[0].Secret})
	})
	entries := "      - app: raxx-console-prod\n        slots: {OLD_EDGE_TOKEN: \"{client_id}:{client_secret}\"}\n"
	n := 0
	for _, f := range discovered(t, s) {
		if f.YAML == "" || f.Where == "heroku:raxx-console-prod" {
			continue
		}
		n++
		if f.Under != "credentials."+console+".consumers" {
			t.Errorf("under %s", f.Under)
		}
		for line := range strings.Lines(f.YAML) {
			entries += "      " + line
		}
	}
	if n != 4 {
		t.Fatalf("%d entries:\n%s", n, entries)
	}
	s.Config = config(t, "      - app: raxx-console-prod\n", entries)
	for _, f := range discovered(t, s) {
		if f.Kind == discover.Unregistered {
			t.Errorf("pasted, and still %+v", f)
		}
	}
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	now := liveTokenOf(t, s, st.Made.Handle.ID)
	s.World.Look(func(w *sim.State) {
		for _, a := range w.Heroku.Apps {
			vars := inForce(a)
			for name, want := range map[string]string{"EDGE_TOKEN": pair(now), "ACCESS_SECRET": now.Secret, "ACCESS_ID": now.ClientID, "AUTH": "Bearer " + now.Secret, "OLD_EDGE_TOKEN": pair(now)} {
				if got, there := vars[name]; there && got != want {
					t.Errorf("%s of %s is not of the new one", name, a.Name)
				}
			}
		}
		if w.Heroku.Pipelines[0].Vars["review"]["EDGE_TOKEN"] != pair(now) {
			t.Error("the stage was not switched")
		}
	})
}

func liveTokenOf(t *testing.T, s *stage.Stage, id string) (out sim.Token) {
	t.Helper()
	s.World.Look(func(w *sim.State) {
		for _, x := range w.Cloudflare.Tokens {
			if x.ID == id {
				out = *x
			}
		}
	})
	return out
}

// TestOrphansAreEndedByTheCommandTheyAreToldWith: what a run of the journal made and
// nobody has, also of a rehearsal; what belongs to an open run is left out.
func TestOrphansAreEndedByTheCommandTheyAreToldWith(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	ended(t, play(t, s, console), rotation.Rotated)
	s.World.Look(func(w *sim.State) {
		for i, name := range []string{"raxx-console-svc-2026-11-23-test01-2", sop.RehearsalPrefix + "raxx-console-svc-2026-10-01-abcdef-1", "raxx-console-svc-2026-11-23-open01-1"} {
			x := *w.Cloudflare.Tokens[0]
			x.ID, x.Name = fmt.Sprintf("0b1f6a52-0000-4000-8000-00000000bbb%d", i), name
			w.Cloudflare.Tokens = append(w.Cloudflare.Tokens, &x)
		}
	})
	if err := s.Open(console, "open01"); err != nil {
		t.Fatal(err)
	}
	found := discovered(t, s)
	var orphans []discover.Finding
	for _, f := range found {
		if strings.Contains(f.What, "open01") {
			t.Errorf("of an open run: %+v", f)
		}
		if f.Kind == discover.Orphan {
			orphans = append(orphans, f)
		}
	}
	if len(orphans) != 2 {
		t.Fatalf("%+v", found)
	}
	s.Log = &stage.Log{}
	for i, f := range orphans {
		if !strings.HasPrefix(f.Next, "rekey revoke "+console+" --generation "+f.Handle.ID+" --delete --reason ") {
			t.Errorf("ended by %q", f.Next)
		}
		s.Purpose(sop.ToDelete)
		s.Target(f.Handle.ID)
		ended(t, next(t, s, console, fmt.Sprintf("test1%d", i)), rotation.Revoked)
		s.World.Look(func(w *sim.State) {
			for _, x := range w.Cloudflare.Tokens {
				if x.ID == f.Handle.ID {
					t.Errorf("%s is still there", x.Name)
				}
			}
		})
	}
}

// TestEarlierValuesAreKnownByFingerprint: a copy of what was replaced is found by
// what the journal remembers; a client id of then is not a secret.
func TestEarlierValuesAreKnownByFingerprint(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	old := liveToken(t, s, "raxx-console-svc-")
	ended(t, play(t, s, console), rotation.Rotated)
	s.World.Look(func(w *sim.State) {
		stage.AddApp(w, "raxx-museum", map[string]string{"PAIR": pair(old), "ALONE": old.Secret, "FILE": old.Secret + "\n", "ID": old.ClientID})
	})
	f := finding(t, discovered(t, s), discover.Earlier, "heroku:raxx-museum")
	if strings.Join(f.Slots, ",") != "ALONE,FILE,PAIR" || !strings.Contains(f.What, old.Name+", which no longer works") {
		t.Errorf("%+v", f)
	}
}

// TestDiscoverAsksEachThingOnce: however many credentials, one list for an account
// and one read of each place.
func TestDiscoverAsksEachThingOnce(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(stage.Scatter)
	_, _, few, err := s.Discovered()
	if err != nil {
		t.Fatal(err)
	}
	own := *s.Config
	own.Specs = nil
	for i := range 20 {
		for _, spec := range s.Config.Specs {
			spec.Name = fmt.Sprintf("%s_%d", spec.Name, i)
			own.Specs = append(own.Specs, spec)
		}
	}
	s.Config = &own
	_, _, many, err := s.Discovered()
	if err != nil {
		t.Fatal(err)
	}
	// Cloudflare: tokens, policies, apps, groups. Infisical: log in, the folder, the
	// project, two environments. Heroku: apps, pipelines, four apps, two stages,
	// and once more the one that was told to hold nothing; and the releases of the
	// three apps that changed lately: whether what was read may still change.
	if few != 4+5+9+3 || many != few {
		t.Errorf("%d calls for 2 credentials, %d for 40, want 21", few, many)
	}
}

// TestDiscoverTellsWhatItCannotSee: what may not be read, or does not answer, is
// told, and the rest is found all the same.
func TestDiscoverTellsWhatItCannotSee(t *testing.T) {
	for where, tt := range map[string]struct {
		change func(s *stage.Stage)
		still  string // found all the same
	}{
		"heroku": {func(s *stage.Stage) {
			s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if req.URL.Path == "/apps" {
					return forbidden(req), nil
				}
				return send()
			}
		}, "infisical:prod/backup"},
		"heroku:raxx-worker": {func(s *stage.Stage) { s.World.Look(func(w *sim.State) { w.Heroku.Apps[2].Closed = true }) }, "heroku:raxx-other"},
		"infisical": {func(s *stage.Stage) {
			s.World.Inject(sim.Fault{Vendor: "infisical", Endpoint: "workspace", Status: 503, Times: -1})
		}, "heroku:raxx-other"},
		"infisical:prod/backup": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) {
				for _, x := range w.Infisical.Secrets {
					x.Hidden = x.Path == "/backup"
				}
			})
		}, "infisical:dev/MooseQuest"},
	} {
		t.Run(where, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			s.World.Look(stage.Scatter)
			tt.change(s)
			found := discovered(t, s)
			f := finding(t, found, discover.NotSeen, where)
			if f.Counts() || !strings.Contains(f.What, "could not be seen") {
				t.Errorf("%+v", f)
			}
			if !slices.ContainsFunc(found, func(f discover.Finding) bool { return f.Where == tt.still && f.Counts() }) {
				t.Errorf("%s is not found any more: %+v", tt.still, found)
			}
		})
	}
}

// TestRulesAreToldByWhatTheyDo: which rule lets it in, which names it only, and which
// lets anybody in.
func TestRulesAreToldByWhatTheyDo(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		r := sim.Rules{}
		for k, v := range w.Cloudflare.Policies[0] {
			r[k] = v
		}
		r["id"], r["name"], r["decision"] = json.RawMessage(`"9e1d7d34-5a3c-4e7a-8b0e-000000000002"`), json.RawMessage(`"keep out"`), json.RawMessage(`"deny"`)
		w.Cloudflare.Policies = append(w.Cloudflare.Policies, r)
	})
	_, seen, _, err := s.Discovered()
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(discover.RulesOf(seen[0]), discover.RulesOf(seen[1]))
	for _, want := range []string{"{policy console service auth admits  1}", "{policy keep out names  0}", "{app-policy any valid token anyone  1}", "{group vault probes admits  1}"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}
