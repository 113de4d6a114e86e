package cloudflare

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// envelope is around every answer of the API (docs/vendors/cloudflare.md). A 200 with
// success false is a failure.
type envelope struct {
	Success bool            `json:"success"`
	Errors  []apiError      `json:"errors"`
	Result  json.RawMessage `json:"result"`
	Info    struct {
		Page  int `json:"page"`
		Per   int `json:"per_page"`
		Count int `json:"count"`
		Total int `json:"total_count"`
	} `json:"result_info"`
}

type apiError struct {
	Code    int    `json:"code"`
	Message string `json:"message"` // looked at, never shown
}

// own reports whether an answer outside 2xx is Cloudflare's own: the envelope, with
// success false and at least one numbered error. A gateway's 404 is not.
func own(r *vendorhttp.Response) bool {
	var e struct {
		Success *bool      `json:"success"`
		Errors  []apiError `json:"errors"`
	}
	return json.Unmarshal(r.Body, &e) == nil && e.Success != nil && !*e.Success && len(e.Errors) > 0 && e.Errors[0].Code > 0
}

// inUse: what is to be deleted is still named by a rule.
const inUse = 12139

var codeInUse = strconv.Itoa(inUse)

// codes is the part of Cloudflare's unpublished table that is known
// (docs/vendors/cloudflare.md). Only what stands here is ever shown: the vendor's own
// messages may quote what was sent.
var codes = map[int]struct {
	class cred.Class
	why   string
}{
	971:   {cred.Limited, "rate limit of the account"},
	10429: {cred.Limited, "rate limit of the account"},
	1000:  {cred.Denied, "the API token is not valid, or of the wrong kind (user or account)"},
	6003:  {cred.Denied, "the API token is malformed"},
	9106:  {cred.Denied, "no API token was sent"},
	9109:  {cred.Denied, "the API token is not allowed from this address (condition.request_ip), or not allowed to do this, or not valid: Cloudflare does not say which, so it proves nothing"},
	10000: {cred.Denied, "the API token is not valid, or lacks the permission: Cloudflare does not say which"},
	10502: {cred.Denied, "too many failed authentications: this address is locked out for a while; do not try again before the token is fixed"},
	9999:  {cred.Refused, "the account has no Zero Trust organisation"},
	7003:  {cred.Absent, "no such account or object: is the account id right?"},
	7000:  {cred.Absent, "no such account or object: is the account id right?"},
	inUse: {cred.Refused, "a policy, group or SCIM configuration still names this token"},
}

// unapplied reports whether an answer proves of a write that nothing was applied:
// it was stopped before it was looked at, or refused for a state that the write
// itself would have ended (a delete that was applied, and sent again by a gateway, is
// answered "not found", never "in use"). Nothing else is documented so.
func unapplied(r *vendorhttp.Response) bool {
	_, code, _ := explain(r.Status, r.Body)
	return slices.Contains([]string{"971", "10429", "1000", "6003", "9106", "9109", "10000", "10502", "9999", codeInUse}, code)
}

// words are parts of Cloudflare's dotted names of errors (access.api.error…), which
// it keeps, and what they mean; for codes that are in no table.
var words = []struct {
	part  string
	class cred.Class
	why   string
}{
	{"in_use", cred.Refused, codes[inUse].why},
	{"limit", cred.Refused, "the account has as many of these as it may have: delete what nobody uses, or ask Cloudflare for more"},
	{"not_enabled", cred.Refused, codes[9999].why},
	{"not_found", cred.Absent, "no such token, policy, group or application"},
	{"conflict", cred.Conflict, "somebody else is changing it at this moment"},
	{"invalid", cred.Refused, "Cloudflare does not take the request as it stands"},
}

// elsewhere is what 9109 says of a token that is not allowed from where we ask.
const elsewhere = "the API token may not be used from this address (condition.request_ip): that does not mean that it is not valid"

func explain(status int, body []byte) (cred.Class, string, string) {
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return "", "", ""
	}
	for _, err := range e.Errors {
		if known, ok := codes[err.Code]; ok {
			if err.Code == 9109 && strings.Contains(err.Message, "location") {
				known.why = elsewhere
			}
			return certain(status, known.class), strconv.Itoa(err.Code), known.why
		}
		for _, w := range words {
			if strings.HasPrefix(err.Message, "access.api.error.") && strings.Contains(err.Message, w.part) && status != 429 {
				return certain(status, w.class), "", w.why
			}
		}
	}
	return "", "", ""
}

// certain leaves nothing certain of an answer that says that the server failed.
func certain(status int, class cred.Class) cred.Class {
	if status >= 500 {
		return cred.Unknown
	}
	return class
}

// call sends one request and decodes the result.
func call(ctx context.Context, c *vendorhttp.Client, r vendorhttp.Request, result any) (envelope, error) {
	var e envelope
	resp, err := c.Do(ctx, r)
	if err != nil {
		return e, err
	}
	if err := resp.Decode(&e); err != nil {
		return e, err
	}
	if !e.Success {
		class, code, why := explain(resp.Status, resp.Body)
		if class == "" {
			class, why = cred.Unknown, "the answer does not say success: true"
		}
		return e, &cred.Error{Vendor: c.Vendor, Op: r.Op, Status: resp.Status, Class: class, Code: code, Why: why, Maybe: r.Method != http.MethodGet && !unapplied(resp)}
	}
	if result != nil {
		if len(e.Result) == 0 || string(e.Result) == "null" || json.Unmarshal(e.Result, result) != nil {
			return e, resp.Nonsense("the answer is not of the documented form")
		}
	}
	return e, nil
}

// ended deletes one thing. The answer names what was deleted; one that does not was
// given by something else, and what it stands for is not known.
func ended(ctx context.Context, c *vendorhttp.Client, op, path, id string) error {
	var gone struct {
		ID string `json:"id"`
	}
	if _, err := call(ctx, c, vendorhttp.Request{Op: op, Method: http.MethodDelete, Path: path}, &gone); err != nil {
		return err
	}
	if gone.ID != id {
		return &cred.Error{Vendor: c.Vendor, Op: op, Status: http.StatusOK, Class: cred.Unknown, Why: "the answer does not name what was to be deleted"}
	}
	return nil
}
