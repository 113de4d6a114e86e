package sim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Bucket is a vendor's rate limit as it stands.
type Bucket struct {
	Left float64   `json:"left"`
	At   time.Time `json:"at"`
}

// limits, as documented.
var limits = map[string]struct {
	size  float64 // calls
	every time.Duration
}{
	"cloudflare": {1200, 5 * time.Minute}, // per token [fundamentals/api/reference/limits]
	"heroku":     {4500, time.Hour},       // pool of the account, 75 a minute come back [platform-api rate limits]
}

// limited counts a call and answers 429 where the limit is reached.
func (s *State) limited(rw http.ResponseWriter, vendor string) bool {
	l, ok := limits[vendor]
	if !ok || !s.Knobs.RateLimits {
		return false
	}
	if s.Buckets == nil {
		s.Buckets = map[string]*Bucket{}
	}
	b := s.Buckets[vendor]
	if b == nil {
		b = &Bucket{Left: l.size, At: s.At}
		s.Buckets[vendor] = b
	}
	rate := l.size / l.every.Seconds()
	b.Left = math.Min(l.size, b.Left+s.At.Sub(b.At).Seconds()*rate)
	b.At = s.At
	over := b.Left < 1
	if !over {
		b.Left--
	}
	wait := int(math.Ceil((1 - b.Left) / rate))
	header := rw.Header()
	switch vendor {
	case "cloudflare":
		header.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, int(b.Left), int(math.Ceil((l.size-b.Left)/rate))))
		header.Set("Ratelimit-Policy", `"default";q=1200;w=300`)
	case "heroku":
		header.Set("RateLimit-Remaining", strconv.Itoa(int(b.Left)))
	}
	if !over {
		return false
	}
	if vendor != "heroku" { // Heroku documents no Retry-After
		header.Set("Retry-After", strconv.Itoa(wait))
	}
	failures[vendor](rw, http.StatusTooManyRequests)
	return true
}

// infisicalLimits are calls a minute by kind of route. The recorded server limits
// itself in production mode (30-rate-limit.json); of today's, these are the free
// cloud plan's [api-reference/overview/rate-limits], one of one's own has none.
var infisicalLimits = map[bool]map[string]int{
	true:  {"secret": 40, "read": 60, "write": 200},
	false: {"secret": 120, "read": 200, "write": 90},
}

// infisicalLimit counts a call by address, whoever makes it, in buckets apart from
// each other (recorded: 30-rate-limit.json), and answers 429 where one is empty.
func (s *State) infisicalLimit(rw http.ResponseWriter, kind string) bool {
	old := s.Infisical.old()
	size := infisicalLimits[old][kind]
	if size == 0 || !old && !s.Knobs.RateLimits {
		return false
	}
	if s.Buckets == nil {
		s.Buckets = map[string]*Bucket{}
	}
	b := s.Buckets["infisical "+kind]
	if b == nil || s.At.Sub(b.At) >= time.Minute {
		b = &Bucket{Left: float64(size), At: s.At} // a window of a minute begins
		s.Buckets["infisical "+kind] = b
	}
	over := b.Left < 1 && s.Knobs.RateLimits
	b.Left = math.Max(0, b.Left-1)
	header := rw.Header()
	left := int(math.Ceil((time.Minute - s.At.Sub(b.At)).Seconds()))
	header.Set("X-Ratelimit-Limit", strconv.Itoa(size))
	header.Set("X-Ratelimit-Remaining", strconv.Itoa(int(b.Left)))
	header.Set("X-Ratelimit-Reset", strconv.Itoa(left))
	if over {
		header.Set("Retry-After", strconv.Itoa(left))
		infisicalFailure(rw, http.StatusTooManyRequests, "RateLimitExceeded", "Rate limit exceeded. Please try again in 1 minute", old)
	}
	return over
}
