package runner_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// A gate that has not heard yet that the old one was switched off lets it in, and
// turns everybody away who was given it again as soon as it hears. So nobody is given
// it before the gate has been seen to turn it away, and to let it in again after that.
func TestNobodyIsGivenTheOldOneBackWhileTheGateHasYetToLearnThatItWasSwitchedOff(t *testing.T) {
	for _, late := range []time.Duration{500 * time.Millisecond, 3 * time.Second, 20 * time.Second} {
		s := stage.New(1, stage.Knobs)
		lateEdge(s, late)
		after(s, switches, 1, func(*sim.State) {
			e := rotation.Event{At: s.Clock.Now(), Run: "test01", Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "somebody", Reason: "an incident"}}
			if err := s.Log.Append(t.Context(), e); err != nil {
				t.Error(err)
			}
			panic(stage.Crash{})
		})
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "a person asked to go back")
		if err := s.Clock.Sleep(t.Context(), time.Minute); err != nil { // the gate learns of everything
			t.Fatal(err)
		}
		judged(t, s, st)
	}
}

// A creation that was carried out and is answered as if the token might not create is
// found by its label, whatever the answer says.
func TestACreationThatWasRefusedInTheVendorsOwnWordsIsLookedForAllTheSame(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests} {
		s := stage.New(1, stage.Knobs)
		done := false
		s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if !done && req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/access/service_tokens") {
				done = true
				_, _ = send()
				code := map[int]string{401: "10000", 403: "10000", 429: "971"}[status]
				return says(req, status, "application/json", `{"success":false,"errors":[{"code":`+code+`,"message":"no"}],"messages":[],"result":null}`)
			}
			return send()
		}
		st := play(t, s, console)
		if !done || st.Closed == nil {
			t.Fatalf("%d: the creation was answered so: %v; the run has not ended: %s", status, done, s.Log.Text())
		}
		judged(t, s, st)
	}
}

// A journal that was set back knows nothing of the switch-off, and a gate that learns
// late says nothing of it either: the issuer is asked before anybody is given the old
// one back, and what was taken away from it is given back first.
func TestOnTheWayBackTheOldOneIsSwitchedOnThatTheJournalDoesNotKnowToBeOff(t *testing.T) {
	for _, late := range []time.Duration{0, 3 * time.Second} {
		s := stage.New(1, stage.Knobs)
		lateEdge(s, late)
		after(s, switches, 1, func(*sim.State) {
			last := len(s.Log.Lines) - 1
			if !strings.Contains(string(s.Log.Lines[last].Body), `"disable"`) {
				t.Errorf("the last entry is not the intent to switch off: %s", s.Log.Lines[last].Body)
			}
			s.Log.Lines = s.Log.Lines[:last]
			e := rotation.Event{At: s.Clock.Now(), Run: "test01", Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "somebody", Reason: "an incident"}}
			if err := s.Log.Append(t.Context(), e); err != nil {
				t.Error(err)
			}
			panic(stage.Crash{})
		})
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "a person asked to go back")
		if err := s.Clock.Sleep(t.Context(), time.Minute); err != nil { // the gate learns of everything
			t.Fatal(err)
		}
		judged(t, s, st)
	}
}

// Somebody overwrites the rule right after the new one was named in it, and it is named
// anew. The gate hears of all three, late: what it says after the first must not be
// taken for what it will say after the second.
func TestNobodyIsGivenTheNewOneWhileTheGateHasYetToLearnThatItWasTakenOutOfTheRule(t *testing.T) {
	for _, later := range []time.Duration{100 * time.Millisecond, 1500 * time.Millisecond, 2800 * time.Millisecond} {
		s := stage.New(1, stage.Knobs)
		lateEdge(s, 3*time.Second)
		var before []byte
		s.World.Look(func(w *sim.State) { before, _ = json.Marshal(w.Cloudflare.Policies[0]) })
		var named time.Time
		var write *http.Request
		done := false
		s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if write != nil && !done && s.Clock.Now().Sub(named) >= later {
				done = true
				write.Body = io.NopCloser(bytes.NewReader(before))
				if _, err := s.World.RoundTrip(write); err != nil {
					t.Error(err)
				}
			}
			resp, err := send()
			if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/access/policies/") && write == nil {
				named, write = s.Clock.Now(), req.Clone(t.Context())
			}
			return resp, err
		}
		st := play(t, s, console)
		if !done || st.Closed == nil {
			t.Fatalf("overwritten: %v; the run has not ended: %s", done, s.Log.Text())
		}
		judged(t, s, st)
	}
}

// Somebody deletes the old one while a run is on its way back to it: there is nothing
// left to go back to. Everybody runs on the new one of this run or gets another one,
// and the run comes to an end.
func TestARunWhoseWayBackIsCutOffGoesForward(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	asked := false
	end := func(w *sim.State) {
		old := w.Cloudflare.Tokens[0]
		for _, r := range w.Cloudflare.Policies {
			var include []json.RawMessage
			_ = json.Unmarshal(r["include"], &include)
			include = slices.DeleteFunc(include, func(raw json.RawMessage) bool { return strings.Contains(string(raw), old.ID) })
			r["include"], _ = json.Marshal(include)
		}
		w.Cloudflare.Tokens = w.Cloudflare.Tokens[1:]
		w.Cloudflare.Deleted = append(w.Cloudflare.Deleted, old)
		w.Edge.Known.Tokens = slices.DeleteFunc(w.Edge.Known.Tokens, func(t sim.Token) bool { return t.ID == old.ID })
	}
	writes := 0
	s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		resp, err := send()
		if req.Method != http.MethodPut || !strings.Contains(req.URL.Path, "/service_tokens/") {
			return resp, err
		}
		switch writes++; writes {
		case 1: // switched off
			asked = true
			e := rotation.Event{At: s.Clock.Now(), Run: "test01", Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "somebody", Reason: "an incident"}}
			if err := s.Log.Append(t.Context(), e); err != nil {
				t.Error(err)
			}
			panic(stage.Crash{})
		case 2: // switched on again
			s.World.Look(end)
			panic(stage.Crash{})
		}
		return resp, err
	}
	st := play(t, s, console)
	if !asked {
		t.Fatal("nobody asked to go back")
	}
	for range 3 {
		if st.Closed != nil {
			break
		}
		again, err := s.Resume()
		if err != nil {
			t.Fatal(err)
		}
		st = again.State
	}
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
}
