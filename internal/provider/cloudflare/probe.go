package cloudflare

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

const probeTimeout = 10 * time.Second

// Probe asks a place behind Access once and grades who answered, not only with
// which status: the same bad token answers 302, 401 or 403 depending on
// organisation and application, and an unguarded host answers 200 to anything
// (docs/vendors/cloudflare.md).
func (t *tokens) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	r := vendorhttp.Request{Op: "probe " + p.URL, Method: http.MethodGet}
	if b != nil {
		r.Op += " with a token"
		r.Header = map[string]string{
			"CF-Access-Client-Id":     b[FieldID].Reveal(),
			"CF-Access-Client-Secret": b[FieldSecret].Reveal(),
		}
	}
	edge := *t.edge
	edge.Base = p.URL
	resp, err := edge.Raw(ctx, r)
	if err != nil {
		return cred.Unclear, "no answer", err
	}
	verdict, detail := grade(resp.Status, resp.Header, p, b != nil)
	if verdict == cred.Unclear && resp.Status >= 300 && resp.Status < 400 {
		switch own, err := t.ledAway(ctx, p, resp.Header.Get("Location")); {
		case err != nil:
			return cred.Unclear, detail + "; whether that is the application's own page for those it denies could not be read: " + err.Error(), nil
		case own:
			return cred.Rejected, fmt.Sprintf("%d to the application's own page for those it denies", resp.Status), nil
		}
	}
	return verdict, detail, nil
}

// Guard asks the edge which application stands before a place: it answers with a
// token of its own, as cloudflared uses it (docs/vendors/cloudflare.md). The token's
// signature is not checked: that it comes from this host is what TLS has shown,
// and it is compared with the account's own list.
func (t *tokens) Guard(ctx context.Context, p sop.Probe) (string, error) {
	edge := *t.edge
	edge.Base = p.URL
	resp, err := edge.Raw(ctx, vendorhttp.Request{
		Op: "ask which application guards " + p.URL, Method: http.MethodHead,
		Header: map[string]string{"cf-access-metadata-request": "true"},
	})
	if err != nil {
		return "", err
	}
	parts := strings.Split(resp.Header.Get("cf-access-metadata"), ".")
	if len(parts) != 3 {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", nil
	}
	var claims struct {
		AUD  string `json:"aud"`
		Type string `json:"type"`
	}
	if json.Unmarshal(b, &claims) != nil || claims.Type != "match" {
		return "", nil
	}
	return claims.AUD, nil
}

// grade reads one answer.
func grade(status int, h http.Header, p sop.Probe, bearing bool) (cred.Verdict, string) {
	want := p.Status
	if want == 0 {
		want = http.StatusOK
	}
	switch {
	case h.Get("cf-mitigated") != "":
		// A bot rule or challenge in front of Access answered.
		return cred.Unclear, fmt.Sprintf("%d from a rule in front of Access", status)
	case status >= 300 && status < 400 && accessLogin(h.Get("Location")):
		return cred.Rejected, fmt.Sprintf("%d to the Access login", status)
	case (status == 401 || status == 403) && stamped(h):
		return cred.Rejected, fmt.Sprintf("%d by Access", status)
	case stamped(h):
		return cred.Unclear, fmt.Sprintf("%d by Access", status)
	case !bearing && status >= 200 && status < 300:
		return cred.Open, fmt.Sprintf("%d without any token", status)
	case status == want:
		return cred.Accepted, fmt.Sprintf("%d", status)
	}
	return cred.Unclear, fmt.Sprintf("%d, which is neither the expected %d nor a refusal by Access", status, want)
}

// stamped: Access marks its own refusals with these headers.
func stamped(h http.Header) bool {
	return h.Get("cf-access-aud") != "" || h.Get("cf-access-domain") != ""
}

func accessLogin(location string) bool {
	return strings.Contains(location, ".cloudflareaccess.com/") || strings.Contains(location, "/cdn-cgi/access/")
}

// Wrong makes up a token that Cloudflare never issued.
func (t *tokens) Wrong() secret.Bundle {
	random := func(n int) string {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return hex.EncodeToString(b)
	}
	return secret.Bundle{
		FieldID:     secret.New(random(16) + ".access"),
		FieldSecret: secret.New(random(32)),
	}
}
