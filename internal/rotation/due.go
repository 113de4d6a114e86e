package rotation

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"rekey/internal/sop"
)

// Due is when a credential has to be rotated, and why.
type Due struct {
	At  time.Time `json:"at,omitzero"` // zero: never, or not known
	Why string    `json:"why"`         // cadence, expiry, incident, unknown, never
	// Start is the first moment from At on at which a run may start. Where no window leaves
	// the time that one takes it is At, for a person: a schedule keeps to windows, and warns.
	Start time.Time `json:"start,omitzero"`
}

// DueAt tells when a credential is due: by its cadence since it was made, less its
// jitter, or by the issuer's own expiry, whichever is sooner (T48). The zero made
// means that the journal does not know.
func DueAt(spec sop.Spec, made, expires time.Time) Due {
	var d Due
	if spec.Cadence > 0 && !made.IsZero() {
		d = Due{At: made.Add(spec.Cadence - Draw(spec.Name, spec.Jitter)), Why: "cadence"}
	}
	if spec.BeforeExpiry > 0 && !expires.IsZero() {
		if at := expires.Add(-spec.BeforeExpiry); d.At.IsZero() || at.Before(d.At) {
			d = Due{At: at, Why: "expiry"}
		}
	}
	switch {
	case !d.At.IsZero():
		var fits bool
		if d.Start, fits = Opens(spec, d.At, expires); !fits {
			d.Start = d.At // better outside of a window than too late
		}
	case spec.Cadence == 0 && spec.BeforeExpiry == 0:
		d.Why = "never"
	default:
		d.Why = "unknown"
	}
	return d
}

// Opens is when the first window opens from a moment on, the zero time for none within three
// weeks; fits: a run that starts then is over before the credential expires. It always
// fits where it does not expire.
func Opens(spec sop.Spec, from, expires time.Time) (opens time.Time, fits bool) {
	opens = sop.NextOpen(spec.Windows, from)
	return opens, expires.IsZero() || !opens.IsZero() && !opens.Add(Room(spec)).After(expires)
}

// Room is how long before the expiry a run has to start so that it is over by then: as
// long as its waits may take, and an hour for whatever has to be done once more.
func Room(spec sop.Spec) time.Duration {
	t := spec.Timing
	return time.Hour + t.Validate + t.Settle + t.Verify + t.Quiet + t.Watch + t.Soak + t.Confirm
}

// Draw is a part of a length of time, the same for a name every time, and spread
// evenly over names.
func Draw(name string, upTo time.Duration) time.Duration {
	h := sha256.Sum256([]byte(name))
	return time.Duration(float64(upTo) * (float64(binary.BigEndian.Uint64(h[:])>>11) / (1 << 53)))
}
