package vendorhttp

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Clock remembers how far a vendor's clock is ahead of ours, by the header Date of
// its answers (RFC 9110 §6.6.1), which is exact to a second. Safe for use from many
// goroutines; clients that ask the same vendor may share one.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
	told  bool
}

// halfSecond: Date is cut to whole seconds, so on average it is half a second late.
const halfSecond = time.Second / 2

// learns compares the Date of an answer with the middle of the time that the answer took.
func (c *Clock) learns(h http.Header, sent, got time.Time) {
	if c == nil {
		return
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.told = date.Add(halfSecond).Sub(sent.Add(got.Sub(sent)/2)), true
}

// Ahead is how far the vendor's clock is ahead of ours (negative: behind), by the
// last answer that told; false if none did.
func (c *Client) Ahead() (time.Duration, bool) {
	if c.Clock == nil {
		return 0, false
	}
	c.Clock.mu.Lock()
	defer c.Clock.mu.Unlock()
	return c.Clock.ahead, c.Clock.told
}

// longestWait is how long a vendor can make us wait before it is asked again: no
// published limit is longer, and a run that waits holds two generations alive.
const longestWait = 15 * time.Minute

// RetryAfter reads the header of that name (RFC 9110 §10.2.3): seconds or a date;
// 0 if there is none. A date is of the vendor's clock, so it is compared with the
// vendor's Date where that is told, otherwise with now.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseUint(v, 10, 64); err == nil || v != "" && strings.Trim(v, "0123456789") == "" {
		if err != nil || s > math.MaxInt64/uint64(time.Second) {
			return math.MaxInt64
		}
		return time.Duration(s) * time.Second
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// wait is how long to wait before the vendor is asked again, and what to say of it
// where that is not what the vendor asks for.
func wait(asked time.Duration) (time.Duration, string) {
	if asked <= longestWait {
		return asked, ""
	}
	long := asked.Round(time.Minute).String()
	switch days := asked / (24 * time.Hour); {
	case days > 365:
		long = "more than a year"
	case days > 1:
		long = fmt.Sprintf("%d days", days)
	}
	return longestWait, fmt.Sprintf("it says to wait %s; Rekey asks again after %s", long, strings.TrimSuffix(longestWait.String(), "0s"))
}
