package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

const (
	// abreast is how many places are read side by side: enough that an account of
	// hundreds of apps takes seconds, and few enough for a shared rate limit.
	abreast = 8
	// stale is how old a check for other holders may be that a rate limit or a lost
	// answer interrupted; after that it begins anew.
	stale = 5 * time.Minute
)

// listing is what the vendors list, once the calls were made.
type listing struct {
	calls  []func() error
	mu     sync.Mutex
	places []place
	blind  []rotation.Blind
}

// place is something of a vendor that is to be read.
type place struct {
	vendor string
	provider.Surveyed
}

// listing prepares one list of everything in the accounts of the consumers in
// which something runs.
func (r *Runner) listing(ctx context.Context, spec sop.Spec) *listing {
	l := &listing{}
	if !spec.Looks() {
		return l
	}
	for _, vendor := range slices.Sorted(maps.Keys(r.Roles.Surveys)) {
		l.ask(ctx, vendor, r.Roles.Surveys[vendor], true)
	}
	for _, c := range spec.Consumers {
		if r.Roles.Surveys[c.Vendor] == nil && !slices.ContainsFunc(l.blind, func(b rotation.Blind) bool { return b.Key == c.Vendor }) {
			l.blind = append(l.blind, rotation.Blind{Key: c.Vendor, Why: "it cannot list what there is"})
		}
	}
	return l
}

func (l *listing) ask(ctx context.Context, vendor string, s provider.Surveys, living bool) {
	l.calls = append(l.calls, func() error {
		found, err := s.Survey(ctx, living)
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, f := range found {
			l.places = append(l.places, place{vendor, f})
		}
		if hidden(err) {
			l.blind, err = append(l.blind, rotation.Blind{Key: vendor, Why: Problems(err)[0]}), nil
		}
		return err
	})
}

// hidden reports whether an answer says for certain that we may not look: that
// will not change by asking again.
func hidden(err error) bool {
	c := cred.ClassOf(err)
	return err != nil && c.NotApplied() && c != cred.Limited
}

// walk is a check for other holders under way. It keeps what was found and no value.
type walk struct {
	began  time.Time
	mu     sync.Mutex
	read   map[string]bool
	copies []rotation.Copy
	blind  []rotation.Blind
	before int       // so many of those read were read earlier, and have not changed since
	oldest time.Time // the first of these reads
}

func (w *walk) done(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.read[key]
}

// goOn reads what was not read yet, some at a time, and hands each to visit, which
// keeps no value. The error joins what may come out differently if asked again.
func (r *Runner) goOn(ctx context.Context, w *walk, places []place, visit func(vendor string, s provider.Spot)) error {
	var open []func() error
	for _, p := range places {
		if w.done(p.vendor + "\x00" + p.Key) {
			continue
		}
		open = append(open, func() error {
			spots, err := p.Read(ctx)
			w.mu.Lock()
			defer w.mu.Unlock()
			if hidden(err) {
				w.blind, err = append(w.blind, rotation.Blind{Key: p.Key, Why: Problems(err)[0]}), nil
			}
			if err != nil {
				return err
			}
			w.read[p.vendor+"\x00"+p.Key] = true
			for _, s := range spots {
				visit(p.vendor, s)
				if !s.Since.IsZero() {
					if w.before++; w.oldest.IsZero() || s.Since.Before(w.oldest) {
						w.oldest = s.Since
					}
				}
				if len(s.Hidden) > 0 {
					w.blind = append(w.blind, rotation.Blind{Key: s.Key, Why: "some of its values may not be read"})
				}
			}
			return nil
		})
	}
	var errs []error
	for len(open) > 0 {
		n := min(abreast, len(open))
		if err := r.Together(open[:n]...); err != nil {
			errs = append(errs, err)
			if outcomeOf("", err).Class == cred.Limited {
				break // the rest would be refused as well
			}
		}
		open = open[n:]
	}
	return errors.Join(errs...)
}

// walked looks for one credential everywhere in a listing. Interrupted, it goes on
// where it was.
func (r *Runner) walked(ctx context.Context, step string, l *listing, k *Seeker) (*walk, error) {
	w := r.walks[step]
	if now := r.Clock.Now(); w == nil || now.Sub(w.began) > stale {
		w = &walk{began: now, read: map[string]bool{}}
		if r.walks == nil {
			r.walks = map[string]*walk{}
		}
		r.walks[step] = w
	}
	err := r.goOn(ctx, w, l.places, func(vendor string, s provider.Spot) {
		if c, ok := k.In(vendor, s); ok && len(c.InUse()) > 0 {
			w.copies = append(w.copies, c)
		}
	})
	if err != nil {
		return nil, err
	}
	delete(r.walks, step)
	w.blind = append(w.blind, l.blind...)
	sort.Slice(w.copies, func(i, j int) bool { return w.copies[i].Key < w.copies[j].Key })
	sort.Slice(w.blind, func(i, j int) bool { return w.blind[i].Key < w.blind[j].Key })
	return w, nil
}

// survey checks whether anybody who is not registered holds the old generation now.
// What could not be seen is not "nobody", unless the plan has told it before.
func (r *Runner) survey(ctx context.Context, a rotation.Action) rotation.Outcome {
	plan := r.state.Plan
	b, err := r.oldBundle(ctx)
	if err != nil {
		return fromError(err)
	}
	l := r.listing(ctx, plan.Spec)
	if err := r.Together(l.calls...); err != nil {
		return fromError(err)
	}
	issuer := plan.Seen.Issuer
	issuer.Owner = plan.Old.ID
	k := r.seeker(plan.Spec, b, issuer, nil)
	found, err := r.walked(ctx, a.Step.ID, l, k)
	if err != nil {
		return fromError(err)
	}
	o := rotation.Outcome{Class: cred.Done, Copies: found.copies, Blind: found.blind}
	var why []error
	for _, c := range rotation.LosingAccess(found.copies, r.state.Despite()) {
		why = append(why, errors.New(c.Says()))
		o.Class = cred.Failed
	}
	for _, b := range found.blind {
		told := slices.ContainsFunc(plan.Seen.Blind, func(x rotation.Blind) bool { return x.Key == b.Key })
		if !told && !slices.Contains(r.state.Despite(), b.Key) {
			why = append(why, errors.New("whether "+b.Key+" holds it could not be seen: "+b.Why))
			if o.Class == cred.Done {
				o.Class = cred.Denied
			}
		}
	}
	if len(why) > 0 {
		o.Why = errors.Join(why...).Error()
		return o
	}
	o.Evidence = []string{nobodyElse(len(found.read), len(found.blind), len(found.copies))}
	if found.before > 0 {
		o.Evidence = append(o.Evidence, fmt.Sprintf("%d of them were read earlier, the first at %s UTC, and have not changed since by the dates that the vendor lists",
			found.before, found.oldest.UTC().Format(time.TimeOnly)))
	}
	if len(found.read) > 0 {
		o.Evidence = append(o.Evidence, k.Manner())
	}
	for _, c := range found.copies {
		o.Evidence = append(o.Evidence, "but "+c.Key+", which loses access, as --despite allows")
	}
	return o
}

// nobodyElse says what the check for other holders has shown: no more than it has read.
func nobodyElse(read, blind, holders int) string {
	others := "nobody else holds the old one"
	if holders > 0 {
		others = "nobody else but those named below holds the old one"
	}
	switch {
	case read == 0:
		return fmt.Sprintf(rotation.HoldersUnknown+": none of %d places could be read", blind)
	case blind > 0:
		return fmt.Sprintf("%s in the %d of %d places that could be read; of the others that is not known", others, read, read+blind)
	}
	return fmt.Sprintf("%s in the account (%d of %d places read)", others, read, read)
}
