package stage

import (
	"os"
	"slices"
	"strconv"
)

// Turn is which scenarios of a sample have their turn: REKEY_SAMPLE, a number that a
// nightly run sets to another one each time, so that what one leaves out the next plays;
// without it 0, so that a test by itself plays the same each time.
func Turn() int {
	text := os.Getenv("REKEY_SAMPLE")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		panic("REKEY_SAMPLE is not a number from 0 on: " + text)
	}
	return n
}

// Sample is which of all faults are played where all would take too long: of single ones,
// of pairs and of acts of others every so manieth, beginning with From.
type Sample struct{ Singles, Pairs, Acts, From int }

// Each hands meet every scenario of the sample, of a run that makes so many calls and in
// which others can do acts. It returns how many scenarios of each sort there are in all.
func (x Sample) Each(calls int, acts []string, meet func(faults ...Fault)) (singles, pairs, others int) {
	kinds := slices.Concat(Kinds, Rude)
	n := 0
	for call := 1; call <= calls; call++ {
		for _, kind := range kinds {
			if n++; n%x.Singles == x.From%x.Singles {
				meet(Fault{Call: call, Kind: kind})
			}
		}
	}
	singles = n
	for at := range singles {
		for then := at + 1; then < singles; then++ {
			one, two := Fault{Call: 1 + at/len(kinds), Kind: kinds[at%len(kinds)]}, Fault{Call: 1 + then/len(kinds), Kind: kinds[then%len(kinds)]}
			if n++; one.Call < two.Call && n%x.Pairs == x.From%x.Pairs {
				meet(one, two)
			}
		}
	}
	for call := 1; call <= calls; call++ {
		for _, act := range acts {
			for _, kind := range Others {
				if others++; others%x.Acts == x.From%x.Acts {
					meet(Fault{Call: call, Kind: kind, Act: act})
				}
			}
		}
	}
	return singles, n - singles, others
}

// Tally plays scenarios and counts how they came out.
type Tally struct {
	T interface { // of the test
		Helper()
		Errorf(format string, args ...any)
	}
	Play func(faults ...Fault) Verdict
	N    int
	Ends map[string]int // by ending
}

// Meet plays one: a promise that is broken, and a run that is stuck for good, fail the test.
func (y *Tally) Meet(faults ...Fault) {
	y.T.Helper()
	v := y.Play(faults...)
	y.N++
	if y.Ends == nil {
		y.Ends = map[string]int{}
	}
	y.Ends[v.Ending]++
	if len(v.Broken) > 0 || v.Err != nil || v.Ending == "stuck" && !v.Healed {
		y.T.Errorf("%s: %q, healed %v\n  %v %v", Words(faults), v.Ending, v.Healed, v.Broken, v.Err)
	}
}
