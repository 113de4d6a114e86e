package rekey_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/access"
	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/rekey"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// open opens the driver on a service by a token.
func open(t *testing.T, at string, route http.RoundTripper, token, settings string) provider.Issuer {
	t.Helper()
	v, err := rekey.Descriptor.Open(provider.Env{Transport: route, Now: time.Now, Resolve: func(context.Context, sop.Refs) (secret.Value, provider.Source, error) {
		return secret.New(token), provider.Source{Ref: "env:REKEY_ROTATOR"}, nil
	}}, "rekey", json.RawMessage(`{"base_url":"`+at+`","token":["env:REKEY_ROTATOR"]}`))
	if err != nil {
		t.Fatal(err)
	}
	i, err := v.(provider.Issues).Issuer(rekey.KindToken, json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// in finds one of a list by its name.
func in(t *testing.T, i provider.Issuer, name string) (cred.Handle, bool) {
	t.Helper()
	list, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list, func(h cred.Handle) bool { return h.Name == name })
	if at < 0 {
		return cred.Handle{}, false
	}
	return list[at], true
}

// TestWhatTheServiceRefuses is told as what it proves: nothing was made, or that cannot be
// said.
func TestWhatTheServiceRefuses(t *testing.T) {
	s := serve(t)
	ours := s.fresh(t).Env["REKEY_ROTATOR"]
	_, bot := s.token(t, access.Wanted{Name: "nightly-bot"})
	revoked, dead := s.token(t, access.Wanted{Name: "rotator-0"})
	if _, err := s.tokens.Revoke(t.Context(), maker, revoked.ID); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		token, settings, name string
		class                 cred.Class
		maybe                 bool
		says                  string
	}{
		"all is well":           {ours, `{"roles":["bot"],"may":["look"]}`, "nightly-2", cred.Done, false, ""},
		"it has other roles":    {ours, `{"roles":["bot","rotator"]}`, "nightly-3", cred.Refused, false, "issuer.roles"},
		"a name of others":      {ours, `{"roles":["other"]}`, "other-2", cred.Denied, false, "the operation tokens"},
		"a name that is taken":  {ours, `{"roles":["bot"]}`, "nightly-1", cred.Conflict, true, "of this name"},
		"a life that is long":   {ours, `{"roles":["bot"],"expires_in":"400d"}`, "nightly-3", cred.Refused, false, "366 days"},
		"an operation unknown":  {ours, `{"roles":["bot"],"may":["fly"]}`, "nightly-3", cred.Refused, false, ""},
		"a name that is none":   {ours, `{"roles":["bot"]}`, "-nightly", cred.Refused, false, "80 letters"},
		"who may make none":     {bot, `{"roles":["bot"]}`, "nightly-3", cred.Denied, false, "used env:REKEY_ROTATOR"},
		"who was revoked":       {dead, `{"roles":["bot"]}`, "nightly-3", cred.Denied, false, "was revoked"},
		"who is nobody's token": {"rekey_short", `{"roles":["bot"]}`, "nightly-3", cred.Denied, false, ""},
	} {
		h, b, err := open(t, s.at, s.route, tt.token, tt.settings).Create(t.Context(), tt.name)
		if got := cred.ClassOf(err); got != tt.class || cred.MayHaveHappened(err) != tt.maybe || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, may have happened: %v", name, err, cred.MayHaveHappened(err))
		}
		if err == nil && (h.Name != tt.name || !b.Complete([]string{rekey.FieldToken})) {
			t.Errorf("%s: %+v", name, h)
		}
	}
	if _, there := in(t, open(t, s.at, s.route, ours, `{}`), "nightly-3"); there {
		t.Error("one was made although it was refused")
	}
}

// TestLastUseIsNeverTooEarly: what is told is the latest time that it can have been, and
// looks of ours do not count.
func TestLastUseIsNeverTooEarly(t *testing.T) {
	s := serve(t)
	i := open(t, s.at, s.route, s.fresh(t).Env["REKEY_ROTATOR"], `{"roles":["bot"],"may":["look"]}`)
	h, b, err := i.Create(t.Context(), "nightly-2")
	if err != nil {
		t.Fatal(err)
	}
	list, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := i.Owner(t.Context(), b, list); err != nil || owner != h.ID {
		t.Errorf("%q %v", owner, err)
	}
	if h, _ := in(t, i, "nightly-2"); !h.LastSeen.IsZero() {
		t.Errorf("used at %s, and nobody has", h.LastSeen)
	}
	before := time.Now()
	if v, detail, err := i.(provider.Prober).Probe(t.Context(), sop.Probe{URL: sop.IssuerItself}, b); v != cred.Accepted {
		t.Fatal(v, detail, err)
	}
	if _, err := s.db.Exec(`UPDATE access_tokens SET used = used - 600`); err != nil { // the note is 600 ms late, of a second at most
		t.Fatal(err)
	}
	if h, _ := in(t, i, "nightly-2"); h.LastSeen.Before(before.Add(-time.Second)) || h.LastSeen.After(time.Now().Add(time.Second)) { // its clock is known to a second
		t.Errorf("used at %s, and it was %s", h.LastSeen, before)
	}
	if _, err := s.db.Exec(`UPDATE access_tokens SET used = used - 3600000`); err != nil {
		t.Fatal(err)
	}
	if h, _ := in(t, i, "nightly-2"); time.Since(h.LastSeen) < 59*time.Minute {
		t.Errorf("used at %s", h.LastSeen)
	}
}

// TestItsOwnTokenIsReplacedByItsSuccessor, which goes on at once and ends it.
func TestItsOwnTokenIsReplacedByItsSuccessor(t *testing.T) {
	s := serve(t)
	i := open(t, s.at, s.route, s.fresh(t).Env["REKEY_ROTATOR"], `{"roles":["bot","rotator"]}`)
	self := i.(provider.Self)
	old, _ := in(t, i, "rotator-1")
	if id, err := self.Self(t.Context()); err != nil || id == "" || id != old.ID {
		t.Fatalf("%q %v", id, err)
	}
	made, b, err := i.Create(t.Context(), "rotator-2")
	if err != nil {
		t.Fatal(err)
	}
	self.Adopt(b)
	if err := i.Revoke(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if id, err := self.Self(t.Context()); err != nil || id != made.ID {
		t.Errorf("%q %v", id, err)
	}
	self.Adopt(nil)
	if _, err := i.List(t.Context()); cred.ClassOf(err) != cred.Denied {
		t.Errorf("%v", err)
	}
}

// TestWhatANewOneWillNotBe is told before a run, and only that.
func TestWhatANewOneWillNotBe(t *testing.T) {
	s := serve(t)
	ours := s.fresh(t).Env["REKEY_ROTATOR"]
	for settings, want := range map[string]string{
		`{"roles":["bot"],"may":["look"]}`:                            "",
		`{"roles":["bot"]}`:                                           "the one in use has look, a new one will have no limit of its own (issuer.may)",
		`{"roles":["bot","x"],"may":["look"],"credentials":["CF_*"]}`: "the one in use has bot, a new one will have bot, x (issuer.roles)|the one in use has no limit of its own, a new one will have CF_* (issuer.credentials)",
	} {
		i := open(t, s.at, s.route, ours, settings)
		h, _ := in(t, i, "nightly-1")
		if got, err := i.(provider.Adviser).Advise(t.Context(), h); err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q %v", settings, got, err)
		}
	}
}

// answer is one that every request gets.
type answer struct {
	status int
	body   string
}

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// TestAServiceOfAnotherVersion is told from one that says no.
func TestAServiceOfAnotherVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		answer
		class cred.Class
		says  string
	}{
		"a list that tells less":   {answer{200, `{"tokens":[{"id":"a","name":"nightly-1","made":"2026-11-28T00:00:00Z","expires":"2027-11-28T00:00:00Z"}]}`}, cred.Unknown, "may be older"},
		"no such operation":        {answer{404, `{"type":"urn:rekey:problem:no-operation","code":"no-operation"}`}, cred.Unknown, "of another version"},
		"a request that it cannot": {answer{400, `{"type":"urn:rekey:problem:bad-request","code":"bad-request","mistakes":[]}`}, cred.Refused, "older version"},
		"another 404 of its own":   {answer{404, `{"type":"urn:rekey:problem:no-run","code":"no-run"}`}, cred.Unknown, "nothing of any token"},
		"another name":             {answer{421, `{"type":"urn:rekey:problem:wrong-host","code":"wrong-host"}`}, cred.Refused, "rekey serve --url"},
		"more, which is new":       {answer{200, `{"tokens":[],"noted_every":"1m0s","new":1}`}, cred.Done, ""},
	} {
		_, err := open(t, "https://rekey.invalid", tt.answer, "x", `{}`).List(t.Context())
		if cred.ClassOf(err) != tt.class || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	i := open(t, "https://rekey.invalid", answer{401, `{"error":"a proxy"}`}, "x", `{}`)
	if v, _, _ := i.(provider.Prober).Probe(t.Context(), sop.Probe{URL: sop.IssuerItself}, secret.Bundle{rekey.FieldToken: secret.New("x")}); v != cred.Unclear {
		t.Errorf("a proxy's 401 is %s", v)
	}
}
