package rotation

import (
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Observation is everything that was seen before the first write: what the plan
// is compiled from, and what a rollback goes back to. After a lost answer it is
// too late to ask.
type Observation struct {
	At        time.Time      `json:"at"`
	Issuer    IssuerSeen     `json:"issuer"`
	Admission AdmissionSeen  `json:"admission"`
	Store     StoreSeen      `json:"store"`
	Further   []StoreSeen    `json:"further,omitempty"` // the stores that follow it, in the order of the spec
	Consumers []ConsumerSeen `json:"consumers"`
	Gates     []GateSeen     `json:"gates"`
	Checks    []CheckSeen    `json:"checks"`
	Sources   []string       `json:"sources,omitempty"`   // which references gave the vendors' credentials
	Advice    []string       `json:"advice,omitempty"`    // worth knowing, for people
	Users     []User         `json:"users,omitempty"`     // who was seen to use the generation that is meant, where the issuer tells
	Strangers []cred.Handle  `json:"strangers,omitempty"` // generations that bear our name, and of which the journal knows nothing
	Whole     bool           `json:"whole,omitempty"`     // the place that counts holds a complete bundle
	Copies    []Copy         `json:"copies,omitempty"`    // who holds it without being registered
	Blind     []Blind        `json:"blind,omitempty"`     // where that could not be seen
	Unseen    []string       `json:"unseen,omitempty"`    // what could not be seen and does not stop an emergency
	Lost      int            `json:"lost,omitempty"`      // attempts of this run that the journal has lost, and that are to be cleaned up
}

// IssuerSeen is what the issuer lists.
type IssuerSeen struct {
	Live  []cred.Handle `json:"live"`
	Seen  bool          `json:"-"`              // the list was read; where it was not, Live says nothing
	Owner string        `json:"owner"`          // id of the one that the store's bundle belongs to; "" if none
	Self  string        `json:"self,omitempty"` // id of the one with which the issuer itself is reached
	// Gone: the owner no longer exists, and is known from the journal only.
	Gone bool `json:"gone,omitempty"`
	// Refused is what will fail at the end of a run, as the issuer foresees it.
	Refused []string `json:"refused,omitempty"`
	// Ahead is how far the issuer's clock is ahead of ours, if it tells.
	Ahead time.Duration `json:"ahead,omitempty"`
}

// Theirs is when it was looked, by the issuer's clock, by which its times are.
func (o *Observation) Theirs() time.Time { return o.At.Add(o.Issuer.Ahead) }

// AdmissionSeen is which rules (policies, groups) name the generation in use.
type AdmissionSeen struct {
	Places   []cred.Place `json:"places,omitempty"`
	Everyone []cred.Place `json:"everyone,omitempty"` // rules that accept any token
	// Lost are rules that accepted the generation in use, as the journal knows, and do
	// not name it any more; only of a repair, and of one that is gone.
	Lost []cred.Place `json:"lost,omitempty"`
}

// StoreSeen is what the store holds.
type StoreSeen struct {
	Key   string     `json:"key,omitempty"` // of a further store; the first is the spec's
	Slots []SlotSeen `json:"slots"`
	Holds string     `json:"holds,omitempty"` // of a further store: id of the live credential that it holds itself, where that is not what the first holds
	// History of the first tells whether earlier values can be read back.
	History string `json:"history,omitempty"` // "" if they can; otherwise why not
	// HistoryUnseen: History says only why that could not be looked at.
	HistoryUnseen bool `json:"history_unseen,omitempty"`
	// Refused is what rules of the store's own will refuse of this run.
	Refused []string `json:"refused,omitempty"`
}

// SlotSeen is one slot, and what it should hold if nothing had drifted.
type SlotSeen struct {
	cred.SlotState
	Expected cred.Fingerprint `json:"expected,omitempty"` // made from the generation in use
	Problem  string           `json:"problem,omitempty"`
	From     string           `json:"from,omitempty"`    // what gave it this value, if not a write of it
	ReadBy   []string         `json:"read_by,omitempty"` // slots of others in the same place that refer to it
}

// Had is the fingerprint of what the slot held; of one that is not shown, of what it
// should hold, for nobody can see whether it does.
func (s SlotSeen) Had() cred.Fingerprint {
	if s.Untold() {
		return s.Expected
	}
	return s.Fingerprint
}

// Untold reports whether what the slot holds is shown to nobody, and is not noted
// beside it either.
func (s SlotSeen) Untold() bool { return s.Present && s.Hidden && s.Fingerprint == "" }

// ConsumerSeen is one consumer.
type ConsumerSeen struct {
	Key      string        `json:"key"`
	Slots    []SlotSeen    `json:"slots"`
	Mark     string        `json:"mark"`
	Grace    time.Duration `json:"grace"`
	Units    int           `json:"units"`
	Notes    []string      `json:"notes,omitempty"`
	Problems []string      `json:"problems,omitempty"`
	Names    []string      `json:"names,omitempty"`    // the vendor's own for it
	Restarts []string      `json:"restarts,omitempty"` // such names of what a write restarts besides
	Holds    string        `json:"holds,omitempty"`    // id of the live credential that it holds itself, where that is not what the store holds
}

// GateSeen is a protected place, asked without and with a wrong credential.
type GateSeen struct {
	URL     string       `json:"url"`
	Without cred.Verdict `json:"without"`
	Wrong   cred.Verdict `json:"wrong"`
	InUse   cred.Verdict `json:"in_use,omitempty"` // asked with the one in use; only before a run, for people
	Gate    string       `json:"gate,omitempty"`   // which application protects it, if it tells
	Detail  string       `json:"detail,omitempty"`
}

// Title is the place in words.
func (g GateSeen) Title() string { return sop.Probe{URL: g.URL}.Title() }

// CheckSeen is a check of the procedure before anything was changed.
type CheckSeen struct {
	URL    string     `json:"url"`
	Class  cred.Class `json:"class"`
	Detail string     `json:"detail,omitempty"`
}

// SlotsOf are the slots of a place, by its key, as they were seen; nil if there is no such
// place, or it was not looked at.
func (o *Observation) SlotsOf(spec sop.Spec, key string) []SlotSeen {
	if key == spec.Store.Key {
		return o.Store.Slots
	}
	for _, s := range o.Further {
		if s.Key == key {
			return s.Slots
		}
	}
	for _, c := range o.Consumers {
		if c.Key == key {
			return c.Slots
		}
	}
	return nil
}

// handle returns the live credential with this id.
func (o *Observation) handle(id string) (cred.Handle, bool) {
	for _, h := range o.Issuer.Live {
		if h.ID == id {
			return h, true
		}
	}
	return cred.Handle{}, false
}
