package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"rekey/internal/byhand"
	"rekey/internal/provider"
	"rekey/internal/provider/all"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Hands are the recipes of everybody in a spec, by what they are there.
type Hands struct {
	Issuer    byhand.Recipe
	Store     byhand.Recipe
	Further   map[string]byhand.Recipe // of the stores that follow it, by key
	Consumers map[string]byhand.Recipe // by key
	Can       rotation.Capabilities
}

// ByHand asks the vendors of a spec how their part is done by hand. Where a vendor has no
// recipe for the shell, a person does that part with its own tools. Of a vendor that is
// not known there is an error, beside the recipes of all the others. Nothing is opened,
// and no reference is looked up.
func ByHand(spec sop.Spec, vendors map[string]sop.Vendor) (Hands, error) {
	h := Hands{Further: map[string]byhand.Recipe{}, Consumers: map[string]byhand.Recipe{}}
	ask := func(name, place string, q byhand.Question) (byhand.Recipe, provider.Descriptor, error) {
		v, known := vendors[name]
		d, ok := all.Find(v.Type)
		if !known || !ok {
			return byhand.Recipe{}, d, fmt.Errorf("vendor %s is unknown", name)
		}
		q.Tool, q.Connection, q.Waits = byhand.Word(name), v.Settings, waits(spec)
		if d.ByHand == nil {
			return byhand.ByPerson(q, byhand.Done{Title: d.Title, Doc: d.Doc, Place: place, Fields: spec.Issuer.Fields}), d, nil
		}
		r, err := d.ByHand(q)
		if err != nil {
			err = fmt.Errorf("vendor %s: %w", name, err)
		}
		return r, d, err
	}
	var first error
	noted := func(err error) {
		if first == nil {
			first = err
		}
	}
	var d provider.Descriptor
	var err error
	h.Issuer, d, err = ask(spec.Issuer.Vendor, "", byhand.Question{Role: byhand.Issuer, Kind: spec.Issuer.Kind, Settings: spec.Issuer.Settings})
	noted(err)
	for _, sheet := range d.Issuers {
		if sheet.Kind == spec.Issuer.Kind {
			h.Can = capabilities(sheet)
		}
	}
	h.Can.Places = map[string]rotation.Keeping{}
	h.Store, d, err = ask(spec.Store.Vendor, spec.Store.Key, byhand.Question{Role: byhand.Store, Settings: spec.Store.Settings, Dir: byhand.StoreDir})
	noted(err)
	h.Can.Places[spec.Store.Key] = keeping(d.Keeps)
	for i, s := range spec.Further {
		h.Further[s.Key], d, err = ask(s.Vendor, s.Key, byhand.Question{Role: byhand.Store, Settings: s.Settings, Dir: byhand.FurtherDir(i)})
		noted(err)
		h.Can.Places[s.Key] = keeping(d.Keeps)
	}
	for i, c := range spec.Consumers {
		h.Consumers[c.Key], d, err = ask(c.Vendor, c.Key, byhand.Question{Role: byhand.Consumer, Settings: c.Settings, Dir: byhand.ConsumerDir(i)})
		noted(err)
		h.Can.Places[c.Key] = keeping(d.Holds)
	}
	return h, first
}

func capabilities(s provider.Sheet) rotation.Capabilities {
	return rotation.Capabilities{MaxLive: s.MaxLive, Public: s.Public, LastSeen: s.LastSeen, Create: s.Create, Roll: s.Roll, Disable: s.Disable, Admits: s.Admits,
		Nameless: !s.Label, OwnScope: s.OwnScope, Lingers: s.Lingers, End: s.End}
}

// waits are the spec's, in seconds.
func waits(spec sop.Spec) map[string]string {
	b, _ := json.Marshal(spec.Timing)
	var named map[string]time.Duration
	_ = json.Unmarshal(b, &named)
	named["grace"] = spec.Issuer.Grace
	out := map[string]string{}
	for k, d := range named {
		out[k] = strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	}
	return out
}
