package runner

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// tryGates asks each protected place with the credential in use, once.
func (r *Runner) tryGates(ctx context.Context, spec sop.Spec, seen *rotation.Observation) {
	r.mu.Lock()
	b := r.old
	r.mu.Unlock()
	for _, h := range seen.Issuer.Live {
		if h.ID != seen.Issuer.Owner || h.Disabled || h.Expired(seen.Theirs()) || b == nil {
			continue
		}
		for i := range seen.Gates {
			verdict, detail, err := r.Roles.Prober.Probe(ctx, spec.Validate[i], b)
			if err != nil {
				detail = Problems(err)[0]
			}
			seen.Gates[i].InUse = verdict
			if verdict == cred.Unclear {
				seen.Advice = append(seen.Advice, fmt.Sprintf("whether %s lets the credential in use in from here could not be told: %s", seen.Gates[i].Title(), detail))
			}
		}
	}
}

// skew is from how much on the difference of two clocks is worth telling.
const skew = 5 * time.Second

// limits tells what the issuer's clock and its published limit mean for a run.
func (r *Runner) limits(spec sop.Spec, seen *rotation.Observation) {
	tell := func(format string, args ...any) { seen.Advice = append(seen.Advice, fmt.Sprintf(format, args...)) }
	if n := len(seen.Issuer.Live); r.Can.MaxLive > 0 && n >= r.Can.MaxLive {
		tell("%s lists %d live, and its published limit is %d: unless it allows you more, a new one is refused, and nothing is changed then; delete what nobody uses", spec.Issuer.Vendor, n, r.Can.MaxLive)
	}
	told := map[string]bool{}
	clock := func(vendor string, role any) {
		c, ok := role.(provider.Clocked)
		if !ok || told[vendor] {
			return
		}
		ahead, known := c.Ahead()
		if told[vendor] = known; known && ahead.Abs() > skew {
			word := "ahead of"
			if ahead < 0 {
				word = "behind"
			}
			tell("the clock of %s is %s %s ours; times that it tells are taken by its own clock. Is the clock here right?", vendor, ahead.Abs().Round(time.Second), word)
		}
	}
	clock(spec.Issuer.Vendor, r.Roles.Issuer)
	clock(spec.Store.Vendor, r.Roles.Store)
	for _, p := range spec.Consumers {
		clock(p.Vendor, r.Roles.Consumers[p.Key])
	}
}
