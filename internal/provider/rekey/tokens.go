package rekey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

// tokens issues tokens whose names have the same roles.
type tokens struct {
	webapi.ByItself
	*Service
	settings TokenSettings
}

// token is one as the service shows it (openapi.json, Token).
type token struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Fingerprint string    `json:"fingerprint"`
	Roles       []string  `json:"roles"`
	Person      bool      `json:"person"`
	Only        []string  `json:"only"`
	Credentials []string  `json:"credentials"`
	Made        time.Time `json:"made"`
	Expires     time.Time `json:"expires"`
	Used        time.Time `json:"last_used"`
	Revoked     time.Time `json:"revoked"`
	Successor   string    `json:"successor"`
}

// handle: the public half is the fingerprint, by which a stored value is known without
// using it. every is how seldom a use is noted: until then it may have been used again.
func (t token) handle(every time.Duration, now time.Time) cred.Handle {
	h := cred.Handle{ID: t.ID, Public: t.Fingerprint, Name: t.Name, Created: t.Made.UTC(), Expires: t.Expires.UTC()}
	if !t.Used.IsZero() {
		h.LastSeen = t.Used.Add(every).UTC()
		if h.LastSeen.After(now) {
			h.LastSeen = now.UTC()
		}
	}
	return h
}

// fingerprint is how the service shows a token (docs/access.md).
func fingerprint(v secret.Value) string {
	sum := sha256.Sum256([]byte(v.Reveal()))
	return hex.EncodeToString(sum[:])[:16]
}

// Calls tells the requests that change something.
func (t *tokens) Calls() map[string]string {
	return map[string]string{"create": "POST /api/v1/tokens", "delete": "POST /api/v1/tokens/revoke ({id})"}
}

// Ahead is how far the service's clock is ahead of ours.
func (t *tokens) Ahead() (time.Duration, bool) { return t.api.Ahead() }

// all are the tokens that are not over, and how seldom their use is noted. One that has
// expired is among them, for it may be in use; one that made a successor by itself has
// been replaced.
func (t *tokens) all(ctx context.Context) ([]token, time.Duration, error) {
	resp, err := t.api.Do(ctx, vendorhttp.Request{Op: "list tokens", Method: http.MethodGet, Path: "/tokens", Query: url.Values{"revoked": {"false"}}})
	if err != nil {
		return nil, 0, err
	}
	var out struct {
		Tokens *[]token `json:"tokens"`
		Noted  string   `json:"noted_every"`
	}
	if err := resp.Decode(&out); err != nil {
		return nil, 0, err
	}
	every, err := time.ParseDuration(out.Noted)
	if out.Tokens == nil || err != nil || slices.ContainsFunc(*out.Tokens, func(x token) bool { return x.ID == "" || x.Fingerprint == "" || x.Expires.IsZero() }) {
		return nil, 0, resp.Nonsense("the answer lacks what this version of Rekey tells of tokens: the service may be older")
	}
	now := t.now()
	return slices.DeleteFunc(*out.Tokens, func(x token) bool {
		return x.Person || !x.Revoked.IsZero() || x.Successor != "" && x.Expires.Before(now)
	}), every, nil
}

// now is the time by the service's clock.
func (t *tokens) now() time.Time {
	ahead, _ := t.Ahead()
	return t.env.Now().Add(ahead)
}

// List: every token that ours may make and end.
func (t *tokens) List(ctx context.Context) ([]cred.Handle, error) {
	all, every, err := t.all(ctx)
	out := []cred.Handle{}
	for _, x := range all {
		out = append(out, x.handle(every, t.now()))
	}
	return out, err
}

// Owner compares fingerprints: asking with the token itself would count as a use of it.
func (t *tokens) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	for _, h := range listed {
		if v := b[FieldToken]; v.Present() && h.Public == fingerprint(v) {
			return h.ID, nil
		}
	}
	return "", nil
}

// names are those that the service takes (internal/access).
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@/-]{0,79}$`)

// Create makes one. What is taken for it is no more than its name may by then, and
// nothing is made where that is not what issuer.roles says.
func (t *tokens) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	const op = "create token"
	if !names.MatchString(name) {
		return cred.Handle{}, nil, t.refused(op, "a token needs a name of up to 80 letters, digits and . _ @ / -")
	}
	body := map[string]any{"name": name, "roles": t.settings.Roles}
	for key, list := range map[string][]string{"only": t.settings.May, "credentials": t.settings.Credentials} {
		if len(list) > 0 {
			body[key] = list
		}
	}
	if t.settings.ExpiresIn != "" {
		body["expires"] = t.settings.ExpiresIn
	}
	resp, err := t.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Path: "/tokens", Body: body})
	if err != nil {
		return cred.Handle{}, nil, err
	}
	var made struct {
		token
		Secret secret.Value `json:"secret"`
	}
	if err := resp.Decode(&made); err != nil {
		return cred.Handle{}, nil, err
	}
	if made.ID == "" || made.Name != name || !made.Secret.Present() || made.Fingerprint != fingerprint(made.Secret) {
		return cred.Handle{}, nil, resp.Nonsense("the answer lacks the token, or shows another one")
	}
	return made.handle(0, t.now()), secret.Bundle{FieldToken: made.Secret}, nil
}

// Revoke ends one at once. The service calls it done where it was so before, so it is
// looked first.
func (t *tokens) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "revoke token"
	if h.ID == "" {
		return t.refused(op, "no token id")
	}
	all, _, err := t.all(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(x token) bool { return x.ID == h.ID }) {
		return &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Absent, Why: "the service lists no such token that is not revoked", Where: t.api.Where}
	}
	resp, err := t.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Path: "/tokens/revoke", Body: map[string]string{"token": h.ID}})
	if err != nil {
		return err
	}
	var ended struct{ Tokens []token }
	if err := resp.Decode(&ended); err != nil {
		return err
	}
	if len(ended.Tokens) != 1 || ended.Tokens[0].ID != h.ID {
		return resp.Nonsense("the answer does not name the token that was to be revoked")
	}
	return nil
}

// Advise tells where a new one will not be what the one in use is.
func (t *tokens) Advise(ctx context.Context, inUse cred.Handle) (out []string, err error) {
	all, _, err := t.all(ctx)
	for _, x := range all {
		if x.ID != inUse.ID {
			continue
		}
		for _, of := range []struct {
			setting   string
			has, will []string
		}{{"roles", x.Roles, t.settings.Roles}, {"may", x.Only, t.settings.May}, {"credentials", x.Credentials, t.settings.Credentials}} {
			if !slices.Equal(slices.Sorted(slices.Values(of.has)), slices.Sorted(slices.Values(of.will))) {
				out = append(out, fmt.Sprintf("the one in use has %s, a new one will have %s (issuer.%s)", listed(of.has), listed(of.will), of.setting))
			}
		}
	}
	return out, err
}

func listed(words []string) string {
	if len(words) == 0 {
		return "no limit of its own"
	}
	return strings.Join(words, ", ")
}

func (t *tokens) refused(op, why string) error {
	return &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Refused, Why: why}
}
