package wire

import (
	"context"
	"errors"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// located is a consumer that says, where there is no such thing at its vendor, at
// which line of which file it is named.
type located struct {
	provider.Consumer
	at string // rekey.yaml:12
}

func (l located) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	s, err := l.Consumer.Snapshot(ctx, slots)
	if e, ok := errors.AsType[*cred.Error](err); ok && e.Class == cred.Absent {
		out := *e
		out.Why += " (" + l.at + ")"
		err = &out
	}
	return s, err
}
