package runner

import (
	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// seekers look for all credentials at once: every value is read and fingerprinted once,
// and only those look at it that may find something.
type seekers struct {
	keyer secret.Keyer
	sift  *secret.Sift
	past  map[cred.Fingerprint][]int // who remembers a value
}

func (r *Runner) seekers(all []Known) seekers {
	s := seekers{keyer: r.Keyer, past: map[cred.Fingerprint][]int{}}
	searches := make([]secret.Search, len(all))
	for i, k := range all {
		searches[i] = k.seeker.search
		for fp := range k.seeker.past {
			s.past[fp] = append(s.past[fp], i)
		}
	}
	s.sift = secret.NewSift(searches)
	return s
}

// may returns, for each credential of which a place may hold something, the place with
// what may be that.
func (s seekers) may(at provider.Spot) map[int]provider.Spot {
	out := map[int]provider.Spot{}
	for name, v := range at.Slots {
		some := s.sift.May(v)
		some = append(some, s.past[s.keyer.Of(v)]...)
		some = append(some, s.past[s.keyer.Of(v.Trimmed())]...)
		for _, i := range some {
			spot, known := out[i]
			if !known {
				spot = at
				spot.Slots = map[string]secret.Value{}
				out[i] = spot
			}
			spot.Slots[name] = v
		}
	}
	return out
}
