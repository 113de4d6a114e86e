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
	"infisical":  {200, time.Minute},      // reads of the free cloud plan, by address [api-reference/overview/rate-limits]
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
	case "infisical":
		header.Set("X-Ratelimit-Limit", "200")
		header.Set("X-Ratelimit-Remaining", strconv.Itoa(int(b.Left)))
		header.Set("X-Ratelimit-Reset", "60")
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
