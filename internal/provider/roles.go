// Package provider names the roles a vendor can play, and its descriptor.
//
// Rules for everything that implements a role: one call is one attempt, no
// retry inside (an effect that the journal did not see); every error is a
// *cred.Error or counts as unknown; nothing is read from the environment, the
// disk or a global; no secret in an error, a log line or a URL.
package provider

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Issuer makes and revokes generations of one kind of credential.
type Issuer interface {
	// List returns every live credential in our scope, all pages. Read-only.
	List(ctx context.Context) ([]cred.Handle, error)

	// Owner tells to which of the listed generations a stored bundle belongs,
	// by its id; "" if to none. Read-only.
	Owner(ctx context.Context, b secret.Bundle, listed []cred.Handle) (string, error)

	// Create makes one generation with this name, in exactly one request. Not
	// idempotent and never repeated inside: after any error but a clear refusal
	// a generation may exist whose secret nobody holds; its name finds it again.
	Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error)

	// Revoke ends a generation for good. Absent means that it is not there.
	Revoke(ctx context.Context, h cred.Handle) error
}

// Finder looks at one generation by its id. A list may be late, or shift while it is
// paged: that a generation is not in it proves nothing until this says so too.
type Finder interface {
	// Find returns the generation with h's id as it is now, whatever List shows.
	// Absent: the vendor says, in its own error shape, that there is none. Read-only.
	Find(ctx context.Context, h cred.Handle) (cred.Handle, error)
}

// Copier makes a generation after another one: what it may do is copied.
type Copier interface {
	// CreateLike is Create with a pattern: reads, then exactly one create.
	CreateLike(ctx context.Context, name string, like cred.Handle) (cred.Handle, secret.Bundle, error)
}

// Self is an issuer that may be asked to replace the very credential with which
// it is reached.
type Self interface {
	// Self is the id of that credential; "" if it is none of this kind. Read-only.
	Self(ctx context.Context) (id string, err error)

	// Adopt goes on with a new one; nil goes back to the vendor's own.
	Adopt(b secret.Bundle)
}

// Peers is an issuer that wants to know the other vendors of rekey.yaml that are
// opened: one of them may be reached by the very credential that is replaced here.
type Peers interface {
	Peers(opened map[string]Vendor)
}

// Roller gives a generation a new secret in place.
type Roller interface {
	// Roll makes a new secret for h, in exactly one request. With a grace the
	// secret before it works until keep; the zero keep means that it ends at once.
	// Not idempotent and never repeated inside: a second roll may drop the secret
	// that is still in use. The handle returned tells version and grace.
	Roll(ctx context.Context, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error)

	// Keep moves the end of the secret before the present one, later or earlier; a
	// time in the past ends it now. Idempotent.
	Keep(ctx context.Context, h cred.Handle, until time.Time) (cred.Handle, error)
}

// Switcher switches a generation off and on again without ending it.
type Switcher interface {
	// Switch is idempotent; the handle returned tells what it is now.
	Switch(ctx context.Context, h cred.Handle, on bool) (cred.Handle, error)
}

// Adviser is an issuer or a store that knows what is worth knowing before a run
// and costs calls that a run does not need.
type Adviser interface {
	// Advise tells of settings that bear on the generation in use; a store is asked
	// with the zero handle. Read-only.
	Advise(ctx context.Context, inUse cred.Handle) ([]string, error)
}

// Clocked is an issuer that can tell its vendor's clock from ours: times that it
// tells ("last used") are to be compared with its own clock, not with ours.
type Clocked interface {
	// Ahead is how far the vendor's clock is ahead of ours (negative: behind), by the
	// Date of its last answer, which is exact to a second; false if none told it.
	Ahead() (time.Duration, bool)
}

// Lasting is an issuer whose generations give out something (an access token) that
// works on without showing in "last used", and ends with the generation.
type Lasting interface {
	// Lasts is how long that may be in use after the last use that shows; less than 0:
	// without end. Read-only.
	Lasts(ctx context.Context) (time.Duration, error)
}

// Admitter knows the rules (policies, groups) that decide which token is accepted.
type Admitter interface {
	// Places returns every rule that can name a generation, those that name none
	// included, and which accept any token. Read-only.
	Places(ctx context.Context) (Admission, error)

	// Look returns one place as it is now. Absent: the vendor says that it is not
	// there, which counts only once Places agrees. Read-only.
	Look(ctx context.Context, p cred.Place) (cred.Place, error)
	// Admit adds id to a rule, keeping everything else in it, edits
	// made by others since it was observed included. Idempotent.
	Admit(ctx context.Context, p cred.Place, id string) (Edit, error)

	// Dismiss removes id from a rule, keeping everything else. Idempotent.
	Dismiss(ctx context.Context, p cred.Place, id string) (Edit, error)
}

// Admission is which tokens are accepted, and by which rules.
type Admission struct {
	Places   []cred.Place // all of them; not nil
	Everyone []cred.Place // rules that accept any valid token
}

// Edit is what became of a place.
type Edit struct {
	Place    cred.Place // as it is now
	Already  bool       // it was so before; nothing was written
	Rebased  bool       // somebody had edited it since it was observed; their edit is kept
	Previous string     // revision found before writing
}

// Prober asks a protected place.
type Prober interface {
	// Probe asks once; a zero bundle means without any credential. It follows no
	// redirect and keeps no cookie. An error means that nobody answered; an
	// answer that tells nothing is Unclear, without an error. Read-only.
	Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error)

	// Guard tells which application protects an address, by the id that places carry
	// under Guards; "" if it does not tell. Read-only.
	Guard(ctx context.Context, p sop.Probe) (gate string, err error)

	// Wrong returns a well-formed bundle that no issuer has made.
	Wrong() secret.Bundle
}

// Store keeps the truth about a credential, with history.
type Store interface {
	// Read returns what the slots hold now; a slot that does not exist is not
	// Present. A place that does not exist is Absent. Read-only.
	Read(ctx context.Context, slots []string) (map[string]Held, error)

	// ReadVersion returns an earlier value. It fails rather than return another
	// version than the one asked for. Read-only.
	ReadVersion(ctx context.Context, slot, version string) (secret.Value, error)

	// History proves that an earlier value can be read back, given what Read
	// returned; the error says why not. Read-only.
	History(ctx context.Context, now map[string]Held) error

	// Write puts all values in one atomic request and returns what the slots
	// hold afterwards. Not idempotent in versions, idempotent in values.
	Write(ctx context.Context, values []SlotValue) (map[string]Held, error)

	// Remove deletes slots that a run has made. Missing ones are no error.
	Remove(ctx context.Context, slots []string) error
}

// Foresight is a store with rules of its own about values, which it can be asked
// for: what it will refuse is known before anything is touched.
type Foresight interface {
	// Foresee tells, in words, what the store will refuse of a run that writes
	// these slots and may have to give them back, and what it may refuse. An error
	// means that the rules could not be read. Read-only.
	Foresee(ctx context.Context, writes []Intended) (Foreseen, error)
}

// Intended is a slot that a run is going to write.
type Intended struct {
	Slot string
	Like string // the same for slots that will hold the same value
}

// Foreseen is what will come of writes.
type Foreseen struct {
	Refused []string // certain: the write itself, or giving the old value back
	Told    []string // depends on values that nobody knows yet
}

// Held is what a slot holds.
type Held struct {
	Present bool
	Version string   // the vendor's own; "" if it counts none
	Problem string   // why it must not be written, if it must not
	ReadBy  []string // slots in the same place whose value refers to this one, in order
	From    string   // what gave it this value, if that was more than a write of it: somebody's rollback
	// Hidden: there is a value that the vendor does not show to anybody. Written is
	// when it was last written, by the vendor's clock.
	Hidden  bool
	Written time.Time
	// Stamp is what was noted beside the value with the write that gave it, as far as the
	// vendor tells it with the value; of one that is shown it only helps a run whose
	// journal was set back to know its own writes again.
	Stamp map[string]string
	Value secret.Value
}

// SlotValue is one value on its way to its slot.
type SlotValue struct {
	Slot  string
	Value secret.Value // zero: remove the slot
	// Stamp is noted beside the value where the vendor can: run, generation,
	// fingerprint. Nothing secret.
	Stamp map[string]string
}

// Consumer is something that uses the credential and must be switched.
type Consumer interface {
	// Snapshot returns what it holds and how it is. Read-only.
	Snapshot(ctx context.Context, slots []string) (Snapshot, error)

	// Write puts all values in one request. Idempotent in values; it may cost a
	// restart each time.
	Write(ctx context.Context, values []SlotValue) error

	// Progress tells how far everything it runs has come with a write. Read-only.
	Progress(ctx context.Context, w Followed, slots []string) (Progress, error)
}

// Holder is a consumer that can be asked what it holds without everything else that
// a Snapshot tells.
type Holder interface {
	// Held returns what the slots hold now. Read-only.
	Held(ctx context.Context, slots []string) (map[string]Held, error)
}

// Snapshot is a consumer as it is now.
type Snapshot struct {
	Slots    map[string]Held
	Mark     string        // grows with every write (a release number); "": it counts none, and nothing runs there
	Pending  bool          // a write is still being taken up
	Grace    time.Duration // how long old processes may go on after new ones run
	Units    int           // running processes
	Notes    []string      // worth telling before a run
	Problems []string      // reasons not to start a run
	// Names are the vendor's own for what this is, led by its type: "heroku:ID", "heroku:NAME".
	// rekey.yaml may know it by any of them, and by several; none: by what it says only.
	Names []string
	// Restarts are such names of what a write restarts, where that is something else.
	Restarts []string
}

// Followed names the write that is followed.
type Followed struct {
	Since string // mark before it; "": nothing was written, the present state is meant
	// Same is the mark up to which processes hold the same values as this write
	// gives, as after giving the old ones back; "" if none do.
	Same string
	// Own is the mark of the write itself, once it is known: how it came out need not
	// be asked again. "": it is looked for above Since.
	Own string
}

// Progress is how far a consumer has come.
type Progress struct {
	Class    cred.Class // Done, Waiting or Failed
	Unwell   bool       // Failed, although the values were taken up: processes crash
	Behind   bool       // Waiting, for something that runs on what was there before, and that one more roll-out would replace
	Detail   string     // what is being waited for, or what failed
	Mark     string     // the write that is being followed; "": none can be, only what is held tells
	Slots    map[string]Held
	Evidence []string // what was seen, for the record
}

// Calls is what an issuer, store or consumer may tell of the requests by which
// it changes something, for the reader of a plan: for an issuer by "create",
// "delete" and kind of place ({id} and {parent} are filled in), otherwise by
// "write", and for a store by "remove".
type Calls interface{ Calls() map[string]string }

// Checker runs checks of the written procedure.
type Checker interface {
	// Check asks once; since is when the consumers had taken up the new one, zero
	// before that. Done: true as expected. Waiting: an answer, but not the
	// one expected. Failed: an answer that waiting will not change. Read-only.
	Check(ctx context.Context, c sop.Check, since time.Time) (cred.Class, string, error)
}
