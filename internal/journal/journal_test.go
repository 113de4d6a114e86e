package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open3(t *testing.T) (*Journal, string) {
	t.Helper()
	dir := t.TempDir()
	return open4(t, spot{dir: dir}), dir
}

// spot is where a journal is: a folder, or a server.
type spot struct{ dir, address string }

func (s spot) open() (*Journal, error) {
	if s.address != "" {
		return OpenPostgres(context.Background(), s.address)
	}
	return Open(s.dir)
}

func (s spot) existing() (*Journal, error) {
	if s.address != "" {
		return OpenExistingPostgres(context.Background(), s.address)
	}
	return OpenExisting(s.dir)
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, f func(t *testing.T, s spot)) {
	t.Run("SQLite", func(t *testing.T) { f(t, spot{dir: t.TempDir()}) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, onServer(t)) })
}

// open4 opens a journal of four entries.
func open4(t *testing.T, s spot) *Journal {
	t.Helper()
	j, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	at := time.Date(2026, 11, 23, 9, 0, 0, 123456789, time.FixedZone("", 3600))
	for i, kind := range []string{"opened", "intent", "outcome", "closed"} {
		d := Draft{At: at.Add(time.Duration(i) * time.Second), Run: "r1", Subject: "CF_X", Kind: kind, Body: []byte(fmt.Sprintf("{\n \"n\": %d }", i))}
		if err := j.Append(context.Background(), d); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func TestEntriesComeBackAsTheyWereWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		entries, err := j.Run(context.Background(), "r1")
		if err != nil || len(entries) != 4 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		e := entries[1]
		if e.Seq != 2 || e.Kind != "intent" || string(e.Body) != `{"n":1}` || e.Prev != entries[0].Hash {
			t.Errorf("%+v", e)
		}
		if want := "2026-11-23T08:00:01.123456789Z"; e.At.Format(time.RFC3339Nano) != want {
			t.Errorf("at %s, want %s", e.At.Format(time.RFC3339Nano), want)
		}
		if n, last, err := j.Verify(context.Background()); err != nil || n != 4 || last != entries[3].Hash {
			t.Errorf("verify: %d %s %v", n, last, err)
		}
		kinds, err := j.Kinds(context.Background(), "opened", "closed")
		if err != nil || len(kinds) != 2 {
			t.Errorf("kinds: %v %v", kinds, err)
		}
	})
}

// TestVerifyFindsEveryKindOfTampering: whatever is edited, left out, added or put
// elsewhere is found, at its place.
func TestVerifyFindsEveryKindOfTampering(t *testing.T) {
	for _, tt := range []struct {
		name, sql string
		seq       int64
	}{
		{"a body is edited", `UPDATE entries SET body = '{"n":9}' WHERE seq = 2`, 2},
		{"a time is edited", `UPDATE entries SET at = '2026-11-23T08:00:09Z' WHERE seq = 3`, 3},
		{"a time is unreadable", `UPDATE entries SET at = 'yesterday' WHERE seq = 3`, 3},
		{"a run is renamed", `UPDATE entries SET run = 'r2' WHERE seq = 1`, 1},
		{"a subject is edited", `UPDATE entries SET subject = 'CF_Y' WHERE seq = 4`, 4},
		{"a kind is edited", `UPDATE entries SET kind = 'closed' WHERE seq = 2`, 2},
		{"one is taken out", `DELETE FROM entries WHERE seq = 2`, 2},
		{"the first is taken out", `DELETE FROM entries WHERE seq = 1`, 1},
		{"two change places", `UPDATE entries SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE seq IN (2, 3); UPDATE entries SET seq = -seq WHERE seq < 0`, 2},
		{"one is put in", `INSERT INTO entries SELECT 5, at, run, subject, kind, body, prev, hash FROM entries WHERE seq = 4`, 5},
		{"a hash is replaced", `UPDATE entries SET hash = 'ff' WHERE seq = 2`, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, at spot) {
				j := open4(t, at)
				if _, err := j.db.Exec(tt.sql); err != nil {
					t.Fatal(err)
				}
				_, _, err := j.Verify(context.Background())
				var broken *Broken
				if !errors.As(err, &broken) || broken.Seq != tt.seq {
					t.Errorf("got %v, want a break at %d", err, tt.seq)
				}
			})
		})
	}
}

func TestAppendIsAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		good := Draft{At: time.Now(), Run: "r2", Subject: "s", Kind: "a", Body: []byte(`{}`)}
		bad := good
		bad.Body = []byte(`{`)
		if err := j.Append(context.Background(), good, bad); err == nil {
			t.Fatal("broken JSON was taken")
		}
		if got, _ := j.Run(context.Background(), "r2"); len(got) != 0 {
			t.Errorf("half of an append is there: %v", got)
		}
	})
}

// TestSeveralWritersMakeOneChain: two processes may rotate two credentials at
// once and share the journal.
func TestSeveralWritersMakeOneChain(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		open4(t, at)
		const writers, each = 4, 25
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				j, err := at.open()
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = j.Close() }()
				for i := range each {
					d := Draft{At: time.Now(), Run: fmt.Sprint("w", w), Subject: "s", Kind: "k", Body: []byte(fmt.Sprint(i))}
					if err := j.Append(context.Background(), d); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		j, err := at.existing()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		if n, _, err := j.Verify(context.Background()); err != nil || n != 4+writers*each {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}

func TestOpenExistingMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := OpenExisting(dir); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was made")
	}
}

func TestOneHolderPerLock(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		unlock, err := j.Lock("CF/../X")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Lock("CF/../X"); !errors.Is(err, ErrLocked) {
			t.Errorf("second holder: %v", err)
		}
		other, err := j.Lock("CF_Y")
		if err != nil {
			t.Errorf("another credential is locked too: %v", err)
		}
		other()
		unlock()
		again, err := j.Lock("CF/../X")
		if err != nil {
			t.Fatalf("after unlocking: %v", err)
		}
		again()
	})
}

// TestJournalSurvivesKill kills a writing process at random moments: every entry
// whose append returned is there, and the chain holds.
func TestJournalSurvivesKill(t *testing.T) {
	if os.Getenv("REKEY_JOURNAL_WRITER") != "" {
		writeForEver()
	}
	onBoth(t, survivesKill)
}

func survivesKill(t *testing.T, at spot) {
	acknowledged := 0
	for i := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestJournalSurvivesKill$")
		cmd.Env = append(os.Environ(), "REKEY_JOURNAL_WRITER=yes", "REKEY_JOURNAL_DIR="+at.dir, "REKEY_JOURNAL_SERVER="+at.address)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Each byte is one acknowledged append; the kill comes after some of them.
		got := make([]byte, 3+i*2)
		for n := 0; n < len(got); {
			k, err := out.Read(got[n:])
			if err != nil {
				t.Fatalf("the writer ended by itself: %v", err)
			}
			n += k
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		acknowledged += strings.Count(string(got), ".")
	}
	j, err := at.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	n, _, err := j.Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if n < int64(acknowledged) {
		t.Errorf("%d appends were acknowledged, only %d are there", acknowledged, n)
	}
}

func writeForEver() {
	j, err := spot{os.Getenv("REKEY_JOURNAL_DIR"), os.Getenv("REKEY_JOURNAL_SERVER")}.open()
	if err != nil {
		panic(err)
	}
	for {
		d := Draft{At: time.Now(), Run: "r", Subject: "s", Kind: "k", Body: []byte(`{"x":1}`)}
		if err := j.Append(context.Background(), d); err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString(".")
	}
}

func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	body := []byte(`{"step":"store","generation":1,"class":"done"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Append(context.Background(), Draft{At: time.Now(), Run: "r", Subject: "s", Kind: "outcome", Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}
