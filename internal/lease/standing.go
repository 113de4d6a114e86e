package lease

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rekey/internal/journal"
)

// Standing is how a run stands with the workers.
type Standing struct {
	AtWork  bool   // a worker is working on it, or will be by itself
	Waits   string // for whom it waits, where a person has to say something; "": for nobody
	ByHand  string // what the worker that is at it asks a person to do by hand; "": nothing
	Process bool   // a process that has locked its credential is at it
	Trouble string // why it could not be carried out, so many times in a row; "": it could
	Tries   int64
}

// Standings returns how the open runs stand that workers carry out, writing nothing: there
// may be no leases yet. Of a process that has locked its credential the lock tells.
func Standings(ctx context.Context, j *journal.Journal) (runs map[string]Standing, err error) {
	s := of(j)
	if there, err := s.there(ctx, "lease_runs"); err != nil || !there {
		return nil, err
	}
	rows, err := s.rows(ctx, "", `''`) // its tables may be of an older version
	if err != nil {
		return nil, err
	}
	runs = map[string]Standing{}
	for _, r := range rows {
		worker := r.Holder != "" && !strings.HasPrefix(r.Holder, Process)
		s := Standing{AtWork: worker && !r.Lapsed || !r.Wake.IsZero() && !r.Late, Process: r.Holder != "" && !worker && !r.Lapsed, Trouble: r.Trouble, Tries: r.Tries}
		switch {
		case r.Holder == "" && r.Wake.IsZero():
			s.Waits = r.Waits
		case worker && !r.Lapsed:
			s.ByHand = r.Waits
		}
		runs[r.Run] = s
	}
	return runs, nil
}

// there tells whether there is this table yet.
func (s *Store) there(ctx context.Context, table string) (bool, error) {
	query := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`
	if s.skip != "" {
		query = `SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1`
	}
	n := 0
	_, err := s.ask(ctx, s.db, query, []any{table}, &n)
	return n > 0, err
}

// Row is how a run stands.
type Row struct {
	Run, Credential, Holder, Trouble, Waits string
	Epoch                                   int64
	Expires, Wake                           time.Time // zero: none
	Tries                                   int64     // how often in a row it could not be carried out
	Late                                    bool      // it is due for a minute and longer: no worker has a hand free, or none runs
	Lapsed                                  bool      // its holder has not been heard of for longer than his term
	Keeps                                   string    // why its holder does not let go of it although it waits
}

// Rows returns how all open runs stand, or one.
func (s *Store) Rows(ctx context.Context, run string) ([]Row, error) {
	return s.rows(ctx, run, `keeps`)
}

func (s *Store) rows(ctx context.Context, run, keeps string) ([]Row, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT run, credential, holder, trouble, waits, epoch, tries, expires, wake, CASE WHEN holder <> '' AND expires < `+s.now+` THEN 1 ELSE 0 END,
		CASE WHEN holder = '' AND wake <> 0 AND wake < `+s.now+` - 60000 THEN 1 ELSE 0 END, `+keeps+`
		FROM lease_runs WHERE run = $1 OR $1 = '' ORDER BY run`, run)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", s.told(err))
	}
	defer func() { _ = rows.Close() }()
	var out []Row
	for rows.Next() {
		var r Row
		var expires, wake, lapsed, late int64
		if err := rows.Scan(&r.Run, &r.Credential, &r.Holder, &r.Trouble, &r.Waits, &r.Epoch, &r.Tries, &expires, &wake, &lapsed, &late, &r.Keeps); err != nil {
			return nil, fmt.Errorf("read leases: %w", s.told(err))
		}
		r.Expires, r.Wake, r.Lapsed, r.Late = instant(expires), instant(wake), lapsed == 1, late == 1
		out = append(out, r)
	}
	return out, rows.Err()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Living are the credentials whose runs somebody holds now, as the transaction sees it.
func (s *Store) Living(ctx context.Context, tx Querier) (out []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT credential FROM lease_runs WHERE holder <> '' AND expires > `+s.now+` ORDER BY credential`)
	if err != nil {
		return nil, fmt.Errorf("lease: %w", s.told(err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			return nil, fmt.Errorf("lease: %w", s.told(err))
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
