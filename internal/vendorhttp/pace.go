package vendorhttp

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"rekey/internal/cred"
)

// Pace shares a vendor's rate limit politely: when few calls of it are left,
// looking waits, so that changes still get through, those of other people's
// programs among them. A change is never held back here. Safe for use from many
// goroutines; it belongs to one Client.
type Pace struct {
	// Reserve is how many calls looking leaves; 0 holds nothing back.
	Reserve int
	// PerSecond is how many calls the vendor gives back each second, for one that
	// does not say when its limit is full again; 0: the vendor says it.
	PerSecond float64
	// Limits are what all processes know that use the account; nil: this one alone.
	Limits Limits

	mu    sync.Mutex
	until time.Time // no look before
	open  time.Time // and none is held before this
}

// Limits keep, for all processes that use a vendor's account, how long looking is held
// back there. Neither method fails: what cannot be kept is known to one process only, until
// the vendor tells the next one.
type Limits interface {
	// Hold notes that nobody is to look for so long.
	Hold(ctx context.Context, vendor string, d time.Duration)

	// Held returns for how long that is so still; 0: it is not.
	Held(ctx context.Context, vendor string) time.Duration
}

const (
	// maxPause: after so long it is looked again whether somebody else still uses
	// the limit up; it costs a few calls of the reserve.
	maxPause = 30 * time.Second
	// aLook is several calls (releases, dynos, settings), and half a look is none:
	// once one was let out, the others of it follow.
	aLook = 5 * time.Second
)

// holds refuses a look that would use the reserve. Nothing was sent, so nothing
// was applied, and it may be tried again.
func (p *Pace) holds(ctx context.Context, c *Client, r Request) error {
	if p == nil || r.Method != http.MethodGet {
		return nil
	}
	var others time.Duration
	if p.Limits != nil {
		others = p.Limits.Held(ctx, c.Vendor)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := c.Now()
	wait := p.until.Sub(now)
	if others > max(wait, 0) && !now.Before(p.open) {
		wait, p.until = others, now.Add(others)
	}
	if wait <= 0 {
		if !p.until.IsZero() {
			p.until, p.open = time.Time{}, now.Add(aLook)
		}
		return nil
	}
	return &cred.Error{
		Vendor: c.Vendor, Op: r.Op, Class: cred.Limited, RetryAfter: wait,
		Why: "not asked: the vendor's rate limit is nearly used up, and what is left of it is for changes",
	}
}

// learns reads what an answer says about the limit, and tells it to the others.
func (p *Pace) learns(ctx context.Context, vendor string, h http.Header, now time.Time) {
	if wait := p.learned(h, now); wait > 0 && p.Limits != nil {
		p.Limits.Hold(ctx, vendor, wait)
	}
}

// learned returns for how long nobody is to look by what an answer says; 0: it says
// nothing of the kind.
func (p *Pace) learned(h http.Header, now time.Time) time.Duration {
	if p == nil || p.Reserve == 0 {
		return 0
	}
	left, reset, ok := Left(h)
	if !ok {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if left >= p.Reserve || now.Before(p.open) {
		p.until = time.Time{}
		return 0
	}
	if p.PerSecond > 0 {
		reset = time.Duration(float64(p.Reserve-left) / p.PerSecond * float64(time.Second))
	}
	wait := min(max(reset, time.Second), maxPause)
	p.until = now.Add(wait)
	return wait
}

var ratelimit = regexp.MustCompile(`(?:^|;)\s*(r|t)=(\d+)`)

// Left reads how many calls are left of a vendor's rate limit and when it is full
// again: Ratelimit (draft-ietf-httpapi-ratelimit-headers, as Cloudflare sends it,
// the policy nearest to its end), RateLimit-Remaining (Heroku, which tells no
// time), X-Ratelimit-Remaining and -Reset in seconds (Infisical).
func Left(h http.Header) (calls int, full time.Duration, ok bool) {
	for policy := range strings.SplitSeq(strings.Join(h.Values("Ratelimit"), ","), ",") {
		seen := map[string]int{}
		for _, m := range ratelimit.FindAllStringSubmatch(policy, -1) {
			seen[m[1]], _ = strconv.Atoi(m[2])
		}
		if r, has := seen["r"]; has && (!ok || r < calls) {
			calls, full, ok = r, time.Duration(seen["t"])*time.Second, true
		}
	}
	if ok {
		return calls, full, true
	}
	for _, name := range []string{"Ratelimit-Remaining", "X-Ratelimit-Remaining"} {
		if n, err := strconv.Atoi(h.Get(name)); err == nil {
			reset, _ := strconv.Atoi(h.Get("X-Ratelimit-Reset"))
			return n, time.Duration(reset) * time.Second, true
		}
	}
	return 0, 0, false
}
