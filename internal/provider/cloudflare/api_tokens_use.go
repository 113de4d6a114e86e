package cloudflare

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// verify asks with a token whether it works: 200 with its id and status, 401 with
// code 1000 for one that is dead or of the other kind (docs/vendors/cloudflare.md).
func (a *apiTokens) verify(ctx context.Context, v secret.Value, used string) (id, status string, err error) {
	var out struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	_, err = call(ctx, a.as(v, used), vendorhttp.Request{Op: "verify API token", Method: http.MethodGet, Path: a.root + "/verify"}, &out)
	if err == nil && (out.ID == "" || out.Status == "") {
		err = &cred.Error{Vendor: a.api.Vendor, Op: "verify API token", Class: cred.Unknown, Why: "the answer lacks the id or the status"}
	}
	return out.ID, out.Status, err
}

// dead reports whether the verify endpoint said of a token that there is no such one:
// 1000, or 6003 for what cannot be one. Every other refusal tells of the address that
// asked, of a permission or of a gateway, and nothing of the token.
func dead(err error) bool {
	e, ok := cred.AsError(err)
	return ok && (e.Code == "1000" || e.Code == "6003")
}

// Probe asks the verify endpoint. A token goes to Cloudflare and nowhere else, so
// no other place is asked.
func (a *apiTokens) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	if err := a.Elsewhere(p, a.api.Vendor, "verify API token", "an API token", "Cloudflare"); err != nil {
		return cred.Unclear, "", err
	}
	_, status, err := a.verify(ctx, b[FieldToken], "the token that is being proven")
	e, _ := cred.AsError(err)
	switch {
	case err == nil && status == "active":
		return cred.Accepted, "active", nil
	case err == nil:
		return cred.Rejected, "it is " + status, nil
	case dead(err), e != nil && e.Code == "9106" && !b[FieldToken].Present():
		return cred.Rejected, fmt.Sprintf("%d by Cloudflare", e.Status), nil
	case e != nil && e.Code == "9109":
		return cred.Unclear, "refused from this address, which proves nothing: it may be allowed from other addresses only (condition.request_ip)", nil
	case e != nil && e.Status >= 300 && e.Status < 500 && e.Class != cred.Limited:
		return cred.Unclear, fmt.Sprintf("%d", e.Status), nil
	}
	return cred.Unclear, "no answer", err
}

// Wrong makes up a token that Cloudflare never issued.
func (a *apiTokens) Wrong() secret.Bundle {
	b := make([]byte, 20)
	_, _ = rand.Read(b)
	return secret.Bundle{FieldToken: secret.New(hex.EncodeToString(b))}
}

// Roll: https://developers.cloudflare.com/fundamentals/api/how-to/roll-token/
// The answer is the new value and the only copy; the value before is dead at once.
func (a *apiTokens) Roll(ctx context.Context, h cred.Handle, _ time.Time) (cred.Handle, secret.Bundle, error) {
	const op = "roll API token"
	if h.ID == "" {
		return cred.Handle{}, nil, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Refused, Why: "no token id"}
	}
	var v secret.Value
	_, err := call(ctx, a.client(), vendorhttp.Request{Op: op, Method: http.MethodPut, Path: a.root + "/" + url.PathEscape(h.ID) + "/value", Body: struct{}{}}, &v)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	if !v.Present() {
		return cred.Handle{}, nil, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer lacks the value"}
	}
	return h, secret.Bundle{FieldToken: v}, nil
}

// Keep: there is no grace to be moved.
func (a *apiTokens) Keep(context.Context, cred.Handle, time.Time) (cred.Handle, error) {
	return cred.Handle{}, &cred.Error{Vendor: a.api.Vendor, Op: "keep the old value", Class: cred.Refused, Why: "a rolled API token keeps no old value"}
}

// Switch: https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/update
// A PUT replaces the whole token, so everything that was read is sent back but
// what is the server's own to write.
func (a *apiTokens) Switch(ctx context.Context, h cred.Handle, on bool) (cred.Handle, error) {
	const op = "switch API token"
	path := a.root + "/" + url.PathEscape(h.ID)
	var was map[string]json.RawMessage
	if _, err := call(ctx, a.client(), vendorhttp.Request{Op: "read API token", Method: http.MethodGet, Path: path}, &was); err != nil {
		return cred.Handle{}, err
	}
	if rules(was).id() != h.ID {
		return cred.Handle{}, a.another("read API token")
	}
	policies, err := portable(was["policies"])
	if err != nil {
		return cred.Handle{}, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Refused, Why: "what the token may do cannot be sent back as it was read"}
	}
	for _, own := range []string{"id", "issued_on", "modified_on", "last_used_on", "value"} {
		delete(was, own)
	}
	was["policies"], _ = json.Marshal(policies)
	want := "disabled"
	if on {
		want = "active"
	}
	was["status"] = json.RawMessage(`"` + want + `"`)
	var now apiToken
	if _, err := call(ctx, a.client(), vendorhttp.Request{Op: op, Method: http.MethodPut, Path: path, Body: was}, &now); err != nil {
		return cred.Handle{}, err
	}
	if now.ID != h.ID {
		return cred.Handle{}, a.another(op)
	}
	if now.Status != want {
		return cred.Handle{}, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer shows another status than was sent"}
	}
	return now.handle(), nil
}
