package reference_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
	"rekey/internal/stage"
	"rekey/internal/stage/reference"
	"rekey/internal/world"
)

// TestMain lets the whole process collect memory less often, unless GOGC says otherwise:
// much is made and dropped, and little is kept. It belongs to the process, not to a test:
// one that sets it back when it ends does so for those that run beside it.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800)
	}
	os.Exit(m.Run())
}

var (
	whole = flag.Bool("whole", false, "every fault, and every pair of faults, of every kind at every call")
	every = flag.Int("every", 0, "of all there is, only every n-th")
	from  = flag.Int("from", stage.Turn(), "which of a sample: so many are left out first; REKEY_SAMPLE sets it too")
	only  = flag.String("only", "", "only variations whose name contains this")
	kind  = flag.String("kind", "", "only kinds of single faults whose name contains this")
)

// variation is one triple and what it is asked to do.
type variation struct {
	name     string
	can      reference.Can
	strategy string
	purpose  sop.Purpose
	ends     rotation.Ending // without faults; "": by the purpose
	knobs    func(*world.Knobs)
}

// full is a triple that can do everything that a rotation beside the old one uses.
var full = reference.Can{Beside: true, Disable: true, LastSeen: true, Admits: true, Finds: true, Restarts: true}

// followed is full with two stores that follow the first.
var followed = with(func(c *reference.Can) { c.Followed = true })

// variations switch each capability at least once in each direction.
var variations = []variation{
	{name: "everything", can: full},
	{name: "nothing but beside", can: reference.Can{Beside: true, Restarts: true}},
	{name: "no rules", can: with(func(c *reference.Can) { c.Admits = false })},
	{name: "a rule for everyone", can: with(func(c *reference.Can) { c.Everyone = true })},
	{name: "no ladder, no last seen", can: with(func(c *reference.Can) { c.Disable, c.LastSeen, c.Finds = false, false, false })},
	{name: "the issuer itself", can: reference.Can{Beside: true, Itself: true, MaxLive: 4}},
	{name: "secrets that we make", can: with(func(c *reference.Can) { c.Makes, c.Admits = true, false })},
	{name: "secrets that we make, with rules", can: with(func(c *reference.Can) { c.Makes = true })},
	{name: "roll with grace", can: reference.Can{Roll: rotation.RollWithGrace, LastSeen: true, Restarts: true}, strategy: "roll"},
	{name: "roll with a grace without end, secrets that we make", can: reference.Can{Roll: rotation.RollWithGrace, Lingers: true, Makes: true, Restarts: true}, strategy: "roll"},
	{name: "roll at once", can: reference.Can{Roll: rotation.RollAtOnce, Restarts: true}, strategy: "roll"},
	{name: "a store written piece by piece", can: with(func(c *reference.Can) { c.Piecewise = true })},
	{name: "a store written piece by piece, with notes", can: with(func(c *reference.Can) { c.Piecewise, c.Notes = true, true })},
	{name: "a store without history", can: with(func(c *reference.Can) { c.NoHistory = true }), ends: rotation.RefusedRun},
	{name: "a store without the former name", can: with(func(c *reference.Can) { c.Absent, c.Piecewise = true, true })},
	{name: "read where it is", can: with(func(c *reference.Can) { c.Restarts = false })},
	{name: "written, then applied", can: with(func(c *reference.Can) { c.Restarts, c.Applied = false, true })},
	{name: "shown to nobody", can: with(func(c *reference.Can) { c.Hidden = true })},
	{name: "shown to nobody, stamped", can: with(func(c *reference.Can) { c.Hidden, c.Stamps = true, true })},
	{name: "with others to ask", can: with(func(c *reference.Can) { c.Surveys = true })},
	{name: "with everything that can be asked", can: with(func(c *reference.Can) { c.Asked, c.Foresees, c.Queries = true, true, true })},
	{name: "asked, and its secrets are ours", can: with(func(c *reference.Can) { c.Asked, c.Makes, c.Foresees = true, true, true })},
	{name: "asked, and nothing but beside", can: reference.Can{Beside: true, Restarts: true, Asked: true}},
	{name: "asked, rolled, with a bound", can: reference.Can{Roll: rotation.RollWithGrace, Asked: true, GraceMax: 48 * time.Hour, Restarts: true}, strategy: "roll"},
	{name: "an end that fails", can: with(func(c *reference.Can) { c.Asked, c.Owns = true, true }), ends: rotation.RefusedRun},
	{name: "nameless, in a scope of its own", can: with(func(c *reference.Can) { c.Nameless = true })},
	{name: "nameless, nothing but beside", can: reference.Can{Beside: true, Restarts: true, Nameless: true}},
	{name: "nameless, secrets that we make", can: with(func(c *reference.Can) { c.Nameless, c.Makes = true, true })},
	{name: "shown to nobody, then applied", can: with(func(c *reference.Can) { c.Hidden, c.Stamps, c.Restarts, c.Applied = true, true, false, true })},
	{name: "three stores", can: followed},
	{name: "three stores, one shown to nobody", can: with(func(c *reference.Can) { c.Followed, c.MirrorHidden = true, true })},
	{name: "three stores, one stamped and empty", can: with(func(c *reference.Can) {
		c.Followed, c.MirrorHidden, c.MirrorStamps, c.MirrorEmpty = true, true, true, true
	})},
	{name: "three stores, one then applied", can: with(func(c *reference.Can) { c.Followed, c.MirrorApplied = true, true })},
	{name: "three stores, asked, with others to ask", can: with(func(c *reference.Can) { c.Followed, c.Asked, c.Foresees, c.Surveys = true, true, true, true })},
	{name: "three stores, rolled with grace", can: reference.Can{Roll: rotation.RollWithGrace, LastSeen: true, Restarts: true, Followed: true}, strategy: "roll"},
	{name: "three stores, rolled at once", can: reference.Can{Roll: rotation.RollAtOnce, Restarts: true, Followed: true, MirrorHidden: true}, strategy: "roll"},
	{name: "three stores, secrets that we make", can: with(func(c *reference.Can) { c.Followed, c.Makes, c.MirrorEmpty = true, true, true })},
	{name: "three stores, rehearsed", can: followed, purpose: sop.ToRehearse},
	{name: "three stores, revoked", can: followed, purpose: sop.ToRevoke},
	{name: "rehearsed", can: full, purpose: sop.ToRehearse},
	{name: "revoked", can: full, purpose: sop.ToRevoke},
	{name: "deleted", can: full, purpose: sop.ToDelete},
	{name: "rehearsed, with notes", can: with(func(c *reference.Can) { c.Notes = true }), purpose: sop.ToRehearse},
	{name: "rehearsed, nameless", can: with(func(c *reference.Can) { c.Nameless = true }), purpose: sop.ToRehearse},
	{name: "revoked, with users to name", can: with(func(c *reference.Can) { c.Asked, c.Queries = true, true }), purpose: sop.ToRevoke},
}

// with is full, and changed.
func with(change func(*reference.Can)) reference.Can {
	c := full
	change(&c)
	return c
}

// scenario is a variation with its faults.
type scenario struct {
	variation
	faults []stage.Fault
	seed   int64
	damage func(*rotation.Plan)
	polite bool
}

func (sc scenario) String() string { return sc.name + ": " + stage.Words(sc.faults) }

// rough is a world whose gate learns late of every change, in both directions, and
// whose issuer's clock is ten minutes or an hour off, ahead and behind by turns.
func (sc scenario) rough() world.Knobs {
	k := world.Knobs{BootDelay: world.Duration(900 * time.Millisecond), Shutdown: world.Duration(5 * time.Second)}
	if sc.polite {
		return k
	}
	k.EdgeDelay = world.Duration(3 * time.Second)
	off := world.Duration(10 * time.Minute)
	for _, f := range sc.faults {
		if f.Call%3 == 0 {
			off = world.Duration(time.Hour) // a machine that keeps another zone's time
		}
		if (f.Call+len(f.Kind))%2 == 1 {
			off = -off
		}
	}
	k.Skew = map[string]world.Duration{"issuer": off}
	if sc.knobs != nil {
		sc.knobs(&k)
	}
	return k
}

func (sc scenario) run() (stage.Verdict, *reference.Triple) {
	x := reference.New(1+sc.seed, sc.can, sc.rough())
	x.Strategy(sc.strategy)
	x.Purpose(sc.purpose)
	x.Damage = sc.damage
	return x.Stage.Run(reference.Credential, func(r runner.Result) []string { return append(x.Judge(r), sc.ahead(x)...) }, sc.faults...), x
}

// ahead is the first moment at which a consumer held what some store did not.
func (sc scenario) ahead(x *reference.Triple) []string {
	if len(x.Ahead) == 0 || x.Deeds() > 0 { // somebody else may write wherever he likes
		return nil
	}
	if slices.ContainsFunc(sc.faults, func(f stage.Fault) bool { return f.Kind == stage.Later || f.Kind == stage.CrashLater }) {
		return nil // a write that arrives late comes when it comes; what it leaves is judged at the end
	}
	return []string{"a consumer was ahead of a store: " + x.Ahead[0]}
}

// tally collects verdicts from several goroutines.
type tally struct {
	t      *testing.T
	mu     sync.Mutex
	n      int
	ends   map[string]int
	healed int
	broken int
	shown  map[string]bool
	kinds  map[string]int // of broken promises
	began  time.Time
}

func (y *tally) add(sc scenario, v stage.Verdict) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.n++
	y.ends[v.Ending]++
	bad := slices.Clone(v.Broken)
	if v.Err != nil {
		bad = append(bad, v.Err.Error())
	}
	if v.Ending == "stuck" {
		if v.Healed {
			y.healed++
		} else {
			bad = append(bad, "resumed without further faults it still does not end")
		}
		if !y.shown[v.Stuck.Why] && len(y.shown) < 3 {
			y.shown[v.Stuck.Why] = true
			y.t.Logf("stuck, for example: %s\n  failed %s\n  live   %v", sc, v.Stuck.Why, v.Stuck.Live)
		}
	}
	if len(bad) > 0 {
		y.broken++
		key := alike.ReplaceAllString(strings.Join(bad, "\n  "), "*")
		for _, f := range sc.faults {
			key += string(f.Kind) + f.Act
		}
		if y.kinds[key]++; y.kinds[key] == 1 && len(y.kinds) <= 30 { // one of a kind is shown, of each variation
			y.t.Errorf("%s (seed %d): %q\n  %s", sc, 1+sc.seed, v.Ending, strings.Join(bad, "\n  "))
		}
	}
}

// alike is what differs between two mishaps of one kind.
var alike = regexp.MustCompile(`id-[0-9a-f]+|[0-9]+`)

// play plays what is sent, on every processor, and prints the counts.
func play(t *testing.T, sampled string, send func(chan<- scenario)) {
	t.Helper()
	y := &tally{t: t, ends: map[string]int{}, shown: map[string]bool{}, kinds: map[string]int{}, began: time.Now()}
	work := make(chan scenario, 64)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for sc := range work {
				v, _ := sc.run()
				y.add(sc, v)
			}
		})
	}
	send(work)
	close(work)
	group.Wait()
	var ends []string
	for _, e := range slices.Sorted(maps.Keys(y.ends)) {
		ends = append(ends, fmt.Sprintf("%s:%d", e, y.ends[e]))
	}
	line := fmt.Sprintf("%s: %d scenarios, %v, %d of those stuck mended by resume, promises broken %d%s", t.Name(), y.n, ends, y.healed, y.broken, sampled)
	t.Log(line)
	if *whole {
		_, _ = fmt.Fprintln(os.Stderr, line, time.Since(y.began).Round(time.Second))
	}
	if y.n == 0 {
		t.Error("nothing was played")
	}
}

// sample is how much of all there is is tried, and says so.
func sample(step int) (int, string) {
	switch {
	case *every > 0:
		step = *every
	case *whole:
		return 1, ""
	}
	return step, fmt.Sprintf("; EVERY %d. FROM %d ON (-args -whole tries all)", step, *from%step)
}

// chosen are the variations that are asked for.
func chosen() []variation {
	return slices.DeleteFunc(slices.Clone(variations), func(v variation) bool { return !strings.Contains(v.name, *only) })
}

// kinds are all that a call can meet.
var kinds = slices.Concat(stage.Kinds, stage.Rude, stage.Lasting, stage.Accounts, stage.Delayed)

// pairKinds leaves out what differs from another kind only in its words: a driver that
// is asked directly makes the same error of a page, a redirection, an empty answer and
// a connection that breaks.
var pairKinds = []stage.Kind{
	stage.CrashBefore, stage.CrashAfter, stage.Lost, stage.Applied, stage.Refused, stage.Limited, stage.Late,
	stage.NotThere, stage.Applied400, stage.Applied409, stage.SetBack, stage.Twin, stage.TwinBefore, stage.AskedBack,
	stage.Twice, stage.Applied404, stage.Later, stage.CrashLater, stage.Stale,
}

// TestWithoutFaults: every triple comes out as it should, and what it can do shows.
func TestWithoutFaults(t *testing.T) {
	for _, v := range chosen() {
		verdict, x := scenario{variation: v}.run()
		want := map[sop.Purpose]rotation.Ending{"": rotation.Rotated, sop.ToRehearse: rotation.Rehearsed, sop.ToRevoke: rotation.Revoked, sop.ToDelete: rotation.Revoked}[v.purpose]
		if v.ends != "" {
			want = v.ends
		}
		if verdict.Ending != string(want) || len(verdict.Broken) > 0 || verdict.Err != nil {
			log := x.Log.Text()
			t.Errorf("%s: %q %v %v\n%s", v.name, verdict.Ending, verdict.Broken, verdict.Err, log[max(0, len(log)-1500):])
		}
		t.Logf("%-50s %3d calls (%d before the plan)  %s", v.name, verdict.Calls, verdict.Looked, v.can)
	}
}

// TestEverySingleFault: each kind at each call.
func TestEverySingleFault(t *testing.T) {
	step, sampled := sample(37)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			verdict, _ := scenario{variation: v}.run()
			for call := 1; call <= verdict.Calls; call++ {
				for _, k := range kinds {
					if n++; n%step == *from%step && strings.Contains(string(k), *kind) {
						work <- scenario{variation: v, faults: []stage.Fault{{Call: call, Kind: k}}}
					}
				}
			}
		}
	})
}

// TestEveryPairOfFaults: each kind at each call, and each kind at each call after that,
// as far as the run with the first fault goes.
func TestEveryPairOfFaults(t *testing.T) {
	step, sampled := sample(11027)
	play(t, sampled, func(work chan<- scenario) {
		n := 0
		for _, v := range chosen() {
			alone, _ := scenario{variation: v}.run()
			for first := 1; first <= alone.Calls; first++ {
				for _, a := range pairKinds {
					calls := alone.Calls + 12 // a run with a fault goes on longer
					if *whole {
						one, _ := scenario{variation: v, faults: []stage.Fault{{Call: first, Kind: a}}}.run()
						calls = one.Calls
					}
					for second := first + 1; second <= calls; second++ {
						for _, b := range pairKinds {
							if n++; n%step == *from%step {
								work <- scenario{variation: v, faults: []stage.Fault{{Call: first, Kind: a}, {Call: second, Kind: b}}}
							}
						}
					}
				}
			}
		}
	})
}
