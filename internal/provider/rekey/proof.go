package rekey

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Probe asks the service who the token is. It goes there and nowhere else.
func (t *tokens) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "ask who the token is"
	if err := t.Elsewhere(p, t.api.Vendor, op, "a token", "the service"); err != nil {
		return cred.Unclear, "", err
	}
	r := vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/whoami"}
	bearing := b[FieldToken].Present()
	if bearing {
		r.Header = map[string]string{"Authorization": "Bearer " + b[FieldToken].Reveal()}
	}
	resp, err := t.bare.Raw(ctx, r)
	if err != nil {
		return cred.Unclear, "no answer", err
	}
	verdict, detail := grade(resp, bearing)
	return verdict, detail, nil
}

// grade: the service's own yes names the token, its own no says that it knows nobody.
// Anything else, a proxy's 401 included, tells nothing.
func grade(resp *vendorhttp.Response, bearing bool) (cred.Verdict, string) {
	var said struct {
		Who struct {
			Name   string
			Claims struct{ Token string }
		}
	}
	code, _ := problem(resp.Body)
	known := resp.Status == http.StatusOK && resp.IsJSON() && json.Unmarshal(resp.Body, &said) == nil && said.Who.Name != ""
	switch {
	case known && bearing && said.Who.Claims.Token != "":
		return cred.Accepted, "the service knows it"
	case known && !bearing:
		return cred.Open, "the service answers whoever asks: its rekey.yaml has no identity"
	case resp.Status == http.StatusUnauthorized && code == "not-identified":
		return cred.Rejected, "401 by the service"
	}
	return cred.Unclear, fmt.Sprintf("%d, which is neither the service's success nor its refusal", resp.Status)
}

// Wrong makes up a token of the form that docs/access.md describes: 40 characters of
// chance, and the CRC-32 of all before it in base 62.
func (t *tokens) Wrong() secret.Bundle {
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	random := (rand.Text() + rand.Text())[:40]
	text := "rekey_" + random
	sum, end := crc32.ChecksumIEEE([]byte(text)), [6]byte{}
	for i := len(end) - 1; i >= 0; i-- {
		end[i] = base62[sum%62]
		sum /= 62
	}
	return secret.Bundle{FieldToken: secret.New(text + string(end[:]))}
}

// Self is the token by which we ask, where it is one of these.
func (t *tokens) Self(ctx context.Context) (string, error) {
	all, _, err := t.all(ctx)
	if err != nil {
		return "", err
	}
	mine, _, err := t.ours(ctx)
	if err != nil {
		return "", &cred.Error{Vendor: t.api.Vendor, Op: "find which token is our own", Class: cred.Unsent, Why: err.Error()}
	}
	for _, x := range all {
		if x.Fingerprint == fingerprint(mine) {
			return x.ID, nil
		}
	}
	return "", nil
}

// Adopt goes on with a token that has just been made; without one it goes back to what
// rekey.yaml names.
func (t *tokens) Adopt(b secret.Bundle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.adopted = b[FieldToken]
}
