package wire

import (
	"context"
	"errors"
	"time"

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
		out.Where = l.at
		err = &out
	}
	return s, err
}

// Held asks the consumer for no more than that, where it can be asked so.
func (l located) Held(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	if h, ok := l.Consumer.(provider.Holder); ok {
		return h.Held(ctx, slots)
	}
	s, err := l.Snapshot(ctx, slots)
	return s.Slots, err
}

// Apply makes what the consumer holds take effect, where that is a step of its own.
func (l located) Apply(ctx context.Context, slots []string) error {
	if a, ok := l.Consumer.(provider.Applier); ok {
		return a.Apply(ctx, slots)
	}
	return &cred.Error{Op: "apply", Class: cred.Refused, Why: "it takes effect as it is written"}
}

// Ahead is the clock of the consumer's vendor, where that tells it.
func (l located) Ahead() (time.Duration, bool) {
	if c, ok := l.Consumer.(provider.Clocked); ok {
		return c.Ahead()
	}
	return 0, false
}
