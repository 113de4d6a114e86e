package mysql

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	my "github.com/go-sql-driver/mysql"

	"rekey/internal/cred"
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
	v, detail, err := i.try(ctx, op, b[FieldUsername].Reveal(), b[FieldPassword].Reveal())
	switch {
	case err != nil:
		return false, err
	case v == cred.Unclear && strings.HasPrefix(detail, right):
		return true, nil
	case v != cred.Accepted && v != cred.Rejected:
		return false, &cred.Error{Vendor: i.name, Op: op, Class: cred.Refused, Why: detail}
	}
	return v == cred.Accepted, nil
}

// Probe logs in, as a user that does not exist where there is no bundle.
func (i *accounts) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "log in"
	if p.URL != sop.IssuerItself {
		return cred.Unclear, "", i.refuse(op, "a login is proven by the server itself and sent nowhere else: leave validate out")
	}
	if len(b) > 0 {
		return i.try(ctx, op, b[FieldUsername].Reveal(), b[FieldPassword].Reveal())
	}
	v, detail, err := i.try(ctx, op, i.Wrong()[FieldUsername].Reveal(), "")
	if v == cred.Accepted {
		v, detail = cred.Open, "the server accepts anybody without a password: an anonymous user"
	}
	return v, detail, err
}

// right begins the detail of an answer that comes only after the password was taken.
const right = "the password is right, but "

// try logs in once and asks the session who it is.
func (i *accounts) try(ctx context.Context, op, user, password string) (v cred.Verdict, detail string, err error) {
	v = cred.Unclear
	err = i.env.Look(ctx, i.name, op, func(ctx context.Context) error {
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
		return cred.Unclear, right + "the user may not enter the database, or there is none"
	case 1203, 1226:
		return cred.Unclear, right + "all sessions that the user may have are taken"
	case 1820, 1862:
		return cred.Unclear, right + "it has expired"
	}
	return cred.Unclear, ""
}

// Guard names no application.
func (i *accounts) Guard(context.Context, sop.Probe) (string, error) { return "", nil }

// Wrong is a user that does not exist: a real one could be locked after some failures
// (FAILED_LOGIN_ATTEMPTS).
func (i *accounts) Wrong() secret.Bundle {
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	return secret.Bundle{FieldUsername: secret.New("rekey_nobody_" + hex.EncodeToString(random[:4])), FieldPassword: secret.New(hex.EncodeToString(random))}
}
