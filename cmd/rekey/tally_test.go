package main

import (
	"fmt"
	"slices"
	"time"
)

// tally is how long something took, again and again.
type tally struct{ took []time.Duration }

func (t *tally) add(d time.Duration) { t.took = append(t.took, d) }

// at is what so many of a hundred took at most; 0 where there are none.
func (t *tally) at(percent int) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.took))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

func (t *tally) worst() time.Duration { return t.at(100) }

func (t *tally) String() string {
	ms := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("%d times: half within %v, 99 of 100 within %v, all within %v", len(t.took), ms(t.at(50)), ms(t.at(99)), ms(t.worst()))
}
