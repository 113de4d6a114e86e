package cloudflare

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

// Kinds of API tokens, and the one field of their bundle.
const (
	KindUserToken    = "user-api-token"
	KindAccountToken = "account-api-token"
	FieldToken       = "token"
)

// APITokenSettings are the settings of a user or account API token.
type APITokenSettings struct {
	// Life of a new token: 8760h. Default: it does not expire, like the one that it is made after only if that does not.
	Duration string `json:"duration,omitempty" jsonschema:"pattern=^[0-9]+h$,format=rekey-positive"`
}

// apiTokens issues API tokens of a user or of an account (docs/vendors/cloudflare.md). A new
// one is made after the one in use: same policies, same conditions.
type apiTokens struct {
	webapi.ByItself
	*Account
	root     string // below which they are
	settings APITokenSettings
	adopted  atomic.Pointer[secret.Value] // a run that replaces our own token goes on with the new one
}

// statusExpired: its time is over. It can still be read, and be copied.
const statusExpired = "expired"

// apiToken as listed; value comes only with a create.
type apiToken struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Status     string          `json:"status"` // active, disabled, expired
	IssuedOn   time.Time       `json:"issued_on"`
	ExpiresOn  time.Time       `json:"expires_on"`
	LastUsedOn time.Time       `json:"last_used_on"`
	Policies   json.RawMessage `json:"policies"`
	Condition  json.RawMessage `json:"condition"`
	Value      secret.Value    `json:"value"`
}

func (t apiToken) handle() cred.Handle {
	return cred.Handle{ID: t.ID, Name: t.Name, Created: t.IssuedOn.UTC(), Expires: t.ExpiresOn.UTC(), LastSeen: t.LastUsedOn.UTC(), Disabled: t.Status != "active" && t.Status != statusExpired}
}

// Calls tells the requests that change something.
func (a *apiTokens) Calls() map[string]string {
	return map[string]string{
		"create": "POST " + a.root, "delete": "DELETE " + a.root + "/{id}",
		"disable": "PUT " + a.root + "/{id} (status: disabled)", "roll": "PUT " + a.root + "/{id}/value",
	}
}

// client authorises with the vendor's own token, or with the one adopted.
func (a *apiTokens) client() *vendorhttp.Client {
	v := a.adopted.Load()
	if v == nil {
		return a.api
	}
	return a.as(*v, "the new token itself")
}

// as is a client that authorises with a given token; without one it sends none.
func (a *apiTokens) as(v secret.Value, used string) *vendorhttp.Client {
	c := *a.api
	c.Authorize = func(_ context.Context, req *http.Request) (string, error) {
		if v.Present() {
			req.Header.Set("Authorization", "Bearer "+v.Reveal())
		}
		return used, nil
	}
	return &c
}

// List: https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/list
// 50 a page at most. Expired ones are left out, as Cloudflare does unless asked for
// them: they are not live. Find tells of one.
func (a *apiTokens) List(ctx context.Context) ([]cred.Handle, error) {
	found, err := listBy(ctx, a.client(), "list API tokens", a.root, tokenPage, func(t apiToken) string { return t.ID })
	if err != nil {
		return nil, err
	}
	out := []cred.Handle{}
	for _, t := range found {
		if t.Status != statusExpired {
			out = append(out, t.handle())
		}
	}
	return out, nil
}

// Find: https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/get
func (a *apiTokens) Find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	const op = "look at API token"
	if h.ID == "" {
		return cred.Handle{}, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Refused, Why: "no token id"}
	}
	var t apiToken
	_, err := call(ctx, a.client(), vendorhttp.Request{Op: op, Method: http.MethodGet, Path: a.root + "/" + url.PathEscape(h.ID)}, &t)
	if err == nil && t.ID != h.ID {
		err = a.another(op)
	}
	return t.handle(), err
}

// another: what was answered is not about the token that was asked for, so nothing of
// it is believed.
func (a *apiTokens) another(op string) error {
	return &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer is about another token"}
}

// Owner asks the verify endpoint with the stored token, which tells its own id. One
// that is refused from here may be in use elsewhere: whose it is is not known then.
func (a *apiTokens) Owner(ctx context.Context, b secret.Bundle, _ []cred.Handle) (string, error) {
	if !b[FieldToken].Present() {
		return "", nil
	}
	id, _, err := a.verify(ctx, b[FieldToken], "the stored token")
	if dead(err) {
		return "", nil // or of the other kind: it belongs to nobody here
	}
	return id, err
}

// Self is the id of the token with which this vendor is reached; "" if it is of
// the other kind. Whoever rotates that one can lock itself out.
func (a *apiTokens) Self(ctx context.Context) (string, error) {
	var v struct {
		ID string `json:"id"`
	}
	const op = "verify our own token"
	_, err := call(ctx, a.api, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: a.root + "/verify"}, &v)
	switch {
	case dead(err):
		return "", nil
	case err == nil && v.ID == "":
		err = &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer lacks the id"}
	}
	return v.ID, err
}

// Adopt goes on with the token that has just been made; nil goes back to the
// vendor's own.
func (a *apiTokens) Adopt(b secret.Bundle) {
	v, ok := b[FieldToken]
	if !ok || !v.Present() {
		a.adopted.Store(nil)
		return
	}
	a.adopted.Store(&v)
}

// Revoke: https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/delete
func (a *apiTokens) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "delete API token"
	if h.ID == "" {
		return &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Refused, Why: "no token id"}
	}
	return ended(ctx, a.client(), op, a.root+"/"+url.PathEscape(h.ID), h.ID)
}
