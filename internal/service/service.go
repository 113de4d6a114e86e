// Package service puts a service together: rekey.yaml that is read again when it changes, the engine, whoever signs in, the API and the console, on one journal.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rekey/internal/access"
	"rekey/internal/console"
	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/refs"
	"rekey/internal/scheduler"
	"rekey/internal/server"
	"rekey/internal/sop"
)

// Hint is one thing that the console proposes to try.
type Hint = console.Hint

// Roles of a process.
const (
	API       = "api"       // serves the API and the console
	Scheduler = "scheduler" // begins what is due, and looks without anybody asking
	Worker    = "worker"    // carries runs out
)

// ShortestLease is the shortest term of a lease.
const ShortestLease = engine.Shortest

// Roles are all of them.
func Roles() []string { return []string{API, Scheduler, Worker} }

// Options are what a service has from outside.
type Options struct {
	File string // rekey.yaml
	// Load reads it, with what a command line says besides; nil: sop.Load.
	Load   func(file string) (*sop.Config, error)
	Listen string // address, as net.Listen takes it
	URL    string // how browsers reach it, without a path; "": by loopback only
	// Behind are proxies in front, whose X-Forwarded-For says where a request came from.
	Behind []netip.Prefix
	Roles  []string // of this process; none: all
	Name   string   // of this process, for the record
	Tool   string   // version of this program
	// Lease is how long a run is held by a worker that does not renew it, ShortestLease at
	// least; 0: the engine's.
	Lease time.Duration
	// Drain is how long requests and runs have for coming to a place to stop at; 0: a minute.
	Drain time.Duration
	// Every is how often rekey.yaml is looked at; 0: every two seconds.
	Every time.Duration
	// Tick is how often the schedule decides; 0: as the scheduler does.
	Tick time.Duration
	// Noted is how often at most the use of a token is noted; 0: every minute.
	Noted time.Duration
	// Guide is what the console proposes to try; nil: nothing.
	Guide func() []Hint

	Env    func(name string) (string, bool)
	User   func() string
	Log    *slog.Logger
	Now    func() time.Time // nil: the real one
	Random io.Reader        // nil: the system's
}

// Service is one process of it.
type Service struct {
	o       Options
	config  *Configuration
	journal *journal.Journal
	close   func() error
	estate  atomic.Pointer[estate.Estate]
	engine  *engine.Engine
	desk    *estate.Desk
	access  *access.Access
	server  *server.Server
	asked   refs.Asked
	past    *estate.Past // of the journal; a new rekey.yaml changes nothing about it
	tracing *tracing     // nil: traces are sent nowhere
}

// Open puts a service together and starts nothing. Whoever gets one closes it.
//
// Errors: sop.Problems where rekey.yaml is wrong, a lease that is too short, what access.MayListen says, what is wrong with OpenTelemetry's variables, and whatever
// the journal says.
func Open(ctx context.Context, o Options) (_ *Service, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Drain == 0 {
		o.Drain = time.Minute
	}
	if o.Every == 0 {
		o.Every = 2 * time.Second
	}
	if o.Load == nil {
		o.Load = sop.Load
	}
	if len(o.Roles) == 0 {
		o.Roles = Roles()
	}
	if o.Lease != 0 && o.Lease < ShortestLease {
		return nil, fmt.Errorf("a lease lasts for %s at least, and not %s", ShortestLease, o.Lease)
	}
	s := &Service{o: o, close: func() error { return nil }, asked: refs.Asked{Holds: refs.Lasting}}
	defer func() {
		if err != nil { // s is a variable of its own: what is returned is nil by now
			_ = s.Close()
		}
	}()
	if s.config, err = Configure(o.File, o.Load, o.Now, o.Log); err != nil {
		return nil, err
	}
	if err := access.MayListen(o.Listen, s.config.Now().Identity); err != nil {
		return nil, err
	}
	j, closed, err := estate.New(s.config.Now(), s.here()).Journal()
	if err != nil {
		return nil, err
	}
	s.journal, s.past, s.close = j, estate.NewPast(), closed
	s.take(s.config.Now())
	if s.tracing, err = s.traced(); err != nil {
		return nil, err
	}
	s.desk = estate.NewDesk(s.estate.Load, o.Now)
	s.engine = engine.New(engine.Options{Desk: s.desk, Estate: s.estate.Load, Name: o.Name, Now: o.Now, Log: slog.New(warnings{o.Log.Handler()}), Lease: o.Lease, Called: s.tracing.called(o.Now)})
	if s.has(API) {
		err = s.faces(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.config.take = func(config *sop.Config) error {
		if s.access != nil {
			if err := s.access.Reload(config); err != nil {
				return err
			}
		}
		s.take(config)
		return nil
	}
	return s, nil
}

func (s *Service) has(role string) bool { return slices.Contains(s.o.Roles, role) }

// take has a configuration used from now on. What is under way keeps the one that it has
// begun with.
func (s *Service) take(config *sop.Config) { s.estate.Store(estate.New(config, s.here())) }

// Serve serves, carries runs out and watches rekey.yaml, each as the roles of this process
// say, until ctx is done. Then streams end, what has begun is finished, the runs are handed
// on, and no request is taken any more. l is nil in a process that does not serve.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := map[string]func() error{"configuration": func() error { s.config.Watch(ctx, s.o.Every); return nil }}
	parts["journal"] = func() error { return s.stays(ctx) }
	// What a run needs to come to a place to stop at may be asked of this very process: a
	// service that rotates its own tokens is its own vendor. So its streams end and it is not
	// ready any more as soon as it is to stop, and it answers until its worker has ended.
	answers, over := context.WithCancel(context.WithoutCancel(ctx))
	defer over()
	if !s.has(Worker) {
		context.AfterFunc(ctx, over)
	}
	if s.has(API) {
		context.AfterFunc(ctx, s.server.Drain)
		// Before a worker of this process asks anybody.
		s.noteServed(ctx)
		parts["served"] = func() error { return s.saysServed(ctx) }
		parts[API] = func() error { return s.server.Serve(answers, l, s.o.Drain) }
	}
	if s.has(Scheduler) {
		plan := scheduler.New(scheduler.Options{Operations: s.engine, Config: s.config.Now, Journal: s.journal, Now: s.o.Now, Log: s.o.Log, Every: s.o.Tick})
		parts[Scheduler] = func() error { plan.Run(ctx); return nil }
	}
	if s.has(Worker) {
		parts[Worker] = func() error {
			defer over()
			return s.engine.Work(ctx)
		}
	}
	s.tracing.parts(ctx, s, parts)
	ended := make(chan error, len(parts))
	for name, part := range parts {
		go func() {
			err := part()
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("%s: %w", name, err)
			} else if errors.Is(err, context.Canceled) {
				err = nil
			}
			stop() // one that ends ends all
			ended <- err
		}()
	}
	var all []error
	for range parts {
		all = append(all, <-ended)
	}
	return errors.Join(all...)
}

// saysServed notes now and then that pages are served, until ctx is done.
func (s *Service) saysServed(ctx context.Context) error {
	every := time.NewTicker(estate.ServedEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
			s.noteServed(ctx)
		}
	}
}

func (s *Service) noteServed(ctx context.Context) {
	if err := estate.NoteServed(ctx, s.journal, s.o.Now()); err != nil && ctx.Err() == nil {
		s.o.Log.Warn("that pages are served could not be noted: what is done by hand may be told to be answered by nobody", "why", err)
	}
}

// stays watches that the journal is where it is and what it was, and returns where it went if
// it was moved, what was lost, or that its tables are a newer version's: this process would
// serve what nobody writes any more, or what it does not understand.
func (s *Service) stays(ctx context.Context) error {
	every := time.NewTicker(s.o.Every)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		// That the database does not answer is told elsewhere.
		err := s.journal.Whereabouts(ctx)
		if lost, is := errors.AsType[*journal.Replaced](err); is {
			// This process would write nothing more. The next one knows what was missed, once
			// that is written: until then, it is tried again.
			if err := s.estate.Load().SetBackSeen(ctx, lost.Seq); err != nil {
				s.o.Log.Error("the journal was restored to an earlier state, and that could not be recorded", "why", err)
				continue
			}
			return fmt.Errorf("%w\n  next  start rekey serve again: open runs are checked again; then check what is live: rekey drift; and let the schedule continue: rekey schedule continue", lost)
		}
		if err == nil {
			err = s.journal.Outdated(ctx)
		}
		if newer, is := errors.AsType[*journal.Newer](err); is {
			return newer // which says what to do
		}
		if moved, is := errors.AsType[*journal.Moved](err); is {
			return fmt.Errorf("%w\n  next  write in rekey.yaml where it is, and start rekey serve again", moved)
		}
	}
}

// Close closes what Open has opened. Serve has to have returned.
func (s *Service) Close() error {
	var err error
	if s.engine != nil {
		err = s.engine.Close()
	}
	s.tracing.close()
	return errors.Join(err, s.close())
}

// warnings is a log without what the queue says every few seconds.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

func (w warnings) WithAttrs(a []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(a)} }
func (w warnings) WithGroup(g string) slog.Handler      { return warnings{w.Handler.WithGroup(g)} }

// NameOf names this process for the record: the machine, and which of its processes.
func NameOf(host func() (string, error)) string {
	name, err := host()
	if err != nil || name == "" {
		name = "unknown"
	}
	return fmt.Sprintf("%s.%d", strings.ToValidUTF8(name, "_"), os.Getpid())
}
