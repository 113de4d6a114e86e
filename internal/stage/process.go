package stage

import (
	"context"
	"errors"
	"fmt"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/runner"
)

// errOvertaken: another process has written to the run.
var errOvertaken = errors.New("another process is at this run")

// process is one process's hold on the journal: it appends only to what it has seen.
type process struct {
	log  *Log
	seen int
}

// Append writes events, unless another process has written meanwhile.
func (p *process) Append(ctx context.Context, events ...rotation.Event) error {
	if len(p.log.Lines) != p.seen {
		return errOvertaken
	}
	err := p.log.Append(ctx, events...)
	p.seen = len(p.log.Lines)
	return err
}

// overtaken says whether the process that acts now is not the newest of its run: it
// must not send a change any more.
func (s *Stage) overtaken() error {
	if len(s.procs) == 0 {
		return nil
	}
	me := s.procs[len(s.procs)-1]
	if len(me.log.Lines) != me.seen {
		return errOvertaken
	}
	return nil
}

// another process takes the run up, as if its lock were not there, and goes on to its
// end while the first one stands still.
func (s *Stage) another() {
	if s.twinned != nil || len(s.Log.Lines) == 0 {
		return
	}
	before, faults, refused, led := s.Before, s.faults, s.refused, s.astray
	s.Calm()
	defer func() { s.Before, s.faults, s.refused, s.astray = before, faults, refused, led }()
	result, err := s.Resume()
	if err == nil {
		s.twinned = &result
	}
}

// cut loses the last entries, as a restored backup or a snapshot of the disk does;
// that a run was opened is kept.
func (l *Log) cut(n int) {
	l.Lines = l.Lines[:max(1, len(l.Lines)-n)]
}

// LoseTail makes the next process find the journal without its last n entries.
func (s *Stage) LoseTail(n int) { s.setBack, s.losing = true, n }

// Crash is what a simulated kill panics with.
type Crash struct{}

// EndsProcess: nothing outlives it, whatever outlives a mistake in a driver.
func (Crash) EndsProcess() {}

var _ provider.EndOfProcess = Crash{}

// Process plays one process from its start to its end, which may be a crash.
// Each process but the first resumes. It knows nothing but the journal.
func (s *Stage) Process() (result runner.Result, crashed bool, err error) {
	if s.setBack {
		s.setBack, s.LostTail = false, true
		if s.losing == 0 {
			s.losing = 1 + s.Calls%9
		}
		s.Log.cut(s.losing)
		s.losing = 0
	}
	events, err := s.Log.Events()
	if err != nil {
		return result, false, err
	}
	me := &process{log: s.Log, seen: len(s.Log.Lines)}
	s.procs = append(s.procs, me)
	defer func() { s.procs = s.procs[:len(s.procs)-1] }()
	state := rotation.Fold(events)
	if s.Damage != nil {
		s.Log.Damage = s.Damage
	}
	if s.begun || len(events) > 1 { // also where the journal remembers nothing but that it was opened
		e := rotation.Event{At: s.Clock.Now(), Run: state.Run, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: "stage", Tool: "test", Despite: s.Resuming}}
		if err := me.Append(context.Background(), e); err != nil {
			return result, false, err
		}
		state.Apply(e)
	}
	if s.asked {
		s.asked = false
		if state.Closed == nil && !state.Final {
			e := rotation.Event{At: s.Clock.Now(), Run: state.Run, Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "stage", Reason: "it seems better"}}
			if err := me.Append(context.Background(), e); err != nil {
				return result, false, err
			}
			state.Apply(e)
		}
	}
	s.begun = true
	crew, err := s.Crew(state.Opened.Spec)
	if err != nil {
		return result, false, err
	}
	r := &runner.Runner{
		Journal: me, Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder, Actor: "stage",
		Calls: func() int { return s.Calls }, Confirm: s.Confirm, Unguarded: s.Damage != nil,
		Past: func(context.Context) ([]rotation.Generation, error) { return s.Past(state.Opened.Credential) },
	}
	if r.Confirm == nil {
		r.Confirm = func(context.Context, rotation.Ask) (string, error) { return "typed", nil }
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case Crash:
			crashed, s.died = true, s.Calls
		case endless:
			err = fmt.Errorf("the run made %d calls and did not end", most)
		default:
			panic(p)
		}
	}()
	result, err = r.Run(context.Background(), state)
	return result, false, err
}
