package redis

import (
	"context"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// Unroll takes the password away that stands beside the one in b.
func (i *inPlace) Unroll(ctx context.Context, h cred.Handle, b secret.Bundle) (now cred.Handle, err error) {
	const op = "take the new password away"
	stays := hash(b[FieldPassword])
	err = i.change(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, i.of)
		if err != nil {
			return notSent(err)
		}
		i.mu.Lock()
		our := i.our
		i.mu.Unlock()
		last := len(e.hashes) - 1
		switch {
		case h.ID != i.of:
			return i.absent(op, h.ID)
		case last == 0 && e.hashes[0] == stays:
		case last != 1 || e.hashes[0] != stays || our != "" && e.hashes[1] != our:
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
