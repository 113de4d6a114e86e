package vendorhttp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

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

func (c *Client) failure(op string, r *Response) error {
	e := &cred.Error{Vendor: c.Vendor, Op: op, Status: r.Status, Class: ClassOfStatus(r.Status)}
	if !r.IsJSON() && e.Class == cred.Refused {
		// Something in front of the vendor answered, not the vendor.
		e.Why = "the answer is not the vendor's own (no JSON)"
	}
	if c.Explain != nil && r.IsJSON() {
		if class, code, why := c.Explain(r.Status, r.Body); class != "" {
			e.Class, e.Code, e.Why = class, code, why
		}
	}
	if r.Status >= 300 && r.Status < 400 {
		e.Why = "redirected, which no API call should be: is the base URL right?"
		e.Class = cred.Refused
	}
	if e.Class == cred.Unknown && e.Why == "" && !r.IsJSON() {
		e.Why = "no JSON: something in front of the vendor answered"
	}
	if e.Class == cred.Denied && r.used != "" {
		e.Why = strings.TrimPrefix(e.Why+"; used "+r.used, "; ")
	}
	e.RetryAfter = RetryAfter(r.Header, c.Now())
	return e
}

// Decode reads a JSON answer into out. An answer to a 2xx that cannot be read is
// Unknown: the effect may have happened, and what it said is lost.
func (r *Response) Decode(out any) error {
	if !r.IsJSON() {
		return r.Nonsense("the answer is not JSON")
	}
	if err := json.Unmarshal(r.Body, out); err != nil {
		return r.Nonsense("the answer is not of the documented shape")
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

// RetryAfter reads the header of that name (RFC 9110 §10.2.3): seconds or a
// date; 0 if there is none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// transportWords says why there was no answer, in words of ours: the library's
// own errors quote addresses, queries and bytes of the answer.
func transportWords(ctx context.Context, err error) string {
	var dns *net.DNSError
	var unknownCA x509.UnknownAuthorityError
	var host x509.HostnameError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted while waiting for the answer"
	case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &dns):
		return "the host name is not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &unknownCA), errors.As(err, &host), errors.As(err, &cert):
		return "the certificate is not trusted"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS: is it http, not https?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was cut before the answer"
	}
	return "the connection failed"
}
