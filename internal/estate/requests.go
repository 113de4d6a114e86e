package estate

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rekey/internal/journal"
	"rekey/internal/notary"
)

// Request names what somebody asks for who may have to ask again, because the answer was
// lost: it is done once, and answered the same each time. That it was done is written by
// the transaction of the entry that it stands for, so there is never one without the
// other. Within RequestKept the same key is of no other request.
type Request struct {
	Key  string // whose it is, and its name; "": it has none, and is done as often as it is asked for
	What string // which operation, of what
	// Answer is what is answered, as JSON: Begun, Taken, Noted, Approval or HandedOver. The
	// operation sets it; with Repeated it is what was answered the first time.
	Answer json.RawMessage
}

// RequestKept is how long the key of a request is known: as long as somebody may still ask
// again who found on a Monday that an answer of Friday had not come.
const RequestKept = 72 * time.Hour

// Begun answers the opening of a run.
type Begun struct {
	Run string `json:"run"`
}

// Taken answers that a run was taken up, or turned back.
type Taken struct {
	Run   string `json:"run"`
	After int64  `json:"after"` // number of its newest event before that
}

// Noted answers that something stands in the journal now.
type Noted struct {
	Noted bool `json:"noted"`
}

type requestKey struct{}

// Asking names the request that an operation is asked for by. Those that change something
// refuse then, with nothing written: Repeated, with Request.Answer; OtherRequest.
func Asking(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

func requestOf(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// askedBy is the key under which the journal notes which request it was.
func askedBy(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.Key
	}
	return ""
}

// requestTables are those that tell which requests were done.
func requestTables() journal.Further {
	return journal.Further{Name: "requests", Tables: []string{"requests_done"}, Migrations: []journal.Migration{{SQLite: `
CREATE TABLE requests_done (
	key    TEXT PRIMARY KEY,
	what   TEXT NOT NULL,
	answer TEXT NOT NULL,
	until  BIGINT NOT NULL
);
CREATE INDEX requests_done_until ON requests_done (until);
`}}}
}

// named makes ready for a request that is to be noted.
func (w *work) named(ctx context.Context) error {
	if askedBy(ctx) == "" {
		return nil
	}
	return failed(requestTables().Make(ctx, w.book.J))
}

// done notes that what was asked for is done, and what is answered, in the transaction
// that writes it. It refuses what was done already.
func (e *Estate) done(ctx context.Context, tx *sql.Tx, answer any) error {
	r := requestOf(ctx)
	if r == nil {
		return nil
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	if r.Key == "" {
		r.Answer = text
		return nil
	}
	now := e.now()
	if _, err := tx.ExecContext(ctx, `DELETE FROM requests_done WHERE until <= $1`, now.UnixMilli()); err != nil {
		return fmt.Errorf("forget old requests: %w", err)
	}
	if err := r.known(ctx, tx, now); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO requests_done (key, what, answer, until) VALUES ($1, $2, $3, $4)`, r.Key, r.What, string(text), now.Add(RequestKept).UnixMilli())
	if err != nil {
		return fmt.Errorf("note that the request was done: %w", err)
	}
	r.Answer = text
	return nil
}

// answered keeps what came of a request after it was noted as done. Where that fails,
// whoever asks again is answered with what was certain then.
func (w *work) answered(ctx context.Context, answer any) {
	r := requestOf(ctx)
	text, err := json.Marshal(answer)
	if r == nil || err != nil {
		return
	}
	r.Answer = text
	db, _ := w.book.J.DB()
	_, _ = db.ExecContext(context.WithoutCancel(ctx), `UPDATE requests_done SET answer = $1 WHERE key = $2`, string(text), r.Key)
}

// known refuses a request that was done already, and another one with its key.
func (r *Request) known(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, now time.Time) error {
	var what, answer string
	err := q.QueryRowContext(ctx, `SELECT what, answer FROM requests_done WHERE key = $1 AND until > $2`, r.Key, now.UnixMilli()).Scan(&what, &answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look whether the request was done: %w", err)
	case what != r.What:
		return &Error{Code: OtherRequest, Err: errors.New("this idempotency key was used for another request; a new request needs a new key")}
	}
	r.Answer = json.RawMessage(answer)
	var of Begun
	_ = json.Unmarshal(r.Answer, &of) // an answer that is about no run names none
	return &Error{Code: Repeated, Run: of.Run}
}

// Answered refuses the request of ctx as the operation would, if it was done already: by
// the journal alone, whatever has changed since. nil: it has to be asked for.
func (e *Estate) Answered(ctx context.Context) error { return e.answeredOr(ctx, unfinished) }

func (e *Estate) answeredOr(ctx context.Context, goesOn func(HandedOver) bool) error {
	r := requestOf(ctx)
	if r == nil || r.Key == "" {
		return nil
	}
	j, closing, err := e.Journal()
	if err != nil {
		return err
	}
	defer func() { _ = closing() }()
	if err := requestTables().Make(ctx, j); err != nil {
		return failed(err)
	}
	db, _ := j.DB()
	err = r.known(ctx, db, e.now())
	if err != nil && CodeOf(err) == Repeated {
		var h HandedOver
		if json.Unmarshal(r.Answer, &h) == nil && h.NewKey && goesOn(h) {
			r.Answer = nil
			return nil
		}
	}
	return failed(err)
}

// unfinished tells of a key that is being handed over to, or was, by a process that has
// ended: asked again, whoever waits for that one finds out.
func unfinished(h HandedOver) bool { return h.Checkpoint == nil }

// unused tells of a key that was to be handed over to by a process that has ended before
// it was in use: it is put to use.
func (e *Estate) unused(h HandedOver) bool {
	return h.Checkpoint == nil && (&notary.Notary{Dir: e.journalDir()}).NextKey() == h.Key
}
