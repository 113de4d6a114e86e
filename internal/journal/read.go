package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

const columns = `seq, at, run, subject, kind, body, prev, hash`

// View is the journal as it can be read: at large, or as it is in one transaction.
type View struct {
	q      querier
	path   string
	writes bool // in a transaction that writes, to a journal of this version
}

// querier is a transaction or the database.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func head(ctx context.Context, q querier) (Entry, error) {
	var last Entry
	err := each(ctx, q, func(e Entry) error { last = e; return nil },
		`SELECT `+columns+` FROM entries ORDER BY seq DESC LIMIT 1`)
	return last, err
}

func each(ctx context.Context, q querier, fn func(Entry) error, query string, args ...any) error {
	return scan(ctx, q, func(rows *sql.Rows) error {
		var e Entry
		var at string
		err := rows.Scan(&e.Seq, &at, &e.Run, &e.Subject, &e.Kind, (*[]byte)(&e.Body), &e.Prev, &e.Hash)
		if err != nil {
			return err
		}
		if e.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return &Broken{Seq: e.Seq, Why: "its time cannot be read"}
		}
		return fn(e)
	}, query, args...)
}

// scan calls fn for every row.
func scan(ctx context.Context, q querier, fn func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Run returns the entries of one run, in order.
func (v View) Run(ctx context.Context, run string) ([]Entry, error) {
	return v.collect(ctx, `SELECT `+columns+` FROM entries WHERE run = $1 ORDER BY seq`, run)
}

// RunAfter returns the entries of one run after one with this number, in order.
func (v View) RunAfter(ctx context.Context, run string, seq int64) ([]Entry, error) {
	return v.collect(ctx, `SELECT `+columns+` FROM entries WHERE run = $1 AND seq > $2 ORDER BY seq`, run, seq)
}

// LastOf returns the newest entry of a run without its body, the zero Entry if there
// is none.
func (v View) LastOf(ctx context.Context, run string) (Entry, error) {
	list, err := v.collect(ctx, `SELECT seq, at, run, subject, kind, '', prev, hash FROM entries WHERE run = $1 ORDER BY seq DESC LIMIT 1`, run)
	if err != nil || len(list) == 0 {
		return Entry{}, err
	}
	return list[0], nil
}

// EachHeadOf calls f for every entry of a kind without its body and its hashes, in
// order, without holding them all. f's error is returned as it is.
func (v View) EachHeadOf(ctx context.Context, kind string, f func(Entry) error) error {
	return v.visit(ctx, f, `SELECT seq, at, run, subject, kind, '', '', '' FROM entries WHERE kind = $1 ORDER BY seq`, kind)
}

// EachTextOf calls f for every entry of one kind without its hashes, in order, without
// holding them all: the index has them in order, where those of several kinds have to be
// sorted with all they say. f's error is returned as it is.
func (v View) EachTextOf(ctx context.Context, kind string, f func(Entry) error) error {
	return v.visit(ctx, f, `SELECT seq, at, run, subject, kind, body, '', '' FROM entries WHERE kind = $1 ORDER BY seq`, kind)
}

// EachOf calls f for every entry of some kinds, of all runs, in order, without holding
// them all. f's error is returned as it is.
func (v View) EachOf(ctx context.Context, f func(Entry) error, kinds ...string) error {
	in, args := numbered(1, kinds)
	return v.visit(ctx, f, `SELECT `+columns+` FROM entries WHERE kind IN (`+in+`) ORDER BY seq`, args...)
}

// EachAfter calls f for every entry of some kinds after one with this number, of all runs,
// in order; those of one kind without their bodies. f's error is returned as it is.
func (v View) EachAfter(ctx context.Context, seq int64, f func(Entry) error, bodiless string, kinds ...string) error {
	in, args := numbered(3, kinds)
	return v.visit(ctx, f, `SELECT seq, at, run, subject, kind, CASE WHEN kind = $1 THEN '' ELSE body END, prev, hash FROM entries WHERE seq > $2 AND kind IN (`+in+`) ORDER BY seq`,
		append([]any{bodiless, seq}, args...)...)
}

// EachHeadAfter is EachAfter without the bodies of any kind.
func (v View) EachHeadAfter(ctx context.Context, seq int64, f func(Entry) error, kinds ...string) error {
	in, args := numbered(2, kinds)
	return v.visit(ctx, f, `SELECT seq, at, run, subject, kind, '', prev, hash FROM entries WHERE seq > $1 AND kind IN (`+in+`) ORDER BY seq`, append([]any{seq}, args...)...)
}

// EachOfRuns calls f for every entry of a kind of these runs. f's error is returned as it
// is.
func (v View) EachOfRuns(ctx context.Context, kind string, runs []string, f func(Entry) error) error {
	for part := range slices.Chunk(runs, atOnce) {
		in, args := numbered(2, part)
		if err := v.visit(ctx, f, `SELECT `+columns+` FROM entries WHERE kind = $1 AND run IN (`+in+`)`, append([]any{kind}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// EachOfRunsAfter calls f for every entry of these runs after one with this number; those of
// one run in order. f's error is returned as it is.
func (v View) EachOfRunsAfter(ctx context.Context, seq int64, runs []string, f func(Entry) error) error {
	for part := range slices.Chunk(runs, atOnce) {
		in, args := numbered(2, part)
		if err := v.visit(ctx, f, `SELECT `+columns+` FROM entries WHERE seq > $1 AND run IN (`+in+`) ORDER BY seq`, append([]any{seq}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// RunOf returns the entries of some kinds of one run, in order.
func (v View) RunOf(ctx context.Context, run string, kinds ...string) ([]Entry, error) {
	in, args := numbered(2, kinds)
	return v.collect(ctx, `SELECT `+columns+` FROM entries WHERE run = $1 AND kind IN (`+in+`) ORDER BY seq`, append([]any{run}, args...)...)
}

// Has tells whether an entry that was read is there still, as it was.
func (v View) Has(ctx context.Context, e Entry) (bool, error) {
	there, err := has(ctx, v.q, e)
	if err != nil {
		err = fmt.Errorf("read journal: %w", v.told(err))
	}
	return there, err
}

func (v View) visit(ctx context.Context, f func(Entry) error, query string, args ...any) error {
	var theirs error
	err := each(ctx, v.q, func(e Entry) error { theirs = f(e); return theirs }, query, args...)
	if err != nil && theirs == nil {
		err = fmt.Errorf("read journal: %w", v.told(err))
	}
	return err
}

// Of returns the entries of some kinds about one subject, of all runs, in order.
func (v View) Of(ctx context.Context, subject string, kinds ...string) ([]Entry, error) {
	in, args := numbered(2, kinds)
	return v.collect(ctx, `SELECT `+columns+` FROM entries WHERE subject = $1 AND kind IN (`+in+`) ORDER BY seq`, append([]any{subject}, args...)...)
}

// Since returns the entries of some kinds about one subject from the n-th newest of a
// kind on, in order; whole tells that there are no more than n of that.
func (v View) Since(ctx context.Context, subject string, n int, mark string, kinds ...string) (out []Entry, whole bool, err error) {
	var from int64
	found := 0
	err = scan(ctx, v.q, func(rows *sql.Rows) error { found++; return rows.Scan(&from) },
		`SELECT seq FROM entries WHERE subject = $1 AND kind = $2 ORDER BY seq DESC LIMIT $3`, subject, mark, n)
	if err != nil {
		return nil, false, fmt.Errorf("read journal: %w", v.told(err))
	}
	if found < n {
		out, err = v.Of(ctx, subject, kinds...)
		return out, true, err
	}
	in, args := numbered(3, kinds)
	out, err = v.collect(ctx, `SELECT `+columns+` FROM entries WHERE subject = $1 AND seq >= $2 AND kind IN (`+in+`) ORDER BY seq`, append([]any{subject, from}, args...)...)
	return out, false, err
}

// Latest returns the newest entry of a kind about each subject, in order.
func (v View) Latest(ctx context.Context, kind string) ([]Entry, error) {
	return v.collect(ctx, `SELECT `+columns+` FROM entries WHERE seq IN (SELECT MAX(seq) FROM entries WHERE kind = $1 GROUP BY subject) ORDER BY seq`, kind)
}

// NewestOf returns the newest entry of a kind about one subject; false if there is
// none.
func (v View) NewestOf(ctx context.Context, subject, kind string) (Entry, bool, error) {
	list, err := v.collect(ctx, `SELECT `+columns+` FROM entries WHERE subject = $1 AND kind = $2 ORDER BY seq DESC LIMIT 1`, subject, kind)
	if err != nil || len(list) == 0 {
		return Entry{}, false, err
	}
	return list[0], true, nil
}

// numbered makes the placeholders of a list, from the n-th on.
func numbered(n int, texts []string) (list string, args []any) {
	for i, t := range texts {
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprintf("$%d", n+i)
		args = append(args, t)
	}
	return list, args
}

// Last returns the newest entry, the zero Entry if there is none.
func (v View) Last(ctx context.Context) (Entry, error) {
	last, err := head(ctx, v.q)
	return last, v.told(err)
}

// After returns at most n entries after one with this number, in order.
func (v View) After(ctx context.Context, seq int64, n int) ([]Entry, error) {
	return v.collect(ctx, `SELECT `+columns+` FROM entries WHERE seq > $1 ORDER BY seq LIMIT $2`, seq, n)
}

// EachHead calls f for every entry without its body, in order, without holding them
// all.
func (v View) EachHead(ctx context.Context, f func(Entry) error) error {
	return v.told(each(ctx, v.q, f, `SELECT seq, at, run, subject, kind, '', prev, hash FROM entries ORDER BY seq`))
}

// Kinds returns the entries of some kinds, of all runs, in order.
func (v View) Kinds(ctx context.Context, kinds ...string) ([]Entry, error) {
	in, args := numbered(1, kinds)
	return v.collect(ctx, `SELECT `+columns+` FROM entries WHERE kind IN (`+in+`) ORDER BY seq`, args...)
}

func (v View) collect(ctx context.Context, query string, args ...any) ([]Entry, error) {
	var out []Entry
	err := each(ctx, v.q, func(e Entry) error { out = append(out, e); return nil }, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", v.told(err))
	}
	return out, nil
}

// ErrOvertaken means that somebody else has written what this process would have had
// to know before it writes.
var ErrOvertaken = errors.New("another process has written to this run")

// Broken is where the chain does not hold.
type Broken struct {
	Seq int64
	Why string
}

func (b *Broken) Error() string { return fmt.Sprintf("entry %d: %s", b.Seq, b.Why) }

// Follows reports, as a *Broken, what is wrong with an entry that should follow
// another one; the zero Entry stands before the first.
func (e Entry) Follows(before Entry) error {
	switch {
	case e.Seq != before.Seq+1:
		return &Broken{Seq: before.Seq + 1, Why: fmt.Sprintf("it is missing; the next one is %d", e.Seq)}
	case e.Prev != before.Hash:
		return &Broken{Seq: e.Seq, Why: "it does not follow the entry before it"}
	case e.Hash != e.Sum():
		return &Broken{Seq: e.Seq, Why: "it was edited: its hash is not that of its content"}
	}
	return nil
}

// Verify walks the whole chain and returns how many entries it holds and the
// last hash, or a *Broken that names the first place where it does not hold. An
// end that was cut off cleanly shows only against a hash noted elsewhere.
func (j *Journal) Verify(ctx context.Context) (n int64, last string, err error) {
	err = each(ctx, j.db, func(e Entry) error {
		if err := e.Follows(Entry{Seq: n, Hash: last}); err != nil {
			return err
		}
		n, last = e.Seq, e.Hash
		return nil
	}, `SELECT `+columns+` FROM entries ORDER BY seq`)
	var broken *Broken
	if err != nil && !errors.As(err, &broken) {
		err = fmt.Errorf("read journal: %w", j.told(err))
	}
	return n, last, err
}
