package redis

import (
	"context"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// Unroll takes the password away that stands beside the one in b, if this process has
// added it: of another one nobody knows here whose it is (EndNamed is told).
func (i *inPlace) Unroll(ctx context.Context, h cred.Handle, b secret.Bundle) (now cred.Handle, err error) {
	const op = "take the new password away"
	stays := hash(b[FieldPassword])
	err = i.change(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, i.of)
		if err != nil {
			return notSent(err)
		}
		our := i.added()
		last := len(e.hashes) - 1
		switch {
		case h.ID != i.of:
			return i.absent(op, h.ID)
		case last == 0 && e.hashes[0] == stays:
		case last != 1 || e.hashes[0] != stays || e.hashes[1] != our:
			return i.refuse(op, "%s: somebody else has changed them since, and which of them is the new one is not known", several(e))
		default:
			err = c.set(e.name, "!"+e.hashes[1])
			e.hashes = e.hashes[:1]
		}
		now = shown(e)
		return err
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return now, nil
}

// EndNamed takes exactly this password away, by its hash, whatever stands beside it.
func (i *inPlace) EndNamed(ctx context.Context, h cred.Handle, goes, stays secret.Bundle) (now cred.Handle, err error) {
	const op = "take one password away"
	err = i.change(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, i.of)
		switch {
		case err != nil:
			return notSent(err)
		case h.ID != i.of:
			return i.absent(op, h.ID)
		case !e.has(stays[FieldPassword]):
			return i.refuse(op, "the password that everybody uses is none of user %s any more: somebody else has changed them since", e.name)
		case e.has(goes[FieldPassword]):
			gone := hash(goes[FieldPassword])
			err = c.set(e.name, "!"+gone)
			e.hashes = slices.DeleteFunc(slices.Clone(e.hashes), func(x string) bool { return x == gone })
		}
		now = shown(e)
		return err
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return now, nil
}
