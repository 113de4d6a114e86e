package access

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// mostKept is how many addresses are remembered; whoever has more makes the oldest ones
// forgotten, which costs him as many addresses again.
const mostKept = 10_000

// limits let each address do something so often.
type limits struct {
	every time.Duration
	burst int

	mu    sync.Mutex
	known map[string]*rate.Limiter
	order []string
}

func newLimits(every time.Duration, burst int) *limits {
	return &limits{every: every, burst: burst, known: map[string]*rate.Limiter{}}
}

// allow reports whether an address may do it once more, and counts that.
func (l *limits) allow(address string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.known[address]
	if !ok {
		if len(l.order) >= mostKept {
			delete(l.known, l.order[0])
			l.order = l.order[1:]
		}
		one = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.known[address] = one
		l.order = append(l.order, address)
	}
	return one.AllowN(now, 1)
}

// addressOf is where a request comes from: of IPv6 the network, for one machine has as
// many addresses there as it likes. What a proxy says in a header is not believed, so
// all who come by one share its part.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
