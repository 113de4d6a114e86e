package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// standingSchema keeps which runs had begun and not ended as of an entry, so that
// not every earlier run is read to know it. It can be made anew from the entries, and
// rekey verify holds it against them.
const standingSchema = `
CREATE TABLE IF NOT EXISTS standing (
	begins TEXT NOT NULL,
	ends   TEXT NOT NULL,
	seq    BIGINT NOT NULL,
	hash   TEXT NOT NULL,
	open   TEXT NOT NULL,
	PRIMARY KEY (begins, ends)
);
`

// standing is what had begun and not ended as of an entry.
type standing struct {
	seq  int64
	hash string
	open []int64 // entries that begin what has not ended
}

// oftenEnough is how many beginnings and ends may follow what is kept before it is
// kept anew.
const oftenEnough = 64

// Begun returns the entries of kind begin of all runs that have none of kind end,
// in order. It reads what has begun or ended since that was last kept, which is done
// in a transaction that writes; what is kept is taken only if the entry as of which
// it holds is as it was.
func (v View) Begun(ctx context.Context, begin, end string) ([]Entry, error) {
	kept := v.standing(ctx, begin, end)
	ended := map[string]bool{}
	open := map[int64]string{} // run, by the entry that begins it
	for _, seq := range kept.open {
		open[seq] = ""
	}
	passed := 0
	err := scan(ctx, v.q, func(rows *sql.Rows) error {
		var seq int64
		var run, kind string
		if err := rows.Scan(&seq, &run, &kind); err != nil {
			return err
		}
		passed++
		if kind == begin {
			open[seq] = run
		} else {
			ended[run] = true
		}
		return nil
	}, `SELECT seq, run, kind FROM entries WHERE kind IN ($1, $2) AND seq > $3`, begin, end, kept.seq)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", v.told(err))
	}
	var maybe []int64
	for seq, run := range open {
		if run == "" || !ended[run] {
			maybe = append(maybe, seq)
		}
	}
	out, err := v.open(ctx, end, maybe)
	if err == nil && v.writes && passed >= oftenEnough {
		err = v.keep(ctx, begin, end, out)
	}
	return out, err
}

// atOnce bounds how many entries one statement asks for.
const atOnce = 500

// open returns, in order, those of the entries whose run has none of kind end.
func (v View) open(ctx context.Context, end string, seqs []int64) ([]Entry, error) {
	var out []Entry
	slices.Sort(seqs)
	for len(seqs) > 0 {
		part := seqs[:min(atOnce, len(seqs))]
		seqs = seqs[len(part):]
		marks, args := make([]string, len(part)), []any{end}
		for i, seq := range part {
			marks[i] = fmt.Sprintf("$%d", i+2)
			args = append(args, seq)
		}
		some, err := v.collect(ctx, `SELECT `+columns+` FROM entries WHERE seq IN (`+strings.Join(marks, ", ")+`) AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.kind = $1 AND e.run = entries.run) ORDER BY seq`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// standing returns what is kept; nothing where that is not of these entries, or the
// journal is of a version that kept none.
func (v View) standing(ctx context.Context, begin, end string) standing {
	var s standing
	var open string
	err := scan(ctx, v.q, func(rows *sql.Rows) error { return rows.Scan(&s.seq, &s.hash, &open) },
		`SELECT s.seq, s.hash, s.open FROM standing AS s JOIN entries AS e ON e.seq = s.seq AND e.hash = s.hash WHERE s.begins = $1 AND s.ends = $2`, begin, end)
	if err != nil || json.Unmarshal([]byte(open), &s.open) != nil {
		return standing{}
	}
	return s
}

// KeptOpen is what is kept of runs that had begun and not ended as of an entry.
type KeptOpen struct {
	Begins, Ends string // kinds of entries
	Seq          int64
	Hash         string
	Open         []int64 // entries that begin what has not ended
	Readable     bool    // Open could be read
}

// KeptOpen returns all of that, for its verification; none for a journal of a version
// that kept none.
func (j *Journal) KeptOpen(ctx context.Context) ([]KeptOpen, error) {
	var one int
	if j.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM standing LIMIT 1) AS any_of_them`).Scan(&one) != nil {
		return nil, nil
	}
	var out []KeptOpen
	err := scan(ctx, j.db, func(rows *sql.Rows) error {
		var k KeptOpen
		var open string
		if err := rows.Scan(&k.Begins, &k.Ends, &k.Seq, &k.Hash, &open); err != nil {
			return err
		}
		k.Readable = json.Unmarshal([]byte(open), &k.Open) == nil
		out = append(out, k)
		return nil
	}, `SELECT begins, ends, seq, hash, open FROM standing ORDER BY begins, ends`)
	if err != nil {
		return nil, fmt.Errorf("read what is kept of open runs: %w", j.told(err))
	}
	return out, nil
}

// keep keeps what is open now.
func (v View) keep(ctx context.Context, begin, end string, open []Entry) error {
	last, err := head(ctx, v.q)
	if err != nil {
		return fmt.Errorf("read journal: %w", v.told(err))
	}
	seqs := make([]int64, len(open))
	for i, e := range open {
		seqs[i] = e.Seq
	}
	list, err := json.Marshal(seqs)
	if err != nil {
		return fmt.Errorf("keep which runs are open: %w", err)
	}
	tx, ok := v.q.(*sql.Tx)
	if !ok {
		return errors.New("keep which runs are open: nothing is written here")
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO standing (begins, ends, seq, hash, open) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (begins, ends) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, open = excluded.open`, begin, end, last.Seq, last.Hash, string(list))
	if err != nil {
		return fmt.Errorf("keep which runs are open: %w", v.told(err))
	}
	return nil
}
