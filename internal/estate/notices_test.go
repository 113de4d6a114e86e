package estate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestPeopleAreToldOfWhatHoldsOnce: a run that is stuck, something that has drifted, what
// was looked at again; a channel is tried, and the doctor misses its secret.
func TestPeopleAreToldOfWhatHoldsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "credentials:\n", "notify:\n  channels:\n    team: {slack: env:SLACK}\n    other: {slack: env:NOT_THERE}\n  rules:\n    - {to: [team]}\n\ncredentials:\n")
	var posted []string
	config, err := sop.Load(b.dir + "/rekey.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env := b.world.Env()
	env["SLACK"] = "https://hooks.slack.example.com/hunter2"
	es := estate.New(config, estate.Surroundings{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, User: func() string { return "alice@laptop" }, Clock: b.clock,
		Network: roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Host != "hooks.slack.example.com" {
				return b.RoundTrip(req)
			}
			body, _ := io.ReadAll(req.Body)
			var said map[string]string
			if err := json.Unmarshal(body, &said); err != nil {
				t.Error(err)
			}
			posted = append(posted, said["text"])
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("ok")), Request: req}, nil
		}),
	})
	tell := func() []string {
		t.Helper()
		posted = nil
		told, err := es.TellNotices(t.Context())
		if err != nil || len(told.Trouble) != 0 {
			t.Fatalf("%+v %v", told, err)
		}
		return posted
	}
	if got := tell(); len(got) != 0 {
		t.Errorf("told of nothing: %q", got)
	}
	ended, err := es.Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := es.GoBack(t.Context(), estate.Backing{Run: ended.State.Run}, &told{}); err != nil {
		t.Fatal(err)
	}
	if got := tell(); len(got) != 2 || !strings.Contains(got[0], "a run of "+console+" ended: "+string(rotation.RolledBack)) || !strings.Contains(got[1], console+" is overdue since 2026-11-21") {
		t.Errorf("%q", got)
	}
	if got := tell(); len(got) != 0 {
		t.Errorf("told again: %q", got)
	}
	if _, err := es.Check(t.Context(), estate.Wish{Credential: vault}); err != nil {
		t.Fatal(err)
	}
	b.clock.Pass(268 * 24 * time.Hour) // they expire in August
	if got := strings.Join(tell(), "\n"); !strings.Contains(got, console+" expires in") || !strings.Contains(got, vault+" is overdue since") {
		t.Errorf("%q", got)
	}
	tried, err := es.TestNotices(t.Context(), "")
	if err != nil || len(tried) != 2 || tried[0].Channel != "other" || tried[0].OK || !strings.Contains(tried[0].Why, "env:NOT_THERE is not set") || !tried[1].OK {
		t.Errorf("%+v %v", tried, err)
	}
	_, err = es.TestNotices(t.Context(), "nobody")
	b.refused(err, estate.Misfit)
	all, err := es.Doctor(t.Context(), nil)
	if err != nil || !slices.ContainsFunc(all, func(f estate.Finding) bool {
		return !f.OK && strings.Contains(f.What, "channel other: [env:NOT_THERE] is not set")
	}) {
		t.Errorf("%+v %v", all, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
