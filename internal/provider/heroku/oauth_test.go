package heroku_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/heroku"
	"rekey/internal/secret"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

func issuer(t *testing.T, v provider.Vendor, settings string) provider.Issuer {
	t.Helper()
	i, err := v.(provider.Issues).Issuer(heroku.KindAuthorization, json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

const scoped = `{"scope":["identity","read-protected"]}`

// TestOwner: by the id, or by what lists show of tokens; what fits several or
// cannot be told belongs to none (T36).
func TestOwner(t *testing.T) {
	type bundle struct{ token, id string }
	var deploy, twin *sim.Authorization
	for name, c := range map[string]struct {
		shows  string
		bundle func() bundle
		want   string // part of the refusal; "": found
		none   bool
	}{
		"by both ends":                 {"", func() bundle { return bundle{deploy.Token, ""} }, "", false},
		"by the whole":                 {"whole", func() bundle { return bundle{deploy.Token, ""} }, "", false},
		"by id and both ends":          {"", func() bundle { return bundle{deploy.Token, deploy.ID} }, "", false},
		"by id where nothing is shown": {"prefix", func() bundle { return bundle{deploy.Token, deploy.ID} }, "", false},
		"nothing is shown, no id":      {"prefix", func() bundle { return bundle{deploy.Token, ""} }, "too little of tokens", true},
		"the id is another's":          {"", func() bundle { return bundle{deploy.Token, twin.ID} }, "", true},
		"no such token":                {"", func() bundle { return bundle{"HRKU-0000000000000000-simulated", ""} }, "", true},
		"no such token, whole":         {"whole", func() bundle { return bundle{deploy.Token[:30], ""} }, "", true},
		"no such id":                   {"prefix", func() bundle { return bundle{deploy.Token, "gone"} }, "", true},
		"two look alike": {"", func() bundle {
			twin.Token = deploy.Token[:20] + "x" + deploy.Token[21:]
			return bundle{deploy.Token, ""}
		}, "2 authorizations could be it", true},
	} {
		b, v := open(t)
		b.Look(func(s *sim.State) {
			s.Heroku.ShowsTokens = c.shows
			deploy = s.Heroku.Authorizations[1]
			twin = &sim.Authorization{ID: "twin", Token: "HRKU-1111111111111111-simulated-11111111", Scope: []string{"global"}}
			s.Heroku.Authorizations = append(s.Heroku.Authorizations, twin)
		})
		i := issuer(t, v, scoped)
		x := c.bundle()
		listed, err := i.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stored := secret.Bundle{heroku.FieldToken: secret.New(x.token)}
		if x.id != "" {
			stored[heroku.FieldID] = secret.New(x.id)
		}
		owner, err := i.Owner(t.Context(), stored, listed)
		if c.none != (owner == "") || owner != "" && owner != deploy.ID || (err != nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, owner, err)
		}
		if err != nil && (cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), x.token)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOwnTokenIsRefused: ending it would end the run's own way in.
func TestOwnTokenIsRefused(t *testing.T) {
	b, v := open(t)
	i := issuer(t, v, scoped)
	listed, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owner, err := i.Owner(t.Context(), secret.Bundle{heroku.FieldToken: secret.New(b.Env()["HEROKU_API_KEY"])}, listed)
	if owner != "" || cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), "vendors.heroku.token") || !strings.Contains(err.Error(), "heroku authorizations:create") {
		t.Errorf("%q: %v", owner, err)
	}
}

// TestEveryPageIsRead: an authorization on the last page is as live as others.
func TestEveryPageIsRead(t *testing.T) {
	b, v := open(t)
	b.Look(func(s *sim.State) {
		for n := range 450 {
			s.Heroku.Authorizations = append(s.Heroku.Authorizations, &sim.Authorization{ID: strings.Repeat("x", n+1), Token: "HRKU-1111111111111111-simulated-11111111"})
		}
	})
	listed, err := issuer(t, v, scoped).List(t.Context())
	if err != nil || len(listed) != 452 {
		t.Errorf("%d: %v", len(listed), err)
	}
}

// TestEndStaysTheSame: the end is told in seconds from now; a plan under review
// must not come out differently a minute later.
func TestEndStaysTheSame(t *testing.T) {
	b, v := open(t)
	i := issuer(t, v, `{"scope":["global"],"expires_in":"180d"}`)
	h, bundle, err := i.Create(t.Context(), "raxx-deploy")
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add(180 * 24 * time.Hour); !h.Expires.Equal(want) || !bundle[heroku.FieldID].Equal(secret.New(h.ID)) {
		t.Errorf("ends %s, want %s", h.Expires, want)
	}
	for range 50 {
		b.now = b.now.Add(1234 * time.Millisecond)
		listed, err := i.List(t.Context())
		if err != nil || !listed[len(listed)-1].Expires.Equal(h.Expires) {
			t.Fatalf("ends %s: %v", listed[len(listed)-1].Expires, err)
		}
	}
	if listed, _ := i.List(t.Context()); !listed[0].Expires.IsZero() {
		t.Errorf("one without an end ends %s", listed[0].Expires)
	}
}

// TestSingleSignOnWantsAnEnd: the answer says what to set.
func TestSingleSignOnWantsAnEnd(t *testing.T) {
	b, v := open(t)
	b.Look(func(s *sim.State) { s.Heroku.SSO = true })
	_, _, err := issuer(t, v, scoped).Create(t.Context(), "x")
	if cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), "single sign-on") || !strings.Contains(err.Error(), "expires_in") {
		t.Errorf("%v", err)
	}
	if _, _, err := issuer(t, v, `{"scope":["global"],"expires_in":"8h"}`).Create(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	_, v := open(t)
	for settings, want := range map[string]string{
		`{"scope":["write-protected"]}`:               "add identity",
		`{"scope":["global"],"expires_in":"30s"}`:     "an hour at least",
		`{"scope":["global"],"expires_in":"forever"}`: "an hour at least",
		`{"scope":"global"}`:                          "cannot unmarshal",
	} {
		_, err := v.(provider.Issues).Issuer(heroku.KindAuthorization, json.RawMessage(settings))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", settings, err)
		}
	}
	if _, err := v.(provider.Issues).Issuer("api-key", json.RawMessage(scoped)); err == nil {
		t.Error("an unknown kind was taken")
	}
}

// TestRevokeNeedsAnID: an empty one is the collection, ~ the account's API key.
func TestRevokeNeedsAnID(t *testing.T) {
	b, v := open(t)
	for _, id := range []string{"", "~"} {
		if err := issuer(t, v, scoped).Revoke(t.Context(), cred.Handle{ID: id}); cred.ClassOf(err) != cred.Refused {
			t.Errorf("%q: %v", id, err)
		}
	}
	if len(b.sent) != 0 {
		t.Errorf("sent %v", b.sent)
	}
}

// TestProbe: only Heroku's own yes and no prove something.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		fault sim.Fault
		want  cred.Verdict
	}{
		"yes":                  {sim.Fault{Vendor: "none"}, cred.Accepted},
		"no":                   {sim.Fault{Status: 401}, cred.Rejected},
		"a proxy's 401":        {sim.Fault{Status: 401, HTML: true}, cred.Unclear},
		"no scope":             {sim.Fault{Status: 403}, cred.Unclear},
		"limit":                {sim.Fault{Status: 429}, cred.Unclear},
		"down":                 {sim.Fault{Status: 503}, cred.Unclear},
		"a page":               {sim.Fault{Status: 200, HTML: true}, cred.Unclear},
		"an empty answer":      {sim.Fault{Empty: true}, cred.Unclear},
		"another word for 401": {sim.Fault{Status: 401, ID: "two_factor"}, cred.Unclear},
	} {
		b, v := open(t)
		i := issuer(t, v, scoped)
		b.Inject(c.fault)
		token := ""
		b.Look(func(s *sim.State) { token = s.Heroku.Authorizations[1].Token })
		got, detail, err := i.(provider.Prober).Probe(t.Context(), sop.Probe{URL: sop.IssuerItself}, secret.Bundle{heroku.FieldToken: secret.New(token)})
		if got != c.want || err != nil {
			t.Errorf("%s: %s (%s), want %s: %v", name, got, detail, c.want, err)
		}
	}
}

// TestProbeSendsOnlyItsOwnToken: nothing of ours when it asks without any.
func TestProbeSendsOnlyItsOwnToken(t *testing.T) {
	b, v := open(t)
	var sent []string
	b.before = func(r *http.Request) { sent = append(sent, r.Header.Get("Authorization")) }
	p := issuer(t, v, scoped).(provider.Prober)
	for _, x := range []secret.Bundle{nil, {heroku.FieldToken: secret.New("theirs")}} {
		if got, _, err := p.Probe(t.Context(), sop.Probe{URL: sop.IssuerItself}, x); got != cred.Rejected || err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
	if len(sent) != 2 || sent[0] != "" || sent[1] != "Bearer theirs" {
		t.Errorf("%q", sent)
	}
}
