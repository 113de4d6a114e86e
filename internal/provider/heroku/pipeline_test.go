package heroku_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sim"
)

const slot = "CF_ACCESS_SVC_CONSOLE"

// withReviewApps gives stage review the credential and two apps: one made since,
// which holds it, and one that holds something else.
func withReviewApps(b *bench) {
	b.Look(func(s *sim.State) {
		p := s.Heroku.Pipelines[0]
		p.Vars["review"][slot] = "something older"
		s.AddReviewApp(p, "raxx-pr-16")
		p.Vars["review"][slot] = "the credential"
		s.AddReviewApp(p, "raxx-pr-17")
	})
}

// TestReviewAppsAreTold: a list of consumers that is made of apps misses what
// review apps are born with (docs/vendors/heroku.md, T27).
func TestReviewAppsAreTold(t *testing.T) {
	b, v := open(t)
	withReviewApps(b)
	s := snapshot(t, consumer(t, v, `{"pipeline":"raxx","stage":"review"}`), slot)
	if !s.Slots[slot].Value.Equal(secret.New("the credential")) || s.Mark != "" || s.Units != 0 || s.Grace != 0 {
		t.Errorf("%+v", s)
	}
	if !said(s.Notes, "those that exist keep the old one until they are recreated") || !said(s.Notes, "raxx-pr-16", "something else in "+slot) {
		t.Errorf("notes %q", s.Notes)
	}
	if len(s.Problems) != 1 || !said(s.Problems, "raxx-pr-17", "is not registered") {
		t.Errorf("problems %q", s.Problems)
	}
	if said(append(s.Notes, s.Problems...), "raxx-console-prod") {
		t.Error("an app of another stage is told")
	}
}

// TestRegisteredReviewAppIsNoProblem, by name or by id; nor is one that rekey.yaml
// says to leave behind.
func TestRegisteredReviewAppIsNoProblem(t *testing.T) {
	for _, how := range []string{"name", "id", "tell"} {
		b, v := open(t)
		withReviewApps(b)
		settings := `{"pipeline":"raxx","stage":"review"}`
		app := "raxx-pr-17"
		switch how {
		case "id":
			b.Look(func(s *sim.State) { app = s.Heroku.Apps[2].ID })
		case "tell":
			settings, app = `{"pipeline":"raxx","stage":"review","existing_apps":"tell"}`, ""
		}
		if app != "" {
			consumer(t, v, `{"app":"`+app+`"}`)
		}
		s := snapshot(t, consumer(t, v, settings), slot)
		if len(s.Problems) != 0 || !said(s.Notes, "raxx-pr-17", "holds the credential") {
			t.Errorf("%s: problems %q, notes %q", how, s.Problems, s.Notes)
		}
	}
}

// TestAppThatCannotBeSeen may hold the credential: it is never passed over.
func TestAppThatCannotBeSeen(t *testing.T) {
	for _, status := range []int{403, 404, 503} {
		for _, endpoint := range []string{"GET /apps/{app}", "GET /apps/{app}/config-vars"} {
			for _, tell := range []bool{false, true} {
				b, v := open(t)
				withReviewApps(b)
				b.Inject(sim.Fault{Vendor: "heroku", Endpoint: endpoint, After: 1, Status: status, Times: -1})
				settings := `{"pipeline":"raxx","stage":"review"}`
				if tell {
					settings = `{"pipeline":"raxx","stage":"review","existing_apps":"tell"}`
				}
				s, err := consumer(t, v, settings).Snapshot(t.Context(), []string{slot})
				told := s.Problems
				if tell {
					told = s.Notes
				}
				if (err != nil) != (status == 503) || err == nil && !said(told, "cannot be seen") || tell && len(s.Problems) > 0 {
					t.Errorf("%d at %s: %q, %q, %v", status, endpoint, s.Problems, s.Notes, err)
				}
			}
		}
	}
}

// TestStageIsWrittenInOnePatch: no app gets a release by it, other names stay.
func TestStageIsWrittenInOnePatch(t *testing.T) {
	b, v := open(t)
	withReviewApps(b)
	c := consumer(t, v, `{"pipeline":"raxx","stage":"review"}`)
	err := c.Write(t.Context(), []provider.SlotValue{{Slot: slot, Value: secret.New("new")}, {Slot: "ANOTHER", Value: secret.New("new")}, {Slot: "NODE_ENV"}})
	if err != nil {
		t.Fatal(err)
	}
	patches := 0
	for _, s := range b.sent {
		if strings.HasPrefix(s, "PATCH") {
			patches++
		}
	}
	b.Look(func(s *sim.State) {
		vars := s.Heroku.Pipelines[0].Vars["review"]
		_, gone := vars["NODE_ENV"]
		if patches != 1 || vars[slot] != "new" || vars["ANOTHER"] != "new" || gone || vars["DATABASE_URL"] == "" {
			t.Errorf("%d writes, now %v", patches, vars)
		}
		for _, a := range s.Heroku.Apps {
			if len(a.Releases) != 1 {
				t.Errorf("%s has %d releases", a.Name, len(a.Releases))
			}
		}
	})
	p, err := c.Progress(t.Context(), provider.Followed{}, []string{slot})
	if err != nil || p.Class != cred.Done || !p.Slots[slot].Value.Equal(secret.New("new")) {
		t.Errorf("%+v: %v", p, err)
	}
}

// TestPipelineByName: by id nothing has to be found; a name that several have, or
// none, is never guessed.
func TestPipelineByName(t *testing.T) {
	b, v := open(t)
	id := ""
	b.Look(func(s *sim.State) { id = s.Heroku.Pipelines[0].ID })
	snapshot(t, consumer(t, v, `{"pipeline":"`+id+`","stage":"review"}`), slot)
	if slices.Contains(b.sent, "GET /pipelines") {
		t.Error("asked for the name of an id")
	}
	for name, want := range map[string]string{"raxx": "2 pipelines have this name", "nope": "there is no pipeline nope"} {
		b.Look(func(s *sim.State) {
			s.Heroku.Pipelines = append(s.Heroku.Pipelines[:1], &sim.HerokuPipeline{ID: strings.Replace(id, "5", "6", 1), Name: "raxx"})
		})
		c := consumer(t, v, `{"pipeline":"`+name+`","stage":"review"}`)
		for _, err := range []error{c.Write(t.Context(), []provider.SlotValue{{Slot: slot, Value: secret.New("x")}}), func() error { _, err := c.Snapshot(t.Context(), []string{slot}); return err }()} {
			if err == nil || !cred.ClassOf(err).NotApplied() || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestManyAppsInAPipeline: the list has several pages, and the last app counts.
func TestManyAppsInAPipeline(t *testing.T) {
	b, v := open(t)
	b.Look(func(s *sim.State) {
		p := s.Heroku.Pipelines[0]
		for range 450 {
			p.Couplings = append(p.Couplings, &sim.Coupling{App: "elsewhere", Stage: "staging"})
		}
		p.Vars["review"][slot] = "the credential"
		s.AddReviewApp(p, "raxx-pr-451")
	})
	s := snapshot(t, consumer(t, v, `{"pipeline":"raxx","stage":"review"}`), slot)
	if !said(s.Problems, "raxx-pr-451") {
		t.Errorf("%q", s.Problems)
	}
}

func TestOtherStagesAreTold(t *testing.T) {
	_, v := open(t)
	for stage, want := range map[string]string{"test": "those that are running keep the old one", "staging": "register it as a consumer"} {
		s := snapshot(t, consumer(t, v, `{"pipeline":"raxx","stage":"`+stage+`"}`), slot)
		if !said(s.Notes, want) {
			t.Errorf("%s: %q", stage, s.Notes)
		}
	}
	for _, bad := range []string{`{}`, `{"app":"a","pipeline":"p","stage":"review"}`, `{"pipeline":"p"}`, `{"app":"a","stage":"review"}`, `{"app":"a","existing_apps":"tell"}`, `{"pipeline":"p","stage":"test","one_off_dynos":"wait"}`} {
		if _, err := v.(provider.Consumes).Consumer(json.RawMessage(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
