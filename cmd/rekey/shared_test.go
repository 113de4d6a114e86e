//go:build !windows

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/realserver"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

const wanted = "--reason=scheduled"

var sharedSchemas atomic.Int64

// shared is a world with a journal in a real PostgreSQL, and machines that share it: each
// has a folder of its own.
type shared struct {
	*town
	address func(port int) string
	port    int
	there   string // the line of rekey.yaml
}

func newShared(t *testing.T, db *realserver.Postgres) *shared {
	t.Helper()
	schema := fmt.Sprintf("cli%d", sharedSchemas.Add(1))
	s := &shared{town: newTown(t), port: db.Port, there: "database: file:db.txt\n"}
	s.address = func(port int) string {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=%s", port, schema)
	}
	s.at(s.dir, db.Port)
	turn(t, s.base, `{"world":{"shutdown":"60ms"}}`)
	return s
}

// at leads a machine to the database by a port.
func (s *shared) at(dir string, port int) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(dir, "db.txt"), []byte(s.address(port)+"\n"), 0o600); err != nil {
		s.Fatal(err)
	}
}

// inDatabase has rekey.yaml name the database.
func (s *shared) inDatabase() {
	s.rewrite(func(text string) string { return strings.Replace(text, "rekey: 1\n", "rekey: 1\n"+s.there, 1) })
}

// another is one more machine: the same rekey.yaml, and no keys yet.
func (s *shared) another() *shared {
	s.Helper()
	out := *s
	w := *s.town
	w.dir = s.TempDir()
	out.town = &w
	for _, name := range []string{"rekey.yaml", "db.txt"} {
		b, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(w.dir, name), b, 0o600)
		}
		if err != nil {
			s.Fatal(err)
		}
	}
	return &out
}

// withKeys copies the secret keys of the first machine, as a mounted secret would be.
func (s *shared) withKeys(from *shared) *shared {
	s.Helper()
	for _, name := range []string{"fingerprint.key", "evidence.key"} {
		b, err := os.ReadFile(filepath.Join(from.dir, ".rekey", name))
		if err != nil {
			s.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(s.dir, ".rekey"), 0o700); err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, ".rekey", name), b, 0o600); err != nil {
			s.Fatal(err)
		}
	}
	return s
}

// do runs a command, which has to end so.
func (s *shared) do(want int, args ...string) string {
	s.Helper()
	code, out := s.rekey(args...)
	if code != want {
		s.Fatalf("rekey %s ended with %d, want %d:\n%s", strings.Join(args, " "), code, want, out)
	}
	return out
}

// unharmed: nobody had an outage, and one generation of each lives and is held.
func (s *shared) unharmed() {
	s.Helper()
	w := look(s.T, s.base)
	for _, o := range w.Outages {
		s.Errorf("outage of %s (%s): %s", o.Process, o.Var, o.Why)
	}
	c, err := sop.Load(filepath.Join(s.dir, "rekey.yaml"))
	if err != nil {
		s.Fatal(err)
	}
	for _, spec := range c.Specs {
		if _, broken := stage.Agreement(w, spec); len(broken) > 0 {
			s.Errorf("%v", broken)
		}
	}
}

// TestAJournalInADatabase is everything that a command line does with one.
func TestAJournalInADatabase(t *testing.T) {
	t.Parallel()
	get, stop := realserver.PostgresOnce()
	t.Cleanup(stop)
	db := get(t)
	t.Run("beside each other", func(t *testing.T) {
		for name, f := range map[string]func(*testing.T, *realserver.Postgres){
			"two machines": twoMachines, "moved there and back": movedThereAndBack, "killed, and taken up elsewhere": takenUpElsewhere,
			"answers are lost": answersAreLost, "what is wrong is told": wrongIsTold, "with no more rights than are named": namedRights,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f(t, db)
			})
		}
	})
	// Last, for it ends everybody's sessions.
	t.Run("the server is restarted", func(t *testing.T) { serverRestarts(t, db) })
}

// twoMachines: they see the same, a second one cannot do what the first is at, and one
// without the key touches nothing.
func twoMachines(t *testing.T, db *realserver.Postgres) {
	a := newShared(t, db)
	a.inDatabase()
	a.do(exitDone, "run", console, wanted, "--confirm", console)
	b := a.another()
	if out := b.do(exitUsage, "run", console, wanted, "--confirm", console); !strings.Contains(out, "does not have") || !strings.Contains(out, "copy the file there") || !strings.Contains(out, "rekey -C") {
		t.Errorf("a machine without the key is told:\n%s", out)
	}
	if _, out := b.rekey("doctor"); !strings.Contains(out, "does not have") {
		t.Errorf("the doctor says:\n%s", out)
	}
	b.withKeys(a)
	for _, what := range []string{"log", "verify"} {
		if one, two := a.do(exitDone, what, "--json"), b.do(exitDone, what, "--json"); one != two || !strings.Contains(one, "{") {
			t.Errorf("rekey %s differs:\n%s\n%s", what, one, two)
		}
	}
	if out := b.do(exitDone, "status"); !strings.Contains(out, "rotated") {
		t.Errorf("the second machine sees:\n%s", out)
	}
	b.do(exitDone, "drift")
	b.do(exitDone, "doctor")
	b.do(exitDone, "run", "CF_ACCESS_SVC_VAULT", wanted, "--confirm", "CF_ACCESS_SVC_VAULT")
	if out := a.do(exitDone, "verify"); !strings.Contains(out, "checkpoint") {
		t.Errorf("no checkpoint of the other machine:\n%s", out)
	}
	a.do(exitDone, "evidence", "--from", "2026-01-01", "--out", "proof")
	lines := strings.Split(strings.TrimSpace(b.do(exitDone, "checkpoint", "key")), "\n")
	a.do(exitDone, "verify", "--export", filepath.Join("proof", "evidence.jsonl"), "--key", lines[len(lines)-1])

	// While one is at it, the other one is refused.
	held, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	a.before = func(call string) {
		if strings.HasPrefix(call, "POST ") && strings.Contains(call, "service_tokens") {
			once.Do(func() { close(held); <-let })
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.do(exitDone, "run", console, wanted, "--confirm", console) })
	select {
	case <-held:
	case <-time.After(time.Minute):
		t.Error("the first run makes nothing")
	}
	if out := b.do(exitLocked, "run", console, wanted, "--confirm", console); !strings.Contains(out, console) {
		t.Errorf("the second machine is told:\n%s", out)
	}
	if out := b.do(exitLocked, "resume", "--confirm", console); !strings.Contains(out, "another process") {
		t.Errorf("the second machine is told:\n%s", out)
	}
	close(let)
	wg.Wait()
	a.unharmed()
	if found, _ := filepath.Glob(filepath.Join(a.dir, ".rekey", "journal.db*")); len(found) > 0 {
		t.Errorf("there is a journal in the folder too: %v", found)
	}
}

// namedRights: the owner makes the tables as docs/journal.md says, grants what it names, and
// whoever has no more than that rotates, verifies and signs.
func namedRights(t *testing.T, db *realserver.Postgres) {
	a := newShared(t, db)
	a.inDatabase()
	a.do(exitDone, "drift")
	a.do(exitDone, "checkpoint")
	page, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rights, _ := strings.Cut(string(page), "### Least privilege")
	blocks := strings.Split(rights, "```")
	if len(blocks) != 5 {
		t.Fatalf("docs/journal.md names rights in %d blocks, want 2", len(blocks)/2)
	}
	_, schema, _ := strings.Cut(a.address(db.Port), "search_path=")
	writer := schema + "_writer"
	for _, sql := range []string{blocks[1], blocks[3]} {
		db.SQL(t, "trusting", strings.NewReplacer("sql\n", "", "rekey_writer", writer, "rekey_reader", schema+"_reader", "SCHEMA rekey", "SCHEMA "+schema, "rekey.", schema+".").Replace(sql))
	}
	a.address = func(port int) string {
		return fmt.Sprintf("postgres://%s@127.0.0.1:%d/trusting?search_path=%s", writer, port, schema)
	}
	a.at(a.dir, db.Port)
	a.do(exitDone, "run", console, wanted, "--confirm", console)
	a.do(exitDone, "drift")
	a.do(exitDone, "status")
	a.do(exitDone, "checkpoint")
	a.do(exitDone, "verify")
	a.unharmed()
}

// movedThereAndBack is the page of docs/journal.md, command by command.
func movedThereAndBack(t *testing.T, db *realserver.Postgres) {
	s := newShared(t, db)
	s.do(exitDone, "run", console, wanted, "--confirm", console)
	before := s.do(exitDone, "log", "--json")
	out := s.do(exitDone, "journal", "move", "--to", "file:db.txt")
	if !strings.Contains(out, "database: file:db.txt") || strings.Contains(out, "postgres@") {
		t.Errorf("a move says:\n%s", out)
	}
	// Who has not changed rekey.yaml yet is told, and nothing is touched.
	if out := s.do(exitUsage, "run", console, wanted, "--confirm", console); !strings.Contains(out, "was moved from") || !strings.Contains(out, "next  write in rekey.yaml: database: file:db.txt") {
		t.Errorf("an old rekey.yaml is told:\n%s", out)
	}
	if _, out := s.rekey("doctor"); !strings.Contains(out, "was moved") {
		t.Errorf("the doctor says:\n%s", out)
	}
	// Nor is whoever has taken the database out of rekey.yaml before moving back sent to
	// the files of a journal that has left them.
	if out := s.do(exitUsage, "journal", "move", "--to", "elsewhere"); !strings.Contains(out, "was moved from") || !strings.Contains(out, "next  write in rekey.yaml: database: file:db.txt") {
		t.Errorf("a move from where it is no more says:\n%s", out)
	}
	s.do(exitDone, "verify", "--journal", ".rekey")
	s.inDatabase()
	if after := s.do(exitDone, "log", "--json"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	s.do(exitDone, "verify")
	if out := s.do(exitDone, "journal", "move", "--to", "file:db.txt"); !strings.Contains(out, "already") {
		t.Errorf("once more:\n%s", out)
	}
	s.do(exitDone, "run", console, wanted, "--confirm", console)
	s.do(exitDone, "journal", "backup", "copy.db")

	// The backup is restored into another schema, from an empty folder.
	restored := filepath.Join(s.dir, "restored")
	if err := os.Mkdir(restored, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(s.dir, "copy.db"), filepath.Join(restored, "journal.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "other.txt"), []byte(s.address(s.port)+"_restored"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.do(exitDone, "journal", "move", "--from", "restored", "--to", "file:other.txt")
	if out := s.do(exitDone, "--database", "file:other.txt", "verify"); !strings.Contains(out, "checkpoint") {
		t.Errorf("what was restored:\n%s", out)
	}
	s.do(exitDone, "--database", "file:other.txt", "drift")

	// And back into the folder.
	out = s.do(exitDone, "journal", "move", "--to", ".rekey")
	if !strings.Contains(out, "journal: ") {
		t.Errorf("a move back says:\n%s", out)
	}
	if out := s.do(exitUsage, "run", console, wanted, "--confirm", console); !strings.Contains(out, "was moved from") || !strings.Contains(out, "take database out of rekey.yaml") {
		t.Errorf("an old rekey.yaml is told:\n%s", out)
	}
	s.rewrite(func(text string) string { return strings.Replace(text, s.there, "", 1) })
	s.do(exitDone, "verify")
	s.do(exitDone, "run", console, wanted, "--confirm", console)
	s.do(exitDone, "drift")
	s.do(exitDone, "verify")
	s.unharmed()
}

// takenUpElsewhere: a process is killed on one machine, and another machine goes on.
func takenUpElsewhere(t *testing.T, db *realserver.Postgres) {
	a := newShared(t, db)
	a.inDatabase()
	a.do(exitDone, "run", console, wanted, "--confirm", console)
	b := a.another().withKeys(a)
	killed := 0
	for lines := 3; lines <= 27; lines += 12 {
		_, dead, out := command(t, lines, 0, "-C", a.dir, "run", console, wanted, "--confirm", console, "--json")
		if !dead {
			continue
		}
		killed++
		if code, again := b.rekey("resume", "--confirm", console); code != exitDone && code != exitRolledBack && !strings.Contains(again, "no run is open") {
			t.Errorf("killed after %d lines, resumed with %d:\n%s\n%s", lines, code, again, out)
		}
		a.unharmed()
	}
	if killed < 2 {
		t.Errorf("only %d were killed", killed)
	}
	a.do(exitDone, "verify")
	b.do(exitDone, "drift")
}

// answersAreLost: whichever answer of the database is lost in a run, it ends, or says how
// to go on, and that works.
func answersAreLost(t *testing.T, db *realserver.Postgres) {
	s := newShared(t, db)
	s.inDatabase()
	s.do(exitDone, "run", console, wanted, "--confirm", console)
	proxy := realserver.NewProxy(t, db.Port)
	stopped := 0
	for _, piece := range []int{21, 48, 75, 102, 133} {
		s.at(s.dir, proxy.Port)
		proxy.Set(realserver.After, piece, nil)
		code, out := s.rekey("run", console, wanted, "--confirm", console)
		struck, _ := proxy.Struck()
		proxy.Set(realserver.None, 0, nil)
		s.at(s.dir, s.port)
		if code != exitDone {
			stopped++
			if code, again := s.rekey("resume", "--confirm", console); code != exitDone && code != exitRolledBack && !strings.Contains(again, "no run is open") {
				t.Errorf("piece %d: %d, and resumed with %d:\n%s\n%s", piece, code, code, out, again)
			}
		}
		if !struck {
			t.Errorf("piece %d was never sent", piece)
		}
		s.unharmed()
	}
	t.Logf("%d runs stopped", stopped)
	s.do(exitDone, "verify")
}

// wrongIsTold in the words of the command line: exit code 2, nothing touched, what to do.
func wrongIsTold(t *testing.T, db *realserver.Postgres) {
	s := newShared(t, db)
	for _, tt := range []struct{ database, why, next string }{
		{"postgres://nobody:hunter2@127.0.0.1:1/x", "holds a password", "PGPASSWORD"},
		{"postgres://nobody@127.0.0.1:1/x", "connection refused", "start it"},
		{"env:NOT_SET_HERE", "env:NOT_SET_HERE is not set", ""},
		{fmt.Sprintf("postgres://nobody@127.0.0.1:%d/trusting", db.Port), "does not let the role nobody in", "CREATE ROLE"},
	} {
		for _, command := range []string{"run", "doctor"} {
			args := []string{"--database", tt.database, command, console}
			if command == "run" {
				args = append(args, wanted, "--confirm", console)
			}
			code, out := s.rekey(args...)
			if command == "run" && code == exitDone || !strings.Contains(out, tt.why) || !strings.Contains(out, tt.next) || strings.Contains(out, "hunter2") {
				t.Errorf("rekey %s: %d\n%s", strings.Join(args, " "), code, out)
			}
		}
	}
}

// serverRestarts: everybody's sessions end in the middle of a run, with its locks. It
// stops, says what is live and how to go on, and goes on.
func serverRestarts(t *testing.T, db *realserver.Postgres) {
	s := newShared(t, db)
	s.inDatabase()
	s.do(exitDone, "run", console, wanted, "--confirm", console)
	const restart = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'trusting'"
	for _, tt := range []struct{ down, up, want string }{
		{restart, "SELECT 1", "lost its locks"},
		{"ALTER DATABASE trusting ALLOW_CONNECTIONS false; " + restart, "ALTER DATABASE trusting ALLOW_CONNECTIONS true", "not currently accepting connections"},
	} {
		var once sync.Once
		s.before = func(call string) {
			if strings.HasPrefix(call, "POST ") && strings.Contains(call, "service_tokens") {
				once.Do(func() { db.SQL(t, "postgres", tt.down) })
			}
		}
		code, out := s.rekey("run", console, wanted, "--confirm", console)
		s.before = nil
		db.SQL(t, "postgres", tt.up)
		if code != exitStuck || !strings.Contains(out, tt.want) || !strings.Contains(out, "  live  ") || !strings.Contains(out, "rekey -C "+s.dir+" resume ") {
			t.Errorf("it does not say what happened and how to go on: %d\n%s", code, out)
		}
		if code, out := s.rekey("resume", "--confirm", console); code != exitDone && code != exitRolledBack {
			t.Errorf("resumed with %d:\n%s", code, out)
		}
		s.unharmed()
	}
	s.do(exitDone, "verify")
}
