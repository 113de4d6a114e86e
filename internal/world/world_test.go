package world_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/world"
)

// lock is a whole vendor of this test: a key that may be changed, a process that
// holds one, and an end that comes by itself.
type lock struct {
	*world.State
	Key  string
	Ends time.Time
	Seen time.Time
	Held string
}

func (*lock) Name() string    { return "lock" }
func (*lock) Hosts() []string { return []string{"lock.example.com"} }
func (l *lock) Memory() any   { return &l.Key }
func (l *lock) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /key", func(rw http.ResponseWriter, _ *http.Request) {
		l.Key = l.Random(4)
		world.WriteJSON(rw, http.StatusCreated, map[string]string{"key": l.Key})
	})
}
func (*lock) Fail(rw http.ResponseWriter, status int, id string) {
	world.WriteJSON(rw, status, map[string]string{"no": id})
}
func (l *lock) Events(offer func(time.Time, func())) {
	if l.Ends.After(l.At) {
		offer(l.Ends, func() { l.Key = "" })
	}
}
func (l *lock) Processes(yield func(world.Process)) {
	yield(world.Process{App: "door", ID: "1", Env: map[string]string{"KEY": l.Held}, Started: l.At.Add(-time.Hour)})
}
func (l *lock) Denied(env map[string]string, tell func(name, why string)) {
	if env["KEY"] != l.Key {
		tell("KEY", "it does not open")
	}
}
func (l *lock) Used(_ map[string]string, at time.Time) { l.Seen = at }

// open returns a world with a lock, and its clock.
func open() (*world.World, *lock, *time.Time) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	s := &world.State{Seed: 1, At: now}
	l := &lock{State: s, Key: "first", Held: "first", Ends: now.Add(time.Hour)}
	w := world.Open(s, func() time.Time { return now }, l)
	w.Sleep = func(d time.Duration) { now = now.Add(d) }
	return w, l, &now
}

func post(t *testing.T, w *world.World) (*http.Response, error) {
	t.Helper()
	return w.RoundTrip(httptest.NewRequest(http.MethodPost, "https://lock.example.com/key", nil))
}

func outages(w *world.World) (out []world.Outage) {
	w.See(func(s *world.State) { out = append(out, s.Outages...) })
	return out
}

// TestWhoHoldsADeadKeyIsSeen: after a request, by itself in time, and no longer once
// it holds the right one.
func TestWhoHoldsADeadKeyIsSeen(t *testing.T) {
	w, l, now := open()
	if o := outages(w); len(o) != 0 {
		t.Fatalf("at the beginning: %v", o)
	}
	if resp, err := post(t, w); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp, err)
	}
	*now = now.Add(time.Minute)
	w.Do(func() { l.Held = l.Key })
	*now = now.Add(2 * time.Hour)
	o := outages(w)
	if len(o) != 2 {
		t.Fatalf("%+v", o)
	}
	if o[0].To.Sub(o[0].From) != time.Minute || o[0].App != "door" || o[0].Var != "KEY" {
		t.Errorf("the first: %+v", o[0])
	}
	if !o[1].From.Equal(l.Ends) || !o[1].To.IsZero() {
		t.Errorf("what happened by itself: %+v", o[1])
	}
	if now.Sub(l.Seen) >= 10*time.Second {
		t.Errorf("a process used its key last at %s, and it is %s", l.Seen, now)
	}
}

// TestFaultsSpeakTheVendorsLanguage, and have their effect or not, as they say.
func TestFaultsSpeakTheVendorsLanguage(t *testing.T) {
	for _, applied := range []bool{false, true} {
		w, l, _ := open()
		w.Inject(world.Fault{Vendor: "lock", Endpoint: "POST", Status: 503, ID: "jammed", Applied: applied})
		resp, err := post(t, w)
		if err != nil || resp.StatusCode != 503 {
			t.Fatal(resp, err)
		}
		var body map[string]string
		if json.NewDecoder(resp.Body).Decode(&body) != nil || body["no"] != "jammed" {
			t.Errorf("answered %v", body)
		}
		if changed := l.Key != "first"; changed != applied {
			t.Errorf("applied %v, changed %v", applied, changed)
		}
	}
	w, l, _ := open()
	w.Inject(world.Fault{Cut: true, Applied: true})
	if _, err := post(t, w); err == nil || l.Key == "first" {
		t.Error("a connection that is cut after the effect:", err, l.Key)
	}
}

// TestAWorldIsWrittenByNames: each double under its own, and read back.
func TestAWorldIsWrittenByNames(t *testing.T) {
	w, l, now := open()
	if _, err := post(t, w); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "world.json")
	w.See(func(s *world.State) {
		if err := world.Save(name, s, w.Doubles()); err != nil {
			t.Fatal(err)
		}
	})
	s := &world.State{}
	again := &lock{State: s}
	read, unlock, err := world.Load(name, func() time.Time { return *now }, s, again)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if again.Key != l.Key || s.Calls["lock"]["POST /key"] != 1 || s.Counter != l.Counter {
		t.Errorf("read %q with %v", again.Key, s)
	}
	if _, _, err := world.Load(name, time.Now, &world.State{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Error("two processes in one world:", err)
	}
	if _, err := post(t, read); err != nil {
		t.Fatal(err)
	}
	third := &lock{State: &world.State{}}
	unlock()
	if _, _, err = world.Load(name, time.Now, third.State, third); err != nil || third.Key != again.Key {
		t.Errorf("a request was not written down: %q, want %q (%v)", third.Key, again.Key, err)
	}
}

// TestAnUnknownHostIsNowhere where no double stands for all others.
func TestAnUnknownHostIsNowhere(t *testing.T) {
	w, _, _ := open()
	resp, err := w.RoundTrip(httptest.NewRequest(http.MethodGet, "https://elsewhere.example.com/key", nil))
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Error(resp, err)
	}
}
