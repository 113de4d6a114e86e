package estate

import (
	"time"

	"rekey/internal/discover"
	"rekey/internal/dossier"
	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/notary"
	"rekey/internal/provider"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Words of the floors below, by which a face names what it is told and asked.
type (
	Call    = vendorhttp.Call // one request, after it was made
	Signed  = notary.Outcome  // what became of signing and sending
	Summary = history.Summary // a run in one line
	Task    = provider.Task   // what only a person can do or see
	Want    = provider.Want   // what a person is wanted for
	Answer  = provider.Answer // what came of it
	Clock   = runner.Clock    // time, so that tests own it
	Entry   = journal.Entry   // of the journal
)

// What a person is wanted for.
const (
	WantLook   = provider.WantLook
	WantMake   = provider.WantMake
	WantEnd    = provider.WantEnd
	WantListed = provider.WantListed
	WantWhich  = provider.WantWhich
)

// Unconfirmed is why a run waits that nobody has confirmed: Ended.Waiting.
const Unconfirmed = runner.Unconfirmed

// ErrNotConfirmed means that nobody confirmed what cannot be undone.
var ErrNotConfirmed = runner.ErrNotConfirmed

// Wish is what somebody wants of one credential.
type Wish struct {
	Credential string `json:"credential,omitempty"` // "" with ToForget: the one that has the name
	// Purpose of the run; "": to rotate.
	Purpose sop.Purpose `json:"purpose,omitempty"`
	// Target says what it is about. ToRevoke, ToDelete: name or id of a generation at the
	// issuer, "": the one in use. ToRepair: key of the consumer that is right, "" or the
	// store's: the store. ToForget: the former name.
	Target string `json:"target,omitempty"`
	// Strategy is replace or roll, instead of what the configuration says.
	Strategy string `json:"strategy,omitempty"`
	// Despite are places that hold the old one, are not registered, and may be left with a
	// dead one: a vendor of the configuration, a colon, a name.
	Despite []string `json:"despite,omitempty"`
	// ByHand is what somebody has just seen in a portal that no program can ask, for a look
	// where no person can be asked here meanwhile: by what was asked (look, which), the names that
	// answer it; none: none is live, or he cannot tell. A run asks anew, on its page.
	ByHand map[Want][]string `json:"by_hand,omitempty"`
}

// Opening is a wish that is to be carried out.
type Opening struct {
	Wish
	Reason string `json:"reason,omitempty"` // for the record; an emergency wants one
	Ticket string `json:"ticket,omitempty"` // where it was decided, for the record
	// Confirm is the credential's name, where what cannot be undone is confirmed already.
	Confirm   string `json:"confirm,omitempty"`
	Outside   bool   `json:"outside_window,omitempty"` // begin although no window is open
	Alongside bool   `json:"alongside,omitempty"`      // begin although another run changes one of its consumers
	Without   bool   `json:"without_role,omitempty"`   // an emergency by somebody who lacks the role; wants Reason
	// After is the newest run of the credential that whoever asks knows of, NoRunYet where
	// he knows of none: it is begun only if that is so still. "": whatever was begun.
	After string `json:"after,omitempty"`
	// Reviewed is a plan that has to come out again, or nothing is done; its strategy and
	// its Despite are the wish's then.
	Reviewed *rotation.Plan `json:"reviewed,omitempty"`
}

// NoRunYet is Opening.After of a credential that never had a run.
const NoRunYet = "none"

// Advancing takes an open run up.
type Advancing struct {
	Run     string   `json:"run,omitempty"` // "": the only open one
	Confirm string   `json:"confirm,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Despite []string `json:"despite,omitempty"` // of those that the run has found
	Without bool     `json:"without_role,omitempty"`
}

// Backing turns an open run back.
type Backing struct {
	Run     string `json:"run"`
	Reason  string `json:"reason,omitempty"`
	Without bool   `json:"without_role,omitempty"`
}

// Ended is how a run came out of one operation.
type Ended struct {
	// State is the fold of all events that a face was told of, earlier ones included.
	State    *rotation.State `json:"state"`
	Waiting  string          `json:"waiting,omitempty"`  // why it is neither over nor stuck
	Detached bool            `json:"detached,omitempty"` // because the caller interrupted it
	// Parked is what a worker does not wait for: it has let go of the run until then.
	Parked *rotation.Wait `json:"parked,omitempty"`
	// Clean: nothing is begun, and nothing that the run needs is in this process's memory only.
	Clean bool `json:"-"`
	// Others tells what somebody else has done to the credential meanwhile, and what else
	// is listed under its name.
	Others   []string       `json:"others,omitempty"`
	Calls    map[string]int `json:"calls"` // by vendor, or by the host of a protected place
	Evidence Signed         `json:"evidence"`
}

// Checked is what a look at everything came to.
type Checked struct {
	Spec     sop.Spec             `json:"spec"`
	Seen     rotation.Observation `json:"seen"`
	Refusals []rotation.Refusal   `json:"refusals"`
	Problems []string             `json:"problems"` // what could not be seen
	Used     []string             `json:"used"`     // references
	// Asks is what a person has to look at for all of it to be seen; see Wish.ByHand.
	Asks  *Task          `json:"asks,omitempty"`
	Calls map[string]int `json:"calls"`
}

// OK reports whether nothing stands against a run.
func (c Checked) OK() bool { return len(c.Problems) == 0 && len(c.Refusals) == 0 }

// Planned is what a run would do.
type Planned struct {
	Plan    *rotation.Plan `json:"plan"`
	Without []string       `json:"without"` // an emergency: who would be without a credential
	Calls   map[string]int `json:"calls"`
}

// BackPlan is what turning back would do.
type BackPlan struct {
	Run        string          `json:"run"`
	Credential string          `json:"credential"`
	State      *rotation.State `json:"state"`
	Steps      []rotation.Step `json:"back"`
}

// Compared is where issuer, store and consumers disagree.
type Compared struct {
	At          time.Time         `json:"at"`
	Credentials []report.Compared `json:"credentials"`
	Calls       map[string]int    `json:"calls"`
	Evidence    Signed            `json:"evidence"`
}

// Discovered is who holds a credential without being registered.
type Discovered struct {
	At          time.Time           `json:"at"`
	Findings    []discover.Finding  `json:"findings"`
	Credentials []report.Discovered `json:"credentials"`
	Calls       map[string]int      `json:"calls"`
	Evidence    Signed              `json:"evidence"`
}

// FormerNames are who still has one.
type FormerNames struct {
	At     time.Time       `json:"at"`
	Names  []report.Former `json:"names"`
	Unseen bool            `json:"unseen"` // something could not be seen
	Calls  map[string]int  `json:"calls"`
}

// StatusAsked is what is wanted of a status.
type StatusAsked struct {
	Live    bool `json:"live,omitempty"`    // ask each issuer for its list, and each store for its folder
	Working bool `json:"working,omitempty"` // tell of open runs whether a process here is at them
}

// Status is every credential, in the order of who needs somebody first.
type Status struct {
	At       time.Time         `json:"at"`
	Rows     []report.Row      `json:"credentials"`
	Evidence evidence.Standing `json:"evidence"`
	Calls    map[string]int    `json:"calls"` // nil: nobody was asked
}

// Finding is one thing that a doctor looked at.
type Finding struct {
	About string `json:"about"` // variables, tools, journal, network, clock
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	Then  string `json:"then,omitempty"` // what to do where it is not
}

// Documenting is which written procedures are wanted, and how.
type Documenting struct {
	Credentials []string `json:"credentials,omitempty"` // none: all
	HTML        bool     `json:"html,omitempty"`        // one page that needs no other file, instead of Markdown
	Stable      bool     `json:"stable,omitempty"`      // without what changes with time and history
}

// Page is one written procedure.
type Page struct {
	Credential string `json:"credential"`
	Text       []byte `json:"page"`
}

// Period is what evidence is wanted of.
type Period struct {
	From       time.Time `json:"from"`                 // included
	To         time.Time `json:"to"`                   // not included
	Credential string    `json:"credential,omitempty"` // "": all
}

// Evidence is what was done, with proofs.
type Evidence struct {
	Dossier  *dossier.Dossier `json:"dossier"`
	Evidence Signed           `json:"evidence"`
}

// Verifying is what a journal is held against, beside what it keeps itself.
type Verifying struct {
	Keys  []string         `json:"keys,omitempty"` // public ones, as name+hash+key; none: those beside it
	Given []evidence.Given `json:"given,omitempty"`
}

// Verified is what is proven.
type Verified struct {
	Report    *evidence.Report `json:"report"`
	Simulated bool             `json:"simulated,omitempty"` // the journal is one of simulated runs
	Beside    bool             `json:"beside,omitempty"`    // the keys were taken from beside the journal, where they could be exchanged
}

// NewKey is why another key is to sign.
type NewKey struct {
	Reason  string `json:"reason,omitempty"`
	Without bool   `json:"without_role,omitempty"`
}

// HandedOver is what became of it.
type HandedOver struct {
	Signed
	Vouched bool `json:"vouched"` // the old key signed for the new one; it is lost otherwise
}

// Whoami is who asks.
type Whoami struct {
	Who      rotation.Who      `json:"who"`
	Enforced bool              `json:"enforced"` // the configuration says who may change what
	Refused  map[string]string `json:"refused"`  // credentials that he may not change, and the role that each wants
	Of       int               `json:"of"`       // credentials there are
	May      []Ability         `json:"may"`      // every operation, and on what he may ask for it
}

// Ability is one operation, and on what somebody may ask for it.
type Ability = sop.Ability

// OpenRun is a run that is open.
type OpenRun struct {
	Summary
	Final bool `json:"final"` // past the point of no return
}

// Logged is what the journal holds of a run.
type Logged struct {
	Events  []rotation.Event `json:"events"`
	Entries []Entry          `json:"entries"`
}
