// Package webhook posts JSON to an address that is itself a secret.
package webhook

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// timeout of one post: a run that is over waits for it.
const timeout = 10 * time.Second

// Post posts a body once, encoded as JSON under this content type. Not idempotent;
// after an error other than a clear refusal it may have arrived. name stands for
// the address in errors, which is never quoted: whoever knows it can post to it. It
// must be https, or stay on this machine.
func Post(ctx context.Context, env provider.Env, name, contentType string, to secret.Value, header map[string]secret.Value, body any) error {
	refuse := func(why string) error {
		return &cred.Error{Vendor: name, Op: "post", Class: cred.Refused, Why: why}
	}
	u, err := url.Parse(to.Reveal())
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return refuse("the reference does not give an address: it must be https://host/path")
	case u.Scheme == "http" && !sop.Loopback(u.Hostname()):
		return refuse("the address must be https: anybody on the network could read it")
	}
	h := map[string]string{}
	for k, v := range header {
		h[k] = v.Reveal()
	}
	h["Content-Type"] = contentType
	// Receivers have no error shape in common: many answer a word or two. Only a page
	// is surely not theirs.
	own := func(r *vendorhttp.Response) bool { return !r.IsHTML() }
	client := vendorhttp.Client{Vendor: name, Base: u.String(), Transport: env.Transport, Now: env.Now, Timeout: timeout, Own: own}
	_, err = client.Do(ctx, vendorhttp.Request{Op: "post", Method: http.MethodPost, Header: h, Body: body})
	return err
}
