package wire

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/provider"
	"rekey/internal/sop"
)

type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("not called") }

// TestNothingWithoutAProof: a plan that names no place to prove a credential is
// opened only for an issuer that tells by itself, whoever made the plan.
func TestNothingWithoutAProof(t *testing.T) {
	vendors := map[string]sop.Vendor{
		"cloudflare": {Type: "cloudflare", Settings: json.RawMessage(`{"token":"env:T","account":"a"}`)},
		"heroku":     {Type: "heroku", Settings: json.RawMessage(`{"token":"env:T"}`)},
		"infisical":  {Type: "infisical", Settings: json.RawMessage(`{"client_id":"env:A","client_secret":"env:B","project":"p"}`)},
	}
	token := sop.Issuer{Vendor: "cloudflare", Kind: "access-service-token", Settings: json.RawMessage(`{"duration":"8760h"}`)}
	authorization := sop.Issuer{Vendor: "heroku", Kind: "oauth-authorization", Settings: json.RawMessage(`{"scope":["identity"]}`)}
	itself, elsewhere := []sop.Probe{{URL: sop.IssuerItself}}, []sop.Probe{{URL: "https://console.raxx.app/health"}}
	for name, c := range map[string]struct {
		issuer   sop.Issuer
		validate []sop.Probe
		want     string
	}{
		"a place":                {token, elsewhere, ""},
		"itself":                 {authorization, itself, ""},
		"cannot, nothing said":   {token, nil, "does not tell by itself whether this works (access-service-token): name under validate"},
		"cannot, asked itself":   {token, append(elsewhere[:1:1], itself...), "does not tell by itself"},
		"could, and none is set": {authorization, nil, "make a new plan"},
	} {
		env := provider.Env{
			Transport: nobody{}, Now: time.Now, Together: Together,
			Text: func(x sop.Text) (string, error) { return x[0], nil },
		}
		spec := sop.Spec{Issuer: c.issuer, Validate: c.validate, Store: sop.Place{Key: "s", Vendor: "infisical", Settings: json.RawMessage(`{"path":"/x","environment":"prod"}`)}}
		_, err := Open(spec, vendors, env)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNamesWithOneConnectionAreOneAccount, whose rate limit they share.
func TestNamesWithOneConnectionAreOneAccount(t *testing.T) {
	o := opener{vendors: map[string]sop.Vendor{
		"shop":   {Type: "heroku", Settings: json.RawMessage(`{"token":["env:A"],"base_url":"https://x"}`)},
		"heroku": {Type: "heroku", Settings: json.RawMessage(`{"base_url": "https://x", "token": ["env:A"]}`)},
		"other":  {Type: "heroku", Settings: json.RawMessage(`{"token":["env:B"],"base_url":"https://x"}`)},
		"github": {Type: "github", Settings: json.RawMessage(`{"token":["env:A"],"base_url":"https://x"}`)},
	}}
	for name, want := range map[string]string{"shop": "heroku", "heroku": "heroku", "other": "other", "github": "github"} {
		if got := o.account(name); got != want {
			t.Errorf("%s is of the account %s, want %s", name, got, want)
		}
	}
}
