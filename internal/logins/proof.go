package logins

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Right begins the detail of an answer that comes only after the password was taken.
const Right = "the password is correct, but "

// Works is what a login that was tried proves of its password. A server that asks for
// none proves nothing, and that is an error.
func (a *Admin) Works(op string, v cred.Verdict, detail string, err error) (bool, error) {
	switch {
	case err != nil:
		return false, err
	case v == cred.Unclear && strings.HasPrefix(detail, Right):
		return true, nil
	case v != cred.Accepted && v != cred.Rejected:
		return false, a.Refuse(op, "%s", detail)
	}
	return v == cred.Accepted, nil
}

// Elsewhere refuses to prove a login by anything but the server itself.
func (a *Admin) Elsewhere(op, server string, p sop.Probe) error {
	if p.URL == sop.IssuerItself {
		return nil
	}
	return a.Refuse(op, "a login is proven by %s itself and not sent anywhere else: leave validate out", server)
}

// Guard names no application.
func (a *Admin) Guard(context.Context, sop.Probe) (string, error) { return "", nil }

// Wrong is a login that does not exist: a real one could be locked by what counts failures.
func (a *Admin) Wrong() secret.Bundle {
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	return secret.Bundle{FieldUsername: secret.New("rekey_nobody_" + hex.EncodeToString(random[:4])), FieldPassword: secret.New(hex.EncodeToString(random))}
}

// Judge reads the rows that the query of a check gave: it is true where there is at least
// one value, and every one is yes.
func Judge(rows [][]string, yes string) (cred.Class, string) {
	values := 0
	for _, row := range rows {
		for _, v := range row {
			if values++; v != yes {
				return cred.Waiting, "the query did not give true"
			}
		}
	}
	if values == 0 {
		return cred.Waiting, "the query gave no row"
	}
	return cred.Done, fmt.Sprintf("the query gave true in %d values", values)
}

// Meaning is what a code of the server's means.
type Meaning struct {
	Class cred.Class
	Why   string
}

// Known is an answer whose code says what it means.
func (a *Admin) Known(code string, m Meaning) *cred.Error {
	e := &cred.Error{Class: m.Class, Code: code, Why: m.Why}
	if m.Class == cred.Denied || m.Class == cred.Absent {
		e.Where = a.where()
	}
	return e
}

// Ended is an answer that says that the session ends, and not what became of a statement.
func Ended() *cred.Error {
	return &cred.Error{Class: cred.Unknown, Why: "the server closed the session before it answered"}
}

// Cut is an error of the way there, of this class.
func (a *Admin) Cut(ctx context.Context, class cred.Class, err error) *cred.Error {
	return &cred.Error{Class: class, Why: vendorhttp.Reason(ctx, err, a.Address())}
}

// Told returns an error that says already what it means: one of ours, or that the way out
// is closed. Nil: the driver has to say it.
func Told(err error) error {
	if errors.Is(err, outside.ErrClosed) {
		return outside.ErrClosed
	}
	if _, ok := errors.AsType[*cred.Error](err); ok {
		return err
	}
	return nil
}
