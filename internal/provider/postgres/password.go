package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// PasswordSettings are the settings of one role whose password is replaced.
type PasswordSettings struct {
	// The role. It exists.
	Role string `json:"role" jsonschema:"required,minLength=1"`
	// Database in which a login is proven; it is also given as {database}. Default: that of the connection
	Database string `json:"database,omitempty"`
	// What becomes of sessions that are open when the role is locked in an emergency: refuse to lock it, terminate them, or leave them. Default: refuse
	Sessions string `json:"sessions,omitempty" jsonschema:"enum=refuse,enum=terminate,enum=leave"`
}

// inPlace gives one role a new password; the one before is dead at once, and sessions
// that are open live on.
type inPlace struct {
	roles
	logins.InPlace
	role string
}

func (s *Server) inPlace(settings json.RawMessage) (provider.Issuer, error) {
	var set PasswordSettings
	if err := json.Unmarshal(settings, &set); err != nil {
		return nil, err
	}
	if err := s.others(set.Role); err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	i := &inPlace{roles: s.target(KindPassword, set.Database, set.Sessions), role: set.Role}
	i.Refusal = i.Refuse("create", "there is one role, and its password is replaced in place")
	i.live = func(r role) (cred.Handle, bool) {
		h := r.handle()
		h.Version = r.stamp.Count
		return h, r.login || r.stamp.Name != ""
	}
	i.scope = func(ctx context.Context, op string) ([]role, error) {
		found, err := s.find(ctx, op, "pg_roles r WHERE r.rolname = $1", i.role)
		if err == nil && len(found) == 0 {
			err = s.Absent(op, "role "+i.role)
		}
		return found, err
	}
	return i, nil
}

// Calls tells the statements that change something.
func (i *inPlace) Calls() map[string]string {
	return map[string]string{"roll": `ALTER ROLE "{id}" PASSWORD …`, "disable": `ALTER ROLE "{id}" NOLOGIN`, "delete": `ALTER ROLE "{id}" NOLOGIN PASSWORD NULL`}
}

// Make needs nothing of the server.
func (i *inPlace) Make(string) (secret.Bundle, error) { return i.bundle(i.role) }

// Roll is Make and RollWith.
func (i *inPlace) Roll(ctx context.Context, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	return logins.Roll(ctx, i, h, keep)
}

// RollWith: a role has one password, so there is no grace.
func (i *inPlace) RollWith(ctx context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (cred.Handle, error) {
	const op = "roll password"
	if !keep.IsZero() {
		return cred.Handle{}, i.Refuse(op, "a role has one password: the one before ends at once")
	}
	r, now, err := i.get(ctx, op, h)
	if err != nil {
		return cred.Handle{}, err
	}
	if now.Version != h.Version {
		return cred.Handle{}, i.Changed(op, "the role has been given another password by Rekey since it was observed")
	}
	password, err := i.clause(b)
	if err != nil {
		return cred.Handle{}, i.Unsent(op, err)
	}
	st := stamp{Name: r.name, Made: i.now(), Count: r.stamp.Count + 1}
	if err := i.change(ctx, op, i.conn.Database, "ALTER ROLE "+ident(r.name)+password+stamped(r.name, r.comment, st)); err != nil {
		return cred.Handle{}, err
	}
	now.Version, now.Created = st.Count, st.Made
	return now, nil
}

// Keep has nothing to move: no password outlives the next one.
func (i *inPlace) Keep(ctx context.Context, h cred.Handle, _ time.Time) (cred.Handle, error) {
	return i.Find(ctx, h)
}

// Revoke locks the role. It stays.
func (i *inPlace) Revoke(ctx context.Context, h cred.Handle) error { return i.lock(ctx, h) }
