package infisical_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/infisical"
	"rekey/internal/secret"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// bench is Infisical on a simulated world, as the program opens it.
type bench struct {
	*sim.World
	now  time.Time
	env  map[string]string // over the world's own
	sent []string          // requests
	// before sees every request, and may answer it; may be nil.
	before func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error)
}

func (b *bench) RoundTrip(req *http.Request) (*http.Response, error) {
	b.sent = append(b.sent, req.Method+" "+req.URL.Path)
	send := func() (*http.Response, error) { return b.World.RoundTrip(req) }
	if b.before != nil {
		return b.before(req, send)
	}
	return send()
}

const identity = `{"client_id":["env:INFISICAL_CLIENT_ID"],"client_secret":["env:INFISICAL_CLIENT_SECRET"],"project":["env:INFISICAL_PROJECT_ID"]}`

// open opens the vendor; change is made to the world before.
func open(t *testing.T, connection string, change func(*sim.State)) (*bench, provider.Vendor) {
	t.Helper()
	b := &bench{now: start, env: map[string]string{}}
	b.World = sim.Open(sim.New(sim.Options{Seed: 7, Now: start}), func() time.Time { return b.now })
	b.Sleep = func(d time.Duration) { b.now = b.now.Add(d) }
	if change != nil {
		b.Look(change)
	}
	value := func(ref string) (string, bool) {
		name := strings.TrimPrefix(ref, "env:")
		if v, ok := b.env[name]; ok {
			return v, true
		}
		v, ok := b.Env()[name]
		return v, ok
	}
	v, err := infisical.Descriptor.Open(provider.Env{
		Transport: b, Now: func() time.Time { return b.now },
		Together: func(calls ...func() error) error {
			var errs []error
			for _, c := range calls {
				errs = append(errs, c())
			}
			return errors.Join(errs...)
		},
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			v, ok := value(string(refs[0]))
			if !ok {
				return secret.Value{}, provider.Source{}, fmt.Errorf("%s is not set", refs[0])
			}
			return secret.New(v), provider.Source{Ref: refs[0]}, nil
		},
		Text: func(t sop.Text) (string, error) { v, _ := value(t[0]); return v, nil },
	}, "infisical", json.RawMessage(connection))
	if err != nil {
		t.Fatal(err)
	}
	return b, v
}

const place = `{"path":"/MooseQuest/cloudflare/","environment":"prod"}`

func store(t *testing.T, v provider.Vendor) provider.Store {
	t.Helper()
	s, err := v.(provider.Stores).Store(json.RawMessage(place))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// both are slots of which one exists and one does not.
var both = []provider.SlotValue{
	{Slot: "CF_ACCESS_SVC_CONSOLE", Value: secret.New("new")},
	{Slot: "NOT_THERE_YET", Value: secret.New("new")},
}

// TestHalfDoneIsNeverNothing: once the first half was made, whatever becomes of
// the second may have happened; before that, what did not happen is known.
func TestHalfDoneIsNeverNothing(t *testing.T) {
	answers := map[string]func(*http.Request) (*http.Response, error){
		"cut": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") },
	}
	for _, status := range []int{400, 401, 403, 404, 409, 422, 429, 500, 502} {
		answers[fmt.Sprint(status)] = func(req *http.Request) (*http.Response, error) {
			return says(req, status, `{"statusCode":1,"message":"no","error":"TokenError"}`), nil
		}
	}
	answers["approval"] = func(req *http.Request) (*http.Response, error) {
		return says(req, 200, `{"approval":{"id":"x"}}`), nil
	}
	answers["another's answer"] = func(req *http.Request) (*http.Response, error) { return says(req, 200, `{"secrets":[]}`), nil }
	for name, bad := range answers {
		b, v := open(t, identity, func(s *sim.State) { s.Infisical.Server = sim.Server2025 })
		s := store(t, v)
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.Method == http.MethodPatch && strings.HasSuffix(req.URL.Path, "/batch/raw") {
				return bad(req)
			}
			return send()
		}
		_, err := s.Write(t.Context(), both)
		if c := cred.ClassOf(err); err == nil || c.NotApplied() || c != cred.Unknown {
			t.Errorf("%s at the second half: %s: %v", name, c, err)
		}
		made := false
		b.Look(func(w *sim.State) {
			for _, x := range w.Infisical.Secrets {
				made = made || x.Key == "NOT_THERE_YET"
			}
		})
		if !made {
			t.Errorf("%s: the first half was not made, so this shows nothing", name)
		}
	}
}

func says(req *http.Request, status int, body string) *http.Response {
	r := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	r.Body = http.NoBody
	if body != "" {
		r.Body = readCloser{strings.NewReader(body)}
	}
	return r
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// TestDialectIsLearnedOnce: one answer tells; v4 is not asked for again.
func TestDialectIsLearnedOnce(t *testing.T) {
	b, v := open(t, identity, func(s *sim.State) { s.Infisical.Server = sim.Server2025 })
	s := store(t, v)
	for range 3 {
		if _, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Write(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	v4 := 0
	for _, x := range b.sent {
		if strings.Contains(x, "/api/v4/") {
			v4++
		}
	}
	if v4 != 1 {
		t.Errorf("asked %d times in a dialect that the server does not speak: %v", v4, b.sent)
	}
}

// TestReferencesAreLiteral: a value that looks like one is written as it is, and
// read back as it is, under both dialects.
func TestReferencesAreLiteral(t *testing.T) {
	for _, server := range []string{"", sim.Server2025} {
		b, v := open(t, identity, func(s *sim.State) { s.Infisical.Server = server })
		const value = "${prod.MooseQuest.SECRET}-$HOME-${X"
		s := store(t, v)
		if _, err := s.Write(t.Context(), []provider.SlotValue{{Slot: "CF_ACCESS_SVC_CONSOLE", Value: secret.New(value)}}); err != nil {
			t.Fatal(err)
		}
		var expand []string
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.Method == http.MethodGet {
				expand = append(expand, req.URL.Query().Get("expandSecretReferences"))
			}
			return send()
		}
		held, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"})
		if err != nil || !held["CF_ACCESS_SVC_CONSOLE"].Value.Equal(secret.New(value)) {
			t.Errorf("server %q: %v", server, err)
		}
		if _, err := s.ReadVersion(t.Context(), "CF_ACCESS_SVC_CONSOLE", held["CF_ACCESS_SVC_CONSOLE"].Version); err != nil {
			t.Error(err)
		}
		if strings.Join(expand, ",") != "false,false" {
			t.Errorf("server %q: expansion was asked for: %v", server, expand)
		}
	}
}

// TestToken: a ready access token is used as it is, and nobody logs in; when it
// has ended, that is told and not called something that passes.
func TestToken(t *testing.T) {
	b, v := open(t, identity, nil)
	if _, err := store(t, v).Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); err != nil {
		t.Fatal(err)
	}
	var token string
	b.Look(func(s *sim.State) {
		for k := range s.Infisical.Access {
			token = k
		}
	})
	b2, v2 := open(t, `{"token":["env:INFISICAL_TOKEN"],"project":["env:INFISICAL_PROJECT_ID"]}`, func(s *sim.State) {
		s.Infisical.Access = map[string]sim.Access{token: {Until: start.Add(time.Hour)}}
	})
	b2.env["INFISICAL_TOKEN"] = token
	s := store(t, v2)
	if _, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); err != nil {
		t.Fatal(err)
	}
	for _, x := range b2.sent {
		if strings.Contains(x, "/login") {
			t.Error("it logged in, although it was given a token")
		}
	}
	b2.now = b2.now.Add(2 * time.Hour)
	if _, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); cred.ClassOf(err) != cred.Denied || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
}

// TestSessionEndsInTheMiddle: told in each of the three ways that servers have,
// it means "later", and the next attempt logs in again, once.
func TestSessionEndsInTheMiddle(t *testing.T) {
	for name, end := range map[string]func(b *bench, x *sim.Access){
		"its life is over":        func(b *bench, x *sim.Access) { x.Until = b.now.Add(-time.Second); x.End = b.now.Add(time.Hour) },
		"its longest life is too": func(b *bench, x *sim.Access) { x.Until, x.End = b.now.Add(-time.Second), b.now.Add(-time.Second) },
		"somebody revoked it":     func(_ *bench, x *sim.Access) { x.Gone = true },
	} {
		for _, server := range []string{"", sim.Server2025} {
			b, v := open(t, identity, func(s *sim.State) { s.Infisical.Server = server })
			s := store(t, v)
			if _, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); err != nil {
				t.Fatal(err)
			}
			b.Look(func(w *sim.State) {
				for k, x := range w.Infisical.Access {
					end(b, &x)
					w.Infisical.Access[k] = x
				}
			})
			b.sent = nil
			if _, err := s.Write(t.Context(), both[:1]); cred.ClassOf(err) != cred.Limited {
				t.Errorf("%s, server %q: %v", name, server, err)
			}
			if _, err := s.Write(t.Context(), both[:1]); err != nil {
				t.Errorf("%s, server %q: the next attempt: %v", name, server, err)
			}
			logins := strings.Count(strings.Join(b.sent, "\n"), "/login")
			if renewed := strings.Contains(strings.Join(b.sent, "\n"), "/renew"); logins != 1 || renewed {
				t.Errorf("%s: %d logins, renewed %v", name, logins, renewed)
			}
		}
	}
}

// TestWhatIsAbsentIsTold: project, environment and folder apart, by both servers.
func TestWhatIsAbsentIsTold(t *testing.T) {
	for _, server := range []string{"", sim.Server2024} {
		for want, c := range map[string]struct{ project, settings string }{
			"there is no such project":                         {"00000000-0000-4000-8000-000000000000", place},
			"not a member of the project":                      {"334cdc46-0a08-44db-b80b-0ee7d179363b", place},
			"the project has no environment staging":           {"", `{"path":"/MooseQuest/cloudflare","environment":"staging"}`},
			"the environment prod has no folder /MooseQuest/x": {"", `{"path":"/MooseQuest/x","environment":"prod"}`},
		} {
			_, v := open(t, strings.Replace(identity, "INFISICAL_PROJECT_ID", "PROJECT", 1), func(s *sim.State) {
				s.Infisical.Server, s.Infisical.Others = server, []string{"334cdc46-0a08-44db-b80b-0ee7d179363b"}
				if s.Env["PROJECT"] = c.project; c.project == "" {
					s.Env["PROJECT"] = s.Infisical.Project
				}
			})
			s, err := v.(provider.Stores).Store(json.RawMessage(c.settings))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("server %q: %q is not told: %v", server, want, err)
			}
		}
	}
}

// TestRefusedLoginIsNotRepeated: every request needs one, and the third failure
// would lock the identity for everybody; a minute later it may be mended.
func TestRefusedLoginIsNotRepeated(t *testing.T) {
	b, v := open(t, identity, nil)
	b.env["INFISICAL_CLIENT_SECRET"] = "wrong"
	s := store(t, v)
	for range 5 {
		if _, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); cred.ClassOf(err) != cred.Denied || !strings.Contains(err.Error(), "client id or client secret is wrong") {
			t.Errorf("%v", err)
		}
	}
	if len(b.sent) != 1 {
		t.Errorf("sent %v", b.sent)
	}
	b.now = b.now.Add(time.Minute)
	delete(b.env, "INFISICAL_CLIENT_SECRET")
	if _, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"}); err != nil {
		t.Error(err)
	}
	b.Look(func(w *sim.State) {
		if w.Infisical.Identities[0].Locks > 0 {
			t.Error("locked")
		}
	})
}
