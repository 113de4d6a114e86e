package estate

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/secret"
)

// Desk is where the workers of a process ask people to do by hand what no request can, and
// where any process that shares the journal hands over what they answer.
//
// What is asked stands beside the journal, and nothing of it is secret. A value that is
// handed over in the process that asked never leaves its memory; from another one it comes
// sealed for a key that is in the memory of the one that asked, which takes it out of the
// database at once. Both are signed with the installation's fingerprint key, which is in no
// database: whoever can write there has no value sealed for himself, and answers nothing.
type Desk struct {
	of  func() *Estate
	now func() time.Time

	mu    sync.Mutex
	asked map[string]*asking // by run: each asks one thing at a time
	n     int
	gone  chan struct{}
	close func()
}

type asking struct {
	id     string
	answer chan Answer
}

// AskedByHand is what a run waits for somebody to do.
type AskedByHand struct {
	ID, Run, Credential string
	Process             string // that asks
	At                  time.Time
	Task                Task

	key string // for which a value is sealed
}

// answerPoll is how often a process asks whether another one was answered.
const answerPoll = 250 * time.Millisecond

// NewDesk returns one for a process, over the estate as it is configured now.
func NewDesk(of func() *Estate, now func() time.Time) *Desk {
	d := &Desk{of: of, now: now, asked: map[string]*asking{}, gone: make(chan struct{})}
	d.close = sync.OnceFunc(func() { close(d.gone) })
	return d
}

// Close ends what is asked, without an answer: the process stops. It may be called again.
func (d *Desk) Close() { d.close() }

// errUnanswered is why nobody has answered: what he may have done already is not known.
var errUnanswered = errors.New("the process stopped before somebody answered")

// Ask asks as the holder of a run, and waits until somebody has answered, ctx is done, or
// Close is called. Its error says nothing of what was done, but for ErrNobody: nobody has
// seen the question.
func (d *Desk) Ask(ctx context.Context, held *lease.Held, t Task) (Answer, error) {
	to, err := secret.NewRecipient()
	if err != nil {
		return Answer{}, errors.Join(ErrNobody, err)
	}
	d.mu.Lock()
	d.n++
	a := &asking{fmt.Sprintf("%d-%d-%s", d.now().UTC().UnixMilli(), d.n, held.Run), make(chan Answer, 1)}
	d.asked[held.Run] = a
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.asked[held.Run] == a {
			delete(d.asked, held.Run)
		}
	}()
	every := time.NewTicker(answerPoll)
	defer every.Stop()
	written := false
	for {
		if !written {
			// A database that does not answer now may do so later: nobody has seen it yet.
			written = d.of().askHere(ctx, held, a.id, t, to) == nil
		} else if answer, ok, err := d.of().answered(ctx, held, a.id, to); ok {
			return answer, nil
		} else if err != nil {
			written = false // it is answered by nobody who may: it is asked again
		}
		select {
		case answer := <-a.answer:
			return answer, nil
		case <-ctx.Done():
			return d.unanswered(held, a, written, ctx.Err())
		case <-d.gone:
			return d.unanswered(held, a, written, errUnanswered)
		case <-every.C:
		}
	}
}

// unanswered takes a question back, unless it was answered at the same time.
func (d *Desk) unanswered(held *lease.Held, a *asking, written bool, err error) (Answer, error) {
	if !written {
		return Answer{}, errors.Join(ErrNobody, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), held.Term())
	defer cancel()
	// If the database does not answer, the question goes with the lease.
	if back, failed := held.Unask(ctx, a.id); failed == nil && !back {
		select {
		case answer := <-a.answer:
			return answer, nil
		case <-ctx.Done():
		}
	}
	return Answer{}, err
}

// askHere writes what is asked beside the journal.
func (e *Estate) askHere(ctx context.Context, held *lease.Held, id string, t Task, to secret.Recipient) error {
	task, err := json.Marshal(t)
	if err != nil {
		return err
	}
	a := lease.Asked{Run: held.Run, Holder: held.Holder, ID: id, Task: string(task), Key: hex.EncodeToString(to.Public())}
	keyer, err := e.keyer(ctx)
	if err != nil {
		return err
	}
	a.Stamp = stampOf(keyer, a)
	return held.Ask(ctx, a)
}

// answered is what another process has handed over, if it has. An error means that what
// was handed over is of somebody else, and that it is gone.
func (e *Estate) answered(ctx context.Context, held *lease.Held, id string, to secret.Recipient) (answer Answer, ok bool, _ error) {
	keyer, err := e.keyer(ctx)
	if err != nil {
		return answer, false, nil // it is looked for again
	}
	got, ok, err := held.Answered(ctx, id)
	if err != nil || !ok {
		return answer, false, nil
	}
	if got.Stamp != signOf(keyer, id, got) {
		return answer, false, errors.New("it is signed by nobody who has the fingerprint key")
	}
	if err := json.Unmarshal([]byte(got.Answer), &answer); err != nil {
		return answer, false, err
	}
	if got.Sealed == "" {
		return answer, true, nil
	}
	sealed, err := hex.DecodeString(got.Sealed)
	if err == nil {
		answer.Bundle, err = to.Open(sealed, id)
	}
	return answer, err == nil, err
}

// keyer is the installation's: every process that shares the journal has its key.
func (e *Estate) keyer(ctx context.Context) (k secret.Keyer, err error) {
	err = e.besideJournal(ctx, func(j *journal.Journal) error {
		k, _, err = e.place().Beside(ctx, j)
		return err
	})
	return k, err
}

func (e *Estate) besideJournal(ctx context.Context, f func(*journal.Journal) error) error {
	j, done, err := e.Journal()
	if err != nil {
		return err
	}
	defer func() { _ = done() }()
	return f(j)
}

func stampOf(k secret.Keyer, a lease.Asked) string {
	return sign(k, "asked by hand", a.Run, a.Holder, a.ID, a.Task, a.Key)
}

func signOf(k secret.Keyer, id string, a lease.Answered) string {
	return sign(k, "answered by hand", id, a.Answer, a.Sealed)
}

// sign is a keyed hash over texts, each as long as it is.
func sign(k secret.Keyer, texts ...string) string {
	text, _ := json.Marshal(texts)
	return string(cred.Fingerprint(k.Of(secret.New(string(text)))))
}
