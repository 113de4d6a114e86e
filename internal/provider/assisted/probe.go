package assisted

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

const probeTimeout = 10 * time.Second

// Probe asks a place with the headers of the settings. 401 and 403 deny
// (RFC 9110 §15.5.2, §15.5.4), the wanted status (200 unless told) accepts;
// anything else tells nothing.
func (k *keys) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	r := vendorhttp.Request{Op: "ask " + p.Title(), Method: http.MethodGet, Header: map[string]string{}}
	if b != nil {
		for header, t := range k.headers {
			v, err := b.Render(t)
			if err != nil {
				return cred.Unclear, "", &cred.Error{Vendor: k.name, Op: r.Op, Class: cred.Refused, Why: "the credential is incomplete"}
			}
			r.Header[header] = v.Reveal()
		}
	}
	c := vendorhttp.Client{Vendor: k.name, Base: p.URL, Transport: k.env.Transport, Now: k.env.Now, Observe: k.env.Observe, Timeout: probeTimeout}
	resp, err := c.Raw(ctx, r)
	if err != nil {
		return cred.Unclear, "no answer", err
	}
	want := p.Status
	if want == 0 {
		want = http.StatusOK
	}
	detail := fmt.Sprintf("%d", resp.Status)
	switch resp.Status {
	case want:
		return cred.Accepted, detail, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return cred.Rejected, detail, nil
	}
	return cred.Unclear, detail, nil
}

// Guard: what stands before the place is not known.
func (k *keys) Guard(context.Context, sop.Probe) (string, error) { return "", nil }

// Wrong makes up values that no portal issued.
func (k *keys) Wrong() secret.Bundle {
	out := secret.Bundle{}
	for _, f := range k.fields {
		b := make([]byte, 20)
		_, _ = rand.Read(b)
		out[f] = secret.New(hex.EncodeToString(b))
	}
	return out
}
