package rotation

import (
	"slices"
	"time"

	"rekey/internal/cred"
)

// Mode is the direction in which a run goes.
type Mode string

// Forward rotates. Back undoes everything that was tried and ends the run.
// Again undoes everything and starts over: the secret of the new generation
// died with the process that made it, before it was stored.
const (
	Forward Mode = "forward"
	Back    Mode = "back"
	Again   Mode = "again"
)

// State is what the events amount to.
type State struct {
	Run        string               `json:"run"`
	Opened     *Opened              `json:"opened,omitempty"`
	OpenedAt   time.Time            `json:"opened_at,omitzero"`
	Plan       *Plan                `json:"plan,omitempty"`
	Mode       Mode                 `json:"mode"`
	TurnedWhy  string               `json:"turned_why,omitempty"` // why the mode is not forward
	Generation int                  `json:"generation"`           // attempt that is under way, from 1
	Made       *Outcome             `json:"made,omitempty"`       // creation of this generation, if it succeeded
	Steps      map[string]*Progress `json:"steps"`
	Uncertain  bool                 `json:"uncertain,omitempty"` // the fate of some creation is unknown
	Final      bool                 `json:"final"`               // the point of no return is behind us
	Confirmed  *Confirmed           `json:"confirmed,omitempty"`
	Word       *Word                `json:"word,omitempty"` // a confirmation that was given and not used yet
	WordOf     *Who                 `json:"word_of,omitempty"`
	Asked      *Asked               `json:"asked,omitempty"`
	Named      []string             `json:"named,omitempty"` // places that may be left with a dead credential, as named on resuming
	Stuck      *Stuck               `json:"stuck,omitempty"`
	Closed     *Closed              `json:"closed,omitempty"`
	ClosedAt   time.Time            `json:"closed_at,omitzero"`
	CreateAt   time.Time            `json:"create_at,omitzero"`  // not before: the issuer's rate limit
	Keep       time.Time            `json:"keep,omitzero"`       // until when the old secret works, after a roll with grace
	Calls      int                  `json:"calls,omitempty"`     // requests made so far, by what the outcomes say
	Observing  Progress             `json:"observing,omitzero"`  // attempts to observe
	Resumed    bool                 `json:"resumed,omitempty"`   // an earlier process may have done more than the journal says
	Seeing     bool                 `json:"seeing,omitempty"`    // a resumed process has to look before it acts
	Sight      Progress             `json:"sight,omitzero"`      // attempts to do that
	Overtaken  bool                 `json:"overtaken,omitempty"` // the issuer has given it another secret since this run did, and that one has ended
	Missing    []string             `json:"missing,omitempty"`   // ids of generations that somebody else has ended
	Earlier    []*Outcome           `json:"earlier,omitempty"`   // creations of earlier attempts of this run that succeeded
	Until      time.Time            `json:"until,omitzero"`      // when no request of what is begun is under way any more, at the latest
	Past       []Event              `json:"-"`                   // what a resumed process read, to be shown; not folded
}

// Status of a step.
type Status string

// Open means that there is an intent and no outcome.
const (
	Idle   Status = ""
	Open   Status = "open"
	Retry  Status = "retry" // tried without success; may be tried again
	Poll   Status = "poll"  // not yet
	Ended  Status = "done"
	Broken Status = "failed" // not to be tried again by itself
)

// Progress of one step.
type Progress struct {
	Status Status    `json:"status,omitempty"`
	Maybe  bool      `json:"maybe,omitempty"`  // its effect may have happened
	Redone bool      `json:"redone,omitempty"` // its effect was seen to be gone, so that it had to be made again
	Tries  int       `json:"tries,omitempty"`  // unsuccessful attempts in a row, since the last resume
	Limits int       `json:"limits,omitempty"` // rate limits met in a row
	Polls  int       `json:"polls,omitempty"`  // "not yet" answers in a row
	Clean  int       `json:"clean,omitempty"`  // clean-ups in a row that found nothing
	Swept  int       `json:"swept,omitempty"`  // clean-ups that found something, since the last resume
	First  time.Time `json:"first,omitzero"`   // first attempt, since the last resume
	Next   time.Time `json:"next,omitzero"`    // not before
	Done   time.Time `json:"done,omitzero"`
	At     time.Time `json:"at,omitzero"` // of Last
	Last   *Outcome  `json:"last,omitempty"`
}

// NewState returns the state before any event.
func NewState() *State { return &State{Mode: Forward, Steps: map[string]*Progress{}} }

// Step returns the progress of a step; never nil. It changes nothing: steps that are
// tried side by side read the state at the same time.
func (s *State) Step(id string) *Progress {
	if p := s.Steps[id]; p != nil {
		return p
	}
	return &Progress{}
}

// step is Step for folding, which notes what it is given.
func (s *State) step(id string) *Progress {
	p := s.Steps[id]
	if p == nil {
		p = &Progress{}
		s.Steps[id] = p
	}
	return p
}

// IsOpen reports whether the run is neither closed nor unborn.
func (s *State) IsOpen() bool { return s.Opened != nil && s.Closed == nil }

// SettledAt is when the last consumer ran on the new generation; zero
// before that.
func (s *State) SettledAt() time.Time {
	var at time.Time
	for _, st := range s.Plan.Steps {
		if p := s.Step(st.ID); st.Verb == Settle && p.Status == Ended && p.Done.After(at) {
			at = p.Done
		}
	}
	return at
}

// done reports whether a step has ended well.
func (s *State) done(id string) bool { return s.Steps[id] != nil && s.Steps[id].Status == Ended }

// Label of the generation under way.
func (s *State) Label() string { return cred.Label(s.Run, s.Generation) }

// Expected returns the fingerprint that a slot gets from the new generation.
func (s *State) Expected(place, slot string) cred.Fingerprint {
	if s.Made == nil {
		return ""
	}
	return s.Made.Makes[place][slot]
}

// Active returns the steps of the present direction. On the way back only those
// are active whose forward step may have had an effect.
func (s *State) Active() []Step {
	if s.Plan == nil {
		return nil
	}
	list := s.Plan.Steps
	if s.Mode != Forward {
		list = s.Plan.Back
	}
	var out []Step
	for _, st := range list {
		switch {
		case st.Recurs && s.Final:
		case st.Strays && !s.Uncertain && !s.unlisted():
		case st.Verb == Look && s.Mode == Again:
		case st.Strays && s.Mode == Again:
			// The clean-up at the end of the run finds what shows up late.
		case st.Undoes != "" && !s.tried(st.Undoes):
		case len(st.UndoesAny) > 0 && !slices.ContainsFunc(st.UndoesAny, s.tried):
		default:
			out = append(out, st)
		}
	}
	return out
}

// Ours reports whether a value of a slot was made from a generation of this run.
func (s *State) Ours(place, slot string, fp cred.Fingerprint) bool {
	for _, made := range append(s.Earlier, s.Made) {
		if made != nil && fp != "" && made.Makes[place][slot] == fp {
			return true
		}
	}
	return false
}

// tried reports whether the step's effect may have happened. Every step that
// was tried is undone, not only those that are known to have worked.
func (s *State) tried(id string) bool {
	p := s.Steps[id]
	return p != nil && (p.Maybe || p.Status == Ended || p.Status == Open)
}

// Fold applies events in order to a new state.
func Fold(events []Event) *State {
	s := NewState()
	for _, e := range events {
		s.Apply(e)
	}
	return s
}
