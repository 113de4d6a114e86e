// Package wire opens the vendors that a spec names and hands each to the runner in its role.
package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"rekey/internal/claims"
	"rekey/internal/provider"
	"rekey/internal/provider/all"
	"rekey/internal/provider/httpcheck"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
)

// Crew is everything that a run of one credential works with.
type Crew struct {
	Roles  runner.Roles
	Can    rotation.Capabilities
	opened []provider.Vendor
}

// Close closes every vendor.
func (c *Crew) Close(ctx context.Context) {
	for _, v := range c.opened {
		v.Close(ctx)
	}
}

// Open opens every vendor of the spec once, and asks each for its role.
func Open(spec sop.Spec, vendors map[string]sop.Vendor, env provider.Env) (*Crew, error) {
	o := opener{vendors: vendors, env: env, byName: map[string]provider.Vendor{}, crew: &Crew{}}
	return o.open(spec)
}

// OpenWith is Open with drivers of one's own: find returns one by its type.
func OpenWith(find func(name string) (provider.Descriptor, bool), spec sop.Spec, vendors map[string]sop.Vendor, env provider.Env) (*Crew, error) {
	o := opener{find: find, vendors: vendors, env: env, byName: map[string]provider.Vendor{}, crew: &Crew{}}
	return o.open(spec)
}

// open asks each vendor of the spec for its role.
func (o *opener) open(spec sop.Spec) (*Crew, error) {
	env, c := o.env, o.crew
	c.Roles.Consumers, c.Roles.Surveys = map[string]provider.Consumer{}, map[string]provider.Surveys{}
	c.Can.Calls, c.Can.Places = map[string]string{}, map[string]rotation.Keeping{}
	checks := &checker{http: httpcheck.New(env), env: env, asked: map[string]provider.Queries{}}
	c.Roles.Checker = checks

	if err := o.issuer(spec.Issuer, spec); err != nil {
		return nil, err
	}
	c.Roles.Further = map[string]provider.Store{}
	for i, place := range spec.Stores() {
		store, err := o.store(place)
		if err != nil {
			return nil, err
		}
		if i == 0 && c.Can.Places[place.Key].WriteOnly {
			return nil, fmt.Errorf("vendor %s cannot be the first store: it does not show what it holds, so nothing could be restored from there", place.Vendor)
		}
		if i == 0 {
			c.Roles.Store = store
		} else {
			c.Roles.Further[place.Key] = store
		}
	}
	for _, place := range spec.Consumers {
		v, err := o.vendor(place.Vendor)
		if err != nil {
			return nil, err
		}
		consumes, ok := v.(provider.Consumes)
		if !ok {
			return nil, fmt.Errorf("vendor %s cannot be a consumer", place.Vendor)
		}
		if c.Roles.Consumers[place.Key], err = consumes.Consumer(place.Settings); err != nil {
			return nil, err
		}
		if err := o.keeps(place, c.Roles.Consumers[place.Key]); err != nil {
			return nil, err
		}
		if place.At != "" {
			c.Roles.Consumers[place.Key] = located{c.Roles.Consumers[place.Key], place.At}
		}
		if s, ok := v.(provider.Surveys); ok {
			c.Roles.Surveys[place.Vendor] = s
		}
	}
	if err := o.questions(spec, checks); err != nil {
		return nil, err
	}
	if p, ok := c.Roles.Issuer.(provider.Peers); ok {
		p.Peers(maps.Clone(o.byName))
	}
	return c, nil
}

// store opens one store of the spec.
func (o *opener) store(place sop.Place) (provider.Store, error) {
	v, err := o.vendor(place.Vendor)
	if err != nil {
		return nil, err
	}
	stores, ok := v.(provider.Stores)
	if !ok {
		return nil, fmt.Errorf("vendor %s cannot be a store", place.Vendor)
	}
	s, err := stores.Store(place.Settings)
	if err != nil {
		return nil, err
	}
	return s, o.keeps(place, s)
}

// keeps notes how a store or a consumer holds values, and by which request it is
// written.
func (o *opener) keeps(p sop.Place, role any) error {
	c := o.crew
	if t, ok := role.(provider.Calls); ok {
		c.Can.Calls[p.Key] = t.Calls()["write"]
		c.Can.Calls["remove "+p.Key] = t.Calls()["remove"]
		c.Can.Calls["apply "+p.Key] = t.Calls()["apply"]
	}
	d, _ := o.driver(o.vendors[p.Vendor].Type)
	how, word := d.Holds, "consumer"
	if _, store := role.(provider.Store); store {
		how, word = d.Keeps, "store"
	}
	c.Can.Places[p.Key] = keeping(how)
	return claims.Holding(p.Vendor, word, how, role)
}

func keeping(h provider.Holding) rotation.Keeping {
	return rotation.Keeping{Applied: h.Applied, WriteOnly: h.WriteOnly, Piecewise: h.Piecewise, Cost: h.Cost}
}

type opener struct {
	find    func(name string) (provider.Descriptor, bool) // nil: those of the program
	vendors map[string]sop.Vendor
	env     provider.Env
	byName  map[string]provider.Vendor
	crew    *Crew
}

// driver finds a driver by its type.
func (o *opener) driver(name string) (provider.Descriptor, bool) {
	if o.find != nil {
		return o.find(name)
	}
	for _, v := range o.vendors {
		if v.Type == name && v.Described != nil {
			d, err := all.Outside(v.Described)
			return d, err == nil
		}
	}
	return all.Find(name)
}

// vendor opens a vendor once.
func (o *opener) vendor(name string) (provider.Vendor, error) {
	if v := o.byName[name]; v != nil {
		return v, nil
	}
	conf, ok := o.vendors[name]
	if !ok {
		return nil, fmt.Errorf("vendor %s is not in rekey.yaml", name)
	}
	d, ok := o.driver(conf.Type)
	if !ok && conf.Described != nil {
		_, err := all.Outside(conf.Described)
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	if !ok {
		return nil, fmt.Errorf("vendor %s: there is no vendor of type %s", name, conf.Type)
	}
	env := o.env
	env.At, env.Account = conf.At, o.account(name)
	v, err := d.Open(env, name, conf.Settings)
	if err != nil {
		return nil, err
	}
	if err := claims.Vendor(d, v); err != nil {
		return nil, err
	}
	o.byName[name] = v
	o.crew.opened = append(o.crew.opened, v)
	return v, nil
}

// account is the first of the names that rekey.yaml has for the connection of this one.
func (o *opener) account(name string) string {
	plain := func(v sop.Vendor) string {
		var settings any
		_ = json.Unmarshal(v.Settings, &settings) // what cannot be read was refused before
		text, _ := json.Marshal(settings)         // with its keys in order
		return v.Type + "\x00" + string(text)
	}
	for _, n := range slices.Sorted(maps.Keys(o.vendors)) {
		if plain(o.vendors[n]) == plain(o.vendors[name]) {
			return n
		}
	}
	return name
}

func (o *opener) issuer(spec sop.Issuer, of sop.Spec) error {
	v, err := o.vendor(spec.Vendor)
	if err != nil {
		return err
	}
	issues, ok := v.(provider.Issues)
	if !ok {
		return fmt.Errorf("vendor %s cannot be an issuer", spec.Vendor)
	}
	issuer, err := issues.Issuer(spec.Kind, spec.Settings)
	if err != nil {
		return err
	}
	c := o.crew
	c.Roles.Issuer = issuer
	c.Roles.Roller, _ = issuer.(provider.Roller)
	c.Roles.Switcher, _ = issuer.(provider.Switcher)
	c.Roles.Admitter, _ = issuer.(provider.Admitter)
	c.Roles.Prober, _ = issuer.(provider.Prober)
	if t, ok := issuer.(provider.Calls); ok {
		maps.Copy(c.Can.Calls, t.Calls())
	}
	d, _ := o.driver(o.vendors[spec.Vendor].Type)
	i := slices.IndexFunc(d.Issuers, func(s provider.Sheet) bool { return s.Kind == spec.Kind })
	if i < 0 {
		return fmt.Errorf("vendor %s: a mistake in Rekey: it issues a %s, and has no sheet of what that can do", spec.Vendor, spec.Kind)
	}
	sheet, calls, places := d.Issuers[i], c.Can.Calls, c.Can.Places
	if err := claims.Issuer(spec.Vendor, sheet, issuer); err != nil {
		return err
	}
	c.Can = capabilities(sheet)
	_, c.Can.Users = issuer.(provider.Users)
	c.Can.Calls, c.Can.Places = calls, places
	if c.Roles.Prober, err = o.probers(of, c.Roles.Prober); err != nil {
		return err
	}
	return proves(sheet, of)
}

// proves refuses a credential of which nothing would show whether it works.
// A rehearsal may be of one: its plan says that no protected address is rehearsed.
func proves(sheet provider.Sheet, of sop.Spec) error {
	vendor, validate := of.Issuer.Vendor, of.Validate
	if of.Purpose == sop.ToRehearse && len(validate) == 0 {
		return nil
	}
	itself := len(validate) == 0 || slices.ContainsFunc(validate, func(p sop.Probe) bool { return p.URL == sop.IssuerItself })
	switch {
	case itself && !sheet.Verifies:
		return fmt.Errorf("vendor %s does not tell by itself whether this works (%s): name under validate a protected place that it opens", vendor, sheet.Kind)
	case len(validate) == 0:
		return fmt.Errorf("this run has no place to prove that a %s works: the plan was made by an older version; make a new plan", sheet.Kind)
	}
	return nil
}
