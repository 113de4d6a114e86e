package infisical

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// lockedPause is how long a locked identity is left alone before it is asked again;
// the lock lasts five minutes by default, and the server does not say how long.
const lockedPause = 30 * time.Second

// untold is how long an access token is used whose life was not told.
const untold = 5 * time.Minute

// spare is how long before its end an access token is not used any more.
const spare = 30 * time.Second

// session holds the access token of a machine identity, in memory only.
type session struct {
	env  provider.Env
	conn Connection
	api  *vendorhttp.Client // without authorization
	said *spoken

	mu      sync.Mutex
	token   secret.Value
	key     secret.Value // what the token was had for
	until   time.Time
	used    string
	adopted secret.Bundle // a run that replaces our own client secret goes on with the new one

	// A login with a wrong secret is not sent again for a while: every request needs
	// one, and three failed ones lock the identity for everybody (docs/vendors/infisical.md).
	// Only 401 is such a failure; what else refuses may be asked again.
	refusedKey secret.Value
	refusedAt  time.Time
	refusedErr error
}

// adopt logs in with another client secret from now on; an empty one goes back to
// what rekey.yaml names.
func (s *session) adopt(b secret.Bundle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b[FieldClientSecret].Present() {
		if s.adopted != nil {
			s.adopted, s.token = nil, secret.Value{}
		}
		return
	}
	if s.adopted == nil || !s.adopted[FieldClientSecret].Equal(b[FieldClientSecret]) {
		s.adopted, s.token = b, secret.Value{}
	}
}

// own is what we log in with; ok is false where that is a ready token.
func (s *session) own(ctx context.Context) (id, key secret.Value, ok bool) {
	if len(s.conn.Token) > 0 {
		return id, key, false
	}
	id, _, err := s.env.Resolve(ctx, s.conn.ClientID)
	if err != nil {
		return id, key, false
	}
	key, _, err = s.env.Resolve(ctx, s.conn.ClientSecret)
	return id, key, err == nil
}

// sessionError gives an error of a session the class that it has for the request
// which was not sent.
func sessionError(vendor, op string, err error) error {
	if _, ok := cred.AsError(err); ok {
		return err
	}
	return &cred.Error{Vendor: vendor, Op: op, Class: cred.Unsent, Why: err.Error()}
}

// authorize puts the access token on a request, logging in first where there is
// none. It never renews: renewing a token whose life equals its maximum life,
// the default, deletes it (recorded: 03-token-renew-revoke.json).
func (s *session) authorize(ctx context.Context, req *http.Request) (string, error) {
	token, used, err := s.current(ctx)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	return used, nil
}

func (s *session) current(ctx context.Context) (secret.Value, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conn.Token) > 0 && s.adopted == nil {
		token, source, err := s.env.Resolve(ctx, s.conn.Token)
		if err != nil {
			return secret.Value{}, "", fmt.Errorf("token: %w", err)
		}
		s.said.add(token)
		return token, source.String(), nil
	}
	if s.token.Present() && s.env.Now().Before(s.until) {
		return s.token, s.used, nil
	}
	return s.login(ctx)
}

// login: POST /api/v1/auth/universal-auth/login (recorded: 01-login.json).
func (s *session) login(ctx context.Context) (secret.Value, string, error) {
	const op = "log in"
	id, key, used, err := s.with(ctx)
	if err != nil {
		return secret.Value{}, "", err
	}
	if s.refusedErr != nil && s.refusedKey.Equal(key) && s.env.Now().Sub(s.refusedAt) < retryAfter {
		return secret.Value{}, "", s.refusedErr
	}
	if err := s.brake(id, key, op); err != nil {
		return secret.Value{}, "", err
	}
	s.refusedErr = nil
	s.said.add(key)
	resp, err := s.api.Do(ctx, vendorhttp.Request{
		Op: op, Method: http.MethodPost, Reads: true, Path: "/api/v1/auth/universal-auth/login",
		Body: map[string]string{"clientId": id.Reveal(), "clientSecret": key.Reveal()},
	})
	if err != nil {
		// The request that wanted the token was not sent, so it changed nothing;
		// only the login itself is uncertain, and it changes nothing either.
		err = notSent(err, used)
		if e, ok := cred.AsError(err); ok && e.Class == cred.Denied && e.Status == http.StatusUnauthorized {
			s.refusedKey, s.refusedAt, s.refusedErr = key, s.env.Now(), err
			s.mark(id, key)
		}
		return secret.Value{}, "", err
	}
	var out struct {
		AccessToken secret.Value `json:"accessToken"`
		ExpiresIn   int64        `json:"expiresIn"`
	}
	if err := resp.Decode(&out); err != nil || !out.AccessToken.Present() {
		return secret.Value{}, "", &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Limited, Status: resp.Status, Why: "the login gave no access token"}
	}
	s.said.add(out.AccessToken)
	s.clear(id)
	s.token, s.key, s.used = out.AccessToken, key, used
	life := time.Duration(out.ExpiresIn) * time.Second
	if life <= 0 {
		life = untold
	}
	s.until = s.env.Now().Add(max(life-spare, life/2))
	return s.token, s.used, nil
}

// with is what to log in with, and where it came from.
func (s *session) with(ctx context.Context) (id, key secret.Value, used string, err error) {
	// The client id stays when a client secret is replaced.
	if id, _, err = s.env.Resolve(ctx, s.conn.ClientID); err != nil {
		return id, key, "", fmt.Errorf("client_id: %w", err)
	}
	if s.adopted != nil {
		return id, s.adopted[FieldClientSecret], "the new client secret itself", nil
	}
	key, source, err := s.env.Resolve(ctx, s.conn.ClientSecret)
	if err != nil {
		return id, key, "", fmt.Errorf("client_secret: %w", err)
	}
	return id, key, source.String(), nil
}

// loginClass: whatever happened to the login, the request behind it was not
// sent. An uncertain login is "later", not "may have happened".
func loginClass(err error) cred.Class {
	switch c := cred.ClassOf(err); c {
	case cred.Unknown:
		return cred.Limited
	case cred.Absent: // servers of 2024 answer 404 to an unknown client id
		return cred.Denied
	default:
		return c
	}
}

// notSent is the error of the request that was not sent because its login failed.
func notSent(err error, used string) error {
	e, ok := cred.AsError(err)
	if !ok {
		return err
	}
	out := *e
	out.Class, out.Maybe = loginClass(err), false
	if e.Code == "locked" {
		out.RetryAfter = max(e.RetryAfter, lockedPause)
	}
	out.Why = strings.TrimPrefix(e.Why+"; used "+used, "; ")
	return &out
}

// ended turns the refusal of an ended session into "later": the next attempt logs
// in again.
func (s *session) ended(err error, op string) error {
	if !s.expired(err) {
		return err
	}
	return &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Limited, Why: "the session had ended; the next attempt logs in again"}
}

// expired forgets the token if the server says that it has ended; it reports
// whether trying again can help.
func (s *session) expired(err error) bool {
	e, ok := cred.AsError(err)
	if !ok || e.Class != cred.Denied {
		return false
	}
	// 401 that is no validation failure, or 403 TokenError (docs/vendors/infisical.md).
	if e.Status != http.StatusUnauthorized && e.Code != "TokenError" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conn.Token) > 0 && s.adopted == nil {
		return false // there is nothing to log in with
	}
	had := s.token.Present()
	s.token = secret.Value{}
	if e.Code == revokedLogin {
		// Logging in with it again would be a failed login, and three lock the identity.
		s.refusedKey, s.refusedAt, s.refusedErr = s.key, s.env.Now(), err
		return false
	}
	return had
}
