package runner_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/drift"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// compared returns what disagrees about the SOP's first credential.
func compared(t *testing.T, s *stage.Stage) []drift.Finding {
	t.Helper()
	all, _, err := s.Compared()
	if err != nil {
		t.Fatal(err)
	}
	if f := all[vault]; len(f) > 0 && !strings.Contains(t.Name(), "not-seen") {
		t.Errorf("%s has not drifted: %+v", vault, f)
	}
	return all[console]
}

// TestEveryKindOfDrift makes each disagreement in the simulated world, after a
// rotation that the journal remembers, and looks whether it is told as what it
// is, with the command that mends it; and that this command does mend it.
func TestEveryKindOfDrift(t *testing.T) {
	const app = "heroku:raxx-console-prod"
	repair := "rekey repair " + console
	for _, tt := range []struct {
		kind    drift.Kind
		told    string
		command string
		change  func(w *sim.State, old, live *sim.Token)
	}{
		{drift.Changed, "that neither the store nor the journal knows", repair, func(w *sim.State, _, _ *sim.Token) {
			stage.Release(w.Heroku.Apps[0], w.At, map[string]string{console: "x:y", formerConsole: "x:y"})
		}},
		{drift.Revived, "which ended on 2026-11-23", repair, func(w *sim.State, old, _ *sim.Token) {
			stage.Release(w.Heroku.Apps[0], w.At, map[string]string{console: pair(*old), formerConsole: pair(*old)})
		}},
		{drift.Revived, "release v43 (Rollback to v41 by ops@example.com) brought an earlier value back", repair, func(w *sim.State, _, _ *sim.Token) {
			a := w.Heroku.Apps[0]
			first := a.Releases[0]
			a.Releases = append(a.Releases, &sim.Release{ID: first.ID, Version: 43, Status: "succeeded", Description: "Rollback to v41", CreatedAt: w.At, Vars: maps.Clone(first.Vars)})
			for _, p := range a.Processes {
				p.Env, p.Release = first.Vars, 43
			}
		}},
		{drift.Names, "holds different credentials under its names", repair, func(w *sim.State, _, _ *sim.Token) {
			stage.Release(w.Heroku.Apps[0], w.At, map[string]string{formerConsole: "x:y"})
		}},
		{drift.Names, "than its other slots say", repair, func(w *sim.State, old, _ *sim.Token) {
			stage.Put(w, formerConsole, old.Secret)
		}},
		{drift.Ahead, "the store was given another credential", repair, func(w *sim.State, _, live *sim.Token) {
			other := another(w, live)
			for _, n := range []string{console, formerConsole} {
				stage.Put(w, n, other.Secret)
				stage.Put(w, n+"__CLIENT_ID", other.ClientID)
			}
		}},
		{drift.Behind, "and the store holds another", repair + " --from " + app, func(w *sim.State, _, live *sim.Token) {
			other := another(w, live)
			stage.Release(w.Heroku.Apps[0], w.At, map[string]string{console: pair(*other), formerConsole: pair(*other)})
		}},
		{drift.NotIssued, "lists no live access-service-token", "", func(w *sim.State, _, live *sim.Token) {
			w.Cloudflare.Tokens = w.Cloudflare.Tokens[:0:0]
			_ = live
		}},
		{drift.SwitchedOff, "is switched off at cloudflare", "", func(_ *sim.State, _, live *sim.Token) { live.Enabled = false }},
		{drift.RuleLost, `policy "console service auth" no longer names raxx-console-svc-2026-11-23-test01-1`, repair, func(w *sim.State, _, live *sim.Token) {
			stage.Dismissed(w, live.ID)
		}},
		{drift.RuleShut, "no rule of cloudflare is left that accepts raxx-console-svc-2026-11-23-test01-1: those that did are gone", "", func(w *sim.State, _, _ *sim.Token) {
			w.Cloudflare.Policies, w.Cloudflare.Apps = w.Cloudflare.Policies[1:], w.Cloudflare.Apps[1:2]
		}},
		{drift.RuleStray, `policy "console service auth" names raxx-console-svc-2026-08-23, which ended on 2026-11-23`, "", func(w *sim.State, old, _ *sim.Token) {
			w.Cloudflare.Policies[0]["include"] = []byte(strings.Replace(string(w.Cloudflare.Policies[0]["include"]), "[", `[{"service_token":{"token_id":"`+old.ID+`"}},`, 1))
		}},
		{drift.Missing, "has no " + formerConsole, repair, func(w *sim.State, _, _ *sim.Token) {
			a := w.Heroku.Apps[0]
			stage.Release(a, w.At, nil)
			delete(a.Releases[len(a.Releases)-1].Vars, formerConsole)
		}},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			old := liveToken(t, s, "raxx-console-svc-")
			ended(t, play(t, s, console), rotation.Rotated)
			if f := compared(t, s); len(f) > 0 {
				t.Fatalf("right after a rotation: %+v", f)
			}
			live := liveToken(t, s, "raxx-console-svc-")
			s.World.Look(func(w *sim.State) {
				for _, x := range w.Cloudflare.Tokens {
					if x.ID == live.ID {
						tt.change(w, &old, x)
					}
				}
			})
			before := see(s)
			all, _, err := s.Compared()
			if err != nil {
				t.Fatal(err)
			}
			found := all[console]
			same(t, before, see(s))
			if len(found) == 0 || found[0].Kind != tt.kind || !strings.Contains(found[0].What, tt.told) {
				t.Fatalf("%+v, want %s: %s", found, tt.kind, tt.told)
			}
			if tt.command == "" {
				return
			}
			if !strings.HasPrefix(found[0].Repair, tt.command) {
				t.Fatalf("fixed by %q, want %q", found[0].Repair, tt.command)
			}
			s.Purpose(sop.ToRepair)
			if strings.Contains(tt.command, "--from") {
				s.Target(app)
			}
			st := next(t, s, console, "test02")
			ended(t, st, rotation.Repaired)
			if f, _, _ := s.Compared(); len(f[console]) > 0 {
				t.Errorf("after the repair: %+v", f[console])
			}
		})
	}
}

// another is a second live token, admitted wherever the first is, as somebody
// makes by hand.
func another(w *sim.State, like *sim.Token) *sim.Token {
	other := *like
	other.ID, other.ClientID, other.Secret, other.Name = "0b1f6a52-0000-4000-8000-00000000beef", "beefbeefbeefbeefbeefbeefbeefbeef.access", "by-hand-"+like.Secret, "made by hand"
	w.Cloudflare.Tokens = append(w.Cloudflare.Tokens, &other)
	for _, list := range [][]sim.Rules{w.Cloudflare.Policies, w.Cloudflare.Groups} {
		for _, r := range list {
			for field, raw := range r {
				r[field] = []byte(strings.ReplaceAll(string(raw), `{"service_token":{"token_id":"`+like.ID+`"}}`,
					`{"service_token":{"token_id":"`+like.ID+`"}},{"service_token":{"token_id":"`+other.ID+`"}}`))
			}
		}
	}
	w.Edge.Known.Policies, w.Edge.Known.Groups = w.Cloudflare.Policies, w.Cloudflare.Groups
	w.Edge.Known.Tokens = append(w.Edge.Known.Tokens, other)
	return &other
}

// TestDriftAsksEachThingOnce: however many credentials, one list for the account,
// one read of the folder, and each app once.
func TestDriftAsksEachThingOnce(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	_, few, err := s.Compared()
	if err != nil {
		t.Fatal(err)
	}
	config := *s.Config
	config.Specs = nil
	for i := range 20 {
		for _, spec := range s.Config.Specs {
			spec.Name = fmt.Sprintf("%s_%d", spec.Name, i)
			config.Specs = append(config.Specs, spec)
		}
	}
	s.Config = &config
	_, many, err := s.Compared()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d calls for 2 credentials, %d for 40", few, many)
	if many != few {
		t.Errorf("40 credentials at the same places take %d calls, 2 take %d", many, few)
	}
}

// TestDriftTellsWhatItCannotSee: a vendor that does not answer is not drift, and
// nothing is said that only it could tell.
func TestDriftTellsWhatItCannotSee(t *testing.T) {
	for _, vendor := range []string{"cloudflare", "infisical", "heroku"} {
		s := stage.New(1, stage.Knobs)
		s.World.Inject(sim.Fault{Vendor: vendor, Endpoint: "GET", Status: 503, Times: -1})
		all, _, err := s.Compared()
		if err != nil {
			t.Fatal(err)
		}
		for name, found := range all {
			if len(found) == 0 {
				t.Errorf("%s down: nothing is told about %s", vendor, name)
			}
			for _, f := range found {
				if f.Kind != drift.NotSeen || !strings.Contains(f.What, vendor) {
					t.Errorf("%s down: %s: %+v", vendor, name, f)
				}
			}
		}
	}
}

var repairs = []stage.Scenario{
	{Credential: console, Purpose: sop.ToRepair, On: stage.NewDrifted},
	{Credential: console, Purpose: sop.ToRepair, On: stage.NewDriftedStore},
	{Credential: console, Purpose: sop.ToRepair, On: stage.NewRuleLost},
}

// TestRepairUnderFaults gives a repair, from the store and from a consumer, every
// single fault and every pair: it ends with everybody on the live one, or has
// written nothing, or says what is live and goes on when resumed.
func TestRepairUnderFaults(t *testing.T) {
	single, double := newTally(t, true), newTally(t, true)
	singles(t, single, repairs, func(stage.Scenario) rotation.Ending { return rotation.Repaired })
	pairsOf(double, repairs, pairKinds, 40)
	single.done(0)
	double.done(0.02)
}

// TestExpiredSaysSo: a service token and an API token whose time is over are told as
// that, by drift and by a run, and replaced by --after-revoke.
func TestExpiredSaysSo(t *testing.T) {
	for _, name := range []string{console, "CF_API_TOKEN_DNS"} {
		s := stage.For(name, 1)
		s.World.Look(func(w *sim.State) {
			for _, x := range w.Cloudflare.Tokens {
				x.ExpiresAt = w.At.Add(-time.Hour)
			}
			for _, x := range w.Cloudflare.APITokens {
				if strings.HasPrefix(x.Name, "raxx-dns") {
					x.ExpiresOn = w.At.Add(-time.Hour)
				}
			}
			w.Edge.Known.Tokens = nil
		})
		all, _, err := s.Compared()
		if err != nil {
			t.Fatal(err)
		}
		if f := all[name]; len(f) != 1 || f[0].Kind != drift.Expired || !strings.Contains(f[0].What, "expired on 2026-11-23") || !strings.HasSuffix(f[0].Repair, "--after-revoke") {
			t.Errorf("%s: drift tells %+v", name, f)
		}
		ended(t, play(t, s, name), rotation.RefusedRun, "expired on 2026-11-23", "--after-revoke")
		s.Purpose(sop.AfterRevoke)
		ended(t, next(t, s, name, "test02"), rotation.Rotated)
		if all, _, _ := s.Compared(); len(all[name]) > 0 {
			t.Errorf("%s: afterwards drift tells %+v", name, all[name])
		}
	}
}

// TestARevokedAPITokenIsReplaced: one that is switched off at Cloudflare, and one of
// which the vendor knows nothing any more by its value.
func TestARevokedAPITokenIsReplaced(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		s := stage.For("CF_API_TOKEN_DNS", 1)
		ended(t, play(t, s, "CF_API_TOKEN_DNS"), rotation.Rotated)
		s.World.Look(func(w *sim.State) {
			for _, x := range w.Cloudflare.APITokens {
				if strings.HasPrefix(x.Name, "raxx-dns") {
					x.Status = "disabled"
				}
			}
		})
		asked := 0
		if forgotten {
			var old string
			s.World.Look(func(w *sim.State) { old = stage.Stored(w, "CF_API_TOKEN_DNS") })
			whenever(s, kind{"GET", "/user/tokens/verify"}, func(_ int, req *http.Request, pass send) (*http.Response, error) {
				if req.Header.Get("Authorization") != "Bearer "+old {
					return pass()
				}
				asked++
				return says(req, 401, "application/json", `{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}],"messages":[],"result":null}`)
			})
		}
		s.Purpose(sop.AfterRevoke)
		st := next(t, s, "CF_API_TOKEN_DNS", "test02")
		ended(t, st, rotation.Rotated)
		if forgotten && asked == 0 {
			t.Error("the issuer was not asked whose it is")
		}
	}
}

// TestRefusedFromHereIsNotDrift: that an API token may not be used from here says
// nothing of it, and stops a run with the reason.
func TestRefusedFromHereIsNotDrift(t *testing.T) {
	s := stage.For("CF_API_TOKEN_DNS", 1)
	s.World.Turn(func(k *sim.Knobs) { k.From = "198.51.100.9" })
	all, _, err := s.Compared()
	if err != nil {
		t.Fatal(err)
	}
	if f := all["CF_API_TOKEN_DNS"]; len(f) != 1 || f[0].Kind != drift.NotSeen || !strings.Contains(f[0].What, "condition.request_ip") {
		t.Errorf("drift tells %+v", f)
	}
	ended(t, play(t, s, "CF_API_TOKEN_DNS"), rotation.RefusedRun, "condition.request_ip")
}

// TestAnEmergencyNeedsNoAddress: one that is refused from here is revoked by its name.
func TestAnEmergencyNeedsNoAddress(t *testing.T) {
	s := stage.For("CF_API_TOKEN_DNS", 1)
	s.World.Turn(func(k *sim.Knobs) { k.From = "198.51.100.9" })
	s.Purpose(sop.ToRevoke)
	ended(t, play(t, s, "CF_API_TOKEN_DNS"), rotation.RefusedRun, "condition.request_ip", "--generation NAME")
	s.Target("raxx-dns-2026-08-23")
	ended(t, next(t, s, "CF_API_TOKEN_DNS", "test02"), rotation.Revoked)
	s.World.Look(func(w *sim.State) {
		for _, x := range w.Cloudflare.APITokens {
			if strings.HasPrefix(x.Name, "raxx-dns") && x.Status != "disabled" {
				t.Error("it still works")
			}
		}
	})
}

// TestADeletedTokenIsReplaced: deleted in an emergency, or by somebody else after a
// run; the new one is named where the journal remembers that the old one was.
func TestADeletedTokenIsReplaced(t *testing.T) {
	for _, name := range []string{console, vault} {
		for _, byUs := range []bool{true, false} {
			s := stage.New(1, stage.Knobs)
			if byUs {
				s.Purpose(sop.ToDelete)
				ended(t, play(t, s, name), rotation.Revoked)
			} else {
				ended(t, play(t, s, name), rotation.Rotated)
				s.World.Look(func(w *sim.State) {
					for i, x := range w.Cloudflare.Tokens {
						if strings.Contains(x.Name, "test01") {
							stage.Dismissed(w, x.ID)
							w.Cloudflare.Tokens = slices.Delete(slices.Clone(w.Cloudflare.Tokens), i, i+1)
							w.Edge.Known.Tokens = nil
						}
					}
				})
			}
			s.Purpose("")
			ended(t, next(t, s, name, "test02"), rotation.RefusedRun, "not-issued")
			all, _, err := s.Compared()
			if err != nil {
				t.Fatal(err)
			}
			if f := all[name]; len(f) == 0 || f[0].Kind != drift.NotIssued || f[0].Repair != "rekey run "+name+" --after-revoke" {
				t.Errorf("%s: drift tells %+v", name, f)
			}
			s.Purpose(sop.AfterRevoke)
			ended(t, next(t, s, name, "test03"), rotation.Rotated)
			s.Purpose("")
			if all, _, _ := s.Compared(); len(all[name]) > 0 {
				t.Errorf("%s: afterwards drift tells %+v", name, all[name])
			}
			s.World.Look(func(w *sim.State) {
				spec, _ := s.Config.Spec(name)
				if _, broken := stage.Agreement(w, spec); len(broken) > 0 {
					t.Error(name, broken)
				}
			})
		}
	}
}

// TestALostRuleIsSeenAfterEveryKindOfRun: replaced, rolled in place, gone back; in a
// policy and in a group; and it is mended by a repair that looks afterwards.
func TestALostRuleIsSeenAfterEveryKindOfRun(t *testing.T) {
	for _, name := range []string{console, vault} {
		for what, run := range map[string]struct {
			strategy string
			fault    []sim.Fault
			ending   rotation.Ending
		}{
			"replaced":       {ending: rotation.Rotated},
			"rolled":         {strategy: "roll", ending: rotation.Rotated},
			"rolled back":    {fault: []sim.Fault{{Vendor: "heroku", Endpoint: "PATCH", Status: 403}}, ending: rotation.RolledBack},
			"repaired again": {ending: rotation.Rotated},
		} {
			s := stage.New(1, stage.Knobs)
			s.Strategy(run.strategy)
			s.World.Inject(run.fault...)
			ended(t, play(t, s, name), run.ending)
			s.Strategy("")
			s.Purpose(sop.ToRepair)
			spec, _ := s.Config.Spec(name)
			for n := range map[string]int{"repaired again": 2}[what] + 1 {
				live := liveToken(t, s, "raxx-"+spec.Scope+"-svc-")
				s.World.Look(func(w *sim.State) { stage.Dismissed(w, live.ID) })
				all, _, err := s.Compared()
				if err != nil {
					t.Fatal(err)
				}
				if f := all[name]; len(f) != 1 || f[0].Kind != drift.RuleLost {
					t.Errorf("%s, %s: %+v", name, what, f)
				}
				ended(t, next(t, s, name, fmt.Sprintf("test%02d", n+2)), rotation.Repaired)
				if all, _, _ := s.Compared(); len(all[name]) > 0 {
					t.Errorf("%s, %s: after the repair %+v", name, what, all[name])
				}
			}
		}
	}
}
