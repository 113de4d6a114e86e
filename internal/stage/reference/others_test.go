package reference_test

import (
	"testing"
	"time"

	"rekey/internal/stage"
	"rekey/internal/stage/reference"
)

// undisturbed is a run without faults: its calls, what somebody else could do at any of
// them, and the calls after which it waits for long.
func undisturbed(v variation) (calls int, acts []string, waits []int) {
	sc := scenario{variation: v}
	x := reference.New(1, v.can, sc.rough())
	x.Strategy(v.strategy)
	x.Purpose(v.purpose)
	acts = x.Acts()
	var last time.Time
	x.Hears = func(string, string) {
		if now := x.Clock.Now(); x.Calls > 1 && now.Sub(last) > 4*time.Second {
			waits = append(waits, x.Calls-1)
		}
		last = x.Clock.Now()
	}
	verdict := x.Stage.Run(reference.Credential, x.Judge)
	return verdict.Calls, acts, waits
}

// TestSomebodyElseAtEveryCall: a person or another program does something right before
// or after any call of a run. Nobody's write is undone untold, nobody loses access
// because of us, and the ending says what is so.
func TestSomebodyElseAtEveryCall(t *testing.T) {
	step, sampled := sample(61)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			calls, acts, _ := undisturbed(v)
			for call := 1; call <= calls; call++ {
				for _, act := range acts {
					for _, k := range stage.Others {
						if n++; n%step == *from%step {
							work <- scenario{variation: v, faults: []stage.Fault{{Call: call, Kind: k, Act: act}}}
						}
					}
				}
			}
		}
	})
}

// TestSomebodyElseWhileItWaits: most of a run is waiting, and that is when others act.
func TestSomebodyElseWhileItWaits(t *testing.T) {
	step, sampled := 1, ""
	if *every > 0 {
		step, sampled = sample(1)
	}
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			_, acts, waits := undisturbed(v)
			for _, call := range waits {
				for i, act := range acts {
					if n++; n%step == *from%step {
						// As it begins, and as it ends, by turns.
						f := stage.Fault{Call: call, Kind: stage.OthersAfter, Act: act}
						if (i+call)%2 == 0 {
							f = stage.Fault{Call: call + 1, Kind: stage.OthersBefore, Act: act}
						}
						work <- scenario{variation: v, faults: []stage.Fault{f}}
					}
				}
			}
		}
	})
}

// TestSomebodyElseWhileNobodyIsThere: a process dies, and before the next one takes the
// run up somebody else has been there.
func TestSomebodyElseWhileNobodyIsThere(t *testing.T) {
	step, sampled := sample(97)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			calls, acts, _ := undisturbed(v)
			for call := 1; call < calls; call++ {
				for _, act := range acts {
					for _, k := range []stage.Kind{stage.CrashAfter, stage.SetBack} {
						if n++; n%step == *from%step {
							work <- scenario{variation: v, faults: []stage.Fault{{Call: call, Kind: k}, {Call: call + 1, Kind: stage.OthersBefore, Act: act}}}
						}
					}
				}
			}
		}
	})
}

// TestSomebodyElseBesideAFault: and something else goes wrong at another call.
func TestSomebodyElseBesideAFault(t *testing.T) {
	step, sampled := sample(14983)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			calls, acts, _ := undisturbed(v)
			for call := 1; call <= calls; call++ {
				for _, act := range acts {
					for other := 1; other <= calls+12; other++ {
						for _, k := range pairKinds {
							if n++; other != call && n%step == *from%step {
								work <- scenario{variation: v, faults: []stage.Fault{{Call: call, Kind: stage.OthersBefore, Act: act}, {Call: other, Kind: k}}}
							}
						}
					}
				}
			}
		}
	})
}
