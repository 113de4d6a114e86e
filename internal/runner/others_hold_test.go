package runner_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rekey/internal/provider/assisted"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

const otherKey = "heroku:" + stage.Other

// TestUnregisteredConsumerStopsTheRun: somebody else lives on the token. Nothing is
// begun, until it is registered or named.
func TestUnregisteredConsumerStopsTheRun(t *testing.T) {
	s := stage.NewForgotten(1, stage.Knobs)
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, rotation.UnregisteredConsumer, otherKey+" holds it in "+console+" and is not registered", "--despite "+otherKey)
	nothingWritten(t, s, before)
	judged(t, s, st)

	s.Despite = []string{"heroku:somebody-else"}
	ended(t, next(t, s, console, "test02"), rotation.RefusedRun, rotation.UnregisteredConsumer)
	nothingWritten(t, s, before)
}

// TestACopyInAnySpellingStopsTheRun: a copy that is wrapped, quoted or encoded is one;
// and what is proven says how it was searched for.
func TestACopyInAnySpellingStopsTheRun(t *testing.T) {
	wrapped := func(v string) string {
		coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("-", 40) + "id:" + v))
		return coded[:76] + "\n" + coded[76:] + "\n"
	}
	for name, write := range map[string]func(string) string{
		"base64, wrapped at 76":   wrapped,
		"base64 with literal \\n": func(v string) string { return strings.ReplaceAll(wrapped(v), "\n", `\n`) },
		"hex":                     func(v string) string { return hex.EncodeToString([]byte(v)) },
		"halves":                  func(v string) string { return v[len(v)/2:] + v[:len(v)/2] },
	} {
		s := stage.New(1, stage.Knobs)
		s.World.Look(func(w *sim.State) {
			stage.AddApp(w, "raxx-coded", map[string]string{"SETTINGS": write(w.Cloudflare.Tokens[0].Secret)})
		})
		before := see(s)
		st := play(t, s, console)
		if st.Closed == nil || st.Closed.Ending != rotation.RefusedRun {
			t.Errorf("%s: %+v", name, st.Closed)
			continue
		}
		ended(t, st, rotation.RefusedRun, rotation.UnregisteredConsumer, "heroku:raxx-coded holds it")
		nothingWritten(t, s, before)
	}
	s := stage.New(1, stage.Knobs)
	ended(t, play(t, s, console), rotation.Rotated)
	if !strings.Contains(s.Log.Text(), "searched as it stands, without line breaks, unescaped (JSON, URL, HTML, shell), decoded (base64, hex), and by halves") {
		t.Error("the proof does not say what was searched for")
	}
}

// TestDespite: it is named, so it is left without, and plan and record say so. The
// issuer's last seen still holds the run while it works.
func TestDespite(t *testing.T) {
	s := stage.NewForgotten(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { w.Heroku.Apps[1].Processes = nil }) // asleep: it holds it, and uses it not now
	s.Despite = []string{otherKey}
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if notes := strings.Join(st.Plan.Notes, "\n"); !strings.Contains(notes, otherKey+" holds it in "+console+" and is not registered: it loses access, as --despite allows") {
		t.Errorf("the plan does not say it:\n%s", notes)
	}
	log := s.Log.Text()
	if !strings.Contains(log, `"despite":["`+otherKey+`"]`) || !strings.Contains(log, "but "+otherKey+", which loses access, as --despite allows") {
		t.Errorf("the journal does not say it")
	}
}

// TestCopiedWhileTheRunIsUnderWay: somebody copies the old value at any moment of
// the run. Whenever the copy is there before the last look at the account, it is
// seen: the run stands still before anything is taken away, nobody loses access, and it
// goes on when that one is named or has let go of it.
func TestCopiedWhileTheRunIsUnderWay(t *testing.T) {
	list, off := lastLook(t, "")
	if list == 0 || off <= list || off-list > 6 {
		t.Fatalf("the last look is call %d, and the old one is switched off in call %d", list, off)
	}
	refused, held := 0, 0
	for n := 1; n <= list; n++ {
		s := stage.NewCopied(n)(1, stage.Knobs)
		st := play(t, s, console)
		judged(t, s, st)
		noOutage(t, s)
		switch {
		case st.Stuck != nil:
			held++
			halted(t, st, "check who else holds the old one before it is switched off", otherKey+" holds it in "+console, "is live", "rekey resume")
			if len(st.Held()) != 1 {
				t.Errorf("copied before call %d: held by %+v", n, st.Held())
			}
			goesOn(t, s)
		case st.Closed.Ending == rotation.RefusedRun:
			refused++
		case st.Closed.Ending == rotation.RolledBack:
			// It was used when the issuer was asked: that alone keeps the old one.
			held++
		default:
			t.Errorf("copied before call %d: %+v", n, st.Closed)
		}
	}
	t.Logf("copied at %d moments: %d times nothing was begun, %d times it was held", list, refused, held)
	if refused == 0 || held < list/3 {
		t.Errorf("%d refused, %d held: this is not the run that was meant", refused, held)
	}
}

// lastLook returns by their calls the list of the last survey of a run, and the
// step that takes something from the old one.
func lastLook(t *testing.T, strategy string) (list, off int) {
	t.Helper()
	polite := stage.Knobs
	var on *stage.Stage
	sc := stage.Scenario{Credential: console, Strategy: strategy, Knobs: &polite, On: func(seed int64, knobs sim.Knobs) *stage.Stage {
		on = stage.New(seed, knobs)
		return on
	}}
	sc.Around = func(next http.RoundTripper) http.RoundTripper {
		return counted(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			switch n := on.Calls; {
			case req.Method == http.MethodGet && req.URL.Path == "/apps":
				list = n
			case req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/service_tokens/"):
				off = n
			}
			return resp, err
		})
	}
	if v := sc.Run(1); v.Ending != string(rotation.Rotated) {
		t.Fatalf("%s: %q %v", sc, v.Ending, v.Err)
	}
	return list, off
}

type counted func(*http.Request) (*http.Response, error)

func (f counted) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// goesOn: with the copy taken out, the run comes to its end.
func goesOn(t *testing.T, s *stage.Stage) {
	t.Helper()
	s.World.Look(func(w *sim.State) { w.Heroku.Apps = w.Heroku.Apps[:1] })
	result, err := s.Resume()
	if err != nil {
		t.Fatal(err)
	}
	ended(t, result.State, rotation.Rotated)
	noOutage(t, s)
}

// TestNamedOnResuming: a person says to go on, and that is on record.
func TestNamedOnResuming(t *testing.T) {
	s := stage.NewCopied(0)(1, stage.Knobs)
	st := play(t, s, console)
	halted(t, st, otherKey)
	s.Resuming = []string{otherKey}
	result, err := s.Resume()
	if err != nil {
		t.Fatal(err)
	}
	ended(t, result.State, rotation.Rotated)
	judged(t, s, result.State)
	if !strings.Contains(s.Log.Text(), `"actor":"stage","tool":"test","despite":["`+otherKey+`"]`) {
		t.Error("the journal does not say who named it")
	}
}

// TestLongWatch: a watch in which somebody may well copy the old one is followed by
// another look, before it is deleted.
func TestLongWatch(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.Config = config(t, "    cadence: 90d\n", "    cadence: 90d\n    timing: {watch: 1h}\n")
	off := false
	var old sim.Token
	s.World.Look(func(w *sim.State) { old = *w.Cloudflare.Tokens[0] })
	s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if !off && req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/service_tokens/") {
			off = true
			s.World.Look(func(w *sim.State) {
				stage.AddApp(w, stage.Other, map[string]string{console: pair(old)}).Processes = nil
			})
		}
		return send()
	}
	st := play(t, s, console)
	halted(t, st, "check who else holds the old one before it is deleted", otherKey, "is live, but switched off")
	if n := count(s, "heroku", "GET /apps/{app}/config-vars"); n == 0 || len(liveToken(t, s, old.Name).ID) == 0 {
		t.Error("the old one is gone")
	}
}

// TestWhatCannotBeSeenIsNotNobody: a token that may not list the account, or not
// read one app, is told in the plan. One that loses that right during the run stops
// it before the old one is taken away.
func TestWhatCannotBeSeenIsNotNobody(t *testing.T) {
	t.Run("the list", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.URL.Path == "/apps" {
				return forbidden(req), nil
			}
			return send()
		}
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		if notes := strings.Join(st.Plan.Notes, "\n"); !strings.Contains(notes, "whether heroku holds it could not be seen: heroku: list apps: denied (403, forbidden)") {
			t.Errorf("the plan does not say it:\n%s", notes)
		}
	})
	t.Run("one app", func(t *testing.T) {
		s := stage.NewForgotten(1, stage.Knobs)
		s.World.Look(func(w *sim.State) { w.Heroku.Apps[1].Closed, w.Heroku.Apps[1].Processes = true, nil })
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		if notes := strings.Join(st.Plan.Notes, "\n"); !strings.Contains(notes, "whether "+otherKey+" holds it could not be seen") {
			t.Errorf("the plan does not say it:\n%s", notes)
		}
	})
	t.Run("lost on the way", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		n := 0
		s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.URL.Path == "/apps" {
				if n++; n > 1 {
					return forbidden(req), nil
				}
			}
			return send()
		}
		halted(t, play(t, s, console), "check who else holds the old one before it is switched off", "whether heroku holds it could not be seen", "is live")
		noOutage(t, s)
	})
	t.Run("no answer", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "GET /apps/{app}/config-vars", After: 3, Status: 503, Times: -1})
		st := play(t, s, console)
		if st.Closed != nil && st.Closed.Ending == rotation.Rotated {
			t.Errorf("rotated without an answer")
		}
		noOutage(t, s)
	})
}

func forbidden(req *http.Request) *http.Response {
	resp, _ := says(req, http.StatusForbidden, "application/json", `{"id":"forbidden","message":"no"}`)
	return resp
}

// guarded are worlds in which somebody else holds the token.
func guarded() []stage.Scenario {
	return []stage.Scenario{
		{Credential: console, On: stage.NewForgotten},
		{Credential: console, On: stage.NewCopied(10)},
		{Credential: console, On: stage.NewCopied(0)},
		{Credential: console, On: stage.NewCopied(0), Strategy: "roll"},
	}
}

// TestGuardUnderEverySingleFault gives every call of a run beside an unregistered
// consumer every kind of fault: it never loses access.
func TestGuardUnderEverySingleFault(t *testing.T) {
	y := newTally(t, true)
	workers(func(work chan<- func()) {
		for _, sc := range guarded() {
			clean := sc.Run(1)
			if clean.Ending == string(rotation.Rotated) {
				t.Errorf("%s: rotated, and somebody else held the old one", sc)
			}
			for call := 1; call <= clean.Calls; call++ {
				for i, k := range slices.Concat(stage.Kinds, stage.Rude) {
					if (call+i+turn())%sample(6) != 0 {
						y.sampled = "EVERY 6th"
						continue
					}
					one := sc
					one.Faults = []stage.Fault{{Call: call, Kind: k}}
					work <- func() {
						v := one.Run(1)
						v.Healed = true // it stands still until a person decides: that is the promise here
						y.add(v)
					}
				}
			}
		}
	})
	y.done(1)
}

// TestTheJudgeSeesWhoLosesAccess: without the second look somebody loses access, and the
// judge says so.
func TestTheJudgeSeesWhoLosesAccess(t *testing.T) {
	for _, strategy := range []string{"", "roll"} {
		list, _ := lastLook(t, strategy) // without the last look there is no list to wait for
		polite := stage.Knobs
		sc := stage.Scenario{Credential: console, On: stage.NewCopied(list), Strategy: strategy, Knobs: &polite, Damage: drop(rotation.Survey)}
		v := sc.Run(1)
		if !strings.Contains(strings.Join(v.Broken, "\n"), otherKey+" is not registered, nobody said --despite, and it lost access in "+console) {
			t.Errorf("%s: ended %q, and the judge found only %v (%v)", sc, v.Ending, v.Broken, v.Err)
		}
	}
}

// TestSurveyIsMadeAgain: a process that dies after the survey may be resumed a day
// later, so who holds what is looked at again; also where the old one may have been
// switched off already.
func TestSurveyIsMadeAgain(t *testing.T) {
	for _, at := range []kind{{"GET", "/apps"}, {"PUT", "/service_tokens/"}} {
		s := stage.New(1, stage.Knobs)
		lists, died := 0, false
		s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.URL.Path == "/apps" {
				lists++
			}
			if lists == 2 && at.fits(req) && !died {
				died = true
				s.World.Look(func(w *sim.State) {
					stage.AddApp(w, stage.Other, map[string]string{console: inForce(w.Heroku.Apps[0])[console]})
					w.Heroku.Apps[1].Releases[0].Vars[console] = pair(*w.Cloudflare.Tokens[0])
					w.Heroku.Apps[1].Processes = nil
				})
				panic(stage.Crash{})
			}
			return send()
		}
		st := play(t, s, console)
		if !died || lists != 3 {
			t.Errorf("%v: died %v, %d lists, want 3: before the run, the one before it died, and one again", at, died, lists)
		}
		halted(t, st, otherKey+" holds it in "+console)
	}
}

// TestPublicHalfStopsNothing: an app that knows the client id only, of an issuer that
// lists it or of a portal that does not, has no credential.
func TestPublicHalfStopsNothing(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		stage.AddApp(w, stage.Other, map[string]string{"CLIENT": w.Cloudflare.Tokens[0].ClientID}).Processes = nil
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	for _, sheet := range assisted.Descriptor.Issuers {
		if sheet.Kind == assisted.KindClient && !slices.Contains(sheet.Public, assisted.FieldClientID) {
			t.Error("the client id of a portal counts as a secret")
		}
	}
}
