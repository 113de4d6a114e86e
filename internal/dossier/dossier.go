// Package dossier tells what was done to the credentials of a period, for somebody who was not there: as JSON lines with proofs, as a page, and as text.
//
// The export is JSON lines, UTF-8, each ended by a newline. Every line has a "type":
//
//	header      first: format, period, scope, who asked with which tool, checkpoint
//	credential  one for each in scope, those without any run included
//	run         one for each run that was open in the period
//	drift       one for each comparison in the period
//	approval    one for each request for people's agreement in the period that is no run's
//	entry       the journal's entries, each with its inclusion proof
//	summary     last: counts, and a signature over the whole file
//
// Lines of type entry are the evidence; the others are what this program reads in
// them and in rekey.yaml. The signature is a signed note (c2sp.org/signed-note) over
//
//	rekey-evidence-export/v1
//	<origin>
//	<SHA-256, in hex, of every byte of the file before ,"signature": in its last line>
//
// by the key of the checkpoint. A program that reads this passes over fields and
// types that it does not know; what is there keeps its meaning within v1.
package dossier

import (
	"time"

	"rekey/internal/cred"
	"rekey/internal/drift"
	"rekey/internal/evidence"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Format of the export.
const Format = "rekey-evidence/v1"

// Statement says what the export is not.
const Statement = "This is a record with proofs, made by the tool that did the work. It is not an auditor's statement: whether a requirement is met is for the auditor to say. Each line says how its actor is known: proven by a signed token, or self-declared."

// Header is the first line.
type Header struct {
	Type       string    `json:"type"`
	Format     string    `json:"format"`
	Tool       string    `json:"tool"` // version of Rekey
	By         string    `json:"by"`   // who asked for it
	Generated  time.Time `json:"generated"`
	From       time.Time `json:"from"` // the period: from, included ...
	To         time.Time `json:"to"`   // ... to, not included
	Credential string    `json:"credential,omitempty"`
	File       string    `json:"file"`    // rekey.yaml, from which the population is
	Entries    int64     `json:"entries"` // of the whole journal, all covered by the checkpoint
	First      int64     `json:"first"`   // entries of the period: first ...
	Last       int64     `json:"last"`    // ... to last; 0: there are none
	Whole      bool      `json:"whole"`   // every entry first..last is in this file, and the one before and after
	Checkpoint string    `json:"checkpoint" visible:"lines"`
	Key        string    `json:"key"`                 // public key of the checkpoint, told by this file: verify with one from elsewhere
	Approvals  bool      `json:"approvals"`           // it tells of all approvals
	Simulated  bool      `json:"simulated,omitempty"` // the vendors were simulated ones: it is evidence of nothing real
	Statement  string    `json:"statement"`
}

// Credential is one of the population.
type Credential struct {
	Type       string         `json:"type"`
	Name       string         `json:"name"`
	Former     []string       `json:"former,omitempty"`
	Registered bool           `json:"registered"` // rekey.yaml names it now; false: only the journal does
	Owner      string         `json:"owner,omitempty"`
	Role       string         `json:"role,omitempty"` // that the procedure demands of a person
	Issuer     string         `json:"issuer,omitempty"`
	Procedure  string         `json:"procedure,omitempty"`
	Document   string         `json:"document,omitempty"`
	Cadence    string         `json:"cadence,omitempty"` // 90d; "": none is set
	Consumers  []string       `json:"consumers,omitempty"`
	Rotated    time.Time      `json:"rotated,omitzero"` // last time before the period's end
	Due        rotation.Due   `json:"due"`              // as of the period's end, or now
	Overdue    bool           `json:"overdue"`
	Runs       map[string]int `json:"runs"` // of the period, by ending
	Drift      *time.Time     `json:"last_compared,omitempty"`
	Findings   int            `json:"drift_findings"` // disagreements that comparisons of the period have found
}

// Proof is what one step has shown.
type Proof struct {
	Step     string        `json:"step"`
	Verb     rotation.Verb `json:"verb"`
	Target   string        `json:"target,omitempty"`
	Title    string        `json:"title"`
	Holds    bool          `json:"holds"` // the step has ended well
	At       time.Time     `json:"at,omitzero"`
	Evidence []string      `json:"evidence,omitempty"`
	Why      string        `json:"why,omitempty"` // where it does not hold
}

// Slot is one place that holds a value, by fingerprint before and after.
type Slot struct {
	Slot   string           `json:"slot"`
	Before cred.Fingerprint `json:"before,omitempty"`
	After  cred.Fingerprint `json:"after,omitempty"` // as read back; "": it was not read back
}

// Place is the store or a consumer, and what was shown of it.
type Place struct {
	Key      string    `json:"key"`
	Role     string    `json:"role"`              // store, consumer
	Release  string    `json:"release,omitempty"` // the consumer's write that was followed
	Slots    []Slot    `json:"slots"`
	Proven   bool      `json:"proven"`             // it was shown to hold, and to run on, what the run was to give it
	Shown    Shown     `json:"shown"`              // the same in a word, told apart where the run has not touched it
	Seen     time.Time `json:"seen,omitzero"`      // when it held what stands under before
	ReadBack time.Time `json:"read_back,omitzero"` // when it held what stands under after; zero: it was not read back
}

// By is somebody who did something.
type By struct {
	Actor string        `json:"actor"`
	By    *rotation.Who `json:"by,omitempty"` // how that is known
	At    time.Time     `json:"at"`
	How   string        `json:"how,omitempty"`  // of a confirmation: typed, --confirm, API, console
	Name  string        `json:"name,omitempty"` // that was typed
	Why   string        `json:"why,omitempty"`  // of going on or back
}

// Run is one run, whatever became of it.
type Run struct {
	Type       string           `json:"type"`
	Run        string           `json:"run"`
	Credential string           `json:"credential"`
	Purpose    string           `json:"purpose"`             // rotate, revoke, delete, rehearse, repair, retire name, after revoke
	Simulated  bool             `json:"simulated,omitempty"` // the vendors were simulated ones
	Actor      string           `json:"actor"`
	By         *rotation.Who    `json:"by,omitempty"` // how that is known
	Reason     string           `json:"reason,omitempty"`
	Ticket     string           `json:"ticket,omitempty"`
	Tool       string           `json:"tool"`
	Overrides  []string         `json:"overrides,omitempty"`
	Opened     time.Time        `json:"opened"`
	Closed     time.Time        `json:"closed,omitzero"`
	Ending     string           `json:"ending"` // rotated, rolled back, refused, revoked, rehearsed, repaired, name retired; stuck, open
	Why        string           `json:"why,omitempty"`
	Record     *rotation.Record `json:"record,omitempty"` // the audit entry of the written procedure
	Strategy   string           `json:"strategy,omitempty"`
	Old        *cred.Handle     `json:"old,omitempty"`
	New        *cred.Handle     `json:"new,omitempty"`
	Reviewed   string           `json:"reviewed_plan,omitempty"` // digest of the plan that was reviewed before
	Approvals  []Approval       `json:"approvals,omitempty"`     // that it waited for, and who gave them
	Confirmed  []By             `json:"confirmed,omitempty"`
	Resumed    []By             `json:"resumed,omitempty"`
	AskedBack  []By             `json:"asked_back,omitempty"`
	Places     []Place          `json:"places,omitempty"`
	Proofs     []Proof          `json:"proofs,omitempty"`
	Consumers  bool             `json:"every_consumer_proven"`
	Denied     bool             `json:"old_one_denied"`
	Live       []string         `json:"live,omitempty"` // what is live while it is stuck
	NotCovered []string         `json:"not_covered,omitempty"`
	First      int64            `json:"first"` // its first ...
	Last       int64            `json:"last"`  // ... and last entry
	Entries    int              `json:"entries"`
}

// Drift is one comparison of issuer, store and consumers.
type Drift struct {
	Type       string          `json:"type"`
	Credential string          `json:"credential"`
	At         time.Time       `json:"at"`
	Consumers  int             `json:"consumers"`
	Findings   []drift.Finding `json:"findings"`
	Entry      int64           `json:"entry"`
}

// Entry is an entry with the proof that it stands in the tree of the checkpoint.
type Entry struct {
	Type     string        `json:"type"`
	Entry    journal.Entry `json:"entry"`
	Boundary bool          `json:"boundary,omitempty"` // just outside of the period: it shows where that begins or ends
	Proof    []string      `json:"proof"`              // RFC 6962 §2.1.1, in base64, from the leaf up
}

// Summary is the last line.
type Summary struct {
	Type        string         `json:"type"`
	Lines       int            `json:"lines"` // of the file, this one included
	Credentials int            `json:"credentials"`
	WithRuns    int            `json:"with_runs"`
	Without     []string       `json:"without_runs"`
	Overdue     []string       `json:"overdue"`
	Unknown     []string       `json:"due_unknown"` // never seen by Rekey, so that nobody knows how old they are
	Runs        map[string]int `json:"runs"`        // by ending
	Unproven    []string       `json:"rotated_without_whole_proof"`
	Drift       int            `json:"comparisons"`
	Findings    int            `json:"drift_findings"`
	Entries     int            `json:"entries"`
}

// Dossier is all of it but the entries: of these there may be very many, so they are
// read again, some at a time, when they are written.
type Dossier struct {
	Header      Header       `json:"header"`
	Credentials []Credential `json:"credentials"`
	Runs        []Run        `json:"runs"`
	Drifts      []Drift      `json:"drifts"`
	Approvals   []Approval   `json:"approvals,omitempty"` // of no run
	Summary     Summary      `json:"summary"`

	scope  surveyed              // which entries are in it
	agreed map[string][]Approval // by run
	proofs *evidence.Prover
}
