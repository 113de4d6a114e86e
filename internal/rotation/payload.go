package rotation

import (
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Opened starts a run.
type Opened struct {
	Credential string   `json:"credential"`
	Spec       sop.Spec `json:"spec"`
	Actor      string   `json:"actor"`            // who, as far as is known
	Reason     string   `json:"reason,omitempty"` // why
	Ticket     string   `json:"ticket,omitempty"` // where it was decided
	Tool       string   `json:"tool"`             // version of Rekey
	By         *Who     `json:"by,omitempty"`     // how that is known
	// Overrides are rules that were overridden for this run, as they were typed:
	// "--outside-window", "--alongside".
	Overrides []string `json:"overrides,omitempty"`
	Expect    string   `json:"expect,omitempty"`    // digest of a reviewed plan that must come out again
	Plan      string   `json:"plan,omitempty"`      // id of that plan, so that it is carried out once; it names nothing else
	Request   string   `json:"request,omitempty"`   // that asked for it, where it may be asked again
	Simulated bool     `json:"simulated,omitempty"` // the vendors are simulated ones: nothing of it is real
	Word      *Word    `json:"word,omitempty"`      // of whoever opened it, for the worker of a service that comes to ask
}

// Word is a person's confirmation that stands in the journal before it is needed: it was
// given to a service, and a worker comes to what it answers later. It is used for nothing
// else than that, and no more once a person takes the run up again without giving one.
type Word struct {
	How string `json:"how"` // as in Confirmed
	// Answers is the digest of what was asked when it was given; "": nothing was asked
	// yet, and it answers whatever the plan comes to ask.
	Answers string `json:"answers,omitempty"`
}

// Intent says that these steps are about to be tried, side by side.
type Intent struct {
	Steps      []string `json:"steps"`
	Generation int      `json:"generation"`
	// Until is when none of their requests is under way any more, unless the process lives
	// and holds the run still: whoever takes the run up waits for that. Zero: it is not known.
	Until time.Time `json:"until,omitzero"`
}

// Outcome says what became of one step.
type Outcome struct {
	Step       string        `json:"step"`
	Generation int           `json:"generation"`
	Class      cred.Class    `json:"class"`
	Why        string        `json:"why,omitempty"`      // in words
	RetryAfter time.Duration `json:"retry,omitempty"`    // as the vendor asked
	Already    bool          `json:"already,omitempty"`  // it was so; nothing was written
	Partly     bool          `json:"partly,omitempty"`   // a part of it was done before it failed
	Maybe      bool          `json:"maybe,omitempty"`    // it was refused, and may have been applied all the same
	Lost       bool          `json:"lost,omitempty"`     // the secret died with the process that made it
	Evidence   []string      `json:"evidence,omitempty"` // what was seen, for the record
	Problems   []string      `json:"problems,omitempty"` // observe: everything that could not be seen
	Left       []Refusal     `json:"left,omitempty"`     // observe: what the run had made before its journal was restored to an earlier state
	Calls      int           `json:"calls,omitempty"`    // requests that it took

	Handle *cred.Handle `json:"handle,omitempty"` // create: the new generation
	// Makes: create: fingerprints of every value made from the new generation,
	// by place and slot.
	Makes map[string]map[string]cred.Fingerprint `json:"makes,omitempty"`
	Slots []cred.SlotState                       `json:"slots,omitempty"` // what a place holds now
	Mark  string                                 `json:"mark,omitempty"`  // the consumer's write that was followed
	Place *cred.Place                            `json:"place,omitempty"` // as it is now
	Seen  *time.Time                             `json:"seen,omitempty"`  // when the old generation was last used
	Since *time.Time                             `json:"since,omitempty"` // when that same last use was first told
	Keep  *time.Time                             `json:"keep,omitempty"`  // until when the old secret works, after a roll
	Gone  []string                               `json:"gone,omitempty"`  // ids that were ended

	// Held are the places because of which nothing was taken away: they hold it, or
	// do not hold what they should hold instead.
	Held []string `json:"held,omitempty"`
	// Unproven: what was proven of the new generation was seen not to be so any more.
	Unproven bool `json:"unproven,omitempty"`
	// Redo are steps whose effect no longer exists and has to be made again.
	Redo []string `json:"redo,omitempty"`
	// Missing are ids of the run's generations that the issuer has no more, although
	// the journal does not know that they were ended.
	Missing []string `json:"missing,omitempty"`
	// Over: the secret before the present one of a rolled generation has ended.
	Over bool `json:"over,omitempty"`
	// Stray: a left-over token bears this run's label, and the journal does not know it.
	Stray bool `json:"stray,omitempty"`
	// Unseen is what could not be looked at.
	Unseen []string `json:"unseen,omitempty"`

	Copies []Copy  `json:"copies,omitempty"` // who holds the old generation without being registered
	Blind  []Blind `json:"blind,omitempty"`  // what could not be read when other holders were looked for
}

// speaksForOld reports whether what was seen says that the old generation is needed.
func (o *Outcome) speaksForOld() bool { return len(o.Held) > 0 || o.Unproven }

// Turned says in which direction the run goes on.
type Turned struct {
	Mode       Mode   `json:"mode"`
	Generation int    `json:"generation"`
	Why        string `json:"why"`
}

// Confirmed is a person's word that what cannot be undone may be done.
type Confirmed struct {
	Name  string `json:"name"`
	Actor string `json:"actor"`
	By    *Who   `json:"by,omitempty"`
	How   string `json:"how"` // "typed", "--confirm", "API", "console"
}

// Asked is a person's wish to go back.
type Asked struct {
	Actor  string `json:"actor"`
	By     *Who   `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Resumed says that a new process took the run up.
type Resumed struct {
	Actor   string   `json:"actor"`
	By      *Who     `json:"by,omitempty"`
	Tool    string   `json:"tool"`
	Reason  string   `json:"reason,omitempty"`  // why, where it was asked for
	Despite []string `json:"despite,omitempty"` // places that may be left with a dead credential, by their keys
	Request string   `json:"request,omitempty"` // that asked for it, where it may be asked again
	Word    *Word    `json:"word,omitempty"`    // where a person confirmed to a service
	// Worker is the process of a service that goes on with the run; "": it is a person who
	// wants it to go on.
	Worker string `json:"worker,omitempty"`
	// Clean: whoever was at the run before has let go of it with nothing begun and nothing
	// in memory only, so that this is the same as if it had gone on after a pause.
	Clean bool `json:"clean,omitempty"`
}

// Stuck says that the run needs a person. Both sides are told.
type Stuck struct {
	Why  string   `json:"why"`
	Live []string `json:"live"` // what is live, and where
	Next string   `json:"next"` // command to paste
}

// Ending of a run.
type Ending string

// A rotation has three endings only; refused is the one in which nothing was
// touched.
const (
	Rotated    Ending = "rotated"
	RolledBack Ending = "rolled back"
	RefusedRun Ending = "refused"

	// Runs for another purpose end well in their own words.
	Revoked   Ending = "revoked"
	Rehearsed Ending = "rehearsed"
	Repaired  Ending = "repaired"
	NameGone  Ending = "name retired"
)

// Closed ends a run.
type Closed struct {
	Ending   Ending       `json:"ending"`
	Why      string       `json:"why,omitempty"`
	Refusals []Refusal    `json:"refusals,omitempty"`
	Record   *Record      `json:"record,omitempty"`
	Current  *cred.Handle `json:"current,omitempty"` // the generation in use now
}

// Record is the audit entry of the written procedure (its step 8).
type Record struct {
	Action  string `json:"action"` // secret.rotate.completed
	Actor   string `json:"actor"`
	Context struct {
		SecretName string `json:"secret_name"`
		OldTokenID string `json:"old_token_id"`
		NewTokenID string `json:"new_token_id"`
		Method     string `json:"method"` // programmatic
	} `json:"context"`
}
