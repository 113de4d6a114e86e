package vault

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

const (
	// spare is how long before its end a token is not used any more.
	spare = 30 * time.Second
	// retryAfter is how long a login that was refused is not sent again: five within 15
	// minutes lock the role id for 15 minutes, for everybody who logs in with it
	// (developer.hashicorp.com/vault/docs/concepts/user-lockout; on since 1.13).
	retryAfter = 4 * time.Minute
)

// session holds the token that is logged in for, in memory only.
type session struct {
	env  provider.Env
	conn Connection
	api  *vendorhttp.Client // without a token

	mu      sync.Mutex
	token   secret.Value
	until   time.Time
	used    string
	adopted secret.Value // a run that replaces our own secret id goes on with the new one
}

// authorize puts a token on a request, logging in first where there is none.
func (s *session) authorize(ctx context.Context, r *http.Request) (string, error) {
	s.conn.address(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conn.Token) > 0 {
		token, source, err := s.env.Resolve(ctx, s.conn.Token)
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		r.Header.Set("X-Vault-Token", token.Reveal())
		return source.String(), nil
	}
	if !s.token.Present() || !s.env.Now().Before(s.until) {
		if err := s.login(ctx); err != nil {
			return "", err
		}
	}
	r.Header.Set("X-Vault-Token", s.token.Reveal())
	return s.used, nil
}

// login gets a token for ourselves. Whatever becomes of it, the request behind it was
// not sent, so it changed nothing.
func (s *session) login(ctx context.Context) error {
	const op = "log in"
	role, key, used, err := s.with(ctx)
	if err != nil {
		return err
	}
	mark := "vault login " + strings.TrimSuffix(s.conn.BaseURL, "/") + " " + s.conn.Namespace + " " + s.conn.LoginMount + " " + role.Reveal()
	if s.env.Marks != nil {
		if at, same := s.env.Marks.Marked(mark, key); same && len(at) > 0 && s.env.Now().Sub(at[len(at)-1]) < retryAfter {
			return &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Denied, Code: noLogin,
				Why: "role id or secret id is wrong: that was the answer a moment ago, and the same is not sent again within four minutes, since five refused logins lock the role for everybody; used " + used}
		}
	}
	auth, err := login(ctx, s.api, op, s.conn.LoginMount, role, key)
	if e, ok := cred.AsError(err); ok {
		out := *e
		out.Maybe, out.Why = false, strings.TrimPrefix(e.Why+"; used "+used, "; ")
		switch {
		case e.Class == cred.Unknown:
			out.Class = cred.Limited
		case e.Class == cred.Denied && s.env.Marks != nil:
			s.env.Marks.Mark(mark, key, s.env.Now())
		}
		return &out
	}
	if s.env.Marks != nil {
		s.env.Marks.Clear(mark)
	}
	s.token, s.used = auth.Token, used
	life := time.Duration(auth.Lease) * time.Second
	s.until = s.env.Now().Add(max(life-spare, life/2))
	return nil
}

// with is what to log in with, and where it came from.
func (s *session) with(ctx context.Context) (role, key secret.Value, used string, err error) {
	if role, _, err = s.env.Resolve(ctx, s.conn.RoleID); err != nil {
		return role, key, "", fmt.Errorf("role_id: %w", err)
	}
	if s.adopted.Present() {
		return role, s.adopted, "the new secret id itself", nil
	}
	key, source, err := s.env.Resolve(ctx, s.conn.SecretID)
	if err != nil {
		return role, key, "", fmt.Errorf("secret_id: %w", err)
	}
	return role, key, source.String(), nil
}

// close ends the token that was logged in for, or it would be kept to its end.
func (s *session) close(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Present() {
		_ = endToken(ctx, s.api, s.token)
		s.token = secret.Value{}
	}
}

// granted is what a login gives.
type granted struct {
	Token secret.Value `json:"client_token"`
	Lease int64        `json:"lease_duration"` // seconds
}

// login: POST /v1/auth/{mount}/login
// (developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle).
func login(ctx context.Context, api *vendorhttp.Client, op, mount string, role, key secret.Value) (granted, error) {
	resp, err := api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Reads: true, Path: "/v1/auth/" + mount + "/login",
		Body: map[string]string{"role_id": role.Reveal(), "secret_id": key.Reveal()}})
	if err != nil {
		return granted{}, err
	}
	var out struct {
		Auth granted `json:"auth"`
	}
	if err := resp.Decode(&out); err != nil {
		return granted{}, err
	}
	if !out.Auth.Token.Present() {
		return granted{}, resp.Nonsense("the login gave no token")
	}
	return out.Auth, nil
}

// endToken: POST /v1/auth/token/revoke-self. A batch token cannot be ended, and dies
// by itself.
func endToken(ctx context.Context, api *vendorhttp.Client, token secret.Value) error {
	_, err := api.Do(ctx, vendorhttp.Request{Op: "end a token of ours", Method: http.MethodPost, Reads: true,
		Path: "/v1/auth/token/revoke-self", Header: map[string]string{"X-Vault-Token": token.Reveal()}})
	return err
}
