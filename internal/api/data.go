package api

import (
	"time"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Advancing is estate.Advancing without the run, which stands in the path.
type Advancing struct {
	Confirm string   `json:"confirm,omitempty"` // the credential's name
	Reason  string   `json:"reason,omitempty"`
	Despite []string `json:"despite,omitempty"` // of those that the run has found
	Without bool     `json:"without_role,omitempty"`
}

// Backing is estate.Backing without the run, which stands in the path.
type Backing struct {
	Reason  string `json:"reason,omitempty"`
	Without bool   `json:"without_role,omitempty"`
}

// Runs are some of all runs, newest first.
type Runs struct {
	Runs []estate.Summary `json:"runs"`
	Next string           `json:"next,omitempty"` // the next page's cursor; "": there is none
}

// OpenRuns are the runs that are open.
type OpenRuns struct {
	Runs []estate.OpenRun `json:"runs"`
}

// Log is some of what the journal holds of a run, in order. The body of an entry is what
// the event of its kind has under the name of that kind (Event).
type Log struct {
	Entries []estate.Entry `json:"entries"`
	Next    string         `json:"next,omitempty"`
}

// Told is one event of the stream of a run. The stream's event field says which: it is
// the name of the one member that is set. An event of the journal has its number as id,
// and Last-Event-ID goes on after it; the others are of the moment, and are not repeated.
type Told struct {
	Event   *rotation.Event   `json:"event,omitempty"`   // of the journal
	Behind  string            `json:"behind,omitempty"`  // why the journal is not the one of which a checkpoint has left the machine
	Starts  []rotation.Action `json:"starts,omitempty"`  // steps that are about to be tried
	Waits   *rotation.Wait    `json:"waits,omitempty"`   // what is being waited for
	Call    *estate.Call      `json:"call,omitempty"`    // a request, after it was made
	Ask     *rotation.Ask     `json:"ask,omitempty"`     // what a person is to confirm: the run waits for it
	Ended   *Ended            `json:"ended,omitempty"`   // the last event of the stream
	Problem *Refusal          `json:"problem,omitempty"` // the last event of a stream that failed
}

// Ended is estate.Ended without the state, which is the fold of the events.
type Ended struct {
	Run      string         `json:"run"`
	Over     bool           `json:"over"`               // nothing of it will ever follow
	Stuck    bool           `json:"stuck,omitempty"`    // it needs a person
	Waiting  string         `json:"waiting,omitempty"`  // why it is neither over nor stuck
	Detached bool           `json:"detached,omitempty"` // the server is stopping; ask again
	Others   []string       `json:"others,omitempty"`
	Calls    map[string]int `json:"calls,omitempty"`
	Evidence *estate.Signed `json:"evidence,omitempty"`
}

// Reason is why something is asked for.
type Reason struct {
	Reason string `json:"reason,omitempty"`
}

// Approvals are the requests that somebody can still answer.
type Approvals struct {
	Approvals []estate.Approval `json:"approvals"`
}

// FoundList is estate.Findings in pages.
type FoundList struct {
	At       time.Time        `json:"at"`
	Findings []report.Finding `json:"findings"`
	Next     string           `json:"next,omitempty"`
}

// Status is estate.Status in pages.
type Status struct {
	estate.Status
	Next string `json:"next,omitempty"`
}

// Named are the credentials that are meant; none: all.
type Named struct {
	Credentials []string `json:"credentials,omitempty"`
}

// Findings are what a doctor found.
type Findings struct {
	Findings []estate.Finding `json:"findings"`
}

// Configured is what rekey.yaml says, as it is in use.
type Configured struct {
	File        string       `json:"file"`
	Simulate    string       `json:"simulate,omitempty"` // the world's file; "": the vendors are real
	Loaded      time.Time    `json:"loaded"`             // when this version of it was read
	Vendors     []string     `json:"vendors"`
	Enforced    bool         `json:"enforced"` // it says who may change what
	Credentials []sop.Spec   `json:"credentials"`
	Wrong       []string     `json:"wrong,omitempty"`    // mistakes of the newest version, because of which the one before is in use
	WrongAt     time.Time    `json:"wrong_at,omitzero"`  // when that was read
	Mistakes    sop.Problems `json:"mistakes,omitempty"` // the same, where each has its line
}

// Written is one line of the written procedures: a page, or why there is no more.
type Written struct {
	Page    *estate.Page `json:"page,omitempty"`
	Problem *Refusal     `json:"problem,omitempty"`
	End     bool         `json:"end,omitempty"` // these were all
}

// Period is estate.Period, and whether the lines are wanted.
type Period struct {
	estate.Period
	Lines bool `json:"lines,omitempty"` // the evidence itself, and not only what it says
}

// Proof is one line of evidence that is under way: some of its own lines, the end, or why
// there is none.
type Proof struct {
	Lines   string           `json:"lines,omitempty"` // whole JSON lines, with their newlines
	End     *estate.Evidence `json:"end,omitempty"`
	Problem *Refusal         `json:"problem,omitempty"`
}

// Key is a public key.
type Key struct {
	Public string `json:"public"` // name+hash+key
}
