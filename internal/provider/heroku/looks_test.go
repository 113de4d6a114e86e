package heroku_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sim"
)

const registered = "raxx-console-prod"

// account is Heroku with one app that is a consumer and three that are not.
func account(t *testing.T) (*bench, provider.Vendor, provider.Consumer) {
	t.Helper()
	b, v := open(t)
	b.Look(func(w *sim.State) {
		for i := range 3 {
			r := &sim.Release{ID: fmt.Sprintf("0000000%d-0000-4000-8000-000000000001", i), Version: 3, Status: "succeeded", Description: "Deploy",
				CreatedAt: start.Add(-48 * time.Hour), Vars: map[string]string{"SECRET": "hunter2"}}
			w.Heroku.Apps = append(w.Heroku.Apps, &sim.HerokuApp{ID: fmt.Sprintf("0000000%d-0000-4000-8000-000000000002", i), Name: fmt.Sprintf("other-%d", i), Releases: []*sim.Release{r}})
		}
	})
	return b, v, consumer(t, v, `{"app":"`+registered+`"}`)
}

// surveyed looks at everything, and returns what each place held and which apps were read.
func surveyed(t *testing.T, b *bench, v provider.Vendor) (held map[string]provider.Spot, read []string) {
	t.Helper()
	ctx := context.Background()
	all, err := v.(provider.Surveys).Survey(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	held = map[string]provider.Spot{}
	for _, place := range all {
		b.sent = nil
		spots, err := place.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range spots {
			held[strings.TrimPrefix(s.Key, "heroku:")] = s
			if asked := strings.Contains(strings.Join(b.sent, "\n"), "/config-vars"); asked {
				read = append(read, strings.TrimPrefix(s.Key, "heroku:"))
			} else if s.Since.IsZero() && !strings.HasSuffix(s.Key, registered) {
				t.Errorf("%s was not read, and the look says that it was", s.Key)
			}
		}
	}
	return held, read
}

// release gives an app another value by a release, as everything does that changes one.
func release(b *bench, app, status, value string) (r *sim.Release) {
	b.Look(func(w *sim.State) {
		for _, a := range w.Heroku.Apps {
			if a.Name == app {
				vars := maps.Clone(a.Releases[len(a.Releases)-1].Vars)
				vars["SECRET"] = value
				r = &sim.Release{ID: fmt.Sprint("r", len(a.Releases)), Version: a.Releases[len(a.Releases)-1].Version + 1, Status: status, Description: "Set SECRET config vars", CreatedAt: b.now, Vars: vars}
				a.Releases = append(a.Releases, r)
			}
		}
	})
	return r
}

func setOther(t *testing.T, c provider.Consumer) {
	t.Helper()
	if err := c.Write(context.Background(), []provider.SlotValue{{Slot: "OTHER", Value: secret.New("new")}}); err != nil {
		t.Fatal(err)
	}
}

// TestALookAsksOnlyWhatHasChanged: after a write of ours that the list of apps tells of,
// what it tells not to have changed is not read again, and everything else is.
func TestALookAsksOnlyWhatHasChanged(t *testing.T) {
	b, v, c := account(t)
	if _, read := surveyed(t, b, v); len(read) != 4 {
		t.Fatalf("at first %v were read", read)
	}
	b.now = b.now.Add(time.Minute)
	if _, read := surveyed(t, b, v); len(read) != 4 {
		t.Errorf("only %v were read, and nothing shows that the list tells of changes", read)
	}
	setOther(t, c)
	release(b, "other-1", "succeeded", "changed")
	b.now = b.now.Add(time.Minute)
	held, read := surveyed(t, b, v)
	if got := strings.Join(read, " "); got != registered+" other-1" {
		t.Errorf("%s were read", got)
	}
	if s := held["other-1"]; s.Slots["SECRET"].Reveal() != "changed" {
		t.Error("the change was not seen")
	}
	if s := held["other-2"]; s.Slots["SECRET"].Reveal() != "hunter2" || s.Since.Before(start.Add(time.Minute)) {
		t.Errorf("other-2 is told as of %s", s.Since)
	}
	if _, read := surveyed(t, b, v); len(read) != 0 {
		t.Errorf("%v were read again", read)
	}
	b.now = b.now.Add(31 * time.Minute)
	if _, read := surveyed(t, b, v); len(read) != 4 {
		t.Errorf("after half an hour only %v were read", read)
	}
}

// TestALateListIsNotBelieved: a list that does not tell of our own write does not tell of
// those of others either.
func TestALateListIsNotBelieved(t *testing.T) {
	b, v, c := account(t)
	var late []byte
	once := func(req *http.Request) *http.Response {
		if req.URL.Path != "/apps" {
			return nil
		}
		resp, err := b.World.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if late == nil {
			late, _ = io.ReadAll(resp.Body)
		}
		resp.Body = io.NopCloser(bytes.NewReader(late))
		return resp
	}
	b.instead = once
	surveyed(t, b, v)
	b.now = b.now.Add(time.Minute)
	setOther(t, c)
	release(b, "other-0", "succeeded", "changed")
	held, read := surveyed(t, b, v)
	if len(read) != 4 || held["other-0"].Slots["SECRET"].Reveal() != "changed" {
		t.Errorf("only %v were read", read)
	}
	b.instead, b.now = nil, b.now.Add(time.Minute)
	if _, read := surveyed(t, b, v); strings.Join(read, " ") != registered+" other-0" {
		t.Errorf("once the list tells of it %v were read", read)
	}
}

// TestWhatMayStillChangeIsReadAgain: a release that is on its way, and one of this very
// second, change what an app holds without another date.
func TestWhatMayStillChangeIsReadAgain(t *testing.T) {
	for name, change := range map[string]func(b *bench) func(){
		"a release command": func(b *bench) func() {
			r := release(b, "other-0", "pending", "changed")
			b.now = b.now.Add(time.Minute)
			return func() { b.Look(func(*sim.State) { r.Status = "succeeded" }) }
		},
		"the same second": func(b *bench) func() {
			release(b, "other-0", "succeeded", "first")
			return func() { release(b, "other-0", "succeeded", "changed") }
		},
	} {
		b, v, c := account(t)
		surveyed(t, b, v)
		then := change(b)
		surveyed(t, b, v)
		then()
		b.now = b.now.Add(time.Minute)
		setOther(t, c)
		held, read := surveyed(t, b, v)
		if held["other-0"].Slots["SECRET"].Reveal() != "changed" {
			t.Errorf("%s: %v were read, and the change was not seen", name, read)
		}
	}
}
