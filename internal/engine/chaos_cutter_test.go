//go:build !windows

package engine_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// cutter stands before the database, and cuts all connections when it is told to.
type cutter struct {
	port int
	mu   sync.Mutex
	open map[net.Conn]bool
}

func newCutter(t *testing.T, port int) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &cutter{port: l.Addr().(*net.TCPAddr).Port, open: map[net.Conn]bool{}}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.open[client], p.open[server] = true, true
			p.mu.Unlock()
			pipe := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_, _ = to.Close(), from.Close()
				p.mu.Lock()
				delete(p.open, to)
				delete(p.open, from)
				p.mu.Unlock()
			}
			go pipe(server, client)
			go pipe(client, server)
		}
	}()
	return p
}

func (p *cutter) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}
