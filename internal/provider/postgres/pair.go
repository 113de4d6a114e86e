package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// PairSettings are the settings of two roles that take turns.
type PairSettings struct {
	// The two roles. They exist, with the same rights; one of them may log in.
	Roles []string `json:"roles" jsonschema:"required,minItems=2,maxItems=2"`
	// Database in which a login is proven; it is also given as {database}. Default: that of the connection
	Database string `json:"database,omitempty"`
	// What becomes of sessions that are open when a role is locked: refuse to lock it, terminate them, or leave them. Default: refuse
	Sessions string `json:"sessions,omitempty" jsonschema:"enum=refuse,enum=terminate,enum=leave"`
}

// pair gives the idle one of two roles a new password. A generation is a role and the
// number of its password: app_b#3.
type pair struct {
	roles
	names []string

	idle string // as last listed
}

func (s *Server) pair(settings json.RawMessage) (provider.Issuer, error) {
	var set PairSettings
	if err := json.Unmarshal(settings, &set); err != nil {
		return nil, err
	}
	if len(set.Roles) != 2 || set.Roles[0] == set.Roles[1] {
		return nil, fmt.Errorf("roles: want two different roles")
	}
	if err := s.others(set.Roles...); err != nil {
		return nil, fmt.Errorf("roles: %w", err)
	}
	i := &pair{roles: s.target(KindPair, set.Database, set.Sessions), names: set.Roles}
	i.live = turn
	i.scope = func(ctx context.Context, op string) ([]role, error) {
		found, err := s.find(ctx, op, "pg_roles r WHERE r.rolname IN ($1, $2)", i.names...)
		if err == nil && len(found) < 2 {
			err = s.Absent(op, fmt.Sprintf("role %s or no role %s, and a pair is two", i.names[0], i.names[1]))
		}
		if err != nil {
			return nil, err
		}
		i.notice(found)
		return found, nil
	}
	return i, nil
}

// turn tells whether a generation lives in a role: one that may log in, or that was
// switched off and not ended.
func turn(r role) (cred.Handle, bool) {
	h := r.handle()
	if r.stamp.Count > 0 {
		h.ID = fmt.Sprintf("%s#%d", r.name, r.stamp.Count)
	}
	if r.stamp.Name != "" {
		h.Name = r.stamp.Name
	}
	return h, r.login || r.stamp.Name != ""
}

func (i *pair) notice(found []role) {
	idle := ""
	for _, r := range found {
		if _, live := turn(r); !live {
			idle = r.name
		}
	}
	i.mu.Lock()
	i.idle = idle
	i.mu.Unlock()
}

// Calls tells the statements that change something.
func (i *pair) Calls() map[string]string {
	return map[string]string{
		"create": "ALTER ROLE … LOGIN PASSWORD …, of the idle one", "disable": "ALTER ROLE {id} NOLOGIN", "delete": "ALTER ROLE {id} NOLOGIN PASSWORD NULL",
	}
}

// Make is for the role that was idle when the two were last listed.
func (i *pair) Make(string) (secret.Bundle, error) {
	i.mu.Lock()
	idle := i.idle
	i.mu.Unlock()
	if idle == "" {
		return nil, i.Refuse("find the idle role", "neither %s nor %s is known to be idle", i.names[0], i.names[1])
	}
	return i.bundle(idle)
}

// Create looks which one is idle, and gives it a password.
func (i *pair) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	if _, err := i.scope(ctx, "find the idle role"); err != nil {
		return cred.Handle{}, nil, err
	}
	return logins.Create(ctx, i, name)
}

// CreateWith changes nothing if the role has come into use meanwhile: then the first
// statement divides by zero, and the transaction ends.
func (i *pair) CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	const op = "give the idle role a password"
	found, err := i.scope(ctx, op)
	if err != nil {
		return cred.Handle{}, err
	}
	for _, r := range found {
		if !b[logins.FieldUsername].Equal(secret.New(r.name)) {
			continue
		}
		if _, live := turn(r); live {
			return cred.Handle{}, i.Changed(op, "role "+r.name+" is not idle any more")
		}
		password, err := i.clause(b)
		if err != nil {
			return cred.Handle{}, i.Unsent(op, err)
		}
		st := stamp{Name: name, Made: i.now(), Count: r.stamp.Count + 1}
		err = i.change(ctx, op, i.conn.Database,
			"SELECT 1 / CASE WHEN rolcanlogin THEN 0 ELSE 1 END FROM pg_roles WHERE rolname = "+literal(r.name)+
				"; ALTER ROLE "+ident(r.name)+" LOGIN"+password+stamped(r.name, r.comment, st))
		if err != nil {
			return cred.Handle{}, err
		}
		r.login, r.stamp, r.sessions = true, st, 0
		h, _ := turn(r)
		return h, nil
	}
	return cred.Handle{}, i.Refuse(op, "the bundle is of neither role")
}

// Revoke locks a role: it may log in no more and has no password, and is idle.
func (i *pair) Revoke(ctx context.Context, h cred.Handle) error { return i.lock(ctx, h) }

func (i *roles) lock(ctx context.Context, h cred.Handle) error {
	const op = "lock role"
	r, _, err := i.get(ctx, op, h)
	if err != nil {
		return err
	}
	if i.sessions != logins.SessionsTerminate {
		if err := i.part(ctx, op, h); err != nil {
			return err
		}
	}
	st := r.stamp
	st.Name = ""
	sql := "ALTER ROLE " + ident(r.name) + " NOLOGIN PASSWORD NULL" + stamped(r.name, r.comment, st)
	if err := i.change(ctx, op, i.conn.Database, sql); err != nil || i.sessions != logins.SessionsTerminate {
		return err
	}
	return i.part(ctx, op, h)
}
