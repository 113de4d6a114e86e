package world

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// State is what a world knows without its doubles; it can be written down and read
// again.
type State struct {
	Seed    int64                     `json:"seed"`
	Counter uint64                    `json:"counter"`
	At      time.Time                 `json:"at"` // up to here everything has happened
	Knobs   Knobs                     `json:"knobs"`
	Env     map[string]string         `json:"env"` // what a person would have in the environment
	Faults  []*Fault                  `json:"faults,omitempty"`
	Outages []Outage                  `json:"outages,omitempty"`
	Calls   map[string]map[string]int `json:"calls"`  // to vendors, by endpoint
	Visits  map[string]int            `json:"visits"` // to the sites behind an edge, by host
	Buckets map[string]*Bucket        `json:"buckets,omitempty"`
}

// Knobs are properties of the world that last. Each double obeys those that it has.
type Knobs struct {
	Latency      Duration `json:"latency,omitempty"`       // of every request
	RateLimits   bool     `json:"rate_limits,omitempty"`   // enforce the vendors' documented limits
	EdgeDelay    Duration `json:"edge_delay,omitempty"`    // until a gate learns of a change
	ListLag      int      `json:"list_lag,omitempty"`      // lists that do not show a new generation yet
	ListDelay    Duration `json:"list_delay,omitempty"`    // until a list shows a new generation, where a double knows that
	PageSize     int      `json:"page_size,omitempty"`     // entries of a page of an issuer's list, at most; 0: as the vendor has it
	ListShift    int      `json:"list_shift,omitempty"`    // lists of several pages that lose their first entry between two pages
	From         string   `json:"from,omitempty"`          // address from which Rekey asks; "": one that everybody allows
	Strict       bool     `json:"strict,omitempty"`        // an edge answers a bad credential with 401, never with a login page
	BootDelay    Duration `json:"boot_delay,omitempty"`    // of a consumer's process
	Shutdown     Duration `json:"shutdown,omitempty"`      // how long old processes live on
	Preboot      bool     `json:"preboot,omitempty"`       // old web processes serve on, out of sight
	PrebootDelay Duration `json:"preboot_delay,omitempty"` // for so long
	Release      string   `json:"release,omitempty"`       // "", "pending", "failed": what a release command does
	ReleaseDelay Duration `json:"release_delay,omitempty"` // how long it takes
	Crash        bool     `json:"crash,omitempty"`         // new processes crash
	// Skew is how far a vendor's clock is ahead of the world's; negative: behind.
	Skew map[string]Duration `json:"skew,omitempty"`
}

// Duration is written as 1s in JSON.
type Duration time.Duration

// MarshalText writes 1s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads 1s.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Std is the same length of time.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Random returns n bytes as hex. It is a function of seed and counter, so the
// same requests give the same world, after a restart as well.
func (s *State) Random(n int) string {
	var out []byte
	for len(out) < n {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], uint64(s.Seed))
		binary.BigEndian.PutUint64(b[8:], s.Counter)
		s.Counter++
		sum := sha256.Sum256(b[:])
		out = append(out, sum[:]...)
	}
	return hex.EncodeToString(out[:n])
}

// UUID returns the next one.
func (s *State) UUID() string {
	h := s.Random(16)
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}
