// Package external is drivers that are programs of their own, rekey-driver-NAME, in any language: one JSON line in, one JSON line out.
//
// docs/driver-protocol.md has every message. A program is started for each operation,
// with an empty environment, a deadline and a bound on what it may print; it is the one
// whose SHA-256 rekey.yaml names. That it ended without an answer means nothing: what it
// was asked for may have happened.
package external

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// driver is one opened program.
type driver struct {
	env        provider.Env
	name       string // as in rekey.yaml
	d          Description
	program    string          // path
	sum        string          // SHA-256 of it, in hexadecimal
	connection map[string]any  // settings of the driver's own, as in rekey.yaml
	secrets    map[string]bool // which of them are secret
}

// own are the settings that are Rekey's and not the driver's.
var own = []string{"vendor", "command", "sha256", "described"}

// Descriptor makes the descriptor of a program from what it says of itself.
func Descriptor(d Description) provider.Descriptor {
	out := provider.Descriptor{
		Name: d.Name, Title: d.Title, Connection: &struct{}{}, Doc: d.Doc, Refers: provider.Reference{Form: d.Refers},
		Open: func(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
			return open(env, name, d, settings)
		},
	}
	for _, i := range d.Issuers {
		out.Issuers = append(out.Issuers, i.sheet())
	}
	if d.Store != nil {
		out.Store, out.StoreID, out.Keeps = &struct{}{}, d.Store.ID, d.Store.holding()
	}
	if d.Consumer != nil {
		out.Consumer, out.ConsumerID, out.Holds = &struct{}{}, []string{d.Consumer.ID}, d.Consumer.holding()
	}
	return out
}

func open(env provider.Env, name string, d Description, settings json.RawMessage) (provider.Vendor, error) {
	var all map[string]any
	if err := json.Unmarshal(settings, &all); err != nil {
		return nil, fmt.Errorf("vendor %s: settings: %w", name, err)
	}
	p := &driver{env: env, name: name, d: d, connection: map[string]any{}, secrets: d.Connection.secrets()}
	p.program, _ = all["command"].(string)
	p.sum, _ = all["sha256"].(string)
	if p.program == "" || len(p.sum) != 64 {
		return nil, fmt.Errorf("vendor %s: want command, the path of the driver, and sha256, the sum of it in 64 hexadecimal digits", name)
	}
	for k, v := range all {
		if !contains(own, k) {
			p.connection[k] = v
		}
	}
	return p.roles(), nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Close does nothing: no program goes on running.
func (*driver) Close(context.Context) {}

// roles returns the driver with the roles that it describes, and no others.
func (p *driver) roles() provider.Vendor {
	i, s, c, r := issues{p}, stores{p}, consumes{p}, refers{p}
	n := 0
	for bit, has := range []bool{len(p.d.Issuers) > 0, p.d.Store != nil, p.d.Consumer != nil, p.d.Refers != ""} {
		if has {
			n |= 1 << bit
		}
	}
	switch n {
	case 1:
		return struct {
			*driver
			issues
		}{p, i}
	case 2:
		return struct {
			*driver
			stores
		}{p, s}
	case 3:
		return struct {
			*driver
			issues
			stores
		}{p, i, s}
	case 4:
		return struct {
			*driver
			consumes
		}{p, c}
	case 5:
		return struct {
			*driver
			issues
			consumes
		}{p, i, c}
	case 6:
		return struct {
			*driver
			stores
			consumes
		}{p, s, c}
	case 7:
		return struct {
			*driver
			issues
			stores
			consumes
		}{p, i, s, c}
	case 9:
		return struct {
			*driver
			issues
			refers
		}{p, i, r}
	case 10:
		return struct {
			*driver
			stores
			refers
		}{p, s, r}
	case 11:
		return struct {
			*driver
			issues
			stores
			refers
		}{p, i, s, r}
	case 12:
		return struct {
			*driver
			consumes
			refers
		}{p, c, r}
	case 13:
		return struct {
			*driver
			issues
			consumes
			refers
		}{p, i, c, r}
	case 14:
		return struct {
			*driver
			stores
			consumes
			refers
		}{p, s, c, r}
	case 15:
		return struct {
			*driver
			issues
			stores
			consumes
			refers
		}{p, i, s, c, r}
	}
	return struct {
		*driver
		refers
	}{p, r}
}

type (
	issues   struct{ p *driver }
	stores   struct{ p *driver }
	consumes struct{ p *driver }
	refers   struct{ p *driver }
)

// Issuer returns the issuer of one kind of credential.
func (x issues) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	for _, i := range x.p.d.Issuers {
		if i.Kind == kind {
			s, err := x.p.settings(settings, i.Settings)
			if err != nil {
				return nil, err
			}
			return issuerOf(&issuer{p: x.p, i: i, settings: s}), nil
		}
	}
	return nil, fmt.Errorf("vendor %s issues no %s", x.p.name, kind)
}

// Store returns one store.
func (x stores) Store(settings json.RawMessage) (provider.Store, error) {
	s, err := x.p.settings(settings, x.p.d.Store.Settings)
	if err != nil {
		return nil, err
	}
	out := &store{p: x.p, settings: s}
	if x.p.d.Store.Applied {
		return struct {
			*store
			applies
		}{out, applies{x.p, "store", s}}, nil
	}
	return out, nil
}

// Consumer returns one consumer.
func (x consumes) Consumer(settings json.RawMessage) (provider.Consumer, error) {
	s, err := x.p.settings(settings, x.p.d.Consumer.Settings)
	if err != nil {
		return nil, err
	}
	out := &consumer{p: x.p, settings: s}
	if x.p.d.Consumer.Applied {
		return struct {
			*consumer
			applies
		}{out, applies{x.p, "consumer", s}}, nil
	}
	return out, nil
}

// Refer returns the value that a reference names.
func (x refers) Refer(ctx context.Context, rest string) (secret.Value, error) {
	var out struct{ Value Secret }
	err := x.p.look(ctx, request{Op: "refer", Rest: rest}, &out)
	return out.Value.Value, err
}

// settings are those of a role, with printable references filled in.
func (p *driver) settings(raw json.RawMessage, s Schema) (map[string]any, error) {
	out := map[string]any{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil, fmt.Errorf("vendor %s: settings: %w", p.name, err)
		}
	}
	for k, v := range out {
		if s.secrets()[k] {
			return nil, fmt.Errorf("vendor %s: %s: a secret belongs under vendors", p.name, k)
		}
		text, err := p.text(v)
		if err != nil {
			return nil, fmt.Errorf("vendor %s: %s: %w", p.name, k, err)
		}
		out[k] = text
	}
	return out, nil
}

// text fills in a setting that is written as env:NAME.
func (p *driver) text(v any) (any, error) {
	s, ok := v.(string)
	if !ok || !strings.HasPrefix(s, "env:") {
		return v, nil
	}
	return p.env.Text(sop.Text{s})
}
