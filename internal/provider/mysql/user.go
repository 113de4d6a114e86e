package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// UserSettings are the settings of users with a role.
type UserSettings struct {
	// Role whose rights each user gets, active from its login on.
	Role string `json:"role" jsonschema:"required,minLength=1"`
	// Host part of the users, from where they may log in. Default: %
	From string `json:"from,omitempty"`
	// Database in which a login is proven; it is also given as {database}. Default: none
	Database string `json:"database,omitempty"`
	// What becomes of sessions that are open when a user is dropped: refuse to drop it, terminate them, or leave them. Default: refuse
	Sessions string `json:"sessions,omitempty" jsonschema:"enum=refuse,enum=terminate,enum=leave"`
	// How many sessions a user may have at once. Default: any number
	MaxUserConnections int `json:"max_user_connections,omitempty" jsonschema:"minimum=1"`
}

// user issues a new user each time, named by us.
type user struct {
	accounts
	settings UserSettings
}

func (s *Server) users(settings json.RawMessage) (provider.Issuer, error) {
	i := &user{}
	if err := json.Unmarshal(settings, &i.settings); err != nil {
		return nil, err
	}
	if err := fits(i.settings.Role); err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	i.accounts = s.target(i.settings.From, i.settings.Database, i.settings.Sessions, "dropped")
	return i, nil
}

// Calls tells the statements that change something.
func (i *user) Calls() map[string]string {
	return map[string]string{
		"create": "CREATE USER …; GRANT " + ident(i.settings.Role) + " TO …", "disable": "ALTER USER {id} ACCOUNT LOCK", "delete": "DROP USER {id}",
	}
}

// Make needs nothing of the server.
func (i *user) Make(name string) (secret.Bundle, error) {
	if err := fits(name); err != nil {
		return nil, i.Refuse("create user", "%v", err)
	}
	return i.bundle(name)
}

// Create is Make and CreateWith.
func (i *user) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	return logins.Create(ctx, i, name)
}

// CreateWith makes a user that is locked, gives it the role, and unlocks it last: one
// that works is whole, and one that was begun is found by its name.
func (i *user) CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	const op = "create user"
	if err := fits(name); err != nil {
		return cred.Handle{}, i.Refuse(op, "%v", err)
	}
	who := account(name, i.from)
	err := i.change(ctx, op, func(d dialect) []string {
		limit := ""
		if n := i.settings.MaxUserConnections; n > 0 {
			limit = fmt.Sprintf(" WITH MAX_USER_CONNECTIONS %d", n)
		}
		return []string{
			"CREATE USER " + who + " " + d.identified(b[logins.FieldPassword]) + limit + " ACCOUNT LOCK",
			"GRANT " + ident(i.settings.Role) + " TO " + who,
			d.defaults(i.settings.Role, who),
			"ALTER USER " + who + " ACCOUNT UNLOCK",
		}
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return i.handle(entry{user: name, host: i.from}), nil
}

// Revoke drops a user: first it is locked where its sessions are to end, then they end,
// then it goes. Each of them may be done again.
func (i *user) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "drop user"
	e, err := i.get(ctx, op, h)
	if err != nil {
		return err
	}
	if i.sessions == logins.SessionsTerminate && !e.locked {
		if _, err := i.Switch(ctx, h, false); err != nil {
			return err
		}
	}
	if err := i.part(ctx, op, h); err != nil {
		return err
	}
	return i.change(ctx, op, func(dialect) []string { return []string{"DROP USER " + account(e.user, e.host)} })
}

// ForeseeEnd tells what stands against dropping it, and what the next one would lack.
func (i *user) ForeseeEnd(ctx context.Context, old cred.Handle) (provider.Foreseen, error) {
	const op = "foresee the end of user"
	f, err := i.foresee(ctx, old)
	if err != nil {
		return f, err
	}
	e, err := i.get(ctx, op, old)
	if err != nil {
		return f, err
	}
	rows, err := i.rows(ctx, op, func(dialect) string { return "SHOW GRANTS FOR " + account(e.user, e.host) })
	if err != nil {
		return f, err
	}
	for _, x := range rows {
		if g := x[0]; !strings.HasPrefix(g, "GRANT USAGE ON *.* ") && !strings.HasPrefix(g, "GRANT "+ident(i.settings.Role)+" TO ") && !strings.HasPrefix(g, "GRANT "+ident(i.settings.Role)+"@") && !strings.HasPrefix(g, "SET DEFAULT ROLE ") {
			f.Refused = append(f.Refused, fmt.Sprintf("%s has rights of its own, which the new one would lack: give them to role %s instead, then take them from it", old.ID, i.settings.Role))
			break
		}
	}
	definer := literal(e.user + "@" + e.host)
	rows, err = i.rows(ctx, op, func(dialect) string {
		return `SELECT (SELECT COUNT(*) FROM information_schema.views WHERE DEFINER = ` + definer + `) + (SELECT COUNT(*) FROM information_schema.routines WHERE DEFINER = ` + definer +
			`) + (SELECT COUNT(*) FROM information_schema.triggers WHERE DEFINER = ` + definer + `) + (SELECT COUNT(*) FROM information_schema.events WHERE DEFINER = ` + definer + `)`
	})
	if err == nil && len(rows) == 1 && rows[0][0] != "0" {
		f.Refused = append(f.Refused, fmt.Sprintf("%s is the definer of %s views, routines, triggers or events, which would fail without it: define them anew as somebody who stays", old.ID, rows[0][0]))
	}
	return f, err
}
