package mysql

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// accounts is what the kinds have in common.
type accounts struct {
	*Server
	from     string // host part of the account
	database string // where credentials log in; "": none
	sessions string
	end      string // what its end is called
	only     string // the one user that is meant; "": all
	counts   bool   // how many passwords work is the version
}

// entry is one account as the server has it.
type entry struct {
	user, host string
	locked     bool
	kept       string
	passwords  int
	sessions   int
	now        time.Time
}

func (e entry) id() string { return e.user + "@" + e.host }

func (i *accounts) handle(e entry) cred.Handle {
	h := cred.Handle{ID: e.id(), Public: e.user, Name: e.user, Disabled: e.locked}
	if e.sessions > 0 {
		h.LastSeen = e.now
	}
	if i.counts {
		h.Version = e.passwords
	}
	return h
}

func (i *accounts) all(ctx context.Context, op string) ([]entry, error) {
	except := i.except()
	asked := i.Env.Now()
	var d dialect
	rows, err := i.rows(ctx, op, func(spoken dialect) string { d = spoken; return spoken.list(except) })
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, x := range rows {
		if i.only != "" && (x[0] != i.only || x[1] != i.from) {
			continue
		}
		e := entry{user: x[0], host: x[1], locked: x[2] == "1", kept: x[3]}
		if e.passwords, err = d.kept(e.kept); err != nil {
			return nil, i.Refuse(op, "%v", err)
		}
		e.sessions, _ = strconv.Atoi(x[4])
		sec, _ := strconv.ParseInt(x[5], 10, 64)
		e.now = time.Unix(sec, 0).UTC()
		out = append(out, e)
	}
	if len(out) > 0 {
		i.Tell(out[0].now, asked)
	}
	if i.only != "" && len(out) == 0 {
		return nil, i.Absent(op, "user "+i.only+"@"+i.from)
	}
	return out, nil
}

// List returns every user of the server but its own.
func (i *accounts) List(ctx context.Context) ([]cred.Handle, error) {
	found, err := i.all(ctx, "list users")
	if err != nil {
		return nil, err
	}
	out := []cred.Handle{}
	for _, e := range found {
		out = append(out, i.handle(e))
	}
	return out, nil
}

// Find asks the same table again, which is never late.
func (i *accounts) Find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	e, err := i.get(ctx, "find user", h)
	if err != nil {
		return cred.Handle{}, err
	}
	return i.handle(e), nil
}

func (i *accounts) get(ctx context.Context, op string, h cred.Handle) (entry, error) {
	found, err := i.all(ctx, op)
	if err != nil {
		return entry{}, err
	}
	at := slices.IndexFunc(found, func(e entry) bool { return e.id() == h.ID })
	if at < 0 {
		return entry{}, i.Absent(op, "user "+h.ID)
	}
	return found[at], nil
}

// Owner goes by the name, and by the host part that new ones get where several have it.
func (i *accounts) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	const op = "find whose login is stored"
	u := b[logins.FieldUsername]
	if u.Equal(secret.New(i.User)) {
		return "", i.Refuse(op, "%s", i.Itself(i.User))
	}
	var fit []string
	for _, h := range listed {
		if u.Present() && u.Equal(secret.New(h.Public)) {
			if h.ID == h.Public+"@"+i.from {
				return h.ID, nil
			}
			fit = append(fit, h.ID)
		}
	}
	switch len(fit) {
	case 0:
		return "", nil
	case 1:
		return fit[0], nil
	}
	return "", i.Refuse(op, "%s could be it: say in issuer.from which host part is meant", strings.Join(fit, " or "))
}

// Switch unlocks or locks a user; sessions that are open live on.
func (i *accounts) Switch(ctx context.Context, h cred.Handle, on bool) (cred.Handle, error) {
	op, word := "lock user", " ACCOUNT LOCK"
	if on {
		op, word = "unlock user", " ACCOUNT UNLOCK"
	}
	e, err := i.get(ctx, op, h)
	if err != nil {
		return cred.Handle{}, err
	}
	if e.locked == on {
		if err := i.change(ctx, op, func(dialect) []string { return []string{"ALTER USER " + account(e.user, e.host) + word} }); err != nil {
			return cred.Handle{}, err
		}
		e.locked = !on
	}
	return i.handle(e), nil
}

// Users are the sessions of a user that are open now, those aside in which Rekey tried
// a login.
func (i *accounts) Users(ctx context.Context, h cred.Handle) ([]provider.User, error) {
	except := i.except()
	rows, err := i.rows(ctx, "list sessions of user", func(dialect) string {
		return `SELECT SUBSTRING_INDEX(HOST, ':', 1), COUNT(*), UNIX_TIMESTAMP() - MIN(TIME) FROM information_schema.processlist WHERE USER = ` +
			literal(h.Public) + ` AND ID NOT IN (` + except + `) GROUP BY 1 ORDER BY 2 DESC, 1`
	})
	if err != nil {
		return nil, err
	}
	out := make([]provider.User, len(rows))
	for n, x := range rows {
		out[n].From = x[0]
		out[n].Count, _ = strconv.Atoi(x[1])
		if sec, err := strconv.ParseInt(x[2], 10, 64); err == nil {
			out[n].Last = time.Unix(sec, 0).UTC()
		}
	}
	return out, nil
}

// part makes the sessions of a user end, as rekey.yaml says.
func (i *accounts) part(ctx context.Context, op string, h cred.Handle) error {
	return i.Sessions(op, i.sessions, h.Public, func() ([]provider.User, error) { return i.Users(ctx, h) }, func() error { return i.kill(ctx, h) })
}

func (i *accounts) kill(ctx context.Context, h cred.Handle) error {
	rows, err := i.rows(ctx, "list sessions of user", func(dialect) string {
		return "SELECT ID FROM information_schema.processlist WHERE USER = " + literal(h.Public)
	})
	if err != nil {
		return err
	}
	for _, x := range rows {
		err := i.change(ctx, "end session of user", func(dialect) []string { return []string{"KILL CONNECTION " + x[0]} })
		if e, ok := errors.AsType[*cred.Error](err); err != nil && (!ok || e.Code != noThread) {
			return err
		}
	}
	return nil
}

// passwordLength of letters and digits: 190 bits.
const passwordLength = 32

// bundle makes the secret of a user.
func (i *accounts) bundle(username string) (secret.Bundle, error) {
	b, err := i.Bundle(username, passwordLength)
	if err == nil && i.database != "" {
		b[logins.FieldDatabase] = secret.New(i.database)
	}
	return b, err
}
