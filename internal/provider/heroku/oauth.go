package heroku

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

// KindAuthorization is the kind of issuer for direct OAuth authorizations.
const KindAuthorization = "oauth-authorization"

// Fields of an authorization's bundle. The token alone is the credential; with
// the id beside it nothing has to be concluded from what lists show of tokens.
const (
	FieldToken = "token"
	FieldID    = "id"
)

// AuthorizationSettings are the settings of an OAuth authorization.
type AuthorizationSettings struct {
	// What a new one may do. One of global and identity must be among them: without, nothing can ask Heroku whether it works.
	Scope []string `json:"scope" jsonschema:"required,minItems=1,enum=global,enum=identity,enum=read,enum=write,enum=read-protected,enum=write-protected"`
	// Life of a new one: 180d. Default: it never ends
	ExpiresIn sop.Duration `json:"expires_in,omitempty" jsonschema:"format=rekey-positive"`
}

// authorizations issues OAuth authorizations of the account that we work as.
type authorizations struct {
	webapi.ByItself
	*Platform
	settings AuthorizationSettings
}

const authorizationsPath = "/oauth/authorizations"

// Issuer returns the issuer of a kind.
func (p *Platform) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	if kind != KindAuthorization {
		return nil, fmt.Errorf("heroku issues no %q", kind)
	}
	var s AuthorizationSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	if !slices.Contains(s.Scope, "global") && !slices.Contains(s.Scope, "identity") {
		// Every other scope excludes account information [devcenter.heroku.com/articles/oauth, Scopes].
		return nil, errors.New("scope: add identity; without it a token may not ask who it is, and nothing else proves that it works")
	}
	if s.ExpiresIn != "" && s.ExpiresIn.Or(0) < time.Hour {
		return nil, errors.New("expires_in: want an hour at least; a run takes its time")
	}
	return &authorizations{Platform: p, settings: s}, nil
}

// authorization is one as listed: its token in full only from a create, later
// with ten asterisks for its middle (docs/vendors/heroku.md).
type authorization struct {
	ID          string    `json:"id"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	AccessToken *struct {
		Token     secret.Value `json:"token"`
		ExpiresIn *int64       `json:"expires_in"` // seconds from now; null: never
	} `json:"access_token"`
}

// handle: the end is told as seconds from now, so from one look to the next it
// differs by the time that the answer takes. Counted from the beginning and
// rounded it stays the same, and a plan under review with it.
func (a authorization) handle(now time.Time) cred.Handle {
	h := cred.Handle{ID: a.ID, Name: a.Description, Created: a.CreatedAt.UTC()}
	if a.AccessToken != nil && a.AccessToken.ExpiresIn != nil {
		h.Expires = ends(h.Created, now, *a.AccessToken.ExpiresIn)
	}
	return h
}

// ends is reckoned in seconds, for a length of time says no more than 292 years; and
// no later than a date can be written.
func ends(created, now time.Time, seconds int64) time.Time {
	last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).Unix()
	end := min(now.Unix()+min(seconds, last), last)
	minutes := (end - created.Unix() + 30) / 60
	return time.Unix(created.Unix()+minutes*60, int64(created.Nanosecond())).UTC()
}

// Calls tells the requests that change something.
func (a *authorizations) Calls() map[string]string {
	return map[string]string{"create": "POST " + authorizationsPath, "delete": "DELETE " + authorizationsPath + "/{id}"}
}

// Ahead is how far Heroku's clock is ahead of ours.
func (a *authorizations) Ahead() (time.Duration, bool) { return a.api.Ahead() }

// now is the time by Heroku's clock, which dates what Heroku tells; by ours as long
// as it has told nothing.
func (a *authorizations) now() time.Time {
	ahead, _ := a.Ahead()
	return a.env.Now().Add(ahead)
}

func (a *authorizations) all(ctx context.Context) ([]authorization, error) {
	return list[authorization](ctx, a.Platform, "list authorizations", authorizationsPath)
}

// List: every authorization of the account, those of people's logins included.
func (a *authorizations) List(ctx context.Context) ([]cred.Handle, error) {
	found, err := a.all(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]cred.Handle, len(found))
	for i, x := range found {
		out[i] = x.handle(a.now())
	}
	return out, nil
}

// Create: heroku.schema.json, oauth-authorization, Create. Without client it is
// a direct one; the answer is the only one that has the token in full.
func (a *authorizations) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	const op = "create authorization"
	body := map[string]any{"description": name, "scope": a.settings.Scope}
	if a.settings.ExpiresIn != "" {
		body["expires_in"] = int64(a.settings.ExpiresIn.Or(0) / time.Second)
	}
	resp, err := a.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Path: authorizationsPath, Body: body})
	if err != nil {
		if e, ok := errors.AsType[*cred.Error](err); ok && e.Class == cred.Refused && a.settings.ExpiresIn == "" {
			// SSO accounts cannot have one without an end (docs/vendors/heroku.md).
			e.Why = strings.TrimPrefix(e.Why+"; under single sign-on none may live for ever: set issuer.expires_in", "; ")
		}
		return cred.Handle{}, nil, err
	}
	var made authorization
	if err := resp.Decode(&made); err != nil {
		return cred.Handle{}, nil, err
	}
	if made.ID == "" || made.AccessToken == nil || !made.AccessToken.Token.Present() || strings.Contains(made.AccessToken.Token.Reveal(), redaction) {
		// Created, but what it is cannot be used: to be found by name and deleted.
		return cred.Handle{}, nil, resp.Nonsense("the answer lacks the id or the token")
	}
	return made.handle(a.now()), secret.Bundle{FieldToken: made.AccessToken.Token, FieldID: secret.New(made.ID)}, nil
}

// Revoke: heroku.schema.json, oauth-authorization, Delete. An empty id would
// address the whole collection, and ~ the account's API key ([CLI-LOGIN]).
func (a *authorizations) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "revoke authorization"
	if h.ID == "" || h.ID == "~" {
		return &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Refused, Why: "no authorization id"}
	}
	resp, err := a.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodDelete, Path: authorizationsPath + "/" + url.PathEscape(h.ID)})
	if err != nil {
		return err
	}
	var ended authorization
	if err := resp.Decode(&ended); err != nil {
		return err
	}
	if ended.ID != h.ID {
		return resp.Nonsense("the answer does not name the authorization that was to be revoked")
	}
	return nil
}
