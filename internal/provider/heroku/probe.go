package heroku

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

const probeTimeout = 10 * time.Second

// Probe asks Heroku who the token is. A token goes to Heroku and nowhere else,
// so no other place is asked.
func (a *authorizations) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "ask whose the token is"
	if err := a.Elsewhere(p, a.api.Vendor, op, "an authorization", "Heroku"); err != nil {
		return cred.Unclear, "", err
	}
	r := vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/account", Header: map[string]string{"Accept": acceptV3}}
	bearing := b[FieldToken].Present()
	if bearing {
		r.Header["Authorization"] = "Bearer " + b[FieldToken].Reveal()
	}
	resp, err := a.account.Raw(ctx, r)
	if err != nil {
		return cred.Unclear, "no answer", err
	}
	verdict, detail := grade(resp, bearing)
	return verdict, detail, nil
}

// grade reads an answer of /account: Heroku's own yes names the account, its own
// no has its id. Anything else, a proxy's 401 included, tells nothing.
func grade(resp *vendorhttp.Response, bearing bool) (cred.Verdict, string) {
	var said struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	}
	own := resp.IsJSON() && json.Unmarshal(resp.Body, &said) == nil
	switch {
	case resp.Status == http.StatusUnauthorized && own && said.ID == "unauthorized":
		return cred.Rejected, "401 by Heroku"
	case resp.Status == http.StatusOK && own && said.ID != "" && said.Email != "" && bearing:
		return cred.Accepted, "200 by Heroku"
	case resp.Status == http.StatusOK && !bearing:
		return cred.Open, "200 without any token"
	}
	return cred.Unclear, fmt.Sprintf("%d, which is neither Heroku's 200 nor its 401", resp.Status)
}

// Wrong makes up a token that Heroku never issued, in its present form
// [devcenter.heroku.com/articles/oauth, Prefixed OAuth Tokens].
func (a *authorizations) Wrong() secret.Bundle {
	random := make([]byte, 24)
	_, _ = rand.Read(random)
	return secret.Bundle{FieldToken: secret.New("HRKU-" + hex.EncodeToString(random))}
}
