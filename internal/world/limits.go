package world

import (
	"math"
	"time"
)

// Bucket is a rate limit as it stands.
type Bucket struct {
	Left float64   `json:"left"`
	At   time.Time `json:"at"`
}

// Bucket is the one of this name, full if there was none.
func (s *State) Bucket(name string, size float64) *Bucket {
	if s.Buckets == nil {
		s.Buckets = map[string]*Bucket{}
	}
	b := s.Buckets[name]
	if b == nil {
		b = &Bucket{Left: size, At: s.At}
		s.Buckets[name] = b
	}
	return b
}

// Take takes one call out of a bucket of this size that fills up again within this
// time; over: there was none left.
func (b *Bucket) Take(size float64, every time.Duration, now time.Time) (over bool) {
	b.Left = math.Min(size, b.Left+now.Sub(b.At).Seconds()*size/every.Seconds())
	b.At = now
	if over = b.Left < 1; !over {
		b.Left--
	}
	return over
}
