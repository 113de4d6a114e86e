package estate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// Desk is where the workers of a process ask people to do by hand what no request can, and
// where a face of the same process hands over what they answer. What is asked and what is
// answered is in the memory of this process only: another one that shares the journal
// cannot take it.
type Desk struct {
	now func() time.Time

	mu    sync.Mutex
	asked map[string]*asking // by run: each asks one thing at a time
	n     int
	gone  chan struct{}
	close func()
}

type asking struct {
	AskedByHand
	answer chan Answer
	ended  chan struct{} // nobody waits for the answer any more
}

// AskedByHand is what a run waits for somebody to do.
type AskedByHand struct {
	ID, Run, Credential string
	At                  time.Time
	Task                Task
}

// NewDesk returns a desk at which nobody is asked yet.
func NewDesk(now func() time.Time) *Desk {
	d := &Desk{now: now, asked: map[string]*asking{}, gone: make(chan struct{})}
	d.close = sync.OnceFunc(func() { close(d.gone) })
	return d
}

// Close ends what is asked, without an answer: the process stops. It may be called again.
func (d *Desk) Close() { d.close() }

// errUnanswered is why nobody has answered: what he may have done already is not known.
var errUnanswered = errors.New("the process stopped before somebody answered")

// Ask waits until somebody has answered, ctx is done, or Close is called. Its error says
// nothing of what was done.
func (d *Desk) Ask(ctx context.Context, run, credential string, t Task) (Answer, error) {
	select {
	case <-d.gone:
		return Answer{}, ErrNobody // nobody has seen it
	default:
	}
	d.mu.Lock()
	d.n++
	now := d.now().UTC()
	a := &asking{AskedByHand{ID: fmt.Sprintf("%d-%d", now.UnixMilli(), d.n), Run: run, Credential: credential, At: now, Task: t}, make(chan Answer, 1), make(chan struct{})}
	d.asked[run] = a
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		close(a.ended)
		if d.asked[run] == a {
			delete(d.asked, run)
		}
	}()
	select {
	case answer := <-a.answer:
		return answer, nil
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	case <-d.gone:
		return Answer{}, errUnanswered
	}
}

// Asked is what a run waits for in this process; nil: for nothing.
func (d *Desk) Asked(run string) *AskedByHand {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.asked[run]; a != nil {
		asked := a.AskedByHand
		return &asked
	}
	return nil
}

// take is the task with this id, which nobody else can answer from now on.
func (d *Desk) take(run, id string) *asking {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.asked[run]
	if a == nil || a.ID != id {
		return nil
	}
	delete(d.asked, run)
	return a
}

// HandOver answers what a run waits for, once. That somebody has, and who, is written into
// the journal before: of a value nothing but the names of its fields.
//
// Refused: NothingAsked, where this process does not ask that any more; Unwritable.
func (e *Estate) HandOver(ctx context.Context, d *Desk, run, id string, answer Answer) error {
	by, err := e.who(ctx)
	if err != nil {
		return err
	}
	a := d.take(run, id)
	if a == nil {
		return &Error{Code: NothingAsked, Run: run, Name: run}
	}
	done := handedOver{Run: run, Want: string(a.Task.Want), Name: a.Task.Name, By: by}
	for _, f := range a.Task.Fields {
		if answer.Bundle[f].Present() {
			done.Fields = append(done.Fields, f)
		}
	}
	note, err := history.NoteOf(e.now().UTC(), a.Credential, history.HandedOver, done)
	if err == nil {
		err = e.withJournal(ctx, func(book history.Book) error { return book.Add(context.WithoutCancel(ctx), note) })
	}
	if err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		select {
		case <-a.ended:
		default:
			d.asked[run] = a // it is asked still
		}
		return &Error{Code: Unwritable, Err: err}
	}
	a.answer <- answer
	return nil
}

// Typed is the answer of somebody who has typed the fields of a new credential.
func Typed(fields map[string]string) Answer {
	b := secret.Bundle{}
	for name, text := range fields {
		b[name] = secret.New(text)
	}
	return Answer{Bundle: b, Yes: true}
}

// handedOver is the body of the note of it.
type handedOver struct {
	Run    string       `json:"run"`
	Want   string       `json:"want"` // see provider.Want
	Name   string       `json:"name,omitempty"`
	Fields []string     `json:"fields,omitempty"` // that were handed over; never what is in them
	By     rotation.Who `json:"by"`
}
