package server

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

// bounded is a listener with so many connections at once. Where all are taken, the one
// that has said nothing for longest is closed for a new one: whoever holds connections
// open, by headers that do not end or by doing nothing after an answer, keeps nobody out.
// Only where a request is under way on each does a new one wait.
type bounded struct {
	net.Listener
	most int

	mu    sync.Mutex
	free  *sync.Cond // signalled when there may be room
	open  int
	waits *list.List // of *counted, on which no request is under way, the longest first
}

func newBounded(l net.Listener, most int) *bounded {
	b := &bounded{Listener: l, most: most, waits: list.New()}
	b.free = sync.NewCond(&b.mu)
	return b
}

func (b *bounded) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	n := &counted{Conn: c, of: b}
	b.enter(n)
	return n, nil
}

// enter counts a connection in, once there is room.
func (b *bounded) enter(n *counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.open >= b.most {
		longest := b.waits.Front()
		if longest == nil {
			b.free.Wait()
			continue
		}
		c := b.waits.Remove(longest).(*counted)
		c.waits = nil
		b.mu.Unlock()
		_ = c.Close()
		b.mu.Lock()
	}
	b.open++
	n.waits = b.waits.PushBack(n)
}

// state is http.Server.ConnState.
func (b *bounded) state(c net.Conn, s http.ConnState) {
	n, is := c.(*counted)
	if !is || s == http.StateNew { // entered already
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s == http.StateIdle && n.waits == nil && !n.gone:
		n.waits = b.waits.PushBack(n)
		b.free.Signal()
	case s != http.StateIdle && n.waits != nil:
		b.waits.Remove(n.waits)
		n.waits = nil
	}
}

// counted is a connection that is counted out when it is closed.
type counted struct {
	net.Conn
	of    *bounded
	waits *list.Element // guarded by of.mu; nil: a request is under way
	gone  bool          // guarded by of.mu
}

func (c *counted) Close() error {
	b := c.of
	b.mu.Lock()
	if !c.gone {
		c.gone = true
		if c.waits != nil {
			b.waits.Remove(c.waits)
			c.waits = nil
		}
		b.open--
		b.free.Signal()
	}
	b.mu.Unlock()
	return c.Conn.Close()
}

// unread is how long what is left of a body that nobody wants may take: reading it is how
// a connection is made ready for the next request, and whoever never sends it would hold
// it for as long as the longest body may take.
const unread = time.Second

// leave bounds what is left of a request's body.
func leave(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unread))
	}
}
