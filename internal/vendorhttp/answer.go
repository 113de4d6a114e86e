package vendorhttp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"rekey/internal/cred"
)

// ClassOfStatus is the class of an HTTP status (RFC 9110 §15).
func ClassOfStatus(status int) cred.Class {
	switch {
	case status >= 200 && status < 300:
		return cred.Done
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return cred.Denied
	case status == http.StatusNotFound, status == http.StatusGone:
		return cred.Absent
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return cred.Conflict
	case status == http.StatusTooManyRequests:
		return cred.Limited
	case status == http.StatusRequestTimeout:
		return cred.Unknown
	case status >= 400 && status < 500:
		return cred.Refused
	}
	return cred.Unknown
}

// Failure classifies an answer outside 2xx, as Do does, for whom has to read one itself
// first. Who gave it is asked before anything else: a proxy's or a gateway's 404 does not say that the vendor has no such thing, and an answer
// of the vendor to a write says only what the vendor documents of it.
func (c *Client) Failure(req Request, r *Response) error {
	e := &cred.Error{Vendor: c.Vendor, Op: req.Op, Status: r.Status, Class: ClassOfStatus(r.Status), Where: c.Where}
	var asked string
	e.RetryAfter, asked = wait(RetryAfter(r.Header, c.Now()))
	redirected := r.Status >= 300 && r.Status < 400
	switch {
	case redirected:
		e.Class, e.Why = cred.Unknown, "redirected, which API calls should not be: is the base URL right?"
	case !c.own(r):
		e.Why = r.stranger()
		if e.Class != cred.Limited || req.writes() { // whoever says "later" to a look: later it is
			e.Class = cred.Unknown
		}
	case c.Explain != nil:
		if class, code, why := c.Explain(r.Status, r.Body); class != "" {
			e.Class, e.Code, e.Why = class, code, why
		}
	}
	e.Maybe = req.writes() && !c.notApplied(r, e.Class)
	if e.Class == cred.Denied && r.used != "" {
		e.Why = joined(e.Why, "used "+r.used)
	}
	e.Why = joined(e.Why, asked)
	return e
}

// joined are clauses of one sentence.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func (c *Client) own(r *Response) bool {
	if c.Own == nil {
		return r.IsJSON()
	}
	return c.Own(r)
}

// notApplied reports whether an answer to a write proves that it changed nothing.
// Who is denied, or is told to come later, has changed nothing. Of the other
// refusals only the vendor's documents tell: where something on the way sent the
// request twice, the second is answered "no such thing" or "already there" because
// the first was applied.
func (c *Client) notApplied(r *Response, class cred.Class) bool {
	switch class {
	case cred.Denied, cred.Limited:
		return true
	case cred.Unknown:
		return false
	}
	return c.NotApplied != nil && c.NotApplied(r)
}

// Decode reads a JSON answer into out. An answer to a 2xx that cannot be read is
// Unknown: the effect may have happened, and what it said is lost.
func (r *Response) Decode(out any) error {
	if !r.IsJSON() {
		return r.Nonsense("the answer is not JSON")
	}
	if err := json.Unmarshal(r.Body, out); err != nil {
		return r.Nonsense("the answer is not of the documented form")
	}
	return nil
}

// Nonsense is the error for an answer that arrived and cannot be used.
func (r *Response) Nonsense(why string) error {
	return &cred.Error{Vendor: r.vendor, Op: r.op, Class: cred.Unknown, Status: r.Status, Why: why}
}

// IsJSON reports whether the answer looks like JSON, by its first byte: some
// vendors send JSON under other content types, and proxies HTML under this one.
func (r *Response) IsJSON() bool {
	b := bytes.TrimSpace(r.Body)
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') && !strings.Contains(r.Header.Get("Content-Type"), "html")
}

// IsHTML reports whether the answer is a page for people.
func (r *Response) IsHTML() bool {
	b := bytes.TrimSpace(r.Body)
	return strings.Contains(r.Header.Get("Content-Type"), "html") || len(b) > 0 && b[0] == '<'
}
