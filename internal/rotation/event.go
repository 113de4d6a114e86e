package rotation

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kind of an event.
type Kind string

// The kinds. Intent stands before an outside effect, Outcome after it; an
// intent without an outcome means that it may have happened.
const (
	KindOpened    Kind = "opened"    // a run was asked for
	KindPlanned   Kind = "planned"   // the world before the first write, and what will be done
	KindIntent    Kind = "intent"    // about to do these steps
	KindOutcome   Kind = "outcome"   // what became of one step
	KindTurned    Kind = "turned"    // forward, back, or once more from the start
	KindConfirmed Kind = "confirmed" // a person confirmed what cannot be undone
	KindAsked     Kind = "asked"     // a person asked to go back
	KindResumed   Kind = "resumed"   // a process took the run up again
	KindStuck     Kind = "stuck"     // it cannot go on by itself
	KindClosed    Kind = "closed"    // it is over
)

// Event is one thing that was meant or that happened. Exactly one of the
// pointers is set, the one for its kind.
type Event struct {
	Seq       int64      `json:"seq,omitempty"` // its place in the journal; 0: it was not read from there
	At        time.Time  `json:"at"`
	Run       string     `json:"run"`
	Kind      Kind       `json:"kind"`
	Opened    *Opened    `json:"opened,omitempty"`
	Planned   *Plan      `json:"planned,omitempty"`
	Intent    *Intent    `json:"intent,omitempty"`
	Outcome   *Outcome   `json:"outcome,omitempty"`
	Turned    *Turned    `json:"turned,omitempty"`
	Confirmed *Confirmed `json:"confirmed,omitempty"`
	Asked     *Asked     `json:"asked,omitempty"`
	Resumed   *Resumed   `json:"resumed,omitempty"`
	Stuck     *Stuck     `json:"stuck,omitempty"`
	Closed    *Closed    `json:"closed,omitempty"`
}

// Who is a person or a machine that does something, and how that is known.
type Who struct {
	Name     string            `json:"name"`
	How      string            `json:"how"`                // "OS user", "identity.name", "CI variables", or the issuer of a token
	Verified bool              `json:"verified,omitempty"` // by a signature; otherwise it is self-declared
	Claims   map[string]string `json:"claims,omitempty"`   // of the token; nothing secret
	Roles    []string          `json:"roles,omitempty"`    // that it has by rekey.yaml
	Without  string            `json:"without,omitempty"`  // the required role that it had not, and went on by --without-role
	Only     []string          `json:"only,omitempty"`     // all that its token may be used for, in the words of sop.Means; none: no limit
	On       []string          `json:"on,omitempty"`       // all credentials that its token is for; a * at the end stands for anything; none: no limit
}

// String is the name, and whether it is proven.
func (w Who) String() string {
	if w.Verified {
		return w.Name + " (proven by " + w.How + ")"
	}
	return w.Name + " (self-declared: " + w.How + ")"
}

// Body returns the event's payload as JSON, for the journal.
func (e Event) Body() ([]byte, error) {
	p := e.payload()
	if p == nil {
		return nil, fmt.Errorf("event %q has no payload", e.Kind)
	}
	return json.Marshal(p)
}

// Decode fills the payload of an event of this kind. One of a kind that this version does
// not know has none: it can be counted and named, and not acted on (Understood).
func (e *Event) Decode(body []byte) error {
	var target any
	switch e.Kind {
	case KindOpened:
		e.Opened = new(Opened)
	case KindPlanned:
		e.Planned = new(Plan)
	case KindIntent:
		e.Intent = new(Intent)
	case KindOutcome:
		e.Outcome = new(Outcome)
	case KindTurned:
		e.Turned = new(Turned)
	case KindConfirmed:
		e.Confirmed = new(Confirmed)
	case KindAsked:
		e.Asked = new(Asked)
	case KindResumed:
		e.Resumed = new(Resumed)
	case KindStuck:
		e.Stuck = new(Stuck)
	case KindClosed:
		e.Closed = new(Closed)
	}
	if target = e.payload(); target == nil {
		return nil
	}
	return json.Unmarshal(body, target)
}

func (e *Event) payload() any {
	switch e.Kind {
	case KindOpened:
		return nonNil(e.Opened)
	case KindPlanned:
		return nonNil(e.Planned)
	case KindIntent:
		return nonNil(e.Intent)
	case KindOutcome:
		return nonNil(e.Outcome)
	case KindTurned:
		return nonNil(e.Turned)
	case KindConfirmed:
		return nonNil(e.Confirmed)
	case KindAsked:
		return nonNil(e.Asked)
	case KindResumed:
		return nonNil(e.Resumed)
	case KindStuck:
		return nonNil(e.Stuck)
	case KindClosed:
		return nonNil(e.Closed)
	}
	return nil
}

// nonNil keeps a nil pointer from becoming a non-nil interface.
func nonNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}
