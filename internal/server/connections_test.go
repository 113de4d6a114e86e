package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"rekey/internal/server"
)

// TestWhoHoldsConnectionsKeepsNobodyOut: every connection there may be is held by somebody
// who says nothing, who was answered and stays, whose headers do not end, or whose body
// never comes; whoever comes then is served, and so is he who comes after.
func TestWhoHoldsConnectionsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := b.options(b.engine())
	o.Limits = server.Limits{Connections: 8}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, time.Second) }()
	host := l.Addr().String()
	var held []net.Conn
	const get = "GET /healthz HTTP/1.1\r\nHost: %s\r\n"
	for name, said := range map[string]string{
		"says nothing":                          "",
		"was answered and stays":                get + "\r\n",
		"does not end his headers":              get + "X: ",
		"looks, with a body that never comes":   get + "Content-Length: 100\r\n\r\n",
		"is refused, and his body never comes":  "POST /nowhere HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{",
		"has another name, and says no more":    "POST / HTTP/1.1\r\nHost: evil.example\r\nX-Is: %s\r\nContent-Length: 9\r\n\r\n",
		"sends a part of what is in his chunks": "POST /healthz HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	} {
		for range 8 {
			c, err := net.Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, c)
			if said != "" {
				_, _ = fmt.Fprintf(c, said, host) // it may be closed already
			}
			if name == "was answered and stays" {
				_, _ = c.Read(make([]byte, 1))
			}
		}
		for range 2 {
			c := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := c.Get("http://" + host + "/healthz")
			if err != nil {
				t.Errorf("beside eight of whom each %s nobody is served: %v", name, err)
				break
			}
			_ = resp.Body.Close()
		}
	}
	for _, c := range held {
		_ = c.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it stopped with %v", err)
	}
}

// TestAChunkedRequestIsTheLastOfItsConnection: it may have had a length besides, by which
// something in front goes.
func TestAChunkedRequestIsTheLastOfItsConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	host := b.live(b.options(b.engine())).Listener.Addr().String()
	c, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, "POST /api/v1/check HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /api/v1/whoami HTTP/1.1\r\nHost: %s\r\n\r\n", host, host); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	if second, err := http.ReadResponse(in, nil); err == nil {
		t.Errorf("what follows is answered as another request: %s", second.Status)
	}
}
