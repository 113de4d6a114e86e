package identity

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// Registration is what an issuer knows this client by.
type Registration struct {
	ClientID string
	Secret   secret.Value // not present: a public client, protected by PKCE only
	Redirect string       // address that people come back to
	Scopes   []string
}

// Attempt is one attempt of somebody to sign in; its values are secret until it is over,
// and are never used twice.
type Attempt struct {
	State, Nonce, Verifier string
	// Fresh: the issuer is to ask again, however recently it has.
	Fresh bool
}

// Ask is the address at which the issuer asks somebody who he is (OpenID Connect Core
// 1.0 §3.1.2.1, with the challenge of RFC 7636).
func (r Registration) Ask(at Endpoints, a Attempt) string {
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("nonce", a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if a.Fresh {
		options = append(options, oauth2.SetAuthURLParam("max_age", "0"))
	}
	return r.config(at).AuthCodeURL(a.State, options...)
}

func (r Registration) config(at Endpoints) *oauth2.Config {
	style := oauth2.AuthStyleInHeader // the default of Discovery 1.0 §3; finding out costs the code
	if len(at.Methods) > 0 && !slices.Contains(at.Methods, "client_secret_basic") || !r.Secret.Present() {
		style = oauth2.AuthStyleInParams
	}
	c := &oauth2.Config{ClientID: r.ClientID, RedirectURL: r.Redirect, Scopes: r.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: at.Authorize, TokenURL: at.Token, AuthStyle: style}}
	if r.Secret.Present() {
		c.ClientSecret = r.Secret.Reveal()
	}
	return c
}

// SignedIn is what an issuer said of somebody who signed in.
type SignedIn struct {
	Claims Claims
	At     time.Time // when he was asked last; zero: the issuer does not say
}

// Exchange gives the code, once, for a token that says who has signed in, and verifies
// it for this attempt (OpenID Connect Core 1.0 §3.1.3). Errors quote nothing of either.
func (v *Verifier) Exchange(ctx context.Context, transport http.RoundTripper, r Registration, at Endpoints, a Attempt, code string) (SignedIn, error) {
	client := &http.Client{Transport: transport, Timeout: keysWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := r.config(at).Exchange(context.WithValue(ctx, oauth2.HTTPClient, client), code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return SignedIn{}, refusedBy(err)
	}
	token, _ := got.Extra("id_token").(string)
	if token == "" {
		return SignedIn{}, errors.New("the issuer answered without a token that says who signed in")
	}
	said, err := v.Verify(ctx, secret.New(token))
	if err != nil {
		return SignedIn{}, err
	}
	switch azp := said.Text("azp"); {
	case subtle.ConstantTimeCompare([]byte(said.Text("nonce")), []byte(a.Nonce)) != 1:
		return SignedIn{}, errors.New("it was issued for another sign-in attempt")
	case azp != "" && azp != r.ClientID, azp == "" && len(said["aud"]) > 1: // Core §3.1.3.7
		return SignedIn{}, errors.New("it was issued to another client")
	}
	if at.UserInfo != "" {
		if err := v.more(ctx, at.UserInfo, secret.New(got.AccessToken), said); err != nil {
			return SignedIn{}, err
		}
	}
	out := SignedIn{Claims: said.trusted(true)}
	if at, err := strconv.ParseInt(said.Text("auth_time"), 10, 64); err == nil {
		out.At = time.Unix(at, 0)
	}
	return out, nil
}

// protocol are claims that say something of a token; only a signed one may have them.
var protocol = []string{"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "auth_time", "acr", "amr", "jti", "sid", "at_hash", "c_hash"}

// more adds what the issuer says of somebody besides: many say who he is, as his e-mail
// address and his groups, only where they are asked for it (OpenID Connect Core 1.0
// §5.3, §5.4). What the token says stands.
func (v *Verifier) more(ctx context.Context, where string, access secret.Value, said Claims) error {
	u, err := url.Parse(where)
	if err != nil {
		return errors.New("the issuer does not publish a userinfo endpoint")
	}
	client := v.keys.client(u.Scheme + "://" + u.Host)
	client.Authorize = func(_ context.Context, r *http.Request) (string, error) {
		r.Header.Set("Authorization", "Bearer "+access.Reveal())
		return "the access token", nil
	}
	resp, err := client.Do(ctx, vendorhttp.Request{Op: "ask the issuer who that is", Method: http.MethodGet, Path: u.EscapedPath(), Query: u.Query()})
	if err != nil {
		return errors.New("the issuer does not say who that is")
	}
	var all map[string]json.RawMessage
	if err := resp.Decode(&all); err != nil {
		return errors.New("the issuer does not say who that is")
	}
	if sub := values(all["sub"]); len(sub) != 1 || sub[0] != said.Text("sub") { // Core §5.3.2
		return errors.New("the issuer's answer is about somebody else")
	}
	for name, raw := range all {
		if _, there := said[name]; !there && !slices.Contains(protocol, name) {
			said[name] = values(raw)
		}
	}
	return nil
}

// refusedBy says why no token came, in the issuer's code (RFC 6749 §5.2) or none: the
// library's own words quote the answer.
func refusedBy(err error) error {
	if no, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		if slices.Contains([]string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}, no.ErrorCode) {
			return errors.New("the issuer refused a token: " + no.ErrorCode)
		}
		if no.Response != nil {
			return errors.New("the issuer refused a token: it answered " + strconv.Itoa(no.Response.StatusCode))
		}
	}
	return errors.New("the issuer could not be asked for a token")
}
