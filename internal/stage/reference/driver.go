package reference

import (
	"context"
	"encoding/json"
	"fmt"

	"rekey/internal/provider"
	"rekey/internal/secret"
)

// Folder are the settings of a store.
type Folder struct {
	Folder string `json:"folder"`
}

// App are the settings of a consumer.
type App struct {
	App string `json:"app"`
}

// driver finds the descriptors of the three, by type.
func (d *Double) driver(name string) (provider.Descriptor, bool) {
	desc := provider.Descriptor{Name: name, Title: name, Open: func(env provider.Env, _ string, _ json.RawMessage) (provider.Vendor, error) {
		switch v := (vendor{d, env}); {
		case name == issuerName:
			return issues{v}, nil
		case name == storeName:
			return stores{v, keeping{vendor: storeName, Piecewise: d.Piecewise, NoHistory: d.NoHistory, Foresees: d.Foresees, Stamps: d.Notes}}, nil
		case name == mirrorName:
			return stores{v, keeping{vendor: mirrorName, Piecewise: true, NoHistory: true, Hidden: d.MirrorHidden, Stamps: d.MirrorStamps, Applied: d.MirrorApplied}}, nil
		case d.Surveys:
			return surveys{consumes{v}}, nil
		case d.Queries:
			return queries{consumes{v}}, nil
		default:
			return consumes{v}, nil
		}
	}}
	switch name {
	case issuerName:
		desc.Issuers = []provider.Sheet{d.Sheet()}
	case storeName:
		desc.Store, desc.StoreID, desc.Keeps = &Folder{}, "folder", provider.Holding{Piecewise: d.Piecewise}
	case mirrorName:
		desc.Store, desc.StoreID, desc.Keeps = &Folder{}, "folder", provider.Holding{Piecewise: true, WriteOnly: d.MirrorHidden, Applied: d.MirrorApplied}
	case consumerName:
		desc.Consumer, desc.ConsumerID, desc.Holds = &App{}, []string{"app"}, provider.Holding{WriteOnly: d.Hidden, Applied: d.Applied}
		desc.Queries = d.Queries
	default:
		return desc, false
	}
	return desc, true
}

// vendor is each of the three, opened.
type vendor struct {
	*Double
	env provider.Env
}

// Close has nothing to end.
func (vendor) Close(context.Context) {}

// Each plays one role, as its descriptor says.
type (
	issues struct{ vendor }
	stores struct {
		vendor
		how keeping
	}
	consumes struct{ vendor }
)

// Issuer has exactly the roles that the sheet names.
func (v issues) Issuer(kind string, _ json.RawMessage) (provider.Issuer, error) {
	if kind != kindToken {
		return nil, fmt.Errorf("there is no kind %s", kind)
	}
	i := issuer{v.Double, v.env}
	h, s, a, f := has{v.Disable, v.Admits, v.Finds}, switcher{i}, admitter{i}, finder{i}
	switch {
	case v.Asked:
		return asked(v.Double, i, s, a, f), nil
	case v.Makes && v.Roll != "":
		return withRollMaking(rollMaker{roller{i}, maker{i}}, h, s, a, f), nil
	case v.Makes:
		return withMaking(maker{i}, h, s, a, f), nil
	case v.Roll != "":
		return withRolling(roller{i}, h, s, a, f), nil
	}
	return withPlain(i, h, s, a, f), nil
}

// Store returns the store.
func (v stores) Store(settings json.RawMessage) (provider.Store, error) {
	var s Folder
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	if s.Folder == "" {
		s.Folder = "folder"
	}
	if v.how.vendor == mirrorName {
		s.Folder = mirrorName + ":" + s.Folder
	}
	f := folder{v.Double, v.env, s.Folder, v.how}
	switch {
	case v.how.Foresees:
		return foreseeing{f}, nil
	case v.how.Applied:
		return appliedFolder{f}, nil
	}
	return f, nil
}

// Consumer returns the app.
func (v consumes) Consumer(json.RawMessage) (provider.Consumer, error) {
	a := app{v.Double, v.env}
	if v.Applied {
		return applied{a}, nil
	}
	return a, nil
}

// surveys can list who holds something.
type surveys struct{ consumes }

// Survey lists the app, and another one that holds nothing of ours.
func (s surveys) Survey(ctx context.Context, _ bool) ([]provider.Surveyed, error) {
	err := s.look(ctx, s.env, consumerName, "list apps", func() error { return nil })
	if err != nil {
		return nil, err
	}
	place := func(key string, slots map[string]secret.Value, ours bool) provider.Surveyed {
		return provider.Surveyed{Key: key, Read: func(ctx context.Context) ([]provider.Spot, error) {
			err := s.look(ctx, s.env, consumerName, "read app", func() error { return nil })
			if err != nil {
				return nil, err
			}
			return []provider.Spot{{Key: key, Settings: json.RawMessage(`{"app":"app"}`), Consumer: true, Is: func(json.RawMessage) bool { return ours }, Slots: slots}}, nil
		}}
	}
	held := map[string]secret.Value{}
	for k, v := range s.M.Vars {
		held[k] = secret.New(v.Value)
	}
	return []provider.Surveyed{place(consumerKey, held, true), place("consumer:another", map[string]secret.Value{"PORT": secret.New("8080")}, false)}, nil
}
