//go:build !windows

package realserver

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Fault is what a proxy does with a connection.
type Fault int

// The faults; each comes with what a client sends in one piece.
const (
	None    Fault = iota
	Before        // the connection is cut instead of passing it on
	After         // it is passed on, the server answers, and the connection is cut instead of passing the answer on
	Garbage       // the server's answer is passed on as other bytes, and the connection is cut
	Pass          // it is passed on; Set's strike does the harm
)

// Proxy stands before a server and spoils the piece numbered At, counted from 1 over
// all connections.
type Proxy struct {
	Port int

	mu     sync.Mutex
	fault  Fault
	at     int
	pieces int
	struck bool
	strike func() // called when the fault strikes
}

// NewProxy listens on loopback until the test ends.
func NewProxy(t testing.TB, port int) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Port: l.Addr().(*net.TCPAddr).Port}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		}
	}()
	return p
}

// Set arms a fault for the piece numbered at from now on; strike is called with it.
func (p *Proxy) Set(f Fault, at int, strike func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.at, p.pieces, p.struck, p.strike = f, at, 0, false, strike
}

// Struck reports whether the fault has struck, and how many pieces there were.
func (p *Proxy) Struck() (bool, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck, p.pieces
}

func (p *Proxy) next() Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pieces++
	if p.fault == None || p.pieces != p.at {
		return None
	}
	p.struck = true
	if p.strike != nil {
		p.strike()
	}
	return p.fault
}

func (p *Proxy) serve(client net.Conn, address string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var mu sync.Mutex
	fault := None
	go func() { // what the server says
		defer func() { _ = client.Close(); _ = server.Close() }()
		b := make([]byte, 64<<10)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			f := fault
			mu.Unlock()
			switch f {
			case After:
				return
			case Garbage:
				for i := range n {
					b[i] ^= 0xA5
				}
			}
			if _, err := client.Write(b[:n]); err != nil || f == Garbage {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			if err != io.EOF {
				return
			}
			return
		}
		switch f := p.next(); f {
		case Before:
			return
		case After, Garbage:
			mu.Lock()
			fault = f
			mu.Unlock()
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
}
