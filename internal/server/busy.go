package server

import (
	"errors"
	"net/http"
	"sync"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// busy counts what callers have going.
type busy struct {
	limits Limits
	mu     sync.Mutex
	calls  map[string]int // requests at once, by caller
	reads  map[string]int // streams at once, by caller
	all    int            // streams at once
}

func newBusy(l Limits) *busy {
	return &busy{limits: l, calls: map[string]int{}, reads: map[string]int{}}
}

// enter counts a request in, or refuses it; the returned function counts it out.
func (b *busy) enter(caller string, stream bool) (leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of, most := b.calls, b.limits.Requests
	if stream {
		of, most = b.reads, b.limits.Streams
	}
	if of[caller] >= most || stream && b.all >= b.limits.All {
		return nil, &estate.Error{Code: api.TooMany, Err: errors.New("too many requests at once by this caller; end some, or wait")}
	}
	of[caller]++
	if stream {
		b.all++
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if of[caller]--; of[caller] == 0 {
			delete(of, caller)
		}
		if stream {
			b.all--
		}
	}, nil
}

// streams tells how many there are.
func (b *busy) streams() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all
}

// callerOf names who is counted: the person or machine where it is known, the address
// where it is not.
func (s *Server) callerOf(r *http.Request) string {
	// What sends a body is counted apart: bodies that never come leave looking free.
	sends := ""
	if r.Method != http.MethodGet {
		sends = "sends "
	}
	if caller := of(r).caller; caller != "" {
		return sends + "who " + caller
	}
	return sends + "from " + remote(r)
}
