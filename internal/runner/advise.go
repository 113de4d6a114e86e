package runner

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Advise adds what is worth knowing besides: for people before a run, not for
// the run itself. What cannot be read is told as well. It also asks the protected
// addresses with the credential in use: one that they deny from here, although the
// vendor knows it, they deny for another reason, and a new one would be denied too.
func (r *Runner) Advise(ctx context.Context, spec sop.Spec, seen *rotation.Observation) {
	r.tryGates(ctx, spec, seen)
	r.remembered(ctx, spec, seen)
	r.limits(spec, seen)
	ask := func(role any, h cred.Handle) {
		adviser, ok := role.(provider.Adviser)
		if !ok {
			return
		}
		advice, err := adviser.Advise(ctx, h)
		if err != nil {
			advice = append(advice, "not everything worth knowing could be read: "+Problems(err)[0])
		}
		seen.Advice = append(seen.Advice, advice...)
	}
	ask(r.Roles.Store, cred.Handle{})
	for _, s := range spec.Further {
		ask(r.Roles.Further[s.Key], cred.Handle{})
	}
	for _, h := range seen.Issuer.Live {
		if h.ID == seen.Issuer.Owner {
			ask(r.Roles.Issuer, h)
			r.users(ctx, h, seen)
		}
	}
}

// remembered tells where the journal knows nothing of what is in use, although it knows of
// others before it: what it takes for the one in use may live on, with nobody to end it.
func (r *Runner) remembered(ctx context.Context, spec sop.Spec, seen *rotation.Observation) {
	if r.Past == nil || seen.Issuer.Owner == "" || seen.Issuer.Gone {
		return
	}
	past, err := r.Past(ctx)
	if err != nil {
		seen.Advice = append(seen.Advice, "what the journal knows of the credential in use could not be read: "+err.Error())
		return
	}
	named := func(id string) string {
		for _, h := range seen.Issuer.Live {
			if h.ID == id {
				return cmp.Or(h.Name, h.ID)
			}
		}
		return ""
	}
	older := ""
	for _, g := range past {
		if g.Handle.ID == seen.Issuer.Owner {
			return
		}
		if g.Ended.IsZero() && named(g.Handle.ID) != "" {
			older = named(g.Handle.ID)
		}
	}
	if len(past) == 0 {
		return
	}
	text := fmt.Sprintf("the journal knows nothing of %s, which is in use: either it was restored to an earlier state (a failover, a backup), or somebody else made the rotation", named(seen.Issuer.Owner))
	if older != "" {
		text += fmt.Sprintf(". %s, which was in use before, lives on: end it at %s once nobody holds it; no run does that any more", older, spec.Issuer.Vendor)
	}
	seen.Advice = append(seen.Advice, text)
}

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
			verdict, detail, err := r.verdict(ctx, spec.Validate[i], b)
			if err != nil {
				detail = Problems(err)[0]
			}
			seen.Gates[i].InUse = verdict
			if verdict == cred.Unclear {
				seen.Advice = append(seen.Advice, fmt.Sprintf("whether %s accepts the credential in use from here could not be told: %s", seen.Gates[i].Title(), detail))
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
	for _, s := range spec.Further {
		clock(s.Vendor, r.Roles.Further[s.Key])
	}
	for _, p := range spec.Consumers {
		clock(p.Vendor, r.Roles.Consumers[p.Key])
	}
}
