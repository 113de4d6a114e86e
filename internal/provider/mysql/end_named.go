package mysql

import (
	"context"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/secret"
)

// EndNamed ends exactly this password: it is ended only where both were seen to log in
// and are all that there are, so that none of somebody else's can be meant, whatever
// their order.
func (i *dual) EndNamed(ctx context.Context, h cred.Handle, goes, stays secret.Bundle) (cred.Handle, error) {
	const op = "end one password"
	switch works, err := i.Works(ctx, h, stays); {
	case err != nil:
		return cred.Handle{}, err
	case !works:
		return cred.Handle{}, i.Refuse(op, "the password that everybody uses does not work any more: somebody else has changed it since")
	}
	there, err := i.Works(ctx, h, goes)
	if err != nil {
		return cred.Handle{}, err
	}
	e, err := i.get(ctx, op, h)
	switch {
	case err != nil:
		return cred.Handle{}, err
	case !there || e.passwords < 2:
		return i.handle(e), nil // it has ended; what else there is is not ours
	case e.passwords > 2:
		return cred.Handle{}, i.Refuse(op, "%s", two(e))
	}
	var second error
	err = i.change(ctx, op, func(d dialect) []string {
		statements, err := d.only(account(e.user, e.host), stays[logins.FieldPassword], e.kept)
		second = err
		return statements
	})
	if second != nil { // it is the first of the two
		err = i.replace(ctx, op, func(d dialect) (string, error) { return d.alone(account(e.user, e.host), e.kept) })
	}
	if err != nil {
		return cred.Handle{}, err
	}
	e.passwords = 1
	return i.handle(e), nil
}
