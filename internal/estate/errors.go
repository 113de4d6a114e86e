package estate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Code says why an operation was refused or has failed. A code keeps its meaning.
type Code string

// The codes. Beside each: the fields of the Error that go with it.
const (
	Failed      Code = "failed"      // Err
	OtherWorld  Code = "other-world" // Simulated (the journal is), Dir; Advice
	KeyDamaged  Code = "key-damaged" // Err; Advice
	OtherKey    Code = "other-key"   // Err: this machine's key of fingerprints is not the journal's; Advice
	MovedAway   Code = "moved-away"  // Err (says where to); Dir: where the journal was; Advice
	NoDatabase  Code = "no-database" // Err: the journal's database cannot be used; Advice
	Interrupted Code = "interrupted" // nothing was changed
	Misfit      Code = "misfit"      // Err: the configuration and its vendors do not go together
	Unwritable  Code = "unwritable"  // Err: the journal could not be written
	NoJournal   Code = "no-journal"  // Dir
	NotSeen     Code = "not-seen"    // Credential, Purpose, Problems; Asks
	Refused     Code = "refused"     // Credential, Refusals
	Unwired     Code = "unwired"     // Credential, Err, Problems (references that are not set)
	NotThisKey  Code = "no-key"      // Err: no new key is in use
	KeysUnread  Code = "keys-unread" // Err
	NoEntries   Code = "no-entries"  // the journal is empty
	Unsigned    Code = "unsigned"    // Err: there is no checkpoint to prove entries with
	Unnamed     Code = "unnamed"     // Credential: neither the configuration nor the journal knows it; Err
	RunUnseen   Code = "run-unseen"  // Credential, Problems, Asks: beside a rehearsal, of what a run would need

	NoCredential  Code = "no-credential"  // Credential, Err (says what may be meant); Run, where it is that one's
	NoCredentials Code = "no-credentials" // the configuration names none
	NoFormerName  Code = "no-former-name" // Name: nobody has it
	NotFormer     Code = "not-former"     // Name: it is the name of a credential
	NoConsumer    Code = "no-consumer"    // Credential, Place, Known
	NotRehearsed  Code = "not-rehearsed"  // Credential, Known (the setting that names such a store, and what it could be)
	BadStrategy   Code = "bad-strategy"   // Name
	UnknownPlace  Code = "unknown-place"  // Place, Known (vendors)
	OtherName     Code = "other-name"     // Name (given), Credential
	NoReason      Code = "no-reason"      // Without: because the role is lacking; otherwise: an emergency
	PlanDecides   Code = "plan-decides"   // Credential: Despite beside a reviewed plan

	WindowClosed  Code = "window-closed"  // Spec, Opens
	NoRole        Code = "no-role"        // Err (says why), Who, Known (those who have it), Purpose
	RoleNeeded    Code = "role-needed"    // Run: without the role an emergency may go on, not a rotation
	NotIdentified Code = "not-identified" // Err

	RunOpen      Code = "run-open"      // Credential, Run, Final
	PlaceBusy    Code = "place-busy"    // Credential (the other one), Run, Place
	PlanDone     Code = "plan-done"     // Run
	Repeated     Code = "repeated"      // Run: it was done already by the same request
	OtherRequest Code = "other-request" // Err: the key was used for another request
	NotNewest    Code = "not-newest"    // Credential, Run: it was begun since whoever asks looked
	Busy         Code = "busy"          // Credential: another process works on it

	NoRun         Code = "no-run"         // Run
	NoneOpen      Code = "none-open"      // no run is
	SeveralOpen   Code = "several-open"   // Open
	RunOver       Code = "run-over"       // Run, Ending
	PastReturn    Code = "past-return"    // Run
	RehearsalGone Code = "rehearsal-gone" // Run
	NotHeld       Code = "not-held"       // Place, Run
	NewerRun      Code = "newer-run"      // Credential, Run, Err: what of it this version does not know

	NoFinding       Code = "no-finding"       // Name: the last looks have found nothing of this id
	FindingChanged  Code = "finding-changed"  // Name, Credential, Err (what it is by now)
	BadUntil        Code = "bad-until"        // Err: it is to be acknowledged until then
	NotAcknowledged Code = "not-acknowledged" // Name, Credential: nobody has, so there is nothing to take back

	AwaitsApproval  Code = "awaits-approval"  // Credential, Run (of a retiring), Approval: it was asked for
	ApprovalRefused Code = "approval-refused" // as AwaitsApproval: somebody has refused it
	NothingAsked    Code = "nothing-asked"    // Name: nobody waits for an answer about it
	NotTaken        Code = "not-taken"        // Run, Name (the process that asked): it has not taken what was handed over; none of it was kept
	OtherAsked      Code = "other-asked"      // Credential, Run, Approval: something else is asked by now
	NotApprover     Code = "not-approver"     // Credential, Who, Name (the role), Known (those who have it), Approval
	NotProven       Code = "not-proven"       // Credential, Who, Approval: he could prove who he is, and has not
	OwnRequest      Code = "own-request"      // Credential, Who, Approval: he asks for it himself
	NotFresh        Code = "not-fresh"        // Credential, Who, Approval: he has to sign in again
	AgreedAlready   Code = "agreed-already"   // Credential, Who, Approval
	NotTheirs       Code = "not-theirs"       // Credential, Who, Approval: he has nothing to take back

	Stopped   Code = "stopped"   // Credential, Run, Live, Err; Dir: the journal's file, where it was replaced; Advice: what to do first
	Overtaken Code = "overtaken" // Run, Live, Err, By (nil: what this process saw is gone), Ending
)

// Codes are all of them.
func Codes() []Code {
	return []Code{
		Failed, OtherWorld, KeyDamaged, OtherKey, MovedAway, NoDatabase, Interrupted, Misfit, Unwritable, NoJournal, NotSeen, Refused, Unwired, NotThisKey, KeysUnread, NoEntries, Unsigned, Unnamed, RunUnseen,
		NoCredential, NoCredentials, NoFormerName, NotFormer, NoConsumer, NotRehearsed, BadStrategy, UnknownPlace, OtherName, NoReason, PlanDecides,
		WindowClosed, NoRole, RoleNeeded, NotIdentified, RunOpen, PlaceBusy, PlanDone, Repeated, OtherRequest, NotNewest, Busy,
		NoRun, NoneOpen, SeveralOpen, RunOver, PastReturn, RehearsalGone, NotHeld, NewerRun,
		NoFinding, FindingChanged, BadUntil, NotAcknowledged,
		AwaitsApproval, ApprovalRefused, NothingAsked, NotTaken, OtherAsked, NotApprover, NotProven, OwnRequest, NotFresh, AgreedAlready, NotTheirs, Stopped, Overtaken,
	}
}

// Error is why an operation was refused or has failed. Its text is one line for a log;
// a face words what it is made of, and the next command, in its own way.
type Error struct {
	Code       Code               `json:"code"`
	Credential string             `json:"credential,omitempty"`
	Run        string             `json:"run,omitempty"`
	Purpose    sop.Purpose        `json:"purpose,omitempty"`
	Name       string             `json:"name,omitempty"`
	Place      string             `json:"place,omitempty"`
	Dir        string             `json:"dir,omitempty"`
	Known      []string           `json:"known,omitempty"`
	Problems   []string           `json:"problems,omitempty"`
	Refusals   []rotation.Refusal `json:"refusals,omitempty"`
	Live       []string           `json:"live,omitempty"` // what is live, and where
	Advice     []string           `json:"advice,omitempty"`
	Open       []Summary          `json:"open,omitempty"`
	Spec       *sop.Spec          `json:"spec,omitempty"`
	Opens      time.Time          `json:"opens,omitzero"`
	Who        *rotation.Who      `json:"who,omitempty"`
	By         *journal.Entry     `json:"by,omitempty"`
	Ending     rotation.Ending    `json:"ending,omitempty"`
	Final      bool               `json:"final,omitempty"`
	Simulated  bool               `json:"simulated,omitempty"`
	Without    bool               `json:"without,omitempty"`
	Approval   *Approval          `json:"approval,omitempty"`
	Asks       *Task              `json:"asks,omitempty"` // what a person has to look at first; see Wish.ByHand
	Err        error              `json:"-"`
}

func (e *Error) Error() string {
	about := strings.Join(nonEmpty(e.Credential, e.Run, e.Name, e.Place, e.Dir), ", ")
	text := strings.ReplaceAll(string(e.Code), "-", " ")
	if about != "" {
		text += ": " + about
	}
	switch {
	case e.Err != nil:
		text += ": " + e.Err.Error()
	case len(e.Problems) > 0:
		text += ": " + strings.Join(e.Problems, "; ")
	case len(e.Refusals) > 0:
		text += ": " + e.Refusals[0].What
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

func nonEmpty(words ...string) (out []string) {
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// codedError returns an error as the *Error that it is or wraps; nil where it is none.
func codedError(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}

// CodeOf returns the code of an error; Failed where it has none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Failed
}

// failed wraps what has no better code.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if _, coded := errors.AsType[*Error](err); coded {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Code: Interrupted, Err: err}
	}
	if e := ofKeeping(err); e != nil {
		return e
	}
	return &Error{Code: Failed, Err: err}
}

// notTaken is why a run cannot be gone on with.
func notTaken(err error, credential, run string) error {
	if newer, is := errors.AsType[*rotation.NotUnderstood](err); is {
		return &Error{Code: NewerRun, Credential: credential, Run: run, Err: newer}
	}
	return failed(err)
}

func failedf(format string, args ...any) error {
	return &Error{Code: Failed, Err: fmt.Errorf(format, args...)}
}
