package report

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/discover"
	"rekey/internal/drift"
	"rekey/internal/rotation"
)

// The looks that find something, by the commands that look again.
const (
	ByDrift    = "drift"
	ByDiscover = "discover"
)

// StrangerKind is the kind of what an issuer lists under a credential's name, and of which
// the journal knows nothing.
const StrangerKind = "stranger"

// Finding is one thing that the last look has found. It holds no secret.
type Finding struct {
	ID         string       `json:"id"`                   // stays as long as it is the same thing at the same place
	State      string       `json:"state"`                // is another as soon as what was found is another
	Credential string       `json:"credential,omitempty"` // "": of no credential
	Look       string       `json:"look"`                 // drift or discover: what found it
	Kind       string       `json:"kind"`
	Where      string       `json:"where,omitempty"`
	Slots      []string     `json:"slots,omitempty"`
	What       string       `json:"what"`
	Next       string       `json:"next"`                           // command, or what a person has to do
	YAML       string       `json:"yaml,omitempty" visible:"lines"` // lines for rekey.yaml
	Handle     *cred.Handle `json:"handle,omitempty"`
	Counts     bool         `json:"counts"` // it is counted as a disagreement, or as something that nobody registered
	At         time.Time    `json:"at"`     // of the look
	// Acknowledged is who knows of it and lets it be; nil: nobody, or not any more.
	Acknowledged *Acknowledgement `json:"acknowledged,omitempty"`
}

// Acknowledgement is that somebody knows of a finding and lets it be, until a day, and
// for as long as it is as he has seen it.
type Acknowledgement struct {
	Finding    string       `json:"finding"`
	State      string       `json:"state"`
	Credential string       `json:"credential,omitempty"`
	Look       string       `json:"look"`
	Kind       string       `json:"kind"`
	Where      string       `json:"where,omitempty"`
	What       string       `json:"what"` // as it was then
	At         time.Time    `json:"at"`
	By         rotation.Who `json:"by"`
	Reason     string       `json:"reason"`
	Until      time.Time    `json:"until"`
}

// What an Acknowledged note says.
const (
	SaidSeen      = "seen"       // somebody lets these be
	SaidTakenBack = "taken back" // somebody does not any more
	SaidOver      = "over"       // a look has not found them any more, or as something else
)

// Acknowledged is the body of the journal's note about what people let be of one
// credential, or of none: what has changed, and all that stands after it.
type Acknowledged struct {
	Said     string            `json:"said"`
	By       *rotation.Who     `json:"by,omitempty"` // nil: nobody, it was seen by a look
	Reason   string            `json:"reason,omitempty"`
	About    []Acknowledgement `json:"about"`
	Standing []Acknowledgement `json:"standing"`
}

// of returns what stands of a finding now; nil: nothing. agreed is when a run last proved
// that every place of the credential holds the same: what has drifted since is new.
func (a Acknowledged) of(f Finding, agreed, now time.Time) *Acknowledgement {
	for i := range a.Standing {
		s := &a.Standing[i]
		if s.Finding == f.ID && s.State == f.State && now.Before(s.Until) && (f.Look != ByDrift || !agreed.After(s.At)) {
			return s
		}
	}
	return nil
}

// OfDrift is a disagreement as a finding.
func OfDrift(credential string, f drift.Finding) Finding {
	out := Finding{Credential: credential, Look: ByDrift, Kind: string(f.Kind), Where: f.Where, Slots: f.Slots, What: f.What, Next: f.Repair, Counts: f.Serious()}
	return out.named(f.What, f.As)
}

// OfStranger is one that bears a credential's name and that the journal does not know.
func OfStranger(credential, what string) Finding {
	out := Finding{Credential: credential, Look: ByDrift, Kind: StrangerKind, What: what, Next: "rekey discover " + credential}
	out.ID = mark(out.Look, out.Kind, credential, what)
	out.State = out.ID
	return out
}

// OfDiscovered is what nobody registered as a finding.
func OfDiscovered(f discover.Finding) Finding {
	out := Finding{Credential: f.Credential, Look: ByDiscover, Kind: string(f.Kind), Where: f.Where, Slots: f.Slots, What: f.What, Next: f.Next, YAML: f.YAML, Handle: f.Handle, Counts: f.Counts()}
	h := f.Handle
	if h == nil {
		return out.named(f.What)
	}
	// Its sentence tells when it was used last, and is another one each time. That nobody
	// was seen to use it, and somebody is, is another state.
	return out.named(append([]string{h.ID, strconv.FormatBool(h.Disabled), strconv.FormatBool(h.LastSeen.IsZero())}, f.Rules...)...)
}

// named gives it its id and its state.
func (f Finding) named(state ...string) Finding {
	about := []string{f.Look, f.Kind, f.Credential, f.Where}
	if f.Handle != nil {
		about = append(about, f.Handle.ID)
	}
	slots := slices.Sorted(slices.Values(f.Slots))
	f.ID = mark(append(about, slots...)...)
	f.State = mark(append(state, slots...)...)
	return f
}

// mark is short enough to be typed.
func mark(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:5])
}

// found are what a comparison has found.
func (c Compared) found() (out []Finding) {
	for _, f := range c.Findings {
		out = append(out, OfDrift(c.Credential, f))
	}
	for _, s := range c.Strangers {
		out = append(out, OfStranger(c.Credential, s))
	}
	return out
}

func (d Discovered) found() (out []Finding) {
	for _, f := range d.Findings {
		out = append(out, OfDiscovered(f))
	}
	return out
}

// Sighting is what one look came to, by which is known what people let be that no
// longer exists, or is something else.
type Sighting struct {
	Credential, Look string
	Whole            bool // nothing could not be looked at, and nothing was changing
	Found            []Finding
}

// SightingOf is what a comparison saw; open tells that a run was changing things.
func SightingOf(c Compared, open bool) Sighting {
	return Sighting{Credential: c.Credential, Look: ByDrift, Whole: !open && !c.Unseen(), Found: c.found()}
}

// SightingsOf are what a look for others saw, of each credential and of none; open are
// those that a run was changing.
func SightingsOf(all []Discovered, open map[string]bool) (out []Sighting) {
	blind := slices.ContainsFunc(all, func(d Discovered) bool { return d.Credential == "" && d.unseen() })
	for _, d := range all {
		out = append(out, Sighting{Credential: d.Credential, Look: ByDiscover, Whole: !blind && !d.unseen() && !open[d.Credential], Found: d.found()})
	}
	return out
}

func (d Discovered) unseen() bool {
	return slices.ContainsFunc(d.Findings, func(f discover.Finding) bool { return f.Kind == discover.NotSeen })
}

// Over splits what stands into what still does and what is over by what was seen.
func (s Sighting) Over(standing []Acknowledgement) (left, over []Acknowledgement) {
	for _, a := range standing {
		there := slices.ContainsFunc(s.Found, func(f Finding) bool { return f.ID == a.Finding && f.State == a.State })
		other := slices.ContainsFunc(s.Found, func(f Finding) bool { return f.ID == a.Finding && f.State != a.State })
		if a.Look == s.Look && (other || !there && s.Whole) {
			over = append(over, a)
		} else {
			left = append(left, a)
		}
	}
	return left, over
}

// Findings are all that the last looks have found, by credential, with who lets it be.
// rows are Rows of the same. What a run has put right since is none.
func Findings(rows []Row, known Known, now time.Time) []Finding {
	out := []Finding{}
	add := func(name string, at, agreed time.Time, found []Finding) {
		for _, f := range found {
			f.At, f.Acknowledged = at, known.Acknowledged[name].of(f, agreed, now)
			out = append(out, f)
		}
	}
	for _, r := range rows {
		if c, ok := known.Compared[r.Credential]; ok && (r.Drift == nil || !r.Drift.At.After(c.At)) {
			add(r.Credential, c.At, r.agreed, c.found())
		}
		if d, ok := known.Discovered[r.Credential]; ok {
			add(r.Credential, d.At, r.agreed, d.found())
		}
	}
	d := known.Discovered[""]
	add("", d.At, time.Time{}, d.found())
	return out
}
