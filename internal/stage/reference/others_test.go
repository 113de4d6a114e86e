package reference_test

import (
	"slices"
	"testing"
	"time"

	"rekey/internal/stage"
	"rekey/internal/stage/reference"
)

// course is how a run goes: its calls, what somebody else could do at any of them, the
// calls after which it waits for long, and what is asked in each.
type course struct {
	calls int
	acts  []string
	waits []int
	ops   []string // by call, from 1
}

// goes plays a run with these faults and nobody else.
func goes(v variation, faults ...stage.Fault) course {
	sc := scenario{variation: v, faults: faults}
	x := reference.New(1, v.can, sc.rough())
	x.Strategy(v.strategy)
	x.Purpose(v.purpose)
	c := course{acts: x.Acts(), ops: []string{""}}
	var last time.Time
	x.Hears = func(vendor, op string) {
		if now := x.Clock.Now(); x.Calls > 1 && now.Sub(last) > 4*time.Second {
			c.waits = append(c.waits, x.Calls-1)
		}
		last = x.Clock.Now()
		c.ops = append(c.ops, vendor+" "+op)
	}
	c.calls = x.Stage.Run(reference.Credential, x.Judge, faults...).Calls
	return c
}

// turning is what makes a run go back: when the consumer is followed first, and at the
// last look before the old one is ended.
func (c course) turning() (out []stage.Fault) {
	first := slices.Index(c.ops, "consumer follow")
	end := slices.IndexFunc(c.ops, func(op string) bool { return op == "issuer revoke" || op == "issuer keep" })
	if first < 0 || end < 0 {
		return nil
	}
	out = append(out, stage.Fault{Call: first, Kind: stage.NotThere})
	for call := end - 1; call > first; call-- {
		if c.ops[call] == "consumer follow" {
			return append(out, stage.Fault{Call: call, Kind: stage.OthersBefore, Act: "put the old value back at the consumer"})
		}
	}
	return out
}

// TestSomebodyElseAtEveryCall: a person or another program does something right before
// or after any call of a run. Nobody's write is undone untold, nobody loses access
// because of us, and the ending says what is so.
func TestSomebodyElseAtEveryCall(t *testing.T) {
	step, sampled := sample(127)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			c := goes(v)
			for call := 1; call <= c.calls; call++ {
				for _, act := range c.acts {
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
	step, sampled := sample(2)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			c := goes(v)
			for _, call := range c.waits {
				for i, act := range c.acts {
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
	step, sampled := sample(197)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			c := goes(v)
			for call := 1; call < c.calls; call++ {
				for _, act := range c.acts {
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
	step, sampled := sample(122131)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			c := goes(v)
			for call := 1; call <= c.calls; call++ {
				for _, act := range c.acts {
					for other := 1; other <= c.calls+12; other++ {
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

// TestSomebodyElseOnTheWayBack: the run goes back, and somebody else acts while it waits
// on its way, or at any call of it.
func TestSomebodyElseOnTheWayBack(t *testing.T) {
	step, sampled := sample(149)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			for i, turn := range goes(v).turning() {
				c := goes(v, turn)
				for call := turn.Call + 1; call <= c.calls; call++ {
					for j, act := range c.acts {
						n++
						if waits := slices.Contains(c.waits, call) && (i+j+call)%3 == 0; waits && *every == 0 || n%step == *from%step {
							work <- scenario{variation: v, faults: []stage.Fault{turn, {Call: call, Kind: stage.Others[(j+call)%2], Act: act}}}
						}
					}
				}
			}
		}
	})
}
