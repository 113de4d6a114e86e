package rotation

import (
	"time"

	"rekey/internal/sop"
)

// Due is when a credential has to be rotated, and why.
type Due struct {
	At  time.Time `json:"at,omitzero"` // zero: never, or not known
	Why string    `json:"why"`         // cadence, expiry, unknown, never
}

// DueAt tells when a credential is due: by its cadence since it was made, or by
// the issuer's own expiry, whichever is sooner (T48). The zero made means that
// the journal does not know.
func DueAt(spec sop.Spec, made, expires time.Time) Due {
	var d Due
	if spec.Cadence > 0 && !made.IsZero() {
		d = Due{At: made.Add(spec.Cadence), Why: "cadence"}
	}
	if spec.BeforeExpiry > 0 && !expires.IsZero() {
		if at := expires.Add(-spec.BeforeExpiry); d.At.IsZero() || at.Before(d.At) {
			d = Due{At: at, Why: "expiry"}
		}
	}
	switch {
	case !d.At.IsZero():
	case spec.Cadence == 0 && spec.BeforeExpiry == 0:
		d.Why = "never"
	default:
		d.Why = "unknown"
	}
	return d
}
