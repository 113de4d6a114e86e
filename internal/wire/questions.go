package wire

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/httpcheck"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// probers opens the vendors that make a check of their own, beside the issuer.
func (o *opener) probers(spec sop.Spec, issuer provider.Prober) (provider.Prober, error) {
	all := &prober{issuer: issuer, others: map[string]provider.Prober{}}
	for _, p := range spec.Validate {
		if p.Vendor == "" {
			continue
		}
		v, err := o.vendor(p.Vendor)
		if err != nil {
			return nil, err
		}
		issues, ok := v.(provider.Issues)
		if !ok {
			return nil, fmt.Errorf("vendor %s cannot be asked whether a credential works", p.Vendor)
		}
		asked, err := issues.Issuer(p.Kind, p.Settings)
		if err != nil {
			return nil, err
		}
		other, ok := asked.(provider.Prober)
		if !ok {
			return nil, fmt.Errorf("vendor %s cannot be asked whether a %s works", p.Vendor, p.Kind)
		}
		all.others[p.URL] = other
		if all.issuer == nil {
			all.issuer = other // its made-up bundle is as good
		}
	}
	switch {
	case all.issuer == nil:
		return nil, fmt.Errorf("vendor %s cannot prove that a %s works", spec.Issuer.Vendor, spec.Issuer.Kind)
	case len(all.others) == 0:
		return issuer, nil
	}
	return all, nil
}

// prober asks whoever an entry of validate names.
type prober struct {
	issuer provider.Prober
	others map[string]provider.Prober // by key of the probe
}

// of returns who is asked, and what: another vendor is asked for its own check.
func (p *prober) of(x sop.Probe) (provider.Prober, sop.Probe) {
	if other := p.others[x.URL]; other != nil {
		return other, sop.Probe{URL: sop.IssuerItself}
	}
	return p.issuer, x
}

// Probe asks once.
func (p *prober) Probe(ctx context.Context, x sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	who, what := p.of(x)
	return who.Probe(ctx, what, b)
}

// Guard tells which application protects an address.
func (p *prober) Guard(ctx context.Context, x sop.Probe) (string, error) {
	who, what := p.of(x)
	return who.Guard(ctx, what)
}

// Wrong is the issuer's made-up bundle.
func (p *prober) Wrong() secret.Bundle { return p.issuer.Wrong() }

// questions opens the vendors that are asked under verify.
func (o *opener) questions(spec sop.Spec, c *checker) error {
	for _, k := range spec.Verify {
		if k.Query == "" {
			continue
		}
		v, err := o.vendor(k.Vendor)
		if err != nil {
			return err
		}
		q, ok := v.(provider.Queries)
		if !ok {
			return fmt.Errorf("vendor %s answers no queries: check by an address or a command instead", k.Vendor)
		}
		c.asked[k.Vendor] = q
	}
	return nil
}

// checker runs checks of any kind.
type checker struct {
	http  *httpcheck.Checker
	env   provider.Env
	asked map[string]provider.Queries
}

// Check runs one check, once.
func (c *checker) Check(ctx context.Context, k sop.Check, since time.Time) (cred.Class, string, error) {
	return c.CheckWith(ctx, k, since, secret.Value{})
}

// CheckWith is Check with what a command reads.
func (c *checker) CheckWith(ctx context.Context, k sop.Check, since time.Time, stdin secret.Value) (cred.Class, string, error) {
	switch {
	case k.Query != "":
		return c.asked[k.Vendor].Query(ctx, k.Query)
	case len(k.Command) > 0:
		return httpcheck.Command(ctx, c.env, k, since, stdin)
	}
	return c.http.Check(ctx, k, since)
}

var (
	_ provider.Checker = (*checker)(nil)
	_ provider.Feeds   = (*checker)(nil)
	_ provider.Prober  = (*prober)(nil)
)
