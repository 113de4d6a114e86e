// Package httpcheck runs the checks of a written procedure: an address with a status and a jq expression, or a command.
package httpcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

const (
	timeout = 15 * time.Second
	// jqTimeout bounds an expression that does not end.
	jqTimeout = 2 * time.Second
)

// Checker runs checks.
type Checker struct{ env provider.Env }

// New returns a checker.
func New(env provider.Env) *Checker { return &Checker{env} }

var _ provider.Checker = (*Checker)(nil)

// Check asks once. A redirect or a refusal means that the check's own session
// has ended: an expired cookie gives a login page, not the truth (T32).
func (c *Checker) Check(ctx context.Context, k sop.Check, since time.Time) (cred.Class, string, error) {
	header := map[string]string{}
	for name, refs := range k.Headers {
		v, _, err := c.env.Resolve(ctx, refs)
		if err != nil {
			return cred.Failed, "", &cred.Error{Vendor: "check", Op: k.URL, Class: cred.Unsent, Why: "header " + name + ": " + err.Error()}
		}
		header[name] = v.Reveal()
	}
	client := vendorhttp.Client{Vendor: "check", Base: k.URL, Transport: c.env.Transport, Now: c.env.Now, Observe: c.env.Observe, Timeout: timeout}
	resp, err := client.Raw(ctx, vendorhttp.Request{Op: "check " + k.URL, Method: http.MethodGet, Header: header})
	if err != nil {
		return cred.Waiting, "no answer", err
	}
	want := k.Status
	if want == 0 {
		want = http.StatusOK
	}
	switch {
	case resp.Status == want:
	case resp.Status >= 300 && resp.Status < 400, resp.Status == 401, resp.Status == 403:
		return cred.Failed, fmt.Sprintf("%d: the check itself was denied; is its header still valid?", resp.Status), nil
	default:
		return cred.Waiting, fmt.Sprintf("%d instead of %d", resp.Status, want), nil
	}
	if k.JQ == "" {
		return cred.Done, fmt.Sprintf("%d", resp.Status), nil
	}
	if !resp.IsJSON() {
		return cred.Failed, "the answer is not JSON: a login page?", nil
	}
	var input any
	if err := json.Unmarshal(resp.Body, &input); err != nil {
		return cred.Waiting, "the answer is damaged JSON", nil
	}
	return evaluate(ctx, k, input, since)
}

// evaluate demands at least one result, and every result to be true: an
// expression that selects nothing proves nothing (T33).
func evaluate(ctx context.Context, k sop.Check, input any, since time.Time) (cred.Class, string, error) {
	code, err := k.Code()
	if err != nil {
		return cred.Failed, "the jq expression cannot be compiled", nil
	}
	ctx, cancel := context.WithTimeout(ctx, jqTimeout)
	defer cancel()
	iter, results := code.RunWithContext(ctx, input, from(since)), 0
	for {
		v, more := iter.Next()
		if !more {
			break
		}
		if err, failed := v.(error); failed {
			_ = err // may quote the answer
			return cred.Waiting, "the jq expression does not fit the answer", nil
		}
		if v != true {
			return cred.Waiting, "jq gave " + kind(v) + " instead of true", nil
		}
		results++
	}
	if results == 0 {
		return cred.Waiting, "the jq expression selected nothing: was something renamed?", nil
	}
	return cred.Done, "jq gave " + strings.TrimSuffix(strings.Repeat("true, ", results), ", "), nil
}

// kind names a result without showing it, unless it can hold nothing secret.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}
