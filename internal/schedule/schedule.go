// Package schedule says of every credential when it is due, what may begin now, and of everything else why not.
package schedule

import (
	"time"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Actor is the name that what the schedule begins goes by, in the journal.
const Actor = "the schedule"

// Who is the schedule as one who does something: what it may do, rekey.yaml says by
// run: automatically, or after approval.
func Who(spec sop.Spec) rotation.Who {
	w := rotation.Who{Name: Actor, How: "run: " + spec.Run.String()}
	if spec.Role != "" {
		w.Roles = []string{spec.Role}
	}
	return w
}

// Known is everything that a decision goes by. Nothing of it is changed.
type Known struct {
	Now      time.Time
	Settings sop.Scheduling
	// Credentials of rekey.yaml, in any order.
	Credentials []Credential
	// Runs: the open ones, and those of the last days, oldest first. Those of Horizon
	// are enough.
	Runs []history.Summary
	// Open are the open runs with what they were opened for.
	Open []history.Going
	// Waiting are open runs that wait for somebody: they keep no worker busy.
	Waiting map[string]bool
	// Agreed are open runs whose old credential may be retired now, because somebody agreed.
	Agreed map[string]bool
	// Lapsed are open runs that wait for an agreement nobody is asked for any more: they
	// have to ask again.
	Lapsed map[string]bool
	// Paused is who has stopped the schedule, if it is stopped.
	Paused *Pause
	// Continued is when somebody last told it to go on; zero: never.
	Continued time.Time
}

// Credential is what is known of one.
type Credential struct {
	Spec     sop.Spec
	Made     time.Time       // zero: not known
	Expires  time.Time       // zero: never, or not known
	Revoked  time.Time       // taken away without a successor; zero: it is not
	Approval approvals.State // of the start
	Last     string          // its newest run, of whatever purpose; "": there is none
	Refusal  *Refusal        // why it could not be begun, the last time; nil: it was, or nobody tried
}

// Refusal is the body of the notes on what the schedule could not begin, and of which no
// run tells.
type Refusal struct {
	At    time.Time `json:"at"`
	Code  string    `json:"code"`            // of the operation that was refused
	Why   string    `json:"why"`             // in words
	After string    `json:"after,omitempty"` // the newest run of the credential then
	Tries int       `json:"tries,omitempty"` // how often in a row, this time included; 0: once
}

// soonest and latest are how long the schedule leaves alone what could not be begun: a
// vendor that is down for a moment costs no window, and one that is down for days no
// entries without end.
const (
	soonest = time.Minute
	latest  = time.Hour
)

// Again is when it is tried again: after a minute at first, after twice as long each time,
// and after an hour at most.
func (r Refusal) Again() time.Time {
	return r.At.Add(min(soonest<<min(max(r.Tries-1, 0), 10), latest))
}

// Pause is the body of the notes by which people stop the schedule and let it go on.
type Pause struct {
	At     time.Time    `json:"at"`
	By     rotation.Who `json:"by"`
	Reason string       `json:"reason,omitempty"`
}

// SetBack is Pause.By.How where nobody has paused it but a process that missed entries of
// the journal.
const SetBack = "the journal was restored to an earlier state"

// Doubted tells whether the schedule is paused because the journal was restored to an earlier state.
func (p *Pause) Doubted() bool { return p != nil && p.By.How == SetBack }

// Kinds of the notes about the schedule. The body of the first two is a Pause.
const (
	Paused    = "schedule-paused"
	Continued = "schedule-continued"
	CannotBe  = "schedule-refused" // by the schedule itself: a Refusal
)

// Code says why a credential is not begun now. A code keeps its meaning.
type Code string

// The codes. Beside each: the fields of the Reason that go with it.
const (
	NotDue       Code = "not-due"      // Until
	NeverDue     Code = "never-due"    // neither cadence nor before_expiry
	UnknownAge   Code = "unknown"      // nobody knows when it was made, or when it expires
	ByHand       Code = "by-hand"      // a person starts it
	IsRevoked    Code = "revoked"      // a person decides what is made instead
	RunOpen      Code = "run-open"     // Run
	OutOfWindow  Code = "window"       // Until; zero: none opens within three weeks
	Spread       Code = "spread"       // Until: starts are spread over time
	FailedBefore Code = "failed"       // Run, Until
	NotAgreed    Code = "approval"     // Until, where it was asked
	NotAsked     Code = "not-asked"    // nobody was asked yet
	IsRefused    Code = "refused"      // Until
	ConsumerBusy Code = "consumer"     // Of, Run (where it is open), Place
	CanaryFirst  Code = "canary"       // Of, Run (where it is open)
	TooMany      Code = "at-most"      // as many go on as may
	BudgetUsed   Code = "error-budget" // too many ended badly; a person is wanted
	CannotBegin  Code = "cannot-begin" // Until: it is tried again then
	IsPaused     Code = "paused"       // a person has stopped the schedule
)

// Reason is one thing because of which a credential is not begun now.
type Reason struct {
	Code  Code      `json:"code"`
	Why   string    `json:"why"`             // in words, without the time
	Until time.Time `json:"until,omitzero"`  // when that is over by itself, as far as one can see
	Of    string    `json:"of,omitempty"`    // another credential
	Run   string    `json:"run,omitempty"`   // a run
	Place string    `json:"place,omitempty"` // a consumer
}

// Does is what the schedule does with a credential now.
type Does string

// What it may do.
const (
	Nothing Does = ""
	Begins  Does = "begin"
	Asks    Does = "ask" // somebody to agree
)

// Standing is one credential.
type Standing struct {
	Credential string       `json:"credential"`
	Owner      string       `json:"owner,omitempty"`
	Procedure  string       `json:"procedure,omitempty"`
	Run        string       `json:"run"` // automatically, after approval, by hand
	Due        rotation.Due `json:"due"`
	Expires    time.Time    `json:"expires,omitzero"`
	// Next is the first moment from now on at which it is due and a window is open.
	// Zero: that is not known, or never. It may begin later because of others.
	Next    time.Time `json:"next,omitzero"`
	Now     Does      `json:"now,omitempty"`
	After   string    `json:"after,omitempty"` // its newest run; "": there is none
	Tried   int       `json:"tried,omitempty"` // how often in a row it could not be begun
	Why     []Reason  `json:"why"`             // why it is not begun now, what weighs most first; none where it is
	Warning string    `json:"warning,omitempty"`
}

// Decided is what to do now, and why not more.
type Decided struct {
	At time.Time `json:"at"`
	// Credentials, those that are next first.
	Credentials []Standing `json:"credentials"`
	Begin       []string   `json:"begin"`   // credentials, in this order
	Ask         []string   `json:"ask"`     // credentials whose start somebody has to agree to
	TakeUp      []string   `json:"take_up"` // runs that waited for an agreement, and have it
	// AskAgain are runs that wait for an agreement for which nobody was asked in time.
	AskAgain []string `json:"ask_again"`
	// Stopped is since when too many runs failed; zero: they did not.
	Stopped time.Time `json:"stopped,omitzero"`
	Failed  []string  `json:"failed,omitempty"` // the runs because of which
	Paused  *Pause    `json:"paused,omitempty"`
}

// Horizon is how far back runs matter.
func Horizon(s sop.Scheduling) time.Duration { return max(proven, s.Within, s.AgainAfter) }
