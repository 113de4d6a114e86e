package stage

import (
	"errors"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/world"
)

// Verdict is how a run came out.
type Verdict struct {
	Ending string   // rotated, rolled back, refused, stuck
	Broken []string // promises
	Calls  int
	Looked int  // calls made before the first plan
	Late   bool // a late fault was among them
	Made   bool // and it met a creation
	Err    error
	Stuck  *rotation.Stuck
	// Healed: stuck, then resumed without further faults, it came to an end; or it stands
	// still because of what somebody else did, and says so.
	Healed bool
	Others int // how often somebody else did something
}

// Run plays a credential to its end, and judges it; one that is stuck is resumed once
// without further faults, and judged again.
func (s *Stage) Run(credential string, judge func(runner.Result) []string, faults ...Fault) Verdict {
	s.Arrange(faults...)
	s.Log.Watch = func(e rotation.Event) {
		if e.Planned != nil && s.Looked == 0 {
			s.Looked = s.Calls
		}
	}
	result, err := s.Play(credential)
	v := Verdict{Calls: s.Calls, Looked: s.Looked, Late: s.Late, Made: s.LateMade, Err: err}
	if err != nil {
		return v
	}
	v.Broken, v.Others = judge(result), len(s.deeds)
	switch st := result.State; {
	case st.Closed != nil:
		v.Ending = string(st.Closed.Ending)
	case st.Stuck != nil:
		v.Ending, v.Stuck = "stuck", st.Stuck
		s.Calm()
		s.World.Turn(func(k *world.Knobs) { k.Crash, k.Release = false, "" })
		again, err := s.Resume()
		v.Err = err
		if v.Healed = err == nil && again.State.Closed != nil; v.Healed {
			v.Broken = append(v.Broken, judge(again)...)
		}
		v.Healed = v.Healed || s.standsFor(again.State.Stuck)
	}
	return v
}

// Words of faults, for people.
func Words(faults []Fault) string {
	var out []string
	for _, f := range faults {
		out = append(out, f.String())
	}
	return strings.Join(out, ", ")
}

// Play opens a run and goes on, process after process, until it neither crashes
// nor leaves the run open by itself.
func (s *Stage) Play(name string) (runner.Result, error) {
	if err := s.Open(name, "test01"); err != nil {
		return runner.Result{}, err
	}
	return s.Resume()
}

// Resume goes on with the run, process after process.
func (s *Stage) Resume() (runner.Result, error) {
	for range 50 {
		result, crashed, err := s.Process()
		if errors.Is(err, errOvertaken) && s.twinned != nil {
			return *s.twinned, nil
		}
		if err != nil || !crashed {
			return result, err
		}
		if s.asked {
			s.Clock.Pass(300 * time.Millisecond) // somebody stopped it, and says so at once
			continue
		}
		s.Clock.Pass(3 * time.Second) // somebody notices
	}
	return runner.Result{}, errors.New("the run did not end within 50 processes")
}
