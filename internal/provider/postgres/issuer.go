package postgres

import (
	"context"
	"slices"
	"strconv"
	"time"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// roles is what the kinds have in common.
type roles struct {
	*Server
	database string // where credentials log in
	sessions string
	end      string // what its end is called
	// scope lists the roles that may hold a generation; live tells which one does, and
	// what it is called.
	scope func(ctx context.Context, op string) ([]role, error)
	live  func(role) (cred.Handle, bool)
}

// List returns the roles in scope that may log in, or were switched off by Rekey.
func (i *roles) List(ctx context.Context) ([]cred.Handle, error) {
	found, err := i.scope(ctx, "list roles")
	if err != nil {
		return nil, err
	}
	out := []cred.Handle{}
	for _, r := range found {
		if h, ok := i.live(r); ok {
			out = append(out, h)
		}
	}
	return out, nil
}

// Find asks the catalog again: it is as good as the list, which is never late.
func (i *roles) Find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	_, now, err := i.get(ctx, "find role", h)
	return now, err
}

func (i *roles) get(ctx context.Context, op string, h cred.Handle) (role, cred.Handle, error) {
	found, err := i.scope(ctx, op)
	if err != nil {
		return role{}, cred.Handle{}, err
	}
	for _, r := range found {
		if now, ok := i.live(r); ok && now.ID == h.ID {
			return r, now, nil
		}
	}
	return role{}, cred.Handle{}, i.Absent(op, "credential "+h.ID)
}

// Owner goes by the name: a role has one password.
func (i *roles) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	u := b[logins.FieldUsername]
	if u.Equal(secret.New(i.User)) {
		return "", i.Refuse("find whose login is stored", "%s", i.Itself(i.User))
	}
	at := slices.IndexFunc(listed, func(h cred.Handle) bool { return u.Equal(secret.New(h.Public)) })
	if at < 0 {
		return "", nil
	}
	return listed[at].ID, nil
}

// Switch gives a role LOGIN or NOLOGIN; sessions that are open live on.
func (i *roles) Switch(ctx context.Context, h cred.Handle, on bool) (cred.Handle, error) {
	op, word := "switch role off", " NOLOGIN"
	if on {
		op, word = "switch role on", " LOGIN"
	}
	r, now, err := i.get(ctx, op, h)
	if err != nil || r.login == on {
		return now, err
	}
	// A role that has no stamp yet gets one, or it would be taken for idle when it is off.
	st := r.stamp
	if st.Name == "" {
		st.Name = r.name
	}
	if err := i.change(ctx, op, i.conn.Database, "ALTER ROLE "+ident(r.name)+word+stamped(r.name, r.comment, st)); err != nil {
		return cred.Handle{}, err
	}
	now.Disabled = !on
	return now, nil
}

// Users are the sessions of a role that are open now.
func (i *roles) Users(ctx context.Context, h cred.Handle) ([]provider.User, error) {
	rows, err := i.rows(ctx, "list sessions of role", `SELECT application_name, host(client_addr), count(*),
 (extract(epoch FROM min(backend_start)))::bigint, (extract(epoch FROM max(state_change)))::bigint
 FROM pg_stat_activity WHERE usename = $1 AND application_name IS DISTINCT FROM '`+application+`'
 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`, h.Public)
	if err != nil {
		return nil, err
	}
	out := make([]provider.User, len(rows))
	for n, x := range rows {
		out[n] = provider.User{Name: x[0], From: x[1], Since: seconds(x[3]), Last: seconds(x[4])}
		out[n].Count, _ = strconv.Atoi(x[2])
	}
	return out, nil
}

func seconds(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// part makes the sessions of a role end, as rekey.yaml says, before it is ended.
func (i *roles) part(ctx context.Context, op string, h cred.Handle) error {
	return i.Sessions(op, i.sessions, h.Public,
		func() ([]provider.User, error) { return i.Users(ctx, h) },
		func() error {
			return i.change(ctx, "terminate sessions of role", i.conn.Database, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = `+literal(h.Public))
		})
}

// passwordLength of letters and digits: 190 bits.
const passwordLength = 32

// bundle makes the secret of a role.
func (i *roles) bundle(username string) (secret.Bundle, error) {
	b, err := i.Bundle(username, passwordLength)
	if err == nil {
		b[logins.FieldDatabase] = secret.New(i.database)
	}
	return b, err
}

// clause gives a role the bundle's password.
func (s *Server) clause(b secret.Bundle) (string, error) {
	v, err := verifier(s.Env.Random, b[logins.FieldPassword])
	return " PASSWORD " + literal(v), err
}
