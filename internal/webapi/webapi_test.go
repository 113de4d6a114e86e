package webapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

// network answers as it is told, and keeps what it was asked.
type network struct {
	status int
	asked  *http.Request
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.asked = req
	h := http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}
	return &http.Response{StatusCode: n.status, Header: h, Body: io.NopCloser(strings.NewReader(`{}`)), Request: req}, nil
}

// TestAClientAsksWithWhatTheReferenceNames: with its headers, counted, and an error says
// what was asked and where rekey.yaml names it, and nothing of the token.
func TestAClientAsksWithWhatTheReferenceNames(t *testing.T) {
	const canary = "canary-2f"
	n, calls := &network{status: 200}, 0
	env := provider.Env{
		Transport: n, Now: time.Now, At: "rekey.yaml:7",
		Observe: func(vendorhttp.Call) { calls++ },
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			if len(refs) == 0 {
				return secret.Value{}, provider.Source{}, errors.New("nothing is named")
			}
			return secret.New(canary), provider.Source{Ref: refs[0]}, nil
		},
	}
	c := webapi.Client(env, "shop", "https://api.example.com", "account 1")
	c.Authorize = webapi.Bearer(webapi.By(env, sop.Refs{"env:TOKEN"}), map[string]string{"Accept": "application/x"})
	read := vendorhttp.Request{Op: "read", Method: http.MethodGet, Path: "/x"}
	if _, err := c.Do(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	if h := n.asked.Header; h.Get("Authorization") != "Bearer "+canary || h.Get("Accept") != "application/x" || calls != 1 {
		t.Errorf("%d calls, Accept %q", calls, h.Get("Accept"))
	}
	if ahead, known := c.Ahead(); !known || ahead < 30*time.Minute {
		t.Error("the vendor's clock is not learnt")
	}
	n.status = http.StatusForbidden
	_, err := c.Do(t.Context(), read)
	e, ok := cred.AsError(err)
	if !ok || e.Class != cred.Denied || e.Where != "account 1 at api.example.com, rekey.yaml:7" || strings.Contains(err.Error(), canary) {
		t.Errorf("%v (%+v)", err, e)
	}
	n.asked = nil
	c.Authorize = webapi.Bearer(webapi.By(env, nil), nil)
	if _, err := c.Do(t.Context(), read); err == nil || n.asked != nil {
		t.Errorf("it asks without a token: %v", err)
	}
}

// TestWhatTheVendorProvesIsSentNowhereElse.
func TestWhatTheVendorProvesIsSentNowhereElse(t *testing.T) {
	var b webapi.ByItself
	if err := b.Elsewhere(sop.Probe{URL: sop.IssuerItself}, "shop", "prove", "a token", "the shop"); err != nil {
		t.Error(err)
	}
	err := b.Elsewhere(sop.Probe{URL: "https://elsewhere.example.com"}, "shop", "prove", "a token", "the shop")
	if cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), "not sent anywhere else") {
		t.Error(err)
	}
	if guard, err := b.Guard(t.Context(), sop.Probe{}); guard != "" || err != nil {
		t.Error(guard, err)
	}
}
