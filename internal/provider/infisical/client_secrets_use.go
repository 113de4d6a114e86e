package infisical

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// refusal is a secret with which a login was refused.
type refusal struct {
	of secret.Value
	at time.Time
}

// claims of an access token, which say what it came from (recorded: 01-login.json,
// "decoded access-token claims"). They are read, not verified: the token came from
// the server itself.
type claims struct {
	Identity     string `json:"identityId"`
	ClientSecret string `json:"clientSecretId"`
}

func claimsOf(token secret.Value) (c claims) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return c
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		_ = json.Unmarshal(b, &c)
	}
	return c
}

// fitting are the listed ones that a secret may be: by the id that is stored with
// it, and by the four digits that lists show.
func fitting(live []clientSecret, b secret.Bundle) []clientSecret {
	var out []clientSecret
	for _, x := range live {
		id := b[FieldID]
		if x.Prefix != "" && strings.HasPrefix(b[FieldClientSecret].Reveal(), x.Prefix) && (!id.Present() || id.Equal(secret.New(x.ID))) {
			out = append(out, x)
		}
	}
	return out
}

// Probe logs in with a secret that the list shows as live. One that it does not
// show is not tried: that revoked ones vanish from the list is what tells.
func (c *clientSecrets) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	if err := c.Elsewhere(p, c.api.Vendor, "log in to see whether it works", "a client secret", "Infisical"); err != nil {
		return cred.Unclear, "", err
	}
	v, detail, _, err := c.try(ctx, b)
	return v, detail, err
}

// try is Probe, and tells the id of the client secret that worked.
func (c *clientSecrets) try(ctx context.Context, b secret.Bundle) (cred.Verdict, string, string, error) {
	conf, err := c.config(ctx)
	if err != nil {
		return cred.Unclear, "no answer", "", err
	}
	if id := b[FieldClientID]; !b[FieldClientSecret].Present() || id.Present() && !id.Equal(secret.New(conf.ClientID)) {
		// Of no identity, or of another than this: it cannot lock this one.
		return c.login(ctx, id.Reveal(), b[FieldClientSecret], b[FieldClientSecret].Present())
	}
	live, err := c.live(ctx)
	if err != nil {
		return cred.Unclear, "no answer", "", err
	}
	c.lock.Lock()
	ended := slices.Clone(c.ended)
	c.lock.Unlock()
	fits := slices.DeleteFunc(fitting(live, b), func(x clientSecret) bool { return slices.Contains(ended, x.ID) })
	switch {
	case len(fits) == 0:
		return cred.Rejected, "no live client secret is like it; that is by the list, since failed logins lock the identity for everybody", "", nil
	case slices.ContainsFunc(fits, func(x clientSecret) bool { return x.Limit > 0 }):
		return cred.Unclear, "it is listed as live, and its number of logins is limited, so none was spent on it", "", nil
	}
	if wait := c.held(b[FieldClientSecret]); wait != "" {
		return cred.Unclear, wait, "", nil
	}
	id := secret.New(conf.ClientID)
	if err := c.session.brake(id, b[FieldClientSecret], "log in to see whether it works"); err != nil {
		return cred.Unclear, "", "", err
	}
	v, detail, from, err := c.login(ctx, conf.ClientID, b[FieldClientSecret], true)
	if err == nil && v == cred.Rejected {
		c.session.mark(id, b[FieldClientSecret])
		c.lock.Lock()
		c.refused = append(c.refused, refusal{b[FieldClientSecret], c.session.env.Now()})
		c.lock.Unlock()
	}
	if v == cred.Accepted && from != "" && !slices.ContainsFunc(fits, func(x clientSecret) bool { return x.ID == from }) {
		return cred.Unclear, "it works, but as another client secret than the list shows", "", nil
	}
	return v, detail, from, err
}

// held says why a login is not tried now; "" if it may be.
func (c *clientSecrets) held(v secret.Value) string {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.refused) >= mostFailures {
		return fmt.Sprintf("%d logins were refused although the list shows it as live; none is tried again, for a third locks the identity for everybody", len(c.refused))
	}
	for _, r := range c.refused {
		if r.of.Equal(v) && c.session.env.Now().Sub(r.at) < retryAfter {
			return "a login was refused although the list shows it as live; the next is tried in a minute, for three in a row lock the identity for everybody"
		}
	}
	return ""
}

// login sends one login with a secret that is being proven, never with our own,
// and reads what Infisical itself says. What it lets in with is forgotten.
func (c *clientSecrets) login(ctx context.Context, id string, key secret.Value, bearing bool) (cred.Verdict, string, string, error) {
	resp, err := c.session.api.Raw(ctx, vendorhttp.Request{Op: "log in to see whether it works", Method: http.MethodPost, Reads: true, Path: "/api/v1/auth/universal-auth/login",
		Body: map[string]string{"clientId": id, "clientSecret": key.Reveal()}})
	if err != nil {
		return cred.Unclear, "no answer", "", err
	}
	var said struct {
		Token   secret.Value    `json:"accessToken"`
		Error   string          `json:"error"`
		Message json.RawMessage `json:"message"`
	}
	own := resp.IsJSON() && json.Unmarshal(resp.Body, &said) == nil
	var message string
	_ = json.Unmarshal(said.Message, &message)
	switch {
	case resp.Status == http.StatusOK && own && said.Token.Present() && !bearing:
		return cred.Open, "200 without any client secret", "", nil
	case resp.Status == http.StatusOK && own && said.Token.Present():
		return cred.Accepted, "200 by Infisical, an access token was given", claimsOf(said.Token).ClientSecret, nil
	case resp.Status == http.StatusUnauthorized && own && strings.Contains(message, "temporarily locked"):
		return cred.Unclear, "401: the identity is locked after failed logins; it opens again by itself", "", nil
	case resp.Status == http.StatusUnauthorized && own && said.Error == "UnauthorizedError",
		resp.Status == http.StatusNotFound && own && message == "No identity with specified client ID was found":
		// 404 for an unknown client id on servers of 2024 (recorded: 01-login.json).
		return cred.Rejected, fmt.Sprintf("%d by Infisical", resp.Status), "", nil
	}
	return cred.Unclear, fmt.Sprintf("%d, which is neither Infisical's success nor its refusal", resp.Status), "", nil
}

// Wrong makes up an identity with its secret: asking with it harms none that is.
func (c *clientSecrets) Wrong() secret.Bundle {
	b := make([]byte, 48)
	_, _ = rand.Read(b)
	h := hex.EncodeToString(b)
	id := fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
	return secret.Bundle{FieldClientID: secret.New(id), FieldClientSecret: secret.New(h[32:])}
}

// Owner finds the client secret that a stored one is: by the id that is stored
// with it, or else by logging in, since four digits are too few to end one by.
func (c *clientSecrets) Owner(ctx context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	const op = "find which client secret is stored"
	refuse := func(why string) (string, error) {
		return "", &cred.Error{Vendor: c.api.Vendor, Op: op, Class: cred.Refused, Why: why}
	}
	if !b[FieldClientSecret].Present() {
		return "", nil
	}
	conf, err := c.config(ctx)
	if err != nil {
		return "", err
	}
	if id := b[FieldClientID]; id.Present() && !id.Equal(secret.New(conf.ClientID)) {
		return refuse("the client id that is stored is not that of the identity " + c.identity)
	}
	live, err := c.live(ctx)
	if err != nil {
		return "", err
	}
	fits := slices.DeleteFunc(fitting(live, b), func(x clientSecret) bool {
		return !slices.ContainsFunc(listed, func(h cred.Handle) bool { return h.ID == x.ID })
	})
	if len(fits) == 0 {
		return "", nil
	}
	owner := fits[0].ID
	c.said.add(b[FieldClientSecret])
	if !b[FieldID].Present() {
		if slices.ContainsFunc(fits, func(x clientSecret) bool { return x.Limit > 0 }) {
			return refuse("the stored one may be used for a limited number of logins, so none is spent to tell which it is; store its id as well, in a slot with {id}")
		}
		verdict, detail, from, err := c.try(ctx, b)
		switch {
		case err != nil:
			return "", err
		case verdict == cred.Rejected:
			return "", nil
		case verdict != cred.Accepted:
			return refuse("whether it works cannot be told: " + detail)
		case from == "" && len(fits) > 1:
			return refuse(fmt.Sprintf("%d client secrets begin like it, and the server does not tell which of them work; store its id as well, in a slot with {id}", len(fits)))
		case from != "":
			owner = from
		}
	}
	return owner, c.mayEnd(ctx, owner, b)
}

// Self is the id of the client secret that this vendor is reached by; "" if that is
// of another identity.
func (c *clientSecrets) Self(ctx context.Context) (string, error) {
	const op = "find which client secret is our own"
	token, _, err := c.session.current(ctx)
	if err != nil {
		return "", sessionError(c.api.Vendor, op, err)
	}
	switch said := claimsOf(token); {
	case said.Identity != "" && said.Identity != c.identity:
		return "", nil
	case said.Identity == c.identity && said.ClientSecret != "":
		return said.ClientSecret, nil
	}
	// The token does not say: by what it was had for, as far as that is at hand.
	id, key, ok := c.session.own(ctx)
	conf, err := c.config(ctx)
	if err != nil {
		return "", err
	}
	if ok && !id.Equal(secret.New(conf.ClientID)) {
		return "", nil
	}
	live, err := c.live(ctx)
	if err != nil {
		return "", err
	}
	fits := fitting(live, secret.Bundle{FieldClientSecret: key})
	switch {
	case ok && len(fits) == 1:
		return fits[0].ID, nil
	case ok && len(fits) == 0:
		return "", nil
	}
	return "", &cred.Error{Vendor: c.api.Vendor, Op: op, Class: cred.Refused,
		Why: "neither its access token nor the list tells which client secret Rekey itself works by, so it could end its own; let it work by another identity"}
}

// Adopt goes on with a client secret that has just been made; nil goes back to the
// vendor's own.
func (c *clientSecrets) Adopt(b secret.Bundle) {
	c.session.adopt(b)
}

func days(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
