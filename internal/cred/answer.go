package cred

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"rekey/internal/visible"
)

// Class says what a vendor's answer means for what we asked, not how it was
// worded. It is the only thing the procedure decides on.
type Class string

// The classes. Whatever cannot be classified is Unknown: it may have happened.
const (
	Done     Class = "done"     // applied, or already so
	Waiting  Class = "waiting"  // taken, not finished yet: ask again
	Denied   Class = "denied"   // 401, 403: we may not; not applied
	Absent   Class = "absent"   // 404, 410: it is not there; not applied
	Conflict Class = "conflict" // 409, 412: somebody else was first; not applied
	Refused  Class = "refused"  // other 4xx: understood and not applied
	Limited  Class = "limited"  // 429: later; not applied
	Unsent   Class = "unsent"   // nothing was asked: what it takes is not at hand, a reference that is not set
	Foreign  Class = "foreign"  // what we meant to change was changed by somebody else; not touched
	Failed   Class = "failed"   // a proof came out false: it does not work
	Unknown  Class = "unknown"  // time-out, cut connection, 5xx, nonsense: may have happened
)

// Classes are all of them.
func Classes() []Class {
	return []Class{Done, Waiting, Denied, Absent, Conflict, Refused, Limited, Unsent, Foreign, Failed, Unknown}
}

// NotApplied reports whether an answer of this class proves that the request
// changed nothing.
func (c Class) NotApplied() bool {
	switch c {
	case Denied, Absent, Conflict, Refused, Limited, Unsent, Foreign:
		return true
	}
	return false
}

// Says is the class in words, for people.
func (c Class) Says() string {
	switch c {
	case Done:
		return "done"
	case Waiting:
		return "not finished yet"
	case Denied:
		return "the vendor denied it (401 or 403): the credential that Rekey uses there is not valid, or lacks the permission"
	case Absent:
		return "the vendor does not find it (404)"
	case Conflict:
		return "somebody else changed it at the same time"
	case Refused:
		return "the vendor refused the request as it stands"
	case Limited:
		return "not now: the vendor's rate limit was reached, or the vendor could not be asked"
	case Unsent:
		return "nothing was sent: something that the request needs is missing"
	case Foreign:
		return "somebody else changed it since it was observed"
	case Failed:
		return "the check failed"
	}
	return "no usable answer: it may have happened"
}

// Error is a classified failure of one call. It carries no body, no header and
// no URL query: a truncated answer to a create is a secret.
type Error struct {
	Vendor     string        // instance in rekey.yaml
	Op         string        // what was asked, in words: "create service token"
	Class      Class         // what it means
	Status     int           // HTTP status, 0 when there was no answer
	Code       string        // vendor's code, only if it is in the vendor's table
	Why        string        // our words, never the vendor's
	RetryAfter time.Duration // how long the vendor asked us to wait, 0 if it did not say
	Err        error         // transport error without its URL, may be nil
	// Where tells of what was denied or is absent what was asked, and where rekey.yaml
	// names it: "account 0123 at api.example.com, rekey.yaml:12"; "" if that is not known.
	Where string
	// Maybe: the request was a write, and the answer, however clear it sounds, does
	// not prove that nothing was applied: a gateway may have sent it twice and passed
	// on the second answer. Only what the vendor documents as "not applied", in its
	// own error shape, leaves this false.
	Maybe bool
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: ", e.Vendor, e.Op)
	switch {
	case e.Status != 0 && e.Code != "":
		fmt.Fprintf(&b, "%s (%d, %s)", e.word(), e.Status, e.Code)
	case e.Status != 0:
		fmt.Fprintf(&b, "%s (%d)", e.word(), e.Status)
	default:
		b.WriteString(e.word())
	}
	if e.Why != "" {
		b.WriteString(": " + e.Why)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Where != "" && (e.Class == Denied || e.Class == Absent) {
		b.WriteString(" (" + e.Where + ")")
	}
	return visible.Text(b.String()) // vendors name things as they like
}

// tooMany requests: the status that is a rate limit (RFC 6585 §4).
const tooMany = 429

// word is the class as it is printed. Only 429 is a limit: whatever else has to wait,
// a login that did not answer among it, is "not now".
func (e *Error) word() string {
	switch {
	case e.Class == Unsent:
		return "not sent"
	case e.Class == Unknown: // for a person; what it means for the run is the class
		return "no clear answer"
	case e.Class == Limited && e.Status != tooMany:
		return "not now"
	}
	return string(e.Class)
}

// Unwrap returns the transport error.
func (e *Error) Unwrap() error { return e.Err }

// AsError finds what a vendor's answer amounted to in an error.
func AsError(err error) (*Error, bool) { return errors.AsType[*Error](err) }

// ClassOf returns the class of err: Done for nil, Unknown for anything that is
// not an *Error.
func ClassOf(err error) Class {
	if err == nil {
		return Done
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Unknown
}

// MayHaveHappened reports whether a call that ended like this may have had its
// effect; false for nil, which says that it had.
func MayHaveHappened(err error) bool {
	if err == nil {
		return false
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Maybe || !e.Class.NotApplied()
	}
	return true
}

// RetryAfter returns how long the vendor asked us to wait, or 0.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
