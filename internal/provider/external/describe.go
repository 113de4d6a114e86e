package external

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// Protocol is the version that this program speaks.
const Protocol = 1

// Description is what a driver answers to describe.
type Description struct {
	Protocol   int      `json:"protocol"`
	Name       string   `json:"name"`          // type, as people write it: [a-z][a-z0-9-]*
	Title      string   `json:"title"`         // as its makers write it
	Doc        string   `json:"doc,omitempty"` // Markdown for people
	Connection Schema   `json:"connection"`    // of the settings under vendors
	Issuers    []Issuer `json:"issuers,omitempty"`
	Store      *Place   `json:"store,omitempty"`
	Consumer   *Place   `json:"consumer,omitempty"`
	Refers     string   `json:"refers,omitempty"` // form of references that name what it holds: "PATH/KEY"; "": none can
}

// Issuer is the capability sheet of one kind of credential, as provider.Sheet has it.
type Issuer struct {
	Kind      string          `json:"kind"`
	Settings  Schema          `json:"settings"`
	Fields    []string        `json:"fields"`
	Optional  []string        `json:"optional,omitempty"`
	Public    []string        `json:"public,omitempty"`
	MaxLive   int             `json:"max_live,omitempty"`
	Create    bool            `json:"create,omitempty"`
	Roll      string          `json:"roll,omitempty"` // "", "with grace", "at once"
	GraceMax  string          `json:"grace_max,omitempty"`
	Lingers   bool            `json:"lingers,omitempty"`
	Unrolls   bool            `json:"unrolls,omitempty"`    // where it lingers: the one put beside by the last roll can be ended alone
	EndsNamed bool            `json:"ends_named,omitempty"` // where it lingers: it is told which of two is to end, and which stays
	Disable   bool            `json:"disable,omitempty"`
	LastSeen  bool            `json:"last_seen,omitempty"`
	Label     bool            `json:"label,omitempty"`
	NameMax   int             `json:"name_max,omitempty"`
	NameChars string          `json:"name_chars,omitempty"`
	OwnScope  bool            `json:"own_scope,omitempty"`
	Verifies  bool            `json:"verifies,omitempty"`
	End       string          `json:"end,omitempty"`
	Makes     map[string]Make `json:"makes,omitempty"`    // fields that Rekey makes; the others get the name
	Users     bool            `json:"users,omitempty"`    // it tells who uses a generation
	Foresees  bool            `json:"foresees,omitempty"` // it tells what will fail at the end
}

// Make says how Rekey makes a field.
type Make struct {
	Length   int    `json:"length"`
	Alphabet string `json:"alphabet"` // alphanumeric, hex, base64url
}

// Place is what a store or a consumer says of itself.
type Place struct {
	Settings  Schema `json:"settings"`
	ID        string `json:"id"` // setting that tells one from another
	Versions  bool   `json:"versions,omitempty"`
	Piecewise bool   `json:"piecewise,omitempty"`
	WriteOnly bool   `json:"write_only,omitempty"`
	Applied   bool   `json:"applied,omitempty"`
	Cost      string `json:"cost,omitempty"`
}

// Schema is a JSON Schema (2020-12) of an object. A property with "secret": true is
// given as a reference in rekey.yaml and as a secret to the driver.
type Schema map[string]any

var (
	driverName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	fieldName  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	rolls      = map[string]string{"": "", "with grace": rotation.RollWithGrace, "at once": rotation.RollAtOnce}
	alphabets  = map[string]string{"alphanumeric": secret.Alphanumeric, "hex": secret.Hex, "base64url": secret.Base64URL}
)

// Describe reads a description, and says what is wrong with it.
func Describe(b []byte) (Description, error) {
	var d Description
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, fmt.Errorf("the description: %w", err)
	}
	var wrong []error
	needs := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("the description: "+format, args...))
		}
	}
	needs(d.Protocol == Protocol, "protocol: this Rekey speaks version %d, and it says %d", Protocol, d.Protocol)
	needs(driverName.MatchString(d.Name), "name: want lower-case letters, digits and -")
	needs(d.Title != "", "title is missing")
	needs(len(d.Issuers) > 0 || d.Store != nil || d.Consumer != nil || d.Refers != "", "it has no role: expected issuers, store, consumer or refers")
	needs(d.Connection.object(), "connection: want the JSON Schema of an object, with properties")
	for _, k := range own {
		_, has := d.Connection.properties()[k]
		needs(!has, "connection: %s is a setting of Rekey's own", k)
	}
	for _, i := range d.Issuers {
		i.check(needs)
	}
	for role, p := range map[string]*Place{"store": d.Store, "consumer": d.Consumer} {
		if p != nil {
			_, has := p.Settings.properties()[p.ID]
			needs(p.Settings.object(), "%s: settings: want the JSON Schema of an object, with properties", role)
			needs(has, "%s: id: want the setting that tells one from another", role)
			needs(!p.WriteOnly || !p.Versions, "%s: what cannot be read back has no versions", role)
		}
	}
	return d, errors.Join(wrong...)
}

func (i Issuer) check(needs func(bool, string, ...any)) {
	needs(driverName.MatchString(i.Kind), "kind %q: want lower-case letters, digits and -", i.Kind)
	needs(i.Settings.object(), "%s: settings: want the JSON Schema of an object, with properties", i.Kind)
	for _, k := range []string{"vendor", "kind", "name", "strategy", "grace"} {
		_, has := i.Settings.properties()[k]
		needs(!has, "%s: %s is a setting of Rekey's own", i.Kind, k)
	}
	for _, f := range slices.Concat(i.Fields, i.Optional) {
		needs(fieldName.MatchString(f), "%s: field %q: want lower-case letters, digits and _", i.Kind, f)
	}
	_, known := rolls[i.Roll]
	needs(known, `%s: roll: want "with grace" or "at once"`, i.Kind)
	_, err := time.ParseDuration(i.GraceMax)
	needs(i.GraceMax == "" || err == nil, "%s: grace_max: want a length of time, as 24h", i.Kind)
	needs(!i.Unrolls || i.Lingers, "%s: unrolls: what ends by itself needs no taking back", i.Kind)
	needs(!i.EndsNamed || i.Lingers, "%s: ends_named: what ends by itself needs nobody to end it", i.Kind)
	for f, m := range i.Makes {
		a, known := alphabets[m.Alphabet]
		needs(slices.Contains(i.Fields, f), "%s: makes %s, which is no field", i.Kind, f)
		needs(known && secret.Entropy(m.Length, a) >= 112, "%s: makes %s: want a length of at least 112 bits of an alphabet: alphanumeric, hex, base64url", i.Kind, f)
	}
}

func (i Issuer) sheet() provider.Sheet {
	grace, _ := time.ParseDuration(i.GraceMax)
	return provider.Sheet{
		Kind: i.Kind, Settings: &struct{}{}, Fields: i.Fields, Optional: i.Optional, Public: i.Public, MaxLive: i.MaxLive,
		Create: i.Create, Roll: rolls[i.Roll], GraceMax: grace, Lingers: i.Lingers, Disable: i.Disable, LastSeen: i.LastSeen,
		Label: i.Label, NameMax: i.NameMax, NameChars: i.NameChars, OwnScope: i.OwnScope, Verifies: i.Verifies, End: i.End,
	}
}

func (p Place) holding() provider.Holding {
	return provider.Holding{Piecewise: p.Piecewise, WriteOnly: p.WriteOnly, Applied: p.Applied, Cost: p.Cost}
}

func (s Schema) object() bool { return s["type"] == "object" && s["properties"] != nil }

func (s Schema) properties() map[string]any {
	p, _ := s["properties"].(map[string]any)
	return p
}

// secrets are the properties that are marked so.
func (s Schema) secrets() map[string]bool {
	out := map[string]bool{}
	for k, v := range s.properties() {
		if p, ok := v.(map[string]any); ok && p["secret"] == true {
			out[k] = true
		}
	}
	return out
}
