package kept

import (
	"context"
	"errors"
	"strings"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// PublicKeys are the public keys of a journal in a database.
type PublicKeys struct{ Journal *journal.Journal }

// Public reads them, oldest first.
func (p PublicKeys) Public(ctx context.Context) (evidence.Keys, error) {
	list, err := p.Journal.Keys(ctx)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return evidence.ParseKeys(strings.Join(list, "\n"))
}

// Publish adds one. own: it is of a key that this machine has in its folder, and only
// the first of all machines may bring one along unasked.
func (p PublicKeys) Publish(ctx context.Context, public string, own bool) error {
	err := p.Journal.AddKey(ctx, public, own)
	if errors.Is(err, journal.ErrOtherKey) {
		return errors.New("the signing key in this machine's folder is not one of the journal's: copy evidence.key from the machine that signs, name it under evidence.key, or hand over to this one: rekey checkpoint key --new")
	}
	return err
}
