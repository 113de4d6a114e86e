package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// TestRulesOfTheStoreStopARun: what the store would refuse, of the write or of a
// rollback, is found before anything is made.
func TestRulesOfTheStoreStopARun(t *testing.T) {
	for _, c := range map[string]struct {
		rule sim.ValidationRule
		told string
	}{
		"no rollback":     {sim.ValidationRule{Name: "no reuse", Path: "/**", Versions: 10}, "a rollback could not give the old values back"},
		"no former names": {sim.ValidationRule{Name: "unique", Path: "/MooseQuest/cloudflare", Environment: "prod", Others: true}, formerConsole + " and " + console + " are to hold the same"},
	} {
		s := stage.New(1, stage.Knobs)
		s.World.Look(func(w *sim.State) { w.Infisical.Rules = []*sim.ValidationRule{&c.rule} })
		before := see(s)
		st := play(t, s, console)
		ended(t, st, rotation.RefusedRun, rotation.StoreRule, c.told, c.rule.Name)
		judged(t, s, st)
		nothingWritten(t, s, before)
	}
}

// TestRulesThatCannotBeReadAreTold: neither a server without such rules nor a role
// that may not see them stops a run, and neither is taken for "there are none".
func TestRulesThatCannotBeReadAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *sim.State)
		told   []string
	}{
		"an older server": {func(w *sim.State) { w.Infisical.Server = sim.Server2025 }, []string{"rules of the store stand against a write or a rollback is not known", "the server lists none", "look at its integrations by hand"}},
		"no permission":   {func(w *sim.State) { w.Infisical.Blind = true }, []string{"is not known", "may not do this here"}},
	} {
		s := stage.New(1, stage.Knobs)
		s.World.Look(c.change)
		seen, err := s.Look(console)
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(seen.Advice, "\n")
		for _, want := range c.told {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q is not told: %s", name, want, all)
			}
		}
		ended(t, play(t, s, console), rotation.Rotated)
	}
}

// TestSyncOfTheFolderIsTold: two writers at one app (docs/vendors/infisical.md).
func TestSyncOfTheFolderIsTold(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		w.Infisical.Syncs = []*sim.Sync{{Name: "to the app", Destination: "heroku", App: "raxx-console-prod", Path: "/MooseQuest/cloudflare", Environment: "prod"}}
	})
	seen, err := s.Look(console)
	if all := strings.Join(seen.Advice, "\n"); err != nil || !strings.Contains(all, "two writers change it") {
		t.Errorf("%s %v", all, err)
	}
}
