package lease

import (
	"context"
	"fmt"
	"time"
)

// Asked is what the holder of a run asks a person to do by hand. It counts as long as the
// lease does under which it was asked: whoever takes the run up asks anew.
type Asked struct {
	Run, Credential, Holder string
	ID                      string // of this question
	At                      time.Time
	Task                    string // what is asked; nothing in it is secret
	Key                     string // for which a value is sealed that answers it
	Stamp                   string // that all of the above is from a process that shares the installation's key
}

// Answered is what a person has answered.
type Answered struct {
	Answer string // but for a value
	Sealed string // a value, for the key of the question; "": none was typed
	Stamp  string // as Asked.Stamp, of the answer
}

// How a question stands.
const (
	waitsForAnswer = 0
	isAnswered     = 1
	isTaken        = 2
)

const asMade = `a.run = r.run AND a.epoch = r.epoch AND a.holder = r.holder`

// Ask writes what a person is asked, instead of what was asked in this run before. ErrLost:
// the run is not this holder's any more.
func (h *Held) Ask(ctx context.Context, a Asked) error {
	// That an answer was taken is told to who gave it: he asks within seconds.
	_, err := h.store.ask(ctx, h.store.db, `DELETE FROM lease_asked WHERE run = $1 AND (id = $2 OR state <> 2 OR at < `+h.store.now+` - 600000) OR at < `+h.store.now+` - 86400000`, []any{h.Run, a.ID})
	if err != nil {
		return err
	}
	n, err := h.store.ask(ctx, h.store.db, `INSERT INTO lease_asked (id, run, epoch, holder, credential, at, task, key, stamp, state, answer, sealed, signed)
		SELECT $1, run, epoch, holder, credential, `+h.store.now+`, $2, $3, $4, 0, '', '', '' FROM lease_runs WHERE run = $5 AND epoch = $6 AND holder = $7
		RETURNING run`, []any{a.ID, a.Task, a.Key, a.Stamp, h.Run, h.Epoch, h.Holder}, new(string))
	if err == nil && n == 0 {
		err = fmt.Errorf("%w (epoch %d)", ErrLost, h.Epoch)
	}
	return err
}

// Answered returns what was answered to a question of this holder, and takes it out of the
// database; ok: there is an answer.
func (h *Held) Answered(ctx context.Context, id string) (a Answered, ok bool, err error) {
	n, err := h.store.ask(ctx, h.store.db, `SELECT answer, sealed, signed FROM lease_asked WHERE run = $1 AND id = $2 AND state = 1`, []any{h.Run, id}, &a.Answer, &a.Sealed, &a.Stamp)
	if err != nil || n == 0 {
		return a, false, err
	}
	n, err = h.store.ask(ctx, h.store.db, `UPDATE lease_asked SET state = 2, answer = '', sealed = '', signed = '' WHERE run = $1 AND id = $2 AND state = 1 RETURNING run`, []any{h.Run, id}, new(string))
	return a, n == 1, err
}

// Unask takes a question back to which nobody has answered in time. false: it was answered
// at the same time, by somebody in this process.
func (h *Held) Unask(ctx context.Context, id string) (bool, error) {
	n, err := h.store.ask(ctx, h.store.db, `DELETE FROM lease_asked WHERE run = $1 AND id = $2 AND state <> 2 RETURNING run`, []any{h.Run, id}, new(string))
	if err != nil || n == 1 {
		return n == 1, err
	}
	n, err = h.store.ask(ctx, h.store.db, `SELECT run FROM lease_asked WHERE run = $1 AND id = $2`, []any{h.Run, id}, new(string))
	return n == 0, err
}

// AskedIn is what a person is asked in a run now; nil: nothing, or nobody waits for the
// answer any more.
func (s *Store) AskedIn(ctx context.Context, run string) (*Asked, error) {
	a, at := Asked{Run: run}, int64(0)
	n, err := s.ask(ctx, s.db, `SELECT a.credential, a.holder, a.id, a.at, a.task, a.key, a.stamp FROM lease_asked a, lease_runs r WHERE `+asMade+` AND r.expires > `+s.now+` AND a.state = 0 AND a.run = $1`,
		[]any{run}, &a.Credential, &a.Holder, &a.ID, &at, &a.Task, &a.Key, &a.Stamp)
	if err != nil || n == 0 {
		return nil, err
	}
	a.At = instant(at)
	return &a, nil
}

// Answer answers a question, in this transaction; taken: its holder has the answer already,
// and waits for no other. false: it is answered, or nobody waits for it any more.
func (s *Store) Answer(ctx context.Context, tx Querier, run, id string, a Answered, taken bool) (bool, error) {
	state := isAnswered
	if taken {
		state = isTaken
	}
	n, err := s.ask(ctx, tx, `UPDATE lease_asked SET state = $1, answer = $2, sealed = $3, signed = $4 WHERE run = $5 AND id = $6 AND state = 0
		AND EXISTS (SELECT 1 FROM lease_runs r WHERE r.run = lease_asked.run AND r.epoch = lease_asked.epoch AND r.holder = lease_asked.holder AND r.expires > `+s.now+`)
		RETURNING run`, []any{state, a.Answer, a.Sealed, a.Stamp, run, id}, new(string))
	return n == 1, err
}

// TakeAnswerBack takes an answer out that the holder has not taken. false: he has, or his
// question no longer exists; Taken tells which.
func (s *Store) TakeAnswerBack(ctx context.Context, run, id string) (bool, error) {
	n, err := s.ask(ctx, s.db, `UPDATE lease_asked SET state = $1, answer = '', sealed = '', signed = '' WHERE run = $2 AND id = $3 AND state = 1 RETURNING run`, []any{waitsForAnswer, run, id}, new(string))
	return n == 1, err
}

// Taken tells whether the holder has taken the answer to a question, and whether he still
// may: the question is there, and so is his lease.
func (s *Store) Taken(ctx context.Context, run, id string) (taken, may bool, err error) {
	var state, live int
	n, err := s.ask(ctx, s.db, `SELECT a.state, (SELECT COUNT(*) FROM lease_runs r WHERE `+asMade+` AND r.expires > `+s.now+`) FROM lease_asked a WHERE a.run = $1 AND a.id = $2`, []any{run, id}, &state, &live)
	return n == 1 && state == isTaken, n == 1 && live > 0, err
}
