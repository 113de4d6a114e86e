package runner

import (
	"context"
	"maps"
	"slices"
	"sort"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Known is what is known of one credential before it is looked for elsewhere.
type Known struct {
	Issuer rotation.IssuerSeen // Live nil: the list could not be read
	Rules  rotation.AdmissionSeen
	Unseen []string
	seeker *Seeker
}

// Know looks at issuer, store and rules of one credential, read-only. What it
// cannot see it tells.
func (r *Runner) Know(ctx context.Context, spec sop.Spec, past []rotation.Generation) Known {
	var k Known
	aside := setAside(&k.Unseen)
	var stored map[string]provider.Held
	calls := []func() error{
		func() (err error) { k.Issuer.Live, err = r.Roles.Issuer.List(ctx); aside(err); return nil },
		func() (err error) {
			stored, err = r.Roles.Store.Read(ctx, spec.Store.SlotNames())
			aside(err)
			return nil
		},
	}
	if r.Roles.Admitter != nil {
		calls = append(calls, func() error {
			a, err := r.Roles.Admitter.Places(ctx)
			k.Rules = rotation.AdmissionSeen{Places: a.Places, Everyone: a.Everyone} // not copied: it is the same for all
			aside(err)
			return nil
		})
	}
	if self, ok := r.Roles.Issuer.(provider.Self); ok {
		calls = append(calls, func() (err error) { k.Issuer.Self, err = self.Self(ctx); aside(err); return nil })
	}
	_ = r.Together(calls...) // each has noted its own
	b := r.inUse(spec, stored)
	switch {
	case b == nil && stored != nil:
		k.Unseen = append(k.Unseen, spec.Store.Key+" holds no whole credential, so who else holds it cannot be told")
	case b != nil && k.Issuer.Live != nil:
		var err error
		k.Issuer.Owner, err = r.Roles.Issuer.Owner(ctx, b, k.Issuer.Live)
		aside(err)
	}
	if b == nil {
		b = secret.Bundle{} // what the journal remembers is looked for all the same
	}
	k.seeker = r.seeker(spec, b, k.Issuer, past)
	return k
}

// Found is who else holds what, by the place of the credential in the list.
type Found struct {
	Copies map[int][]rotation.Copy
	Blind  []rotation.Blind
	Places int // that were read
}

// patience is how often an interrupted look at an account goes on.
const patience = 6

// Everywhere reads every place of every account once, for all credentials, and
// keeps no value. What does not answer, after some patience, counts as not seen.
func (r *Runner) Everywhere(ctx context.Context, accounts map[string]provider.Surveys, all []Known) Found {
	out := Found{Copies: map[int][]rotation.Copy{}}
	l := &listing{}
	for _, vendor := range slices.Sorted(maps.Keys(accounts)) {
		one := &listing{}
		one.ask(ctx, vendor, accounts[vendor], false)
		err := r.again(ctx, func() error { return one.calls[0]() })
		l.places, l.blind = append(l.places, one.places...), append(l.blind, one.blind...)
		if err != nil {
			l.blind = append(l.blind, rotation.Blind{Key: vendor, Why: Problems(err)[0]})
		}
	}
	w := &walk{began: r.Clock.Now(), read: map[string]bool{}}
	seek := r.seekers(all)
	err := r.again(ctx, func() error {
		return r.goOn(ctx, w, l.places, func(vendor string, s provider.Spot) {
			for i, some := range seek.may(s) {
				if c, ok := all[i].seeker.In(vendor, some); ok {
					out.Copies[i] = append(out.Copies[i], c)
				}
			}
		})
	})
	for _, p := range l.places {
		told := slices.ContainsFunc(w.blind, func(b rotation.Blind) bool { return b.Key == p.Key })
		if err != nil && !told && !w.read[p.vendor+"\x00"+p.Key] {
			w.blind = append(w.blind, rotation.Blind{Key: p.Key, Why: Problems(err)[0]})
		}
	}
	for i := range out.Copies {
		sort.Slice(out.Copies[i], func(a, b int) bool { return out.Copies[i][a].Key < out.Copies[i][b].Key })
	}
	out.Blind, out.Places = append(l.blind, w.blind...), len(w.read)
	return out
}

// again repeats a look that a rate limit or a lost answer interrupted.
func (r *Runner) again(ctx context.Context, look func() error) error {
	var err error
	for n := range patience {
		if err = look(); err == nil || ctx.Err() != nil || n == patience-1 {
			break
		}
		pause := time.Second << n
		for _, e := range leaves(err) {
			pause = max(pause, cred.RetryAfter(e))
		}
		if r.Clock.Sleep(ctx, pause) != nil {
			break
		}
	}
	return err
}
