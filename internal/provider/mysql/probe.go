package mysql

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	my "github.com/go-sql-driver/mysql"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// noThread: a session to be ended has ended by itself.
const noThread = "1094"

// remembered is how many sessions of ours are left out of lists: they end within a
// moment after they were closed.
const remembered = 50

// Works logs in.
func (i *accounts) Works(ctx context.Context, _ cred.Handle, b secret.Bundle) (bool, error) {
	const op = "try the login"
	v, detail, err := i.try(ctx, op, b[logins.FieldUsername].Reveal(), b[logins.FieldPassword].Reveal())
	return i.Server.Works(op, v, detail, err)
}

// Probe logs in, as a user that does not exist where there is no bundle.
func (i *accounts) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "log in"
	if err := i.Elsewhere(op, "the server", p); err != nil {
		return cred.Unclear, "", err
	}
	if len(b) > 0 {
		return i.try(ctx, op, b[logins.FieldUsername].Reveal(), b[logins.FieldPassword].Reveal())
	}
	v, detail, err := i.try(ctx, op, i.Wrong()[logins.FieldUsername].Reveal(), "")
	if v == cred.Accepted {
		v, detail = cred.Open, "the server accepts anybody without a password: an anonymous user"
	}
	return v, detail, err
}

// try logs in once and asks the session who it is.
func (i *accounts) try(ctx context.Context, op, user, password string) (v cred.Verdict, detail string, err error) {
	v = cred.Unclear
	err = i.Env.Look(ctx, i.Name, op, func(ctx context.Context) error {
		conn, err := i.connect(ctx, user, password, i.database)
		if err != nil {
			if v, detail = verdict(err); v == cred.Unclear && detail == "" {
				return i.unreached(ctx, err)
			}
			return nil
		}
		defer func() { _ = conn.Close() }()
		rows, err := conn.query(ctx, "SELECT CONNECTION_ID(), USER()")
		switch {
		case err != nil:
			return i.answer(ctx, err, false)
		case len(rows) == 1 && strings.HasPrefix(rows[0][1], user+"@"):
			i.note(rows[0][0])
			v, detail = cred.Accepted, "logged in"
		default:
			detail = "logged in as somebody else"
		}
		return nil
	})
	return v, detail, err
}

// note keeps the number of a session of ours.
func (s *Server) note(id string) {
	if _, err := strconv.ParseUint(id, 10, 64); err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ours = append(slices.Clone(s.ours[max(0, len(s.ours)-remembered+1):]), id)
}

// except are the sessions of ours, in SQL.
func (s *Server) except() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(append([]string{"CONNECTION_ID()"}, s.ours...), ", ")
}

// verdict reads why a login failed. A limit, a database and an expiry are looked at
// after the password.
func verdict(err error) (cred.Verdict, string) {
	m, ok := errors.AsType[*my.MySQLError](err)
	if !ok {
		return cred.Unclear, ""
	}
	switch m.Number {
	case 1045, 1130, 1698, 3118, 4151:
		return cred.Rejected, strconv.Itoa(int(m.Number)) + " by the server"
	case 1044, 1049:
		return cred.Unclear, logins.Right + "the user may not enter the database, or there is none"
	case 1203, 1226:
		return cred.Unclear, logins.Right + "all sessions that the user may have are taken"
	case 1820, 1862:
		return cred.Unclear, logins.Right + "it has expired"
	}
	return cred.Unclear, ""
}
