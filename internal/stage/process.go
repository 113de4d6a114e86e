package stage

import (
	"context"
	"errors"

	"rekey/internal/rotation"
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
	before, faults, refused := s.Before, s.faults, s.refused
	s.Calm()
	defer func() { s.Before, s.faults, s.refused = before, faults, refused }()
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
