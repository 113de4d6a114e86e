package vendorhttp

import (
	"cmp"
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
// programs among them; when fewer are left, changes wait too, and what remains is for
// emergencies. What the vendor itself has answered with "too many" is asked again when it
// says so. Safe for use from many goroutines; it belongs to one Client.
type Pace struct {
	// Reserve is how many calls looking leaves, and a fifth of that is what changes leave;
	// 0: only what the vendor refuses holds anything back.
	Reserve int
	// PerSecond is how many calls the vendor gives back each second, for one that
	// does not say when its limit is full again; 0: the vendor says it.
	PerSecond float64
	// Urgent is never held back: an emergency. What it learns is told to the others.
	Urgent bool
	// Limits are what all processes know that use the account; nil: this one alone.
	Limits Limits
	// Account is whose limit it is, by a name that all processes have for it; "": the
	// client's vendor's.
	Account string

	mu      sync.Mutex
	looks   spell
	changes spell
}

type urgently struct{}

// Urgently returns a context in which no Pace holds anything back: of one run, what gives
// consumers back what they had cannot wait, whatever others were told by the vendor.
func Urgently(ctx context.Context) context.Context { return context.WithValue(ctx, urgently{}, true) }

// spell is a time in which nobody is to ask.
type spell struct {
	until   time.Time // no call before
	refused bool      // for so the vendor itself has said
	open    time.Time // and none is held before this, but because the vendor has refused
}

// Held is for how long nobody is to ask a vendor; 0: anybody may.
type Held struct{ Looks, Changes time.Duration }

// Limits keep, for all processes that use a vendor's account, how long asking is held
// back there. Neither method fails: what cannot be kept is known to one process only, until
// the vendor tells the next one.
type Limits interface {
	// Hold notes that nobody is to ask for so long. What holds longer already stays.
	Hold(ctx context.Context, account string, h Held)

	// Held returns for how long that is so still.
	Held(ctx context.Context, account string) Held
}

const (
	// maxPause: after so long it is looked again whether somebody else still uses
	// the limit up; it costs a few calls of the reserve.
	maxPause = 30 * time.Second
	// aLook is several calls (releases, dynos, settings), and half a look is none:
	// once one was let out, the others of it follow.
	aLook = 5 * time.Second
	// unsaid is how long is waited after a refusal that does not say how long.
	unsaid = 5 * time.Second
	// emergencies have one call in so many of the reserve to themselves.
	emergencies = 5
)

func (p *Pace) account(c *Client) string { return cmp.Or(p.Account, c.Vendor) }

// holds refuses a call that would use what is left to others. Nothing was sent, so
// nothing was applied, and it may be tried again.
func (p *Pace) holds(ctx context.Context, c *Client, r Request) error {
	if _, urgent := ctx.Value(urgently{}).(bool); p == nil || p.Urgent || urgent {
		return nil
	}
	var others Held
	if p.Limits != nil {
		others = p.Limits.Held(ctx, p.account(c))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, elsewhere, why := &p.looks, others.Looks, "what is left of it is for changes"
	if r.writes() {
		s, elsewhere, why = &p.changes, others.Changes, "what is left of it is for emergencies"
	}
	now := c.Now()
	wait := s.until.Sub(now)
	if elsewhere > max(wait, 0) && !now.Before(s.open) {
		wait, s.until = elsewhere, now.Add(elsewhere)
	}
	if wait <= 0 {
		if !s.until.IsZero() {
			*s = spell{open: now.Add(aLook)}
		}
		return nil
	}
	why = "the vendor's rate limit is nearly used up, and " + why
	if s.refused {
		why = "the vendor has refused a request because of its rate limit, and is left alone for as long as it says"
	}
	return &cred.Error{Vendor: c.Vendor, Op: r.Op, Class: cred.Limited, RetryAfter: wait, Why: "not asked: " + why}
}

// learns reads what an answer says about the limit, and tells it to the others.
func (p *Pace) learns(ctx context.Context, c *Client, r Request, status int, h http.Header) {
	if p == nil {
		return
	}
	if held := p.learned(r, status, h, c.Now()); held != (Held{}) && p.Limits != nil {
		p.Limits.Hold(ctx, p.account(c), held)
	}
}

// learned returns for how long nobody is to ask by what an answer says; zero: it says
// nothing of the kind.
func (p *Pace) learned(r Request, status int, h http.Header, now time.Time) Held {
	left, reset, told := Left(h, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := RetryAfter(h, now)
	// Some say it with another status (GitHub: 403), and then say until when.
	if status == http.StatusTooManyRequests || asked > 0 && (status == http.StatusForbidden || status == http.StatusServiceUnavailable) {
		held := Held{Looks: refusedFor(asked, reset)}
		if r.writes() { // of a look it is not said that a change is too many
			held.Changes = held.Looks
			p.changes = spell{until: now.Add(held.Changes), refused: true}
		}
		p.looks = spell{until: now.Add(held.Looks), refused: true}
		return held
	}
	if !told || p.Reserve == 0 {
		return Held{}
	}
	return Held{
		Looks:   p.looks.few(left, p.Reserve, p.PerSecond, reset, now),
		Changes: p.changes.few(left, p.Reserve/emergencies, p.PerSecond, reset, now),
	}
}

// refusedFor is how long a vendor that has refused is left alone: as it says, or until it
// says that its limit is full again.
func refusedFor(asked, reset time.Duration) time.Duration {
	d, _ := wait(cmp.Or(asked, reset, unsaid))
	return max(d, time.Second)
}

// few begins a time of waiting where fewer calls are left than have to be.
func (s *spell) few(left, leave int, perSecond float64, reset time.Duration, now time.Time) time.Duration {
	switch {
	case s.refused && now.Before(s.until): // how many are left of one limit says nothing of another
		return 0
	case left >= leave, now.Before(s.open):
		s.until = time.Time{}
		return 0
	}
	if perSecond > 0 {
		reset = time.Duration(float64(leave-left) / perSecond * float64(time.Second))
	}
	wait := min(max(reset, time.Second), maxPause)
	s.until, s.refused = now.Add(wait), false
	return wait
}

var (
	ratelimit  = regexp.MustCompile(`(?:^|;)\s*(r|t)=(\d+)`)
	ratelimit7 = regexp.MustCompile(`(?:^|[,\s])(remaining|reset)=(\d+)`)
)

// Left reads how many calls are left of a vendor's rate limit and when it is full
// again: RateLimit of draft-ietf-httpapi-ratelimit-headers, as Cloudflare sends it (the
// policy nearest to its end), and of its seventh version; RateLimit-Remaining and -Reset
// of the versions before (Heroku tells no time); X-RateLimit-Remaining and -Reset, in
// seconds from now (Infisical) or since 1970 (GitHub). A time that cannot be is none.
func Left(h http.Header, now time.Time) (calls int, full time.Duration, ok bool) {
	all := strings.Join(h.Values("Ratelimit"), ",")
	for policy := range strings.SplitSeq(all, ",") {
		seen := map[string]int{}
		for _, m := range ratelimit.FindAllStringSubmatch(policy, -1) {
			if n, err := strconv.Atoi(m[2]); err == nil && n < 1e9 {
				seen[m[1]] = n
			}
		}
		if r, has := seen["r"]; has && (!ok || r < calls) {
			calls, full, ok = r, time.Duration(seen["t"])*time.Second, true
		}
	}
	if ok {
		return calls, full, true
	}
	for _, m := range ratelimit7.FindAllStringSubmatch(all, -1) {
		switch n, err := strconv.Atoi(m[2]); {
		case err != nil || n >= 1e9:
		case m[1] == "remaining":
			calls, ok = n, true
		default:
			full = time.Duration(n) * time.Second
		}
	}
	if ok {
		return calls, full, true
	}
	for _, of := range []string{"Ratelimit-", "X-Ratelimit-"} {
		if n, err := strconv.Atoi(strings.TrimSpace(h.Get(of + "Remaining"))); err == nil {
			return max(n, 0), resetIn(cmp.Or(h.Get(of+"Reset"), h.Get("X-Ratelimit-Reset")), now), true
		}
	}
	return 0, 0, false
}

// resetIn reads seconds, from now or since 1970: no limit lasts for thirty years.
func resetIn(text string, now time.Time) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n <= 0 || n > 1e12 {
		return 0
	}
	if n > 1e9 {
		return max(time.Unix(n, 0).Sub(now), 0)
	}
	return time.Duration(n) * time.Second
}
