package vendorhttp

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

func direct(*http.Request) (*url.URL, error) { return nil, nil }

// TestALateRequestIsStoppedAndCutsNobodyOff: the server speaks HTTP/2, on which requests of
// several runs would share a connection. That one of them is late ends no other, and it does
// not go out, under other terms of TLS neither.
func TestALateRequestIsStoppedAndCutsNobodyOff(t *testing.T) {
	var came atomic.Int64
	hold, holds := make(chan struct{}), make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			close(holds)
			<-hold
			return
		}
		came.Add(1)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	var late atomic.Bool
	way, done := WithTLS(Fence{Next: NewTransport(direct), Ours: func(context.Context) error { return nil }, Late: func(context.Context) error {
		if late.Load() {
			return errors.New("too late")
		}
		return nil
	}}, func(c *tls.Config) {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(s.Certificate())
	})
	defer done()
	send := func(method string, body io.Reader) error {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: way}).Do(req)
		if err == nil {
			if resp.Proto != "HTTP/1.1" {
				t.Errorf("it speaks %s, in which the library repeats requests by itself", resp.Proto)
			}
			_ = resp.Body.Close()
		}
		return err
	}
	if err := send(http.MethodPost, nil); err != nil || came.Load() != 1 {
		t.Fatal(err)
	}
	look := make(chan error)
	go func() { look <- send(http.MethodGet, nil) }()
	<-holds
	late.Store(true)
	for range 20 {
		if send(http.MethodDelete, nil) == nil || send(http.MethodPost, http.NoBody) == nil {
			t.Error("it was sent")
		}
	}
	close(hold)
	if err := <-look; err != nil || came.Load() != 1 {
		t.Errorf("%d changes came; a look that was under way: %v", came.Load(), err)
	}
}

// TestWhatIsSentIsSentOnce: the server takes a request on a connection that was at rest, and
// drops it without an answer; the next time it has dropped it before. The library would
// send some requests again by itself.
func TestWhatIsSentIsSentOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var came atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReader(c)
				for n := range 2 {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if req.Method != http.MethodGet {
						came.Add(1)
					}
					if n == 0 {
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
					}
				}
			}()
		}
	}()
	c := client("http://" + l.Addr().String())
	c.Transport, c.Now = Fence{Next: NewTransport(direct), Ours: func(context.Context) error { return nil }}, time.Now
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, body := range []any{nil, map[string]string{"a": "b"}} {
			// The first request on a connection is answered, and the second dropped.
			if _, err := c.Do(t.Context(), Request{Op: "look", Method: http.MethodGet, Path: "/"}); err != nil {
				t.Fatal(err)
			}
			came.Store(0)
			_, err := c.Do(t.Context(), Request{Op: "change", Method: method, Path: "/", Body: body, Header: map[string]string{"X-Request": "1"}})
			if n := came.Load(); err == nil || n != 1 {
				t.Errorf("%s, body %v: it came %d times (%v)", method, body, n, err)
			}
		}
	}
}
