// Package reference is an issuer, a store and a consumer in memory of which every capability can be switched, for the exhaustive fault simulation.
//
// They are drivers like any other, opened by their descriptor and held to the same
// rules; only that a call reaches its double as a function call, so that a run takes
// about a millisecond and every pair of faults can be tried.
package reference

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/stage"
	"rekey/internal/world"
)

// Can is what the three can do; the zero Can is of an issuer that can make nothing.
type Can struct {
	// The issuer.
	Beside   bool   // a second generation can be made beside the first
	Roll     string // rotation.RollWithGrace, rotation.RollAtOnce or ""
	Lingers  bool   // a grace has no end by itself
	Disable  bool   // a generation can be switched off and on again
	LastSeen bool   // it tells when a generation was last used
	Admits   bool   // rules decide who is accepted
	Everyone bool   // a rule accepts every generation, so none has to be edited
	Makes    bool   // its secrets are made by us
	Finds    bool   // one generation can be looked at by its id
	Itself   bool   // it tells by itself whether a credential works, and validate asks it
	MaxLive  int    // generations that may live at once; 0: no limit
	Asked    bool   // it tells who uses a generation, and what will fail at the end
	Owns     bool   // what it foresees: the one in use owns things, so it cannot be ended
	Nameless bool   // it shows no name that we choose, and its list only what is ours
	GraceMax time.Duration

	// The store.
	Piecewise bool // each slot is a write of its own
	NoHistory bool // it counts no versions and keeps none
	Absent    bool // under the former name it holds nothing at first
	Notes     bool // what is noted beside a value is told with it
	Foresees  bool // it has rules of its own, and can be asked for them

	// Stores that follow the first: another folder of it, and a mirror, which counts no
	// versions and takes one slot at a time.
	Followed      bool
	MirrorHidden  bool // what the mirror holds is shown to nobody
	MirrorStamps  bool // a note is kept there beside what is hidden
	MirrorApplied bool // what is written there takes effect by a step of its own
	MirrorEmpty   bool // it holds nothing at first

	// The consumer.
	Restarts bool // a write replaces its processes; otherwise they read the value that is there
	Applied  bool // a write takes effect by a step of its own
	Hidden   bool // what it holds is shown to nobody
	Stamps   bool // a note is kept beside what is hidden
	Surveys  bool // it can list who else holds something
	Queries  bool // it answers a question of the procedure
}

// Names of the credential, its vendors and places.
const (
	Credential = "REFERENCE_TOKEN"
	Former     = "OLD_TOKEN"

	issuerName, storeName, consumerName = "issuer", "store", "consumer"
	mirrorName, mirrorKey, secondKey    = "mirror", "mirror:copy", "store:second"
	storeKey, consumerKey               = "store:folder", "consumer:app"
	fieldID, fieldSecret                = "id", "secret"
	gateURL                             = "https://gate.example.com/"
	sandboxURL                          = "https://sandbox.example.com/" // accepts every token that lives
	kindToken                           = "token"
)

// Triple is the three on a stage.
type Triple struct {
	*stage.Stage
	*Double
}

// New returns a triple in use: a generation made 92 days ago, stored under its name
// and its former one, held by an app with two processes; and things of others.
func New(seed int64, can Can, knobs world.Knobs) *Triple { return newTriple(seed, can, knobs, nil) }

// Guest is a driver that takes the consumer's part, or the store's too, with a double
// of its own in the same world.
type Guest struct {
	Driver          provider.Descriptor
	Connection      string    // as JSON
	Store, Consumer sop.Place // key and settings; a store without a key is the reference's
	// Double makes it, given what the store and the consumer hold at first, by slot.
	Double func(state *world.State, store, consumer map[string]string) world.Double
}

// NewWith is New with a guest; the app of New is not there then.
func NewWith(seed int64, can Can, knobs world.Knobs, g Guest) *Triple {
	return newTriple(seed, can, knobs, &g)
}

func newTriple(seed int64, can Can, knobs world.Knobs, g *Guest) *Triple {
	clock := stage.NewClock(stage.Start)
	d := &Double{State: &world.State{Seed: seed, At: stage.Start, Knobs: knobs, Env: map[string]string{}}, Can: can}
	d.begin()
	doubles, c, drivers := []world.Double{d}, config(can), d.driver
	if g != nil {
		stored, held := map[string]string{}, map[string]string{}
		for path, v := range d.M.Folders {
			if slot, first := strings.CutPrefix(path, "folder/"); first && slot != "UNRELATED" {
				stored[slot] = v[len(v)-1].Value
			}
		}
		for _, n := range []string{Credential, Former} {
			held[n] = d.M.Vars[n].Value
		}
		d.M.Processes, d.M.Vars = nil, map[string]Var{}
		doubles = append(doubles, g.Double(d.State, stored, held))
		g.join(c)
		drivers = func(name string) (provider.Descriptor, bool) {
			if name == g.Driver.Name {
				return g.Driver, true
			}
			return d.driver(name)
		}
	}
	w := world.Open(d.State, clock.Now, doubles...)
	s := stage.New(w, clock, c)
	d.call, s.Notes = s.Direct, can.Notes
	s.Drivers = drivers
	return &Triple{s, d}
}

// join puts a guest into its places.
func (g *Guest) join(c *sop.Config) {
	spec := &c.Specs[0]
	spec.Consumers[0].Vendor, spec.Consumers[0].Key, spec.Consumers[0].Settings = g.Driver.Name, g.Consumer.Key, g.Consumer.Settings
	if g.Store.Key != "" {
		spec.Store.Vendor, spec.Store.Key, spec.Store.Settings = g.Driver.Name, g.Store.Key, g.Store.Settings
		spec.Rehearse = nil
	}
	c.Vendors[g.Driver.Name] = sop.Vendor{Type: g.Driver.Name, Settings: json.RawMessage(g.Connection)}
}

// config is rekey.yaml as it is read, with the settings of a quick procedure.
func config(can Can) *sop.Config {
	t := func(s string) cred.Template {
		out, err := cred.ParseTemplate(s)
		if err != nil {
			panic(err)
		}
		return out
	}
	spec := sop.Spec{
		Name: Credential, Former: []string{Former},
		Issuer: sop.Issuer{Vendor: issuerName, Kind: kindToken, Name: "ours-<date>-<run>", Fields: []string{fieldID, fieldSecret}, Grace: 24 * time.Hour, Settings: json.RawMessage("{}")},
		Store:  sop.Place{Key: storeKey, Vendor: storeName, Settings: json.RawMessage("{}")},
		Timing: sop.Waits{Poll: time.Second, Validate: time.Minute, Settle: 2 * time.Minute, Verify: time.Minute, Quiet: 20 * time.Second, Watch: 10 * time.Second, Confirm: time.Minute},
	}
	app := sop.Place{Key: consumerKey, Vendor: consumerName, Settings: json.RawMessage("{}")}
	for _, n := range []string{Credential, Former} {
		spec.Store.Slots = append(spec.Store.Slots,
			sop.Slot{Name: n, Template: t("{secret}"), For: n}, sop.Slot{Name: n + "__ID", Template: t("{id}"), For: n})
		app.Slots = append(app.Slots, sop.Slot{Name: n, Template: t("{id}:{secret}"), For: n})
	}
	spec.Consumers = []sop.Place{app}
	if can.Followed {
		spec.Further = []sop.Place{
			{Key: secondKey, Vendor: storeName, Settings: json.RawMessage(`{"folder":"second"}`), Slots: spec.Store.Slots},
			{Key: mirrorKey, Vendor: mirrorName, Settings: json.RawMessage(`{"folder":"copy"}`), Slots: spec.Store.Slots},
		}
	}
	spec.Validate = []sop.Probe{{URL: gateURL}}
	if can.Itself {
		spec.Validate = []sop.Probe{{URL: sop.IssuerItself}}
	}
	if can.Queries {
		spec.Verify = []sop.Check{{Vendor: consumerName, Query: "does it work?"}}
	}
	rehearsed := spec.Store
	rehearsed.Key = "store:rehearsal"
	rehearsed.Settings = json.RawMessage(`{"folder":"rehearsal"}`)
	var further []sop.Place
	if can.Followed {
		further = []sop.Place{{Key: "mirror:rehearsal", Vendor: mirrorName, Settings: json.RawMessage(`{"folder":"rehearsal"}`), Slots: spec.Store.Slots}}
	}
	spec.Rehearse = &sop.Rehearsed{Store: rehearsed, Further: further, Validate: []sop.Probe{{URL: sandboxURL}}}
	return &sop.Config{Specs: []sop.Spec{spec}, Vendors: map[string]sop.Vendor{
		issuerName: {Type: issuerName}, storeName: {Type: storeName}, consumerName: {Type: consumerName},
		mirrorName: {Type: mirrorName},
	}}
}

// String names what is switched on, for people.
func (c Can) String() string {
	var out []string
	add := func(on bool, word string) {
		if on {
			out = append(out, word)
		}
	}
	add(c.Beside, "beside")
	add(c.Roll != "", c.Roll)
	add(c.Lingers, "lingers")
	add(c.Disable, "disable")
	add(c.LastSeen, "last seen")
	add(c.Admits, "admits")
	add(c.Everyone, "everyone")
	add(c.Makes, "makes")
	add(c.Finds, "finds")
	add(c.Itself, "itself")
	add(c.MaxLive > 0, fmt.Sprintf("at most %d", c.MaxLive))
	add(c.Asked, "asked")
	add(c.Owns, "owns")
	add(c.Nameless, "nameless")
	add(c.GraceMax > 0, "grace at most "+c.GraceMax.String())
	add(c.Foresees, "foresees")
	add(c.Piecewise, "piecewise")
	add(c.Notes, "notes")
	add(c.NoHistory, "no history")
	add(c.Absent, "absent")
	add(c.Followed, "followed")
	add(c.MirrorHidden, "by a hidden one")
	add(c.MirrorStamps, "that stamps")
	add(c.MirrorApplied, "then applied there")
	add(c.MirrorEmpty, "empty at first")
	add(c.Restarts, "restarts")
	add(c.Applied, "applied")
	add(c.Hidden, "hidden")
	add(c.Stamps, "stamps")
	add(c.Surveys, "surveys")
	add(c.Queries, "queries")
	return strings.Join(out, ", ")
}

// Sheet is the capability sheet of the issuer.
func (c Can) Sheet() provider.Sheet {
	return provider.Sheet{
		Kind: kindToken, Fields: []string{fieldID, fieldSecret}, Public: []string{fieldID}, MaxLive: c.MaxLive, Create: c.Beside, Roll: c.Roll,
		Disable: c.Disable, LastSeen: c.LastSeen, Admits: c.Admits, Label: !c.Nameless, OwnScope: c.Nameless, GraceMax: c.GraceMax, Verifies: c.Itself, Lingers: c.Lingers && c.Roll == rotation.RollWithGrace,
	}
}
