package providertest

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// drained is how long an answer is waited for that is going to be lost; a server
	// that says nothing to what was sent costs a test as much.
	drained = 300 * time.Millisecond
	// most of what has no end is handed out: whoever reads on has no bound.
	most = 64 << 20
)

// garbage is no protocol's, and has the canary in it.
var garbage = "\x00\xff" + strings.Repeat(Canary+"\r\n", 3)

// line is a connection that goes wrong where it is told to.
type line struct {
	world net.Conn // to the double
	tap   *tap

	mu      sync.Mutex
	now     net.Conn // what the driver talks to: the double, or what took its place
	cut     bool
	closed  bool      // by the driver
	read    time.Time // deadlines, for what takes its place
	written time.Time
	rd      sync.Mutex // held while somebody reads
}

func (l *line) current() (net.Conn, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now, l.cut
}

// replace puts another end in the double's place and ends the connection to it.
func (l *line) replace(far func(net.Conn)) {
	near, other := net.Pipe()
	l.mu.Lock()
	_ = near.SetReadDeadline(l.read)
	_ = near.SetWriteDeadline(l.written)
	l.now = near
	if l.closed {
		_ = near.Close()
	}
	l.mu.Unlock()
	_ = l.world.Close()
	go far(other)
}

func hangUp(c net.Conn) { _ = c.Close() }

// swallow takes what is sent and answers nothing.
func swallow(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func (l *line) Write(p []byte) (int, error) {
	switch m := l.tap.part(send); m {
	case cutBefore:
		l.lose()
		l.replace(hangUp)
		return len(p), nil // it left this machine and came nowhere
	case cutAfter:
		l.lose()
		n, err := l.world.Write(p)
		if l.rd.TryLock() { // nobody reads: the answer is awaited here, so that the effect is there
			_ = l.world.SetReadDeadline(time.Now().Add(drained))
			_, _ = l.world.Read(make([]byte, 1))
			l.rd.Unlock()
		}
		l.replace(hangUp)
		return n, err
	case garbled:
		l.replace(func(c net.Conn) {
			go swallow(c)
			_, _ = io.WriteString(c, garbage)
			_ = c.Close()
		})
		return len(p), nil
	case endless:
		l.replace(l.pour)
		return len(p), nil
	case silent:
		l.replace(swallow)
		return len(p), nil
	}
	c, _ := l.current()
	return c.Write(p)
}

func (l *line) lose() {
	l.mu.Lock()
	l.cut = true
	l.mu.Unlock()
}

// pour answers without an end, up to a bound.
func (l *line) pour(c net.Conn) {
	go swallow(c)
	chunk := []byte(strings.Repeat("x", 64<<10))
	for {
		n, err := c.Write(chunk)
		l.tap.mu.Lock()
		l.tap.poured += int64(n)
		full := l.tap.poured >= most
		l.tap.mu.Unlock()
		if err != nil || full {
			_ = c.Close()
			return
		}
	}
}

func (l *line) Read(p []byte) (int, error) {
	l.tap.mu.Lock()
	if f := l.tap.fault; f != nil && f.mode == slowly && len(p) > 1 {
		p = p[:1]
	}
	l.tap.mu.Unlock()
	for {
		c, _ := l.current()
		l.rd.Lock()
		n, err := c.Read(p)
		l.rd.Unlock()
		now, cut := l.current()
		switch {
		case cut && (now != c || err != nil || now == l.world):
			clear(p)
			return 0, &net.OpError{Op: "read", Net: "tcp", Err: errCut}
		case now != c && (n == 0 || err != nil): // replaced while it was waited for
			if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.EOF) {
				continue
			}
		}
		return n, err
	}
}

func (l *line) Close() error {
	l.mu.Lock()
	c := l.now
	l.closed = true
	l.mu.Unlock()
	_ = l.world.Close()
	return c.Close()
}

func (l *line) LocalAddr() net.Addr  { return l.world.LocalAddr() }
func (l *line) RemoteAddr() net.Addr { return l.world.RemoteAddr() }

func (l *line) SetDeadline(t time.Time) error {
	return errors.Join(l.SetReadDeadline(t), l.SetWriteDeadline(t))
}

func (l *line) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = t
	return l.now.SetReadDeadline(t)
}

func (l *line) SetWriteDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = t
	return l.now.SetWriteDeadline(t)
}
