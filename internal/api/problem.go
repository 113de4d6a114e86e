package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"rekey/internal/estate"
	"rekey/internal/sop"
)

// Fields are those of estate.Error.
type Fields estate.Error

// Refusal is why something was refused or has failed: a problem of RFC 9457, with
// everything of estate.Error beside it, so that it is the same error at the other end.
type Refusal struct {
	Type     string `json:"type"`               // TypePrefix and the code
	Title    string `json:"title"`              // the code in words
	Status   int    `json:"status"`             // of HTTP
	Detail   string `json:"detail,omitempty"`   // one line, for a log
	Instance string `json:"instance,omitempty"` // the id under which the server has logged it

	Fields

	Why      string       `json:"why,omitempty"`      // what is beneath it, in words
	Mistakes []Mistake    `json:"mistakes,omitempty"` // all of the request
	Lines    sop.Problems `json:"lines,omitempty"`    // all of a file, with their lines
	Cause    *Refusal     `json:"cause,omitempty"`    // what is beneath it, where that has a code too
}

// Mistake is one mistake of a request.
type Mistake struct {
	At   string `json:"at"`   // JSON pointer into the body, or the name of a parameter or a header
	What string `json:"what"` // in words; what was sent is not repeated
}

// TypePrefix is what the type of every problem of this API begins with.
const TypePrefix = "urn:rekey:problem:"

// Codes of what HTTP refuses before any operation is asked; those of operations are in
// internal/estate.
const (
	BadRequest   estate.Code = "bad-request"   // Mistakes
	NoWay        estate.Code = "no-operation"  // the path is none of this version
	NoMethod     estate.Code = "no-method"     // the path has other methods
	BadType      estate.Code = "no-json"       // the body is not JSON, or does not say so
	TooLarge     estate.Code = "too-large"     // the body
	TooMany      estate.Code = "too-many"      // streams or requests of this caller; Retry-After
	WrongHost    estate.Code = "wrong-host"    // it was asked for by a name that is not its own
	CrossSite    estate.Code = "cross-site"    // a page of another site sent it
	TokenRefused estate.Code = "token-refused" // Err: this token cannot be made, rotated or revoked
	TokenTaken   estate.Code = "token-taken"   // Err: there is a live token of this name
	Draining     estate.Code = "draining"      // the server is stopping; Retry-After
	Unavailable  estate.Code = "unavailable"   // the caller cannot be looked up now; Retry-After
	TookTooLong  estate.Code = "took-too-long" // what was begun may be finished: look before repeating it
)

// Codes are those of HTTP.
func Codes() []estate.Code {
	return []estate.Code{BadRequest, NoWay, NoMethod, BadType, TooLarge, TooMany, WrongHost, CrossSite, TokenRefused, TokenTaken, Draining, Unavailable, TookTooLong}
}

// StatusOf is the status of HTTP with which a code is told.
func StatusOf(code estate.Code) int {
	switch code {
	case estate.NotIdentified:
		return http.StatusUnauthorized
	case estate.NoRole, estate.RoleNeeded, estate.NotApprover, estate.NotProven, estate.OwnRequest, estate.NotFresh, CrossSite:
		return http.StatusForbidden
	case estate.NoRun, estate.NoCredential, estate.NoCredentials, estate.NoFormerName, estate.NoJournal, estate.NothingAsked, estate.NoFinding, NoWay:
		return http.StatusNotFound
	case estate.NotFormer, estate.NoConsumer, estate.NotRehearsed, estate.BadStrategy, estate.UnknownPlace, estate.OtherName, estate.NoReason, estate.PlanDecides,
		estate.NotHeld, estate.Unnamed, estate.Misfit, estate.OtherRequest, estate.BadUntil, TokenRefused:
		return http.StatusUnprocessableEntity
	case estate.Refused, estate.NotSeen, estate.RunUnseen, estate.WindowClosed, estate.RunOpen, estate.PlaceBusy, estate.PlanDone, estate.Repeated, estate.Busy, estate.NoneOpen,
		estate.SeveralOpen, estate.RunOver, estate.PastReturn, estate.RehearsalGone, estate.NewerRun, estate.Overtaken, estate.OtherWorld, estate.NoEntries, estate.Unsigned, estate.NotThisKey, estate.AwaitsApproval, estate.ApprovalRefused, estate.NotTaken, estate.OtherAsked, estate.AgreedAlready, estate.NotTheirs, estate.FindingChanged, estate.NotAcknowledged, TokenTaken:
		return http.StatusConflict
	case BadRequest:
		return http.StatusBadRequest
	case NoMethod:
		return http.StatusMethodNotAllowed
	case BadType:
		return http.StatusUnsupportedMediaType
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case TooMany:
		return http.StatusTooManyRequests
	case WrongHost:
		return http.StatusMisdirectedRequest
	case estate.Unwritable, estate.Unwired, estate.Interrupted, estate.Stopped, Draining, Unavailable:
		return http.StatusServiceUnavailable
	case TookTooLong:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// Refuse makes a problem of an error; instance is the request's id.
func Refuse(err error, instance string) Refusal {
	e, ok := errors.AsType[*estate.Error](err)
	if !ok {
		e = &estate.Error{Code: estate.Failed, Err: err}
	}
	out := Refusal{Type: TypePrefix + string(e.Code), Title: strings.ReplaceAll(string(e.Code), "-", " "), Status: StatusOf(e.Code), Detail: e.Error(), Instance: instance, Fields: Fields(*e)}
	out.Fields.Err = nil
	if e.Err == nil {
		return out
	}
	out.Why = e.Err.Error()
	if problems, is := errors.AsType[sop.Problems](e.Err); is {
		out.Lines = problems
	}
	if beneath, is := errors.AsType[*estate.Error](e.Err); is {
		cause := Refuse(beneath, "")
		out.Cause = &cause
	}
	return out
}

// Err makes the error of a problem again: with the same code, fields and text.
func (r Refusal) Err() error {
	e := estate.Error(r.Fields)
	if e.Code == "" {
		e.Code = estate.Failed
	}
	if r.Why != "" || r.Cause != nil || len(r.Mistakes) > 0 {
		e.Err = &beneath{why: r.why(), under: r.under()}
	}
	return &e
}

func (r Refusal) why() string {
	if len(r.Mistakes) == 0 {
		return r.Why
	}
	lines := make([]string, len(r.Mistakes))
	for i, m := range r.Mistakes {
		lines[i] = m.At + ": " + m.What
	}
	return strings.Join(lines, "\n")
}

// under is what programs look for beneath an error.
func (r Refusal) under() error {
	switch {
	case r.Cause != nil:
		return r.Cause.Err()
	case len(r.Lines) > 0:
		return r.Lines
	case r.Code == estate.Interrupted:
		return context.Canceled
	}
	return nil
}

// beneath is the text of an error and what it was made of.
type beneath struct {
	why   string
	under error
}

func (b *beneath) Error() string { return b.why }
func (b *beneath) Unwrap() error { return b.under }

// ReadRefusal reads the body of an answer that is a problem; false: it is none of ours.
func ReadRefusal(body []byte) (Refusal, bool) {
	var r Refusal
	if err := json.Unmarshal(body, &r); err != nil || !strings.HasPrefix(r.Type, TypePrefix) && r.Code == "" {
		return r, false
	}
	if r.Why == "" && (!strings.HasPrefix(r.Type, TypePrefix) || r.Code == estate.NotIdentified) {
		r.Why = r.Detail // of where people sign in: it has a code and a sentence
	}
	return r, true
}
