package vendorhttp

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/cred"
)

var epoch = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func client(base string) *Client {
	return &Client{Vendor: "v", Base: base, Transport: http.DefaultTransport, Now: func() time.Time { return epoch }}
}

// TestOneRequestPerCall: net/http repeats a request on a connection that was
// closed while idle, if it can send the body again. Ours cannot be.
func TestOneRequestPerCall(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		if hits.Add(1) == 1 {
			_, _ = rw.Write([]byte(`{}`))
			return
		}
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	defer srv.Close()
	c := client(srv.URL)
	for i, want := range []cred.Class{cred.Done, cred.Unknown} {
		_, err := c.Do(t.Context(), Request{Op: "create", Method: http.MethodPost, Path: "/x", Body: map[string]int{"a": 1}})
		if got := cred.ClassOf(err); got != want {
			t.Errorf("call %d: %s: %v", i+1, got, err)
		}
	}
	if n := hits.Load(); n != 2 {
		t.Errorf("%d requests for 2 calls", n)
	}
}

// TestNoAnswerInWords: why there was no answer, in words of ours, naming the host and
// no more of the address; and nothing of it counts as refused.
func TestNoAnswerInWords(t *testing.T) {
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer untrusted.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }))
	defer slow.Close()
	for base, want := range map[string]string{
		untrusted.URL: "is not trusted: no authority known here has signed it", closed: "connection refused by 127.0.0.1:", slow.URL: "no answer in time from 127.0.0.1:",
		strings.Replace(plain.URL, "http:", "https:", 1): "is it http, not https?",
	} {
		c := client(base)
		c.Timeout = 300 * time.Millisecond
		c.Transport = &http.Transport{TLSClientConfig: &tls.Config{}}
		_, err := c.Do(t.Context(), Request{Op: "look", Method: http.MethodGet, Path: "/secret-path"})
		if err == nil || !strings.Contains(err.Error(), want) || cred.ClassOf(err) != cred.Unknown {
			t.Errorf("%s: %v", base, err)
		} else if strings.Contains(err.Error(), "secret-path") {
			t.Errorf("the address is told: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(slow.URL).Do(ctx, Request{Op: "look", Method: http.MethodGet}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interruption is told as %v", err)
	}
}

// TestWhatCannotBeSent: nothing was sent, so nothing was applied.
func TestWhatCannotBeSent(t *testing.T) {
	sent := false
	c := client("http://vendor.example.com")
	c.Transport = roundTrip(func(*http.Request) (*http.Response, error) { sent = true; return nil, io.EOF })
	for name, r := range map[string]Request{
		"body":   {Op: "o", Method: http.MethodPost, Body: json.RawMessage(`{`)},
		"method": {Op: "o", Method: "NO SUCH"},
		"path":   {Op: "o", Method: http.MethodGet, Path: "/\x00"},
	} {
		if _, err := c.Do(t.Context(), r); cred.ClassOf(err) != cred.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Authorize = func(context.Context, *http.Request) (string, error) { return "", errors.New("env:X is not set") }
	if _, err := c.Do(t.Context(), Request{Op: "o", Method: http.MethodGet}); cred.ClassOf(err) != cred.Unsent || err.Error() != "v: o: not sent: env:X is not set" {
		t.Errorf("without a credential: %v", err)
	}
	if sent {
		t.Error("something was sent")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClassOfStatus(t *testing.T) {
	for status, want := range map[int]cred.Class{
		200: cred.Done, 204: cred.Done, 302: cred.Unknown, 400: cred.Refused, 401: cred.Denied, 403: cred.Denied, 404: cred.Absent, 405: cred.Refused,
		408: cred.Unknown, 409: cred.Conflict, 410: cred.Absent, 412: cred.Conflict, 429: cred.Limited, 500: cred.Unknown, 503: cred.Unknown, 100: cred.Unknown,
	} {
		if got := ClassOfStatus(status); got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}

// TestACredentialMayTakeLongerThanAnAnswer: who is asked for it by a password manager
// is not held to the time that a server has.
func TestACredentialMayTakeLongerThanAnAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{}`)) }))
	defer srv.Close()
	c := client(srv.URL)
	c.Authorize = func(ctx context.Context, _ *http.Request) (string, error) {
		if until, bounded := ctx.Deadline(); bounded {
			t.Errorf("the question for the credential ends at %s", until)
		}
		return "", nil
	}
	if _, err := c.Do(t.Context(), Request{Op: "look", Method: http.MethodGet}); err != nil {
		t.Error(err)
	}
}
