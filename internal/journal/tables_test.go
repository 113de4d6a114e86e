package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	first  = Migration{SQLite: `CREATE TABLE lease_runs (run TEXT PRIMARY KEY, epoch INTEGER NOT NULL); INSERT INTO lease_runs VALUES ('r', 1)`, Postgres: `CREATE TABLE lease_runs (run TEXT PRIMARY KEY, epoch BIGINT NOT NULL); INSERT INTO lease_runs VALUES ('r', 1)`}
	second = Migration{SQLite: `ALTER TABLE lease_runs ADD COLUMN holder TEXT NOT NULL DEFAULT ''`}
)

// TestTablesAreMadeOnce, by whoever comes first, and brought up to date by whoever knows
// more.
func TestTablesAreMadeOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				other, err := at.open()
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = other.Close() }()
				for range 3 { // again and again changes nothing
					if err := other.Tables(context.Background(), "lease", first); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for range 2 {
			if err := j.Tables(t.Context(), "lease", first, second); err != nil {
				t.Fatal(err)
			}
		}
		db, _ := j.DB()
		var rows int64
		var holder string
		if err := db.QueryRow(`SELECT COUNT(*), MAX(holder) FROM lease_runs`).Scan(&rows, &holder); err != nil || rows != 1 || holder != "" {
			t.Errorf("%d rows, %q, %v", rows, holder, err)
		}
		if err := j.Tables(t.Context(), "other", Migration{SQLite: `CREATE TABLE other_a (n INTEGER)`}, Migration{SQLite: `CREATE TABLE lease_runs (n INTEGER)`}); err == nil {
			t.Error("a mistake is not told")
		}
		if _, err := db.Exec(`SELECT n FROM other_a`); err == nil {
			t.Error("half of it was made")
		}
		if err := j.Tables(t.Context(), "O; DROP", first); err == nil {
			t.Error("a name that is none is taken")
		}
	})
}

// TestAnOlderVersionWorksBesideANewerOne as long as that has only added to its tables: it goes
// on, and is started again. Where the newer one says that it broke with older ones, these end,
// and are not started again; and so where it was told by nobody.
func TestAnOlderVersionWorksBesideANewerOne(t *testing.T) {
	broke := Migration{SQLite: `DROP TABLE lease_runs; CREATE TABLE lease_runs (run TEXT PRIMARY KEY)`, Breaks: true}
	after := Migration{SQLite: `ALTER TABLE lease_runs ADD COLUMN more TEXT NOT NULL DEFAULT ''`}
	onBoth(t, func(t *testing.T, at spot) {
		process := func() *Journal {
			j, err := at.open()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = j.Close() })
			return j
		}
		open4(t, at)
		old, now := process(), process()
		refused := func(what string, err error, version, known int) {
			t.Helper()
			newer, is := errors.AsType[*Newer](err)
			if !is || newer.Version != version || newer.Known != known || newer.Name != "lease" {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := errors.Join(old.Tables(t.Context(), "lease", first), now.Tables(t.Context(), "lease", first, second)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(old.Outdated(t.Context()), process().Tables(t.Context(), "lease", first)); err != nil {
			t.Errorf("it works with more columns than it knows: %v", err)
		}
		if err := now.Tables(t.Context(), "lease", first, second, broke, after); err != nil {
			t.Fatal(err)
		}
		refused("one that goes on", old.Outdated(t.Context()), 4, 1)
		refused("one that starts", process().Tables(t.Context(), "lease", first, second), 4, 2)
		known := process()
		if err := errors.Join(known.Tables(t.Context(), "lease", first, second, broke), known.Outdated(t.Context()), now.Outdated(t.Context())); err != nil {
			t.Errorf("it knows the one that broke: %v", err)
		}
		db, _ := now.DB()
		if _, err := db.Exec(`DELETE FROM versions WHERE name = 'lease' || '` + ofLeast + `'`); err != nil {
			t.Fatal(err)
		}
		refused("nobody told", process().Tables(t.Context(), "lease", first, second, broke), 4, 3)
	})
}

// TestWhatIsWrittenWithAnEntryIsThereIfTheEntryIs, and not otherwise.
func TestWhatIsWrittenWithAnEntryIsThereIfTheEntryIs(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		if err := j.Tables(t.Context(), "lease", first); err != nil {
			t.Fatal(err)
		}
		count := func() (epoch, entries int64) {
			t.Helper()
			db, _ := j.DB()
			if err := errors.Join(db.QueryRow(`SELECT epoch FROM lease_runs WHERE run = 'r'`).Scan(&epoch), db.QueryRow(`SELECT COUNT(*) FROM entries`).Scan(&entries)); err != nil {
				t.Fatal(err)
			}
			return epoch, entries
		}
		// As a lease is fenced: no row is no right to write.
		fenced := func(epoch int64, after error) func(View, *sql.Tx) error {
			return func(v View, tx *sql.Tx) error {
				if got, err := v.LastOf(t.Context(), "r1"); err != nil || got.Kind != "closed" {
					t.Errorf("in the transaction: %+v %v", got, err)
				}
				res, err := tx.ExecContext(t.Context(), `UPDATE lease_runs SET epoch = epoch + 1 WHERE run = $1 AND epoch = $2`, "r", epoch)
				if err != nil {
					return err
				}
				if n, err := res.RowsAffected(); err != nil || n != 1 {
					return errors.Join(ErrLost, err)
				}
				return after
			}
		}
		if _, err := j.AppendWith(t.Context(), fenced(1, nil), draft("r2")); err != nil {
			t.Fatal(err)
		}
		if epoch, n := count(); epoch != 2 || n != 5 {
			t.Errorf("epoch %d, %d entries", epoch, n)
		}
		theirs := errors.New("theirs")
		if _, err := j.AppendWith(t.Context(), fenced(2, theirs), draft("r2")); !errors.Is(err, theirs) {
			t.Error(err)
		}
		if _, err := j.AppendWith(t.Context(), fenced(1, nil), draft("r2")); !errors.Is(err, ErrLost) {
			t.Error(err)
		}
		if _, err := j.AppendWith(t.Context(), fenced(2, nil)); err == nil {
			t.Error("without an entry")
		}
		bad := draft("r2")
		bad.Kind = "two\nlines"
		if _, err := j.AppendWith(t.Context(), fenced(2, nil), bad); err == nil {
			t.Error("an entry that cannot be written")
		}
		if epoch, n := count(); epoch != 2 || n != 5 {
			t.Errorf("after what was refused: epoch %d, %d entries", epoch, n)
		}
	})
}

// TestValuesTravel: what database/sql hands on comes back as it was, on both databases
// by the same statements.
func TestValuesTravel(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		err := j.Tables(t.Context(), "values", Migration{
			SQLite:   `CREATE TABLE values_all (n INTEGER, t TEXT, b BOOLEAN, f REAL, raw BLOB, doc TEXT, empty TEXT)`,
			Postgres: `CREATE TABLE values_all (n INTEGER, t TEXT, b BOOLEAN, f DOUBLE PRECISION, raw BYTEA, doc JSONB, empty TEXT)`,
		})
		if err != nil {
			t.Fatal(err)
		}
		db, _ := j.DB()
		raw := []byte{0, 1, '\\', 'x', 0xff, '\n'}
		text := "ä'; \x01 \\x00 \n\t$1"
		res, err := db.Exec(`INSERT INTO values_all (n, t, b, f, raw, doc, empty) VALUES ($1, $2, $3, $4, $5, $6, $7)`, -1<<31, text, true, 0.1, raw, []byte(`{"a":1}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := res.RowsAffected(); n != 1 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		var n int
		var gotText, doc string
		var b bool
		var f float64
		var gotRaw []byte
		var nothing sql.NullString
		if err := db.QueryRow(`SELECT n, t, b, f, raw, doc, empty FROM values_all WHERE raw = $1`, raw).Scan(&n, &gotText, &b, &f, &gotRaw, &doc, &nothing); err != nil {
			t.Fatal(err)
		}
		if n != -1<<31 || gotText != text || !b || f != 0.1 || !bytes.Equal(gotRaw, raw) || strings.ReplaceAll(doc, " ", "") != `{"a":1}` || nothing.Valid {
			t.Errorf("%d %q %v %v %q %s %v", n, gotText, b, f, gotRaw, doc, nothing)
		}
	})
}

// TestTimesOfPostgreSQLAreTimes, in UTC whatever the server's zone is.
func TestTimesOfPostgreSQLAreTimes(t *testing.T) {
	at := onServer(t)
	j := open4(t, at)
	db, _ := j.DB()
	want := time.Date(2026, 11, 27, 9, 0, 0, 123456000, time.FixedZone("", -3*3600-30*60))
	var zoned, plain, now time.Time
	var endless string
	if err := db.QueryRow(`SELECT $1::timestamptz, ($1::timestamptz) AT TIME ZONE 'UTC', now(), 'infinity'::timestamptz`, want).Scan(&zoned, &plain, &now, &endless); err != nil {
		t.Fatal(err)
	}
	if !zoned.Equal(want) || !plain.Equal(want) || zoned.Location() != time.UTC || time.Since(now).Abs() > time.Hour || endless != "infinity" {
		t.Errorf("%v %v %v %s", zoned, plain, now, endless)
	}
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	var level, only string
	if err := tx.QueryRow(`SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')`).Scan(&level, &only); err != nil || level != "repeatable read" || only != "on" {
		t.Errorf("%s %s %v", level, only, err)
	}
	if _, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSnapshot}); err == nil {
		t.Error("a level that there is not is taken")
	}
}
