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
	"rekey/internal/sop"
)

// LoginSettings are the settings of login roles in a group.
type LoginSettings struct {
	// Group role whose rights each login role gets.
	Group string `json:"group" jsonschema:"required,minLength=1"`
	// Database in which a login is proven; it is also given as {database}. Default: that of the connection
	Database string `json:"database,omitempty"`
	// What becomes of sessions that are open when a role is dropped: refuse to drop it, terminate them, or leave them. Default: refuse
	Sessions string `json:"sessions,omitempty" jsonschema:"enum=refuse,enum=terminate,enum=leave"`
	// What becomes of what the old role owns: refuse to start, or reassign it to the group. Default: refuse
	Owned string `json:"owned,omitempty" jsonschema:"enum=refuse,enum=reassign"`
	// Whether each session acts as the group from its beginning, so that what it makes belongs to the group. Default: false
	AsGroup bool `json:"as_group,omitempty"`
	// How many sessions a role may have at once. Default: any number
	ConnectionLimit int `json:"connection_limit,omitempty" jsonschema:"minimum=1"`
	// Life of the password of a new role: 180d. Default: it never ends
	ExpiresIn sop.Duration `json:"expires_in,omitempty" jsonschema:"format=rekey-positive"`
}

// login issues a new role in a group each time, named by us.
type login struct {
	roles
	settings LoginSettings
}

func (s *Server) login(settings json.RawMessage) (provider.Issuer, error) {
	i := &login{}
	if err := json.Unmarshal(settings, &i.settings); err != nil {
		return nil, err
	}
	if err := s.others(i.settings.Group); err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	i.roles = s.target(KindLogin, i.settings.Database, i.settings.Sessions)
	i.scope = func(ctx context.Context, op string) ([]role, error) {
		// The group itself is in the answer, so that no member is not taken for no group.
		found, err := s.find(ctx, op, `pg_roles r WHERE r.rolname = $1 OR r.rolname <> current_user
 AND r.oid IN (SELECT m.member FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = $1)`, i.settings.Group)
		for n, r := range found {
			if r.name == i.settings.Group {
				return append(found[:n:n], found[n+1:]...), nil
			}
		}
		if err == nil {
			err = s.Absent(op, "group role "+i.settings.Group)
		}
		return nil, err
	}
	i.live = func(r role) (cred.Handle, bool) { return r.handle(), r.login || r.stamp.Name != "" }
	return i, nil
}

// Calls tells the statements that change something.
func (i *login) Calls() map[string]string {
	return map[string]string{
		"create": "CREATE ROLE … LOGIN IN ROLE " + ident(i.settings.Group), "disable": `ALTER ROLE "{id}" NOLOGIN`, "delete": `DROP ROLE "{id}"`,
	}
}

// Make needs nothing of the server.
func (i *login) Make(name string) (secret.Bundle, error) {
	if err := fits(name); err != nil {
		return nil, i.Refuse("create role", "%v", err)
	}
	return i.bundle(name)
}

// Create is Make and CreateWith.
func (i *login) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	return logins.Create(ctx, i, name)
}

// CreateWith: role, membership, comment and settings are one transaction.
func (i *login) CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	const op = "create role"
	if err := fits(name); err != nil {
		return cred.Handle{}, i.Refuse(op, "%v", err)
	}
	password, err := i.clause(b)
	if err != nil {
		return cred.Handle{}, i.Unsent(op, err)
	}
	now := i.now()
	h := cred.Handle{ID: name, Public: name, Name: name, Created: now}
	sql := "CREATE ROLE " + ident(name) + " LOGIN" + password
	if i.settings.ConnectionLimit > 0 {
		sql += fmt.Sprintf(" CONNECTION LIMIT %d", i.settings.ConnectionLimit)
	}
	if i.settings.ExpiresIn != "" {
		h.Expires = now.Add(i.settings.ExpiresIn.Or(0))
		sql += " VALID UNTIL " + literal(h.Expires.Format(time.RFC3339))
	}
	sql += " IN ROLE " + ident(i.settings.Group) + stamped(name, "", stamp{Name: name, Made: now, Count: 1})
	if i.settings.AsGroup {
		sql += "; ALTER ROLE " + ident(name) + " SET role TO " + literal(i.settings.Group)
	}
	if err := i.change(ctx, op, i.conn.Database, sql); err != nil {
		return cred.Handle{}, err
	}
	return h, nil
}

// Revoke drops a role: first it may log in no more, then its sessions end, then what
// it owns is given to the group, then it goes. Each of them may be done again.
func (i *login) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "drop role"
	r, _, err := i.get(ctx, op, h)
	if err != nil {
		return err
	}
	if i.sessions == logins.SessionsTerminate && r.login {
		if _, err := i.Switch(ctx, h, false); err != nil {
			return err
		}
	}
	if err := i.part(ctx, op, h); err != nil {
		return err
	}
	here := ""
	if i.settings.Owned == ownedReassign {
		give := "REASSIGN OWNED BY " + ident(r.name) + " TO " + ident(i.settings.Group) + "; DROP OWNED BY " + ident(r.name)
		deps, err := i.dependent(ctx, r.name)
		if err != nil {
			return err
		}
		for _, d := range deps {
			if d.database != "" && d.database != i.conn.Database {
				if err := i.change(ctx, "reassign what the role owns in "+d.database, d.database, give); err != nil {
					return err
				}
			}
		}
		here = give + "; "
	}
	return i.change(ctx, op, i.conn.Database, here+"DROP ROLE "+ident(r.name))
}
