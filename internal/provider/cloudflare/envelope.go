package cloudflare

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// envelope is around every answer of the API (cloudflare.md §1). A 200 with
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
	Code int `json:"code"`
}

// inUse: what is to be deleted is still named by a rule.
const inUse = 12139

var codeInUse = strconv.Itoa(inUse)

// codes is the part of Cloudflare's unpublished table that is known
// (cloudflare.md §4). Only what stands here is ever shown: the vendor's own
// messages may quote what was sent.
var codes = map[int]struct {
	class cred.Class
	why   string
}{
	971:   {cred.Limited, "rate limit of the account"},
	10429: {cred.Limited, "rate limit of the account"},
	1000:  {cred.Denied, "the API token is dead, or of the wrong kind (user or account)"},
	6003:  {cred.Denied, "the API token is malformed"},
	9106:  {cred.Denied, "no API token was sent"},
	9109:  {cred.Denied, "the API token is dead, not allowed here, or used from an address it is not allowed from"},
	10000: {cred.Denied, "the API token is dead, or lacks the permission: Cloudflare does not tell which"},
	10502: {cred.Denied, "too many failed authentications: this address is locked out for a while; do not try again before the token is mended"},
	9999:  {cred.Refused, "the account has no Zero Trust organisation"},
	7003:  {cred.Absent, "no such account or object: is the account id right?"},
	7000:  {cred.Absent, "no such account or object: is the account id right?"},
	inUse: {cred.Refused, "a policy, group or SCIM configuration still names this token"},
}

func explain(status int, body []byte) (cred.Class, string, string) {
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return "", "", ""
	}
	for _, err := range e.Errors {
		if known, ok := codes[err.Code]; ok {
			class := known.class
			if status >= 500 {
				class = cred.Unknown
			}
			return class, strconv.Itoa(err.Code), known.why
		}
	}
	return "", "", ""
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
			class, why = cred.Unknown, "the answer says success: false"
		}
		return e, &cred.Error{Vendor: c.Vendor, Op: r.Op, Status: resp.Status, Class: class, Code: code, Why: why}
	}
	if result != nil {
		if len(e.Result) == 0 || string(e.Result) == "null" || json.Unmarshal(e.Result, result) != nil {
			return e, resp.Nonsense("the answer is not of the documented shape")
		}
	}
	return e, nil
}

const perPage = 100

// list fetches all pages. It stops by the total where one is told, otherwise at
// the first page that is not full; a page that repeats what was seen is an
// error, not an endless loop.
func list[T any](ctx context.Context, c *vendorhttp.Client, op, path string, id func(T) string) ([]T, error) {
	return listBy(ctx, c, op, path, perPage, id)
}

// listBy is list with so many a page.
func listBy[T any](ctx context.Context, c *vendorhttp.Client, op, path string, per int, id func(T) string) ([]T, error) {
	var all []T
	var seen []string
	for page := 1; ; page++ {
		var items []T
		r := vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path, Query: url.Values{
			"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(per)},
		}}
		e, err := call(ctx, c, r, &items)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			if slices.Contains(seen, id(it)) {
				return nil, &cred.Error{Vendor: c.Vendor, Op: op, Class: cred.Unknown, Why: "the list changed while it was read, or its pages repeat"}
			}
			seen = append(seen, id(it))
		}
		all = append(all, items...)
		switch {
		case e.Info.Total > 0 && len(all) >= e.Info.Total, len(items) == 0:
			return all, nil
		case e.Info.Total == 0 && len(items) < max(e.Info.Per, 1):
			return all, nil
		}
	}
}
