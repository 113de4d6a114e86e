package stage

import (
	"time"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// direct is a call without a network. What a fault answers is the error that a driver
// would make of such an answer, by the same table (vendorhttp.ClassOfStatus).
type direct struct {
	s      *Stage
	who    string
	op     string
	writes bool
}

func (d direct) kind() string  { return d.who + " " + d.op }
func (d direct) changes() bool { return d.writes }
func (d direct) site() bool    { return false }

func (d direct) err(e cred.Error) (struct{}, error) {
	e.Vendor, e.Op = d.who, d.op
	return struct{}{}, &e
}

// page: who answered is not the vendor, so it says nothing.
func (d direct) page(status int) (struct{}, error) {
	return d.err(cred.Error{Class: cred.Unknown, Status: status, Why: "the answer is not the vendor's", Maybe: d.writes})
}

// refusal: of a write, only "you may not" and "later" prove that nothing was applied.
func (d direct) refusal(status int) (struct{}, error) {
	class := vendorhttp.ClassOfStatus(status)
	e := cred.Error{Class: class, Status: status, Maybe: d.writes && class != cred.Denied && class != cred.Limited}
	if class == cred.Limited {
		e.RetryAfter = 5 * time.Second
	}
	return d.err(e)
}

func (d direct) elsewhere() (struct{}, error) {
	return d.err(cred.Error{Class: cred.Unknown, Status: 302, Why: "redirected, which no call should be", Maybe: d.writes})
}

func (d direct) nothing() (struct{}, error) {
	return d.err(cred.Error{Class: cred.Unknown, Status: 200, Why: "the answer has nothing in it", Maybe: d.writes})
}

// cutOff: what was applied was applied, and its answer cannot be read.
func (d direct) cutOff(struct{}, error) (struct{}, error) {
	return d.err(cred.Error{Class: cred.Unknown, Status: 200, Why: "the answer is cut off", Maybe: d.writes})
}

func (d direct) failure() (struct{}, error) {
	return d.err(cred.Error{Class: cred.Unknown, Status: 200, Why: "success is said, and an error", Maybe: d.writes})
}

func (d direct) vendor() string { return d.who }
