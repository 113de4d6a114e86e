package sop

import (
	"cmp"
	"encoding/json"
	"net/url"
	"path"
	"strings"
	"time"

	"rekey/internal/cred"
)

// Spec is one credential with everything resolved and nothing secret in it. It
// is what a plan is compiled from and what the journal keeps.
type Spec struct {
	Name         string        `json:"name"`
	Former       []string      `json:"former,omitempty"`
	Scope        string        `json:"scope,omitempty"`
	Procedure    string        `json:"procedure,omitempty"`
	Document     string        `json:"document,omitempty"`
	Owner        string        `json:"owner,omitempty"`
	Role         string        `json:"role,omitempty"`
	Cadence      time.Duration `json:"cadence,omitempty"`       // 0: never due by age
	Jitter       time.Duration `json:"jitter,omitempty"`        // at most so much earlier
	Windows      []Window      `json:"windows,omitempty"`       // when a run may start; none: always
	BeforeExpiry time.Duration `json:"before_expiry,omitempty"` // 0: never due by expiry
	Run          Begin         `json:"run,omitempty"`           // what begins a rotation that is due
	Approvals    *Approval     `json:"approvals,omitempty"`     // nil: nobody has to agree
	Canary       bool          `json:"canary,omitempty"`        // of its procedure's, it goes first
	Issuer       Issuer        `json:"issuer"`
	Store        Place         `json:"store"`             // the truth
	Further      []Place       `json:"further,omitempty"` // stores that follow the first one, in this order
	Consumers    []Place       `json:"consumers"`
	Validate     []Probe       `json:"validate"`
	Verify       []Check       `json:"verify"`
	Timing       Waits         `json:"timing"`
	Rehearse     *Rehearsed    `json:"rehearse,omitempty"`
	Discover     string        `json:"discover,omitempty"` // "off": runs do not look who else holds it

	// What this run is for, and which generation it means; set by the command,
	// never by rekey.yaml.
	Purpose Purpose `json:"purpose,omitempty"`
	// Despite are keys of places that hold it, are not registered, and may be left
	// with a dead one.
	Despite []string `json:"despite,omitempty"`
	// Name or id; "": the one in use. Of a repair: key of the place that is right;
	// "": the first store. Of a retired name: that name.
	Target string `json:"target,omitempty"`
	// Others are places that held it without being registered when somebody last
	// looked, in words: who else loses access in an emergency.
	Others []string `json:"others,omitempty"`
}

// Doing is the spec without what a run does not go by: when it is due, when it may begin
// and what begins it, whose it is, and how it is rehearsed (unless this is a rehearsal).
// Two specs with the same one make runs that do the same.
func (s Spec) Doing() Spec {
	s.Document, s.Owner, s.Cadence, s.Jitter, s.BeforeExpiry, s.Windows, s.Run, s.Canary = "", "", 0, 0, 0, nil, ByHand, false
	if s.Purpose != ToRehearse {
		s.Rehearse = nil
	}
	return s
}

// Purpose of a run.
type Purpose string

// The purposes. A run without one rotates.
const (
	ToRevoke    Purpose = "revoke"       // an emergency: switch it off now
	ToDelete    Purpose = "delete"       // an emergency: end it for good now
	ToRehearse  Purpose = "rehearse"     // practise on a throwaway credential
	ToRepair    Purpose = "repair"       // give places that have drifted what the source holds
	ToForget    Purpose = "retire name"  // take a former name out of every place
	AfterRevoke Purpose = "after revoke" // rotate one that is switched off: its consumers have lost access already
)

// Makes reports whether a run makes a generation, or may: others write or end only.
func (s Spec) Makes() bool {
	return s.Purpose == "" || s.Purpose == AfterRevoke || s.Purpose == ToRehearse
}

// Looks reports whether a run looks who else holds the credential.
func (s Spec) Looks() bool { return s.Discover != "off" && s.Purpose == "" }

// Rehearsed is where a rehearsal stores and what it asks.
type Rehearsed struct {
	Store    Place   `json:"store"`
	Further  []Place `json:"further,omitempty"`
	Validate []Probe `json:"validate,omitempty"`
}

// RehearsalPrefix begins the name of every throwaway credential.
const RehearsalPrefix = "rekey-rehearsal-"

// ForRehearsal is the spec of a rehearsal: another name at the issuer, another
// folder, no former names, and consumers that are only asked.
func (s Spec) ForRehearsal() Spec {
	s.Purpose, s.Former = ToRehearse, nil
	s.Issuer.Name = RehearsalPrefix + s.Issuer.Name
	s.Issuer.Strategy = ""
	s.Store, s.Further, s.Validate, s.Verify = s.Rehearse.Store, s.Rehearse.Further, s.Rehearse.Validate, nil
	return s
}

// Issuer is the vendor surface that makes the credential.
type Issuer struct {
	Vendor   string          `json:"vendor"`           // instance under vendors
	Kind     string          `json:"kind"`             // what it makes
	Name     string          `json:"name"`             // pattern with <date> and <run> still in it
	Strategy string          `json:"strategy"`         // replace, roll, or "": the sheet decides
	Grace    time.Duration   `json:"grace"`            // of a roll
	Settings json.RawMessage `json:"settings"`         // the vendor's own
	Fields   []string        `json:"fields,omitempty"` // of the bundle
}

// Place is a store or a consumer with the slots it holds.
type Place struct {
	Key      string          `json:"key"`      // "heroku:raxx-console-prod"
	Vendor   string          `json:"vendor"`   // instance under vendors
	Settings json.RawMessage `json:"settings"` // the vendor's own
	Slots    []Slot          `json:"slots"`
	// Alias is by what name others may know the same thing, where that is not Key: rekey.yaml
	// can name one account of a vendor twice, and vendors read A and a as one.
	Alias string `json:"alias,omitempty"`
	// At is where it stands: "rekey.yaml:12". Of the file that was just read only, so
	// no plan, journal or record has it.
	At string `json:"-"`
}

// Thing names what is changed, however rekey.yaml calls it: two places that may be one have
// one name.
func (p Place) Thing() string { return cmp.Or(p.Alias, p.Key) }

// Slot is one place that holds a value made from the bundle.
type Slot struct {
	Name     string        `json:"name"`
	Template cred.Template `json:"template"`
	For      string        `json:"for"` // which of the credential's names it belongs to
	// Dropped: it is taken away, for its name is being retired.
	Dropped bool `json:"dropped,omitempty"`
}

// Waits bounds every wait of a run.
type Waits struct {
	Poll     time.Duration `json:"poll"`
	Validate time.Duration `json:"validate"`
	Settle   time.Duration `json:"settle"`
	Verify   time.Duration `json:"verify"`
	Quiet    time.Duration `json:"quiet"`
	Watch    time.Duration `json:"watch"`
	Soak     time.Duration `json:"soak"`
	Confirm  time.Duration `json:"confirm"`
}

// SlotNames returns the names of the slots in the file's order.
func (p Place) SlotNames() []string {
	out := make([]string, len(p.Slots))
	for i, s := range p.Slots {
		out[i] = s.Name
	}
	return out
}

func (t *Timing) waits() Waits {
	if t == nil {
		t = &Timing{}
	}
	return Waits{
		Poll:     t.Poll.Or(time.Second),
		Validate: t.Validate.Or(2 * time.Minute),
		Settle:   t.Settle.Or(20 * time.Minute),
		Verify:   t.Verify.Or(5 * time.Minute),
		Quiet:    t.Quiet.Or(time.Minute),
		Watch:    t.Watch.Or(30 * time.Second),
		Soak:     t.Soak.Or(0),
		Confirm:  t.Confirm.Or(2 * time.Minute),
	}
}

// Title is the place in words.
func (p Probe) Title() string {
	switch {
	case p.URL == IssuerItself:
		return "the issuer itself"
	case p.Vendor != "":
		return strings.TrimPrefix(p.URL, OfVendor)
	}
	return p.URL
}

// OfVendor begins the key of a probe that another vendor makes.
const OfVendor = "vendor:"

// IssuerItself stands for the issuer's own verification where no address is
// guarded by the credential.
const IssuerItself = "issuer"

// Title is the check's address without scheme and query, for people.
func (c Check) Title() string {
	switch {
	case len(c.Command) > 0:
		return "the command " + path.Base(c.Command[0])
	case c.Query != "":
		return "the query at " + c.Vendor
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return "check"
	}
	return u.Host + u.Path
}
