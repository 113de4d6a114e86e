package estate

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// takenWithin is how long the process that asked has for taking an answer: it looks four times a
// second.
const takenWithin = 10 * time.Second

// Asked is what a run waits for now, whichever process asks; nil: for nothing.
func (d *Desk) Asked(ctx context.Context, run string) (asked *AskedByHand, err error) {
	e := d.of()
	err = e.besideJournal(ctx, func(j *journal.Journal) error {
		s, err := lease.Open(ctx, j)
		if err != nil {
			return err
		}
		a, err := s.AskedIn(ctx, run)
		if err != nil || a == nil {
			return err
		}
		keyer, err := e.keyer(ctx)
		if err != nil {
			return err
		}
		if a.Stamp != stampOf(keyer, *a) {
			return errors.New("this question was not written by a process with this installation's fingerprint key; nothing is sent to it")
		}
		asked = &AskedByHand{ID: a.ID, Run: run, Credential: a.Credential, Process: a.Holder, At: a.At, key: a.Key}
		return json.Unmarshal([]byte(a.Task), &asked.Task)
	})
	return asked, failed(err)
}

// here is what is asked in this process under an id; nil: another one asks.
func (d *Desk) here(run, id string) *asking {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.asked[run]; a != nil && a.id == id {
		return a
	}
	return nil
}

// HandOver answers what a run waits for, once. That somebody has, and who, is written into
// the journal before: of a value nothing but the names of its fields. It returns once the
// process that asked has the answer.
//
// Refused: NothingAsked, where that is not asked any more; NotTaken; Unwritable.
func (e *Estate) HandOver(ctx context.Context, d *Desk, run, id string, answer Answer) error {
	by, err := e.who(ctx)
	if err != nil {
		return err
	}
	asked, err := d.Asked(ctx, run)
	if err != nil {
		return err
	}
	nothing := &Error{Code: NothingAsked, Run: run, Name: run}
	if asked == nil || asked.ID != id {
		return nothing
	}
	note, err := history.NoteOf(e.now().UTC(), asked.Credential, history.HandedOver, handedOverOf(asked, answer, by))
	if err != nil {
		return failed(err)
	}
	here, sent := d.here(run, id), lease.Answered{}
	if here == nil {
		if sent, err = e.sealed(ctx, asked, answer); err != nil {
			return failed(err)
		}
	}
	ctx = context.WithoutCancel(ctx)
	return e.besideJournal(ctx, func(j *journal.Journal) error {
		s, err := lease.Open(ctx, j)
		if err != nil {
			return failed(err)
		}
		err = history.Book{J: j}.AddWith(ctx, func(ctx context.Context, _ history.Book, tx *sql.Tx) error {
			ok, err := s.Answer(ctx, tx, run, id, sent, here != nil)
			if err == nil && !ok {
				err = nothing
			}
			return err
		}, note)
		switch {
		case errors.Is(err, nothing):
			return nothing
		case err != nil:
			return &Error{Code: Unwritable, Err: err}
		case here != nil:
			here.answer <- answer
			return nil
		}
		return e.taken(ctx, s, asked)
	})
}

// taken waits until the process that asked has an answer; what it does not take in time is
// taken out again.
func (e *Estate) taken(ctx context.Context, s *lease.Store, asked *AskedByHand) error {
	until := e.now().Add(takenWithin)
	for {
		taken, may, err := s.Taken(ctx, asked.Run, asked.ID)
		if taken {
			return nil
		}
		if err == nil && !may || e.now().After(until) { // it has ended, or does not answer
			_, err = s.TakeAnswerBack(ctx, asked.Run, asked.ID)
			taken, _, again := s.Taken(ctx, asked.Run, asked.ID)
			switch {
			case taken:
				return nil
			case err != nil || again != nil:
				return &Error{Code: Unwritable, Err: errors.Join(err, again)}
			}
			return &Error{Code: NotTaken, Run: asked.Run, Name: asked.Process}
		}
		_ = e.here.Clock.Sleep(ctx, answerPoll/2)
	}
}

// sealed is an answer for another process.
func (e *Estate) sealed(ctx context.Context, asked *AskedByHand, answer Answer) (out lease.Answered, err error) {
	keyer, err := e.keyer(ctx)
	if err != nil {
		return out, err
	}
	if len(answer.Bundle) > 0 {
		key, err := hex.DecodeString(asked.key)
		if err != nil {
			return out, err
		}
		sealed, err := secret.Seal(answer.Bundle, key, asked.ID)
		if err != nil {
			return out, err
		}
		out.Sealed = hex.EncodeToString(sealed)
	}
	answer.Bundle = nil
	text, err := json.Marshal(answer)
	out.Answer = string(text)
	out.Stamp = signOf(keyer, asked.ID, out)
	return out, err
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

func handedOverOf(asked *AskedByHand, answer Answer, by rotation.Who) handedOver {
	out := handedOver{Run: asked.Run, Want: string(asked.Task.Want), Name: asked.Task.Name, By: by}
	for _, f := range asked.Task.Fields {
		if answer.Bundle[f].Present() {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}
