package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"rekey/internal/access"
	"rekey/internal/api"
	"rekey/internal/client"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestTokensThroughTheAPI are made, used, rotated by themselves and revoked, by whoever
// may, and each text is shown once.
func TestTokensThroughTheAPI(t *testing.T) {
	t.Parallel()
	p, first := serveIdentified(t)
	as := p.client
	code := func(what string, err error, want estate.Code) {
		t.Helper()
		if e, is := errors.AsType[*estate.Error](err); !is || e.Code != want {
			t.Errorf("%s: %v, and it should be %s", what, err, want)
		}
	}
	root := as(first)
	wanted := api.TokenWanted{Name: "nightly", Only: []string{"look"}, Credentials: []string{"CF_*"}, Expires: "30d"}
	made, err := root.CreateToken(t.Context(), wanted)
	if err != nil || made.Secret == "" || made.By != "root" || made.Expires.Sub(made.Made) != 30*24*time.Hour {
		t.Fatalf("%+v (%v)", made.Token, err)
	}
	_, err = root.CreateToken(t.Context(), wanted)
	code("made again", err, api.TokenTaken)
	_, err = root.CreateToken(t.Context(), api.TokenWanted{Name: "nightly2", Expires: "soon"})
	code("no length of time", err, api.TokenRefused)
	_, err = as("").CreateToken(t.Context(), wanted)
	code("nobody", err, estate.NotIdentified)
	bot := as(made.Secret)
	if me, err := bot.Whoami(t.Context()); err != nil || me.Who.Name != "nightly" {
		t.Errorf("it is %+v (%v)", me.Who, err)
	}
	_, err = bot.CreateToken(t.Context(), wanted)
	code("who may not make any", err, estate.NoRole)
	_, err = bot.Tokens(t.Context())
	code("who may not list them", err, estate.NoRole)
	_, err = bot.RevokeTokens(t.Context(), "root")
	code("who may not revoke", err, estate.NoRole)
	next, err := bot.RotateToken(t.Context(), "0s")
	if err != nil || next.Secret == made.Secret || next.Name != "nightly" || strings.Join(next.Credentials, "") != "CF_*" {
		t.Fatalf("%+v (%v)", next.Token, err)
	}
	if _, err := bot.Whoami(t.Context()); err != nil {
		t.Errorf("the old one is over before the new one was used: %v", err)
	}
	if _, err := as(next.Secret).Whoami(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = bot.Whoami(t.Context())
	code("the old one", err, estate.NotIdentified)
	// The same request again, because the answer was lost, makes none and shows no text.
	texts := 0
	for i := range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.at+"/api/v1/tokens", strings.NewReader(`{"name":"once","only":["look"]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+first)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(api.RequestHeader, "the-same")
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var made api.Minted
		err = json.NewDecoder(resp.Body).Decode(&made)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusCreated || made.Name != "once" || (made.Secret != "") != (i == 0) || (resp.Header.Get(api.ReplayedHeader) == "true") != (i == 1) {
			t.Errorf("time %d: %s, replayed %q, %+v (%v)", i, resp.Status, resp.Header.Get(api.ReplayedHeader), made.Token, err)
		}
		if made.Secret != "" {
			texts++
		}
	}
	if _, err := root.RevokeTokens(t.Context(), "once"); err != nil || texts != 1 {
		t.Errorf("%d texts were shown (%v)", texts, err)
	}
	all, err := root.Tokens(t.Context())
	if err != nil || len(all) != 4 {
		t.Errorf("%+v (%v)", all, err)
	}
	if ended, err := root.RevokeTokens(t.Context(), "nightly"); err != nil || len(ended) != 1 || ended[0].ID != next.ID {
		t.Errorf("%+v (%v)", ended, err)
	}
	_, err = as(next.Secret).Whoami(t.Context())
	code("the revoked one", err, estate.NotIdentified)
	for _, secret := range []string{first, made.Secret, next.Secret} {
		if strings.Contains(p.log.String(), secret) {
			t.Error("a token stands in the log")
		}
	}
}

// serveIdentified serves only whoever has a token, and returns one that may everything
// that tokens may.
func serveIdentified(t *testing.T, change ...func(p *place, text string) string) (p *place, root string) {
	t.Helper()
	p = serve(t, change...)
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	p.write(strings.Replace(string(text), "# What all credentials", `identity:
  roles:
    admin: [{token: root}]
    superadmin: [{token: root}]
    bot: [{token: nightly}]
  grants:
    - {role: admin, may: [look, admin]}
    - {role: bot, may: [look]}

# What all credentials`, 1))
	p.until("/api/v1/whoami", "nobody has signed in")
	config, err := sop.Load(p.file)
	if err != nil {
		t.Fatal(err)
	}
	here := estate.New(config, estate.Surroundings{Env: os.LookupEnv, User: func() string { return "alice@laptop" }, Tool: "test"})
	local, closing, err := access.OpenTokens(t.Context(), here, config, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closing() })
	_, first, err := local.Create(t.Context(), rotation.Who{Name: "alice@laptop", Roles: []string{"admin", "superadmin", "bot"}}, access.Wanted{Name: "root"})
	if err != nil {
		t.Fatal(err)
	}
	return p, first
}

// client asks with a token.
func (p *place) client(token string) *client.Client {
	p.Helper()
	base, err := url.Parse(p.at)
	if err != nil {
		p.Fatal(err)
	}
	c, err := client.New(base, client.Options{Transport: &http.Transport{DisableKeepAlives: true}, Version: "test", Authorize: func(_ context.Context, r *http.Request) error {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return nil
	}})
	if err != nil {
		p.Fatal(err)
	}
	return c
}
