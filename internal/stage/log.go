package stage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rekey/internal/rotation"
)

// Log is a journal in memory. It keeps the bytes, so that what cannot be written
// and read back shows.
type Log struct {
	Lines []Line
	// Fail makes the next append fail.
	Fail error
	// Damage breaks a plan on its way into the journal.
	Damage func(*rotation.Plan)
	// Watch is told of every event; may be nil.
	Watch func(rotation.Event)
}

// Line is one entry.
type Line struct {
	At   time.Time
	Run  string
	Kind rotation.Kind
	Body []byte
}

// Append writes events.
func (l *Log) Append(_ context.Context, events ...rotation.Event) error {
	if l.Fail != nil {
		return l.Fail
	}
	for _, e := range events {
		if e.Planned != nil && l.Damage != nil {
			l.Damage(e.Planned)
		}
		if l.Watch != nil {
			l.Watch(e)
		}
		b, err := e.Body()
		if err != nil {
			return err
		}
		l.Lines = append(l.Lines, Line{e.At, e.Run, e.Kind, b})
	}
	return nil
}

// Events reads everything back.
func (l *Log) Events() ([]rotation.Event, error) {
	out := make([]rotation.Event, 0, len(l.Lines))
	for _, line := range l.Lines {
		e := rotation.Event{At: line.At, Run: line.Run, Kind: line.Kind}
		if err := e.Decode(line.Body); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// Text is the journal as one would read it.
func (l *Log) Text() string {
	var b strings.Builder
	for _, line := range l.Lines {
		_, _ = fmt.Fprintf(&b, "%s %-9s %s\n", line.At.Format("15:04:05.000"), line.Kind, line.Body)
	}
	return b.String()
}
