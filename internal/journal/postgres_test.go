//go:build !windows

package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rekey/internal/realserver"
)

var postgres, stopPostgres = realserver.PostgresOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopPostgres) }

var schemas atomic.Int64

// onServer is a place for one journal on a real PostgreSQL.
func onServer(t *testing.T) spot {
	t.Helper()
	p := postgres(t)
	return spot{address: address(p.Port, "postgres", fmt.Sprintf("j%d_%d", os.Getpid(), schemas.Add(1)))}
}

func address(port int, user, schema string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/trusting?search_path=%s", user, port, schema)
}

// through is the same journal through a proxy.
func through(t *testing.T, at spot, proxy *realserver.Proxy) spot {
	t.Helper()
	u, err := url.Parse(at.address)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = fmt.Sprintf("127.0.0.1:%d", proxy.Port)
	return spot{address: u.String()}
}

func schemaOf(at spot) string { return at.address[strings.LastIndex(at.address, "=")+1:] }

// TestAnAppendIsAnsweredByWhatIsWritten: wherever the connection is cut in an append,
// after the answer to COMMIT is lost too, it succeeds if and only if its entry is
// there, once.
func TestAnAppendIsAnsweredByWhatIsWritten(t *testing.T) {
	at := onServer(t)
	direct := open4(t, at)
	proxy := realserver.NewProxy(t, postgres(t).Port)
	j, err := through(t, at, proxy).open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	n, lost, kept := 0, 0, 0
	for _, fault := range []realserver.Fault{realserver.Before, realserver.After, realserver.Garbage} {
		for piece := 1; ; piece++ {
			n++
			run := fmt.Sprint("cut", n)
			proxy.Set(fault, piece, nil)
			err := j.Append(t.Context(), draft(run))
			struck, pieces := proxy.Struck()
			proxy.Set(realserver.None, 0, nil)
			got, lookErr := direct.Run(t.Context(), run)
			if lookErr != nil {
				t.Fatal(lookErr)
			}
			if (err == nil) != (len(got) == 1) || len(got) > 1 || errors.Is(err, ErrUnknown) {
				t.Errorf("fault %d at piece %d of %d: %d entries, told: %v", fault, piece, pieces, len(got), err)
			}
			if !struck {
				break
			}
			if err == nil {
				kept++
			} else {
				lost++
			}
			if piece > 30 {
				t.Fatal("an append has no end")
			}
		}
	}
	if lost < 5 || kept < 2 {
		t.Errorf("%d cuts lost an entry and %d did not: too few to say anything", lost, kept)
	}
	if _, _, err := direct.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTheServerIsKilledInTheMiddleOfAnAppend, at every piece of it: what was told as
// written is there after the restart, what was told as not written is not, and the
// same process goes on.
func TestTheServerIsKilledInTheMiddleOfAnAppend(t *testing.T) {
	at := onServer(t)
	open4(t, at)
	p := postgres(t)
	proxy := realserver.NewProxy(t, p.Port)
	j, err := through(t, at, proxy).open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	lost, kept := 0, 0
	for piece := 1; ; piece++ {
		run, before := fmt.Sprint("killed", piece), crashes(t, p)
		proxy.Set(realserver.Pass, piece, func() { killBackends(t, p) })
		err := j.Append(t.Context(), draft(run))
		struck, pieces := proxy.Struck()
		proxy.Set(realserver.None, 0, nil)
		for range 400 {
			if !struck || crashes(t, p) > before {
				break
			}
			time.Sleep(25 * time.Millisecond)
		}
		p.Await(t)
		direct, lookErr := at.existing()
		if lookErr != nil {
			t.Fatal(lookErr)
		}
		got, lookErr := direct.Run(t.Context(), run)
		if lookErr = errors.Join(lookErr, direct.Close()); lookErr != nil {
			t.Fatal(lookErr)
		}
		if (err == nil) != (len(got) == 1) || errors.Is(err, ErrUnknown) {
			t.Errorf("at piece %d: %d entries, told: %v", piece, len(got), err)
		}
		if err == nil {
			kept++
		} else {
			lost++
		}
		if err := j.Append(t.Context(), draft(run+"-again")); err != nil {
			t.Errorf("after the restart: %v", err)
		}
		if !struck {
			if pieces < 6 || lost < 3 {
				t.Errorf("an append has %d pieces, of which %d lost it and %d did not: too few to say anything", pieces, lost, kept)
			}
			break
		}
	}
	if n, _, err := j.Verify(t.Context()); err != nil || n < 4 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// crashes counts how often the server has recovered from a crash.
func crashes(t *testing.T, p *realserver.Postgres) int {
	return strings.Count(p.Log(t), "all server processes terminated; reinitializing")
}

// killBackends kills every session's process of the tests' database with SIGKILL: the
// server ends all others and recovers from its log, as after a crash.
func killBackends(t *testing.T, p *realserver.Postgres) {
	for _, row := range p.SQL(t, "postgres", "SELECT pid FROM pg_stat_activity WHERE datname = 'trusting'") {
		var pid int
		if _, err := fmt.Sscan(row[0], &pid); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// TestALockEndsWithItsProcess: killed with SIGKILL, its locks are free, and what it
// had begun to write holds nobody up.
func TestALockEndsWithItsProcess(t *testing.T) {
	if a := os.Getenv("REKEY_JOURNAL_HOLDER"); a != "" {
		j, err := spot{address: a}.open()
		if err == nil {
			_, err = j.Lock("CF_X")
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, _ = j.AppendIf(context.Background(), func(View) error {
			fmt.Println("holding")
			select {}
		}, draft("half"))
	}
	at := onServer(t)
	j := open4(t, at)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestALockEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), "REKEY_JOURNAL_HOLDER="+at.address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("holding"))
	if _, err := out.Read(said); err != nil || string(said) != "holding" {
		t.Fatalf("%q, %v", said, err)
	}
	if _, err := j.Lock("CF_X"); !errors.Is(err, ErrLocked) {
		t.Errorf("while it lives: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	release, err := j.server.locks.hold(t.Context(), "CF_X")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := j.Append(t.Context(), draft("r2")); err != nil {
		t.Error(err)
	}
	if got, err := j.Run(t.Context(), "half"); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}

// TestWhoHasLostHisLocksWritesNothing, and another one may have them.
func TestWhoHasLostHisLocksWritesNothing(t *testing.T) {
	at := onServer(t)
	j, p := open4(t, at), postgres(t)
	unlock, err := j.Lock("CF_X")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), draft("r2")); err != nil {
		t.Fatal(err)
	}
	p.SQL(t, "trusting", fmt.Sprintf("SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND pid = %d", j.server.locks.conn.PID()))
	other, err := at.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	theirs, err := other.Lock("CF_X")
	if err != nil {
		t.Fatalf("the lock is not free: %v", err)
	}
	defer theirs()
	if err := j.Append(t.Context(), draft("r2")); !errors.Is(err, ErrLost) {
		t.Errorf("appending without the lock: %v", err)
	}
	if _, err := j.Lock("CF_Y"); !errors.Is(err, ErrLost) {
		t.Errorf("another lock beside a lost one: %v", err)
	}
	if err := other.Append(t.Context(), draft("r2")); err != nil {
		t.Error(err)
	}
	unlock()
	again, err := j.Lock("CF_Y")
	if err != nil {
		t.Fatalf("after giving the lost one up: %v", err)
	}
	again()
	if err := j.Append(t.Context(), draft("r3")); err != nil {
		t.Error(err)
	}
}

// TestARoleNeedsNoMoreThanItsWork: a reader to read, and whoever writes no more than
// docs/journal.md grants; neither can change an entry that is written.
func TestARoleNeedsNoMoreThanItsWork(t *testing.T) {
	at := onServer(t)
	p, schema := postgres(t), schemaOf(at)
	open4(t, at)
	writer, reader := schema+"_writer", schema+"_reader"
	page, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rights, _ := strings.Cut(string(page), "### Least privilege")
	_, rights, _ = strings.Cut(rights, "```sql\n")
	rights, _, found := strings.Cut(rights, "```")
	if !found {
		t.Fatal("docs/journal.md names no rights")
	}
	p.SQL(t, "trusting", strings.NewReplacer("rekey_writer", writer, "rekey_reader", reader, "SCHEMA rekey", "SCHEMA "+schema, "rekey.", schema+".").Replace(rights))
	j := open4(t, spot{address: address(p.Port, writer, schema)})
	if err := j.Tend(t.Context(), func(tree *Tree) error {
		_, err := tree.Add(Checkpoint{Size: 8, Note: "n"})
		return errors.Join(err, tree.Keep(0, 0, "h"))
	}); err != nil {
		t.Error(err)
	}
	for _, sql := range []string{"UPDATE entries SET body = '{}'", "DELETE FROM entries", "TRUNCATE entries", "UPDATE checkpoints SET note = ''", "DROP TABLE entries"} {
		if _, err := j.db.Exec(sql); err == nil || !strings.Contains(j.told(err).Error(), "role") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	r, err := spot{address: address(p.Port, reader, schema)}.existing()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if n, _, err := r.Verify(t.Context()); err != nil || n != 8 {
		t.Errorf("%d entries, %v", n, err)
	}
	if err := r.Append(t.Context(), draft("r")); err == nil {
		t.Error("a reader has written")
	}
}

// TestAJournalOnAServerThatIsNotTheSameIsMissed at the next entry.
func TestAJournalOnAServerThatIsNotTheSameIsMissed(t *testing.T) {
	for name, tt := range map[string]struct{ sql, want string }{
		"its newest entry is taken off": {`DELETE FROM entries WHERE seq = 4`, "entry 4 was written last"},
		"it is set back":                {`DELETE FROM entries WHERE seq > 2; UPDATE head SET (seq, hash) = (SELECT seq, hash FROM entries WHERE seq = 2)`, "set back"},
		"a table is lost":               {`DROP TABLE entries`, "not those of a journal"},
		"it does not name its newest":   {`DELETE FROM head`, "does not name its newest"},
	} {
		t.Run(name, func(t *testing.T) {
			j := open4(t, onServer(t))
			if _, err := j.db.Exec(tt.sql); err != nil {
				t.Fatal(err)
			}
			if err := j.Append(t.Context(), draft("r")); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestAProcessThatOnlyWatchesMissesWhatIsLost: it has written nothing, and seen what others did.
func TestAProcessThatOnlyWatchesMissesWhatIsLost(t *testing.T) {
	at := onServer(t)
	j := open4(t, at)
	watches, err := at.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watches.Close() }()
	if err := j.Append(t.Context(), draft("r")); err != nil {
		t.Fatal(err)
	}
	if err := watches.Whereabouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.db.Exec(`DELETE FROM entries WHERE seq > 4; UPDATE head SET (seq, hash) = (SELECT seq, hash FROM entries WHERE seq = 4)`); err != nil {
		t.Fatal(err)
	}
	if lost, is := errors.AsType[*Replaced](watches.Whereabouts(t.Context())); !is || lost.Seq != 5 {
		t.Errorf("it misses %+v", lost)
	}
}

// TestNoAddressIsRepeated: what is wrong with it is told without its password, and
// nothing goes over a network unencrypted by default.
func TestNoAddressIsRepeated(t *testing.T) {
	for address, want := range map[string]string{
		"mysql://u:hunter2@h/d":                                "postgres://USER",
		"postgres://u:hunter2@h":                               "has to name",
		"postgres://:hunter2@h/d":                              "has to name",
		"postgres://u:hunter2@h/d?sslmode=prefer":              "verify-full",
		"postgres://u:hunter2@h:99999999/d":                    "cannot be read",
		"postgres://u:hunter2%zz@h/d":                          "postgres://USER",
		"postgres://u:hunter2@h/d?search_path=a,b":             "one schema",
		"postgres://u:hunter2@127.0.0.1:1/d":                   "connect",
		"postgres://u:hunter2@127.0.0.1:1/d?connect_timeout=x": "cannot be read",
	} {
		_, err := OpenPostgres(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	s, err := parse("postgres://u:p@db.example.com/d")
	if err != nil || s.config.TLSConfig == nil || s.config.TLSConfig.ServerName != "db.example.com" || s.config.TLSConfig.InsecureSkipVerify || len(s.config.Fallbacks) != 0 {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := OpenExistingPostgres(t.Context(), onServer(t).address); !errors.Is(err, ErrNone) {
		t.Errorf("where there is none: %v", err)
	}
}

// TestWhoLacksARightIsToldWhichOne to make tables, and needs none where they are there.
func TestWhoLacksARightIsToldWhichOne(t *testing.T) {
	at := onServer(t)
	p, schema := postgres(t), schemaOf(at)
	owner := open4(t, at)
	writer := schema + "_w"
	p.SQL(t, "trusting", fmt.Sprintf(`CREATE ROLE %[2]s LOGIN; GRANT USAGE ON SCHEMA %[1]s TO %[2]s; ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %[2]s;
		GRANT SELECT ON ALL TABLES IN SCHEMA %[1]s TO %[2]s; GRANT INSERT ON %[1]s.entries TO %[2]s; GRANT UPDATE ON %[1]s.head TO %[2]s`, schema, writer))
	j, err := spot{address: address(p.Port, writer, schema)}.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	var lacks *Unprivileged
	if err := j.Tables(t.Context(), "lease", first); !errors.As(err, &lacks) || lacks.SQL != "GRANT CREATE ON SCHEMA "+schema+" TO "+writer {
		t.Fatalf("%v", err)
	}
	if err := owner.Tables(t.Context(), "lease", first); err != nil {
		t.Fatal(err)
	}
	if err := j.Tables(t.Context(), "lease", first); err != nil {
		t.Errorf("where nothing is to be done: %v", err)
	}
	_, err = j.AppendWith(t.Context(), func(_ View, tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE lease_runs SET epoch = 2`)
		return err
	}, draft("r2"))
	if err != nil {
		t.Error(err)
	}
}

// TestWhoMayNotUseTheSchemaIsToldSo: to such a role its tables look as if they were not
// there, and it must not be told to put a backup in their place.
func TestWhoMayNotUseTheSchemaIsToldSo(t *testing.T) {
	at := onServer(t)
	p, schema := postgres(t), schemaOf(at)
	open4(t, at)
	barred := schema + "_b"
	p.SQL(t, "trusting", "CREATE ROLE "+barred+" LOGIN")
	_, err := spot{address: address(p.Port, barred, schema)}.open()
	if err == nil || !strings.Contains(err.Error(), "the role "+barred+" may not use the schema "+schema) || !strings.Contains(err.Error(), "GRANT USAGE ON SCHEMA "+schema+" TO "+barred) {
		t.Fatalf("%v", err)
	}
	p.SQL(t, "trusting", "GRANT USAGE ON SCHEMA "+schema+" TO "+barred)
	if _, err := (spot{address: address(p.Port, barred, schema)}).open(); err == nil || !strings.Contains(err.Error(), "may not read the journal's tables in the schema "+schema) || !strings.Contains(err.Error(), "GRANT SELECT ON ALL TABLES IN SCHEMA "+schema+" TO "+barred) {
		t.Errorf("%v", err)
	}
}

// TestWhatIsWrittenWithAnEntryIsThereIfTheAnswerToCommitIsLost, too.
func TestWhatIsWrittenWithAnEntryIsThereIfTheAnswerToCommitIsLost(t *testing.T) {
	at := onServer(t)
	direct := open4(t, at)
	if err := direct.Tables(t.Context(), "lease", first); err != nil {
		t.Fatal(err)
	}
	proxy := realserver.NewProxy(t, postgres(t).Port)
	j, err := through(t, at, proxy).open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	kept, lost := 0, 0
	for piece := 1; piece <= 30; piece++ {
		run := fmt.Sprint("cut", piece)
		proxy.Set(realserver.After, piece, nil)
		_, err := j.AppendWith(t.Context(), func(_ View, tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO lease_runs (run, epoch) VALUES ($1, $2)`, run, piece)
			return err
		}, draft(run))
		struck, _ := proxy.Struck()
		proxy.Set(realserver.None, 0, nil)
		var entries, rows int64
		db, _ := direct.DB()
		if err := errors.Join(db.QueryRow(`SELECT COUNT(*) FROM entries WHERE run = $1`, run).Scan(&entries), db.QueryRow(`SELECT COUNT(*) FROM lease_runs WHERE run = $1`, run).Scan(&rows)); err != nil {
			t.Fatal(err)
		}
		if entries != rows || entries > 1 || (err == nil) != (entries == 1) {
			t.Errorf("at piece %d: %d entries, %d rows, told: %v", piece, entries, rows, err)
		}
		if !struck {
			break
		}
		if entries == 1 {
			kept++
		} else {
			lost++
		}
	}
	if kept == 0 || lost < 3 {
		t.Errorf("%d kept, %d lost: too few to say anything", kept, lost)
	}
}
