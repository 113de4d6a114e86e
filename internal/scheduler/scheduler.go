// Package scheduler begins what is due, takes up what was agreed to, looks without anybody asking, and sends notices, each in one process at a time.
package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"rekey/internal/estate"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sop"
)

// Operations are what the scheduler asks for: the engine offers them.
type Operations interface {
	Schedule(ctx context.Context) (estate.Schedule, error)
	Begin(ctx context.Context, o estate.Opening) (run string, err error)
	TakeUp(ctx context.Context, a estate.Advancing) (run string, err error)
	Status(ctx context.Context, a estate.StatusAsked) (estate.Status, error)
	Check(ctx context.Context, w estate.Wish) (estate.Checked, error)
	Compare(ctx context.Context, credentials []string) (estate.Compared, error)
	Discover(ctx context.Context, credentials []string) (estate.Discovered, error)
	TellNotices(ctx context.Context) (estate.Told, error)
}

// Options are what a scheduler has from outside.
type Options struct {
	Operations Operations
	// Config is the configuration as it is now; it is asked anew for each tick.
	Config func() *sop.Config
	// Journal is the one that the operations work with. The scheduler does not close it.
	Journal *journal.Journal
	Now     func() time.Time // nil: the real time
	Log     *slog.Logger     // nil: nothing is logged
	Every   time.Duration    // between two ticks; 0: 15 seconds
}

// Scheduler decides nothing itself: what may begin is internal/schedule's to say, and that
// it is begun once the journal's.
type Scheduler struct {
	o Options

	mu     sync.Mutex
	looked map[string]time.Time // when a look was tried last, whatever came of it
	taken  map[string]time.Time // when a run was taken up last
	noted  time.Time            // when it was noted last that the schedule was gone through
}

// New returns a scheduler that has not begun.
func New(o Options) *Scheduler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every == 0 {
		o.Every = 15 * time.Second
	}
	return &Scheduler{o: o, looked: map[string]time.Time{}, taken: map[string]time.Time{}}
}

type asKey struct{}

// As returns a context in which the schedule asks, and not a person.
func As(ctx context.Context, who rotation.Who) context.Context {
	return context.WithValue(ctx, asKey{}, who)
}

// From tells whether the schedule asks: what tells an estate who asks, looks here first.
func From(ctx context.Context) (rotation.Who, bool) {
	who, ok := ctx.Value(asKey{}).(rotation.Who)
	return who, ok
}

// Run ticks until ctx is done. Beginning, looking and telling do not wait for each other.
func (s *Scheduler) Run(ctx context.Context) {
	var all sync.WaitGroup
	for name, tick := range map[string]func(context.Context) error{"begin": s.Begin, "look": s.Look, "tell": s.Tell} {
		all.Go(func() {
			for {
				err := s.alone(ctx, name, tick)
				if err == nil && name == "begin" {
					err = s.ticked(ctx)
				}
				if err != nil && ctx.Err() == nil {
					s.o.Log.Error("the schedule", "part", name, "why", err)
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(s.o.Every):
				}
			}
		})
	}
	all.Wait()
}

// tickedMark is the mark under which every process finds when the schedule was last gone
// through.
const tickedMark = "schedule ticked"

// noteEvery is how often that is noted, so that the database is not written for nothing.
const noteEvery = time.Minute

// ticked notes that the schedule was gone through, here or by another process.
func (s *Scheduler) ticked(ctx context.Context) error {
	now := s.o.Now()
	s.mu.Lock()
	due := now.Sub(s.noted) >= noteEvery
	s.mu.Unlock()
	if !due {
		return nil
	}
	err := s.o.Journal.MarkTime(ctx, tickedMark, now)
	if err == nil {
		s.mu.Lock()
		s.noted = now
		s.mu.Unlock()
	}
	return err
}

// LastTick is when some process last went through the schedule, up to a minute ago; the
// zero time: none did.
func LastTick(ctx context.Context, j *journal.Journal) (time.Time, error) {
	return j.TimeOf(ctx, tickedMark)
}

// alone does nothing where another process does it right now. That is for the vendors'
// and the readers' sake: what is begun twice at once, the journal refuses.
func (s *Scheduler) alone(ctx context.Context, name string, tick func(context.Context) error) error {
	unlock, err := s.o.Journal.Lock("schedule: " + name)
	if errors.Is(err, journal.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	return tick(ctx)
}

// Tell sends what people are to be told. What a channel does not take is logged, and sent
// later.
func (s *Scheduler) Tell(ctx context.Context) error {
	told, err := s.o.Operations.TellNotices(ctx)
	for channel, why := range told.Trouble {
		s.o.Log.Warn("a channel does not accept notices", "channel", channel, "why", why, "waiting", told.Waiting)
	}
	return err
}

// Begin begins what may begin now, has people asked, and takes up what they have agreed
// to. It may be called at any time, by several at once.
func (s *Scheduler) Begin(ctx context.Context) error {
	d, err := s.o.Operations.Schedule(ctx)
	if err != nil {
		return err
	}
	specs := map[string]sop.Spec{}
	for _, spec := range s.o.Config().Specs {
		specs[spec.Name] = spec
	}
	standing := map[string]schedule.Standing{}
	for _, c := range d.Credentials {
		standing[c.Credential] = c
	}
	for _, run := range d.TakeUp {
		s.takeUp(ctx, specs, run, "it was approved")
	}
	for _, run := range d.AskAgain {
		s.takeUp(ctx, specs, run, "nobody approved in time, so approval is requested again")
	}
	for _, name := range append(d.Begin, d.Ask...) {
		if ctx.Err() != nil {
			return nil
		}
		spec, known := specs[name]
		if !known || spec.Run == sop.ByHand {
			continue // the configuration is another one by now
		}
		if err := s.begin(ctx, spec, standing[name], d.At); err != nil {
			return err
		}
	}
	return nil
}

// begin asks for one run. What stands against it, and would for a person too, is noted
// in the journal, so that it is told, and not tried again at once.
func (s *Scheduler) begin(ctx context.Context, spec sop.Spec, c schedule.Standing, at time.Time) error {
	o := estate.Opening{
		Wish: estate.Wish{Credential: spec.Name}, Confirm: spec.Name, After: c.After,
		Reason: "due since " + c.Due.At.UTC().Format(time.DateOnly) + " by " + c.Due.Why,
	}
	if o.After == "" {
		o.After = estate.NoRunYet
	}
	run, err := s.o.Operations.Begin(As(ctx, schedule.Who(spec)), o)
	switch code := estate.CodeOf(err); {
	case err == nil:
		s.o.Log.Info("a rotation was begun", "credential", spec.Name, "run", run, "due", c.Due.At)
		return nil
	case ctx.Err() != nil:
		return nil
	case code == estate.AwaitsApproval:
		s.o.Log.Info("approval of a rotation is requested", "credential", spec.Name)
		return nil
	case code == estate.RunOpen, code == estate.PlaceBusy, code == estate.Busy, code == estate.NotNewest, code == estate.PlanDone,
		code == estate.WindowClosed, code == estate.ApprovalRefused, code == estate.Repeated:
		return nil // the world was faster than the decision; the next one knows
	default:
		s.o.Log.Error("a rotation could not be begun", "credential", spec.Name, "code", code, "why", err)
		note, noted := history.NoteOf(s.o.Now().UTC(), spec.Name, schedule.CannotBe, schedule.Refusal{At: at.UTC(), Code: string(code), Why: err.Error(), After: c.After, Tries: c.Tried + 1})
		if noted != nil {
			return noted
		}
		return history.Book{J: s.o.Journal}.Add(context.WithoutCancel(ctx), note)
	}
}

// takenFor is how long a run that was taken up is left to its worker.
const takenFor = 5 * time.Minute

func (s *Scheduler) takeUp(ctx context.Context, specs map[string]sop.Spec, run, why string) {
	now := s.o.Now()
	s.mu.Lock()
	fresh := now.Sub(s.taken[run]) < takenFor && !s.taken[run].IsZero()
	if !fresh {
		s.taken[run] = now
	}
	s.mu.Unlock()
	if fresh {
		return
	}
	credential, err := s.credentialOf(ctx, run)
	spec := specs[credential]
	if err == nil {
		_, err = s.o.Operations.TakeUp(As(ctx, schedule.Who(spec)), estate.Advancing{Run: run, Reason: why})
	}
	if err != nil && ctx.Err() == nil {
		s.o.Log.Error("a run that waited for approval could not be resumed", "run", run, "why", err)
		return
	}
	s.o.Log.Info("a run that waited for approval is resumed", "credential", credential, "run", run, "because", why)
}

func (s *Scheduler) credentialOf(ctx context.Context, run string) (string, error) {
	last, err := s.o.Journal.LastOf(ctx, run)
	return last.Subject, err
}
