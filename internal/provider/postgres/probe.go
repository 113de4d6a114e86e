package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Works logs in.
func (i *roles) Works(ctx context.Context, _ cred.Handle, b secret.Bundle) (bool, error) {
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

// Probe logs in, as a role that does not exist where there is no bundle: what a server
// says to that tells whether it asks for a password at all.
func (i *roles) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "log in"
	if p.URL != sop.IssuerItself {
		return cred.Unclear, "", i.refuse(op, "a login is proven by PostgreSQL itself and sent nowhere else: leave validate out")
	}
	if len(b) == 0 {
		b = i.Wrong()
		b[FieldPassword] = secret.Value{}
	}
	return i.try(ctx, op, b[FieldUsername].Reveal(), b[FieldPassword].Reveal())
}

// right begins the detail of an answer that comes only after the password was taken.
const right = "the password is right, but "

// try logs in once and asks the session who it is.
func (i *roles) try(ctx context.Context, op, user, password string) (v cred.Verdict, detail string, err error) {
	v = cred.Unclear
	err = i.env.Look(ctx, i.name, op, func(ctx context.Context) error {
		conn, err := i.connect(ctx, user, password, i.database, true)
		if err != nil {
			if v, detail = verdict(err); v == cred.Unclear && detail == "" {
				return i.unreached(ctx, err)
			}
			return nil
		}
		defer func() { _ = conn.Close(ctx) }()
		got := conn.ExecParams(ctx, "SELECT session_user", nil, nil, nil, nil).Read()
		switch {
		case got.Err != nil:
			return i.answer(ctx, got.Err)
		case len(got.Rows) == 1 && string(got.Rows[0][0]) == user:
			v, detail = cred.Accepted, "logged in to "+i.database
		default:
			detail = "logged in as somebody else"
		}
		return nil
	})
	return v, detail, err
}

// verdict reads why a login failed. The class of 28 is the server's own no; a limit, a
// database and the right to enter it are looked at after the password.
func verdict(err error) (cred.Verdict, string) {
	if asksNothing(err) {
		return cred.Open, "the server asks for no password (pg_hba.conf)"
	}
	p, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return cred.Unclear, ""
	case strings.HasPrefix(p.Code, "28"):
		return cred.Rejected, p.Code + " by PostgreSQL"
	case p.Code == "3D000", p.Code == "42501":
		return cred.Unclear, right + "the role may not enter the database, or there is none"
	case p.Code == "53300" && p.Routine == "InitializeSessionUserId":
		return cred.Unclear, right + "all sessions that the role may have are taken"
	case p.Code == "53300" && p.Routine == "CheckMyDatabase":
		return cred.Unclear, right + "all sessions that the database may have are taken"
	}
	return cred.Unclear, ""
}

// Guard names no application.
func (i *roles) Guard(context.Context, sop.Probe) (string, error) { return "", nil }

// Wrong is a role that does not exist: a real one could be locked by an extension that
// counts failures.
func (i *roles) Wrong() secret.Bundle {
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	return secret.Bundle{FieldUsername: secret.New("rekey_nobody_" + hex.EncodeToString(random[:4])), FieldPassword: secret.New(hex.EncodeToString(random))}
}
