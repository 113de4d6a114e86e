package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Works logs in.
func (i *roles) Works(ctx context.Context, _ cred.Handle, b secret.Bundle) (bool, error) {
	const op = "try the login"
	v, detail, err := i.try(ctx, op, b[logins.FieldUsername].Reveal(), b[logins.FieldPassword].Reveal())
	return i.Server.Works(op, v, detail, err)
}

// Probe logs in, as a role that does not exist where there is no bundle: what a server
// says to that tells whether it asks for a password at all.
func (i *roles) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "log in"
	if err := i.Elsewhere(op, "PostgreSQL", p); err != nil {
		return cred.Unclear, "", err
	}
	if len(b) == 0 {
		b = i.Wrong()
		b[logins.FieldPassword] = secret.Value{}
	}
	return i.try(ctx, op, b[logins.FieldUsername].Reveal(), b[logins.FieldPassword].Reveal())
}

// try logs in once and asks the session who it is.
func (i *roles) try(ctx context.Context, op, user, password string) (v cred.Verdict, detail string, err error) {
	v = cred.Unclear
	err = i.Env.Look(ctx, i.Name, op, func(ctx context.Context) error {
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
		return cred.Unclear, logins.Right + "the role may not enter the database, or there is none"
	case p.Code == "53300" && p.Routine == "InitializeSessionUserId":
		return cred.Unclear, logins.Right + "all sessions that the role may have are taken"
	case p.Code == "53300" && p.Routine == "CheckMyDatabase":
		return cred.Unclear, logins.Right + "all sessions that the database may have are taken"
	}
	return cred.Unclear, ""
}
