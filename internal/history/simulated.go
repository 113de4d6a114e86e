package history

import (
	"context"
	"encoding/json"

	"rekey/internal/rotation"
)

// Simulated tells whether the journal's runs are simulated ones; known is false
// where it has no run yet. The first run decides for all: no other kind is taken
// after it.
func (b Book) Simulated(ctx context.Context) (simulated, known bool, err error) {
	e, found, err := b.J.First(ctx, string(rotation.KindOpened))
	if err != nil || !found {
		return false, false, err
	}
	var o struct{ Simulated bool }
	if err := json.Unmarshal(e.Body, &o); err != nil {
		return false, false, unread(e, err)
	}
	return o.Simulated, true, nil
}
