//go:build !windows

package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rekey/internal/realserver"
)

// many fills a journal with entries, a tree, checkpoints, what was sent, and keys.
func many(t *testing.T, j *Journal, n int) {
	t.Helper()
	var drafts []Draft
	for i := range n {
		d := draft(fmt.Sprint("r", i%7))
		d.Body = []byte(fmt.Sprintf(`{"n":%d,"text":"ä'\\\"\u0001<>"}`, i))
		drafts = append(drafts, d)
	}
	err := j.Append(t.Context(), drafts...)
	for i := range 3 {
		err = errors.Join(err, j.Tend(t.Context(), func(tree *Tree) error {
			c, err := tree.Add(Checkpoint{Size: int64(i + 1), Note: "note\nof " + fmt.Sprint(i) + "\n", Made: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)})
			for k := range 700 {
				err = errors.Join(err, tree.Keep(i, int64(k), fmt.Sprint("hash", i, k)))
			}
			_ = c
			return err
		}), j.MarkSent(t.Context(), "file:/a", int64(i+1), time.Now()), j.MarkSent(t.Context(), "Webhook:ü", int64(i+1), time.Now()))
	}
	err = errors.Join(err, j.AddKey(t.Context(), "k+1", true), j.AddKey(t.Context(), "k+2", false), j.Mark(t.Context(), "m", `{"a":1}`))
	if _, check := j.Check(t.Context(), "fingerprints", "c"); err != nil || check != nil {
		t.Fatal(err, check)
	}
}

// content is everything that a journal holds.
func content(t *testing.T, j *Journal) (out []any) {
	t.Helper()
	var entries []Entry
	err := j.Each(t.Context(), func(e Entry) error { entries = append(entries, e); return nil })
	checkpoints, err2 := j.Checkpoints(t.Context())
	sent, err3 := j.Sent(t.Context())
	kept, err4 := j.KeptHashes(t.Context())
	keys, err5 := j.Keys(t.Context())
	check, err6 := j.CheckOf(t.Context(), "fingerprints")
	mark, err7 := j.MarkOf(t.Context(), "m")
	if err := errors.Join(err, err2, err3, err4, err5, err6, err7); err != nil {
		t.Fatal(err)
	}
	if len(entries) < 10 || len(checkpoints) != 3 || len(sent) != 2 || len(kept) != 2100 || len(keys) != 2 || check != "c" || mark == "" {
		t.Fatalf("%d entries, %d checkpoints, %d sent, %d hashes, keys %v, check %q, mark %q", len(entries), len(checkpoints), len(sent), len(kept), keys, check, mark)
	}
	return []any{entries, checkpoints, sent, kept, keys, check, mark}
}

func where(at spot) Where { return Where{Folder: at.dir, Address: at.address} }

// move moves a journal as a command does.
func move(ctx context.Context, from, to spot, c Carrying) (Carried, error) {
	j, err := OpenLeaving(ctx, where(from))
	if err != nil {
		return Carried{}, err
	}
	defer func() { _ = j.Close() }()
	c.At = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	return j.Move(ctx, where(to), c)
}

// TestAJournalIsMovedThereAndBack: it holds the same, the old one refuses everybody, and
// says where it went.
func TestAJournalIsMovedThereAndBack(t *testing.T) {
	there := onServer(t)
	here := spot{dir: t.TempDir()}
	j, err := here.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	many(t, j, 1300)
	for round, way := range [][2]spot{{here, there}, {there, here}} {
		from, to := way[0], way[1]
		if round == 1 {
			if j, err = from.open(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = j.Close() }()
			if err := j.Append(t.Context(), draft("there")); err != nil {
				t.Fatal(err)
			}
		}
		before := content(t, j)
		told := int64(0)
		c := Carrying{ID: fmt.Sprint("m", round), Name: "env:THERE", Tell: func(n int64) { told = n }}
		got, err := move(t.Context(), from, to, c)
		if err != nil || got.Entries != int64(1300+round) || got.Already || told < 500 {
			t.Fatalf("%+v %v (told %d)", got, err, told)
		}
		moved, err := to.open()
		if err != nil {
			t.Fatal(err)
		}
		if after := content(t, moved); !reflect.DeepEqual(before, after) {
			t.Errorf("round %d: it does not hold the same", round)
		}
		var gone *Moved
		for name, err := range map[string]error{
			"who has it open": j.Append(t.Context(), draft("late")),
			"who tends it":    j.Tend(t.Context(), func(tree *Tree) error { _, err := tree.Add(Checkpoint{Note: "x"}); return j.told(err) }),
			"who opens it":    opens(from.open),
			"who reads it":    opens(from.existing),
		} {
			if !errors.As(err, &gone) || gone.To != got.To || gone.At.IsZero() {
				t.Errorf("round %d: %s: %v", round, name, err)
			}
		}
		again, err := move(t.Context(), from, to, c)
		if err != nil || !again.Already {
			t.Errorf("once more: %+v %v", again, err)
		}
		if err := moved.Append(t.Context(), draft("goes on")); err != nil {
			t.Error(err)
		}
		if again, err := move(t.Context(), from, to, c); err != nil || !again.Already || again.Entries != got.Entries+1 {
			t.Errorf("once more, later: %+v %v", again, err)
		}
		if _, err := moved.db.Exec(`DELETE FROM entries WHERE run = 'goes on'`); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if _, err := moved.db.Exec(`UPDATE head SET (seq, hash) = (SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1)`); err != nil {
				t.Fatal(err)
			}
			oldVersion(t, here, got.To)
		}
		_ = moved.Close()
	}
	if _, err := os.Stat(filepath.Join(here.dir, "journal-moved.db")); err != nil {
		t.Errorf("the first one was not put aside: %v", err)
	}
	if all, _ := filepath.Glob(filepath.Join(here.dir, "journal-arriving*")); len(all) > 0 {
		t.Errorf("left behind: %v", all)
	}
}

func opens(open func() (*Journal, error)) error {
	j, err := open()
	if err == nil {
		_ = j.Close()
	}
	return err
}

// oldVersion writes as a Rekey does that knows nothing of moves; whoever only verifies
// an old journal can.
func oldVersion(t *testing.T, at spot, to string) {
	t.Helper()
	db, err := connect(filepath.Join(at.dir, file), "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = db.Exec(`INSERT INTO entries (seq, at, run, subject, kind, body, prev, hash) VALUES (9999, '', '', '', '', '', '', '')`)
	if err == nil || !strings.Contains(err.Error(), "moved to "+to) {
		t.Errorf("an older version is told: %v", err)
	}
	c, err := OpenCopy(at.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if n, _, err := c.Verify(t.Context()); err != nil || n != 1300 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// TestWhoeverWritesWhileAJournalIsMovedLosesNothing: what was told as written is there,
// and then the writer is told where it went.
func TestWhoeverWritesWhileAJournalIsMovedLosesNothing(t *testing.T) {
	server := onServer(t)
	for name, way := range map[string][2]spot{"to PostgreSQL": {{dir: t.TempDir()}, server}, "to a folder": {onServer(t), {dir: t.TempDir()}}} {
		t.Run(name, func(t *testing.T) {
			j, err := way[0].open()
			if err != nil {
				t.Fatal(err)
			}
			many(t, j, 2000)
			_ = j.Close()
			var wg sync.WaitGroup
			var stop atomic.Bool
			written := make([]int, 3)
			begun := make(chan struct{}, len(written))
			for i := range written {
				wg.Go(func() {
					w, err := way[0].open()
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = w.Close() }()
					begun <- struct{}{}
					for !stop.Load() {
						err := w.Append(context.Background(), draft(fmt.Sprint("w", i)))
						var gone *Moved
						if errors.As(err, &gone) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
						written[i]++
						// SQLite's lock goes to whoever asks first: three that never pause
						// would keep the move from it for ever.
						time.Sleep(3 * time.Millisecond)
					}
				})
			}
			for range written {
				<-begun
			}
			_, err = move(t.Context(), way[0], way[1], Carrying{ID: "m"})
			if err != nil {
				stop.Store(true)
			}
			wg.Wait()
			if err != nil {
				t.Fatal(err)
			}
			moved, err := way[1].open()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = moved.Close() }()
			for i, n := range written {
				if got, err := moved.Run(t.Context(), fmt.Sprint("w", i)); err != nil || len(got) != n {
					t.Errorf("writer %d was told of %d entries, and there are %d: %v", i, n, len(got), err)
				}
			}
			if _, _, err := moved.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAMoveThatIsRefusedChangesNothing: whoever used the old journal goes on.
func TestAMoveThatIsRefusedChangesNothing(t *testing.T) {
	busy := errors.New("busy")
	for name, tt := range map[string]struct {
		before func(t *testing.T, from, to *Journal)
		busy   error
		want   string
	}{
		"somebody is at a run": {busy: busy, want: "busy"},
		"another journal is there": {before: func(t *testing.T, _, to *Journal) {
			if err := to.Append(t.Context(), draft("x")); err != nil {
				t.Fatal(err)
			}
		}, want: "there is a journal in it already"},
		"it does not verify": {before: func(t *testing.T, from, _ *Journal) {
			if _, err := from.db.Exec(`UPDATE entries SET body = '{}' WHERE seq = 700`); err != nil {
				t.Fatal(err)
			}
		}, want: "entry 700: it was edited"},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := spot{dir: t.TempDir()}, onServer(t)
			j, err := from.open()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = j.Close() }()
			many(t, j, 1000)
			dest, err := to.open()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = dest.Close() }()
			if tt.before != nil {
				tt.before(t, j, dest)
			}
			_, err = move(t.Context(), from, to, Carrying{ID: "m", Busy: func(View, *sql.Tx) error { return tt.busy }})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if err := j.Append(t.Context(), draft("on")); err != nil {
				t.Errorf("the old one: %v", err)
			}
			if err := opens(from.open); err != nil {
				t.Errorf("the old one: %v", err)
			}
			if tt.busy != nil { // later it is done; until then nobody begins another one there
				var coming *Arriving
				if err := dest.Append(t.Context(), draft("x")); !errors.As(err, &coming) {
					t.Errorf("who had the new place open: %v", err)
				}
				if err := opens(to.open); !errors.As(err, &coming) {
					t.Errorf("who opens the new place: %v", err)
				}
				if got, err := move(t.Context(), from, to, Carrying{ID: "other"}); err != nil || got.Entries != 1001 {
					t.Errorf("%+v %v", got, err)
				}
			}
		})
	}
}

// TestAMoveMayBeKilledAtAnyMoment, with SIGKILL, and is done again: nothing is lost, and
// at no moment two journals can be written.
func TestAMoveMayBeKilledAtAnyMoment(t *testing.T) {
	if a := os.Getenv("REKEY_JOURNAL_MOVER"); a != "" {
		from, to := spot{dir: os.Getenv("REKEY_JOURNAL_FROM")}, spot{address: a}
		if os.Getenv("REKEY_JOURNAL_BACK") != "" {
			from, to = to, from
		}
		_, err := move(context.Background(), from, to, Carrying{ID: fmt.Sprint(os.Getpid())})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	var killed atomic.Int64
	t.Run("killed", func(t *testing.T) {
		for _, back := range []string{"", "1"} {
			for piece := 2; piece <= 47; piece += 10 {
				t.Run(fmt.Sprint(back, piece), func(t *testing.T) {
					t.Parallel()
					if killedAt(t, back, piece) {
						killed.Add(1)
					}
				})
			}
		}
	})
	if killed.Load() < 7 {
		t.Errorf("only %d were killed", killed.Load())
	}
}

// killedAt kills a move when it sends its n-th piece to the server, and does it again.
func killedAt(t *testing.T, back string, piece int) bool {
	direct, folder := onServer(t), spot{dir: t.TempDir()}
	from, to := folder, direct
	if back != "" {
		from, to = direct, folder
	}
	j, err := from.open()
	if err != nil {
		t.Fatal(err)
	}
	many(t, j, 700)
	before := content(t, j)
	_ = j.Close()
	proxy := realserver.NewProxy(t, postgres(t).Port)
	by := through(t, direct, proxy)
	cmd := mover(by, folder, back)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	started := make(chan int, 1) // its number, once it has one
	proxy.Set(realserver.Pass, piece, func() { _ = syscall.Kill(<-started, syscall.SIGKILL) })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started <- cmd.Process.Pid
	if err := cmd.Wait(); err != nil && out.Len() > 0 {
		t.Fatal(out.String())
	}
	struck, pieces := proxy.Struck()
	proxy.Set(realserver.None, 0, nil)
	if !struck {
		t.Logf("it takes %d pieces", pieces)
	}
	writable := 0
	for _, at := range []spot{from, to} {
		w, err := at.existing()
		if err != nil {
			continue
		}
		if last, err := w.Last(t.Context()); err == nil && last.Seq > 0 {
			writable++
		}
		_ = w.Close()
	}
	if writable > 1 || writable == 0 && !between(t, from, to) {
		t.Errorf("%d journals can be written", writable)
	}
	// By the address that was given first, as a person would.
	if out, err := mover(by, folder, back).CombinedOutput(); err != nil {
		t.Fatalf("once more: %v: %s", err, out)
	}
	moved, err := to.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = moved.Close() }()
	if after := content(t, moved); !reflect.DeepEqual(before, after) {
		t.Error("it does not hold the same")
	}
	if err := moved.Append(t.Context(), draft("on")); err != nil {
		t.Error(err)
	}
	return struck
}

// mover is a process that moves a journal.
func mover(server, folder spot, back string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestAMoveMayBeKilledAtAnyMoment$")
	cmd.Env = append(os.Environ(), "REKEY_JOURNAL_MOVER="+server.address, "REKEY_JOURNAL_FROM="+folder.dir, "REKEY_JOURNAL_BACK="+back)
	return cmd
}

// between tells whether the old journal has refused writes and the new one takes none
// yet: the only moment at which there is no journal to write to.
func between(t *testing.T, from, to spot) bool {
	t.Helper()
	var gone *Moved
	return errors.As(opens(from.existing), &gone) && opens(to.existing) != nil
}

// TestABackupOfAServersJournalIsAFileThatVerifies, is of one moment, and is restored by
// moving it to an empty place.
func TestABackupOfAServersJournalIsAFileThatVerifies(t *testing.T) {
	at := onServer(t)
	j, err := at.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	many(t, j, 1500)
	want := content(t, j)
	dir := t.TempDir()
	path := filepath.Join(dir, file)
	n, last, err := j.Backup(t.Context(), path)
	if err != nil || n != 1500 || last == "" {
		t.Fatalf("%d %s %v", n, last, err)
	}
	if _, _, err := j.Backup(t.Context(), path); !errors.Is(err, ErrThere) {
		t.Errorf("over one that is there: %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("left beside it: %v", all)
	}
	to := onServer(t)
	if got, err := move(t.Context(), spot{dir: dir}, to, Carrying{ID: "restore"}); err != nil || got.Entries != 1500 {
		t.Fatalf("%+v %v", got, err)
	}
	restored, err := to.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = restored.Close() }()
	if !reflect.DeepEqual(want, content(t, restored)) {
		t.Error("what is restored is not what was backed up")
	}
}

// TestAJournalOfAnOlderVersionIsMoved, which kept entries only.
func TestAJournalOfAnOlderVersionIsMoved(t *testing.T) {
	from, to := spot{dir: t.TempDir()}, onServer(t)
	j := open4(t, from)
	if _, err := j.db.Exec(`DROP TABLE tree; DROP TABLE checkpoints; DROP TABLE sent; DROP TABLE standing`); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	if got, err := move(t.Context(), from, to, Carrying{ID: "m"}); err != nil || got.Entries != 4 {
		t.Fatalf("%+v %v", got, err)
	}
	moved, err := to.open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = moved.Close() }()
	if n, _, err := moved.Verify(t.Context()); err != nil || n != 4 {
		t.Errorf("%d entries, %v", n, err)
	}
}
