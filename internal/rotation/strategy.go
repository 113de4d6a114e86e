package rotation

import (
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Strategies of an issuer. Each has its own point of no return and its own way
// back.
const (
	// Replace creates a second generation beside the first: create, swap, delete.
	Replace = "replace"
	// RollWithGrace gives the same handle a new secret; the one before works until
	// a clock runs out that knows nothing of proofs.
	RollWithGrace = "roll with grace"
	// RollAtOnce gives the same handle a new secret; the one before is dead at once.
	RollAtOnce = "roll at once"
)

// Codes of refused strategies.
const (
	NoStrategy   = "no-strategy"
	SelfRoll     = "self-roll"
	GraceRunning = "grace-running"
)

// choose picks the strategy: what rekey.yaml asks for, otherwise what overlaps
// and can be undone for longest.
func choose(spec sop.Spec, can Capabilities, old cred.Handle, self bool, now time.Time) (string, []Refusal) {
	refuse := func(code, then, what string, args ...any) (string, []Refusal) {
		return "", []Refusal{{Code: code, What: fmt.Sprintf(what, args...), Then: then}}
	}
	issuer := spec.Issuer.Vendor + " " + spec.Issuer.Kind
	switch spec.Issuer.Strategy {
	case "replace":
		if !can.Create {
			return refuse(NoStrategy, "leave strategy out, or say roll", "%s cannot make a second credential beside the first", issuer)
		}
		return Replace, nil
	case "roll":
		if can.Roll == "" {
			return refuse(NoStrategy, "leave strategy out, or say replace", "%s cannot be rolled in place", issuer)
		}
	default:
		if can.Create {
			return Replace, nil
		}
		if can.Roll == "" {
			return refuse(NoStrategy, "rotate it by hand", "%s can neither be replaced nor rolled", issuer)
		}
	}
	if self && can.Roll == RollAtOnce {
		return refuse(SelfRoll, "say replace: a second one is made and proven before this one ends",
			"%s is the credential with which Rekey reaches %s: the answer to a roll would be the only copy, and if it is lost, access is lost for good", old.Name, spec.Issuer.Vendor)
	}
	if can.Roll == RollWithGrace && old.Previous.After(now) {
		// A second roll inside a grace most likely drops the secret before the last,
		// which somebody may still use (docs/vendors/cloudflare.md).
		return refuse(GraceRunning, "wait, or rotate with strategy replace",
			"an earlier grace of %s runs until %s: rolling again would end a secret that may still be in use", old.Name, old.Previous.UTC().Format(time.RFC3339))
	}
	return can.Roll, nil
}
