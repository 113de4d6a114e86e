package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func draft(run string) Draft {
	return Draft{At: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), Run: run, Subject: "CF_X", Kind: "opened", Body: []byte(`{}`)}
}

// TestTheFolderOfAJournalMayHaveAnyName: the file is where the folder is, and
// nowhere else.
func TestTheFolderOfAJournalMayHaveAnyName(t *testing.T) {
	for _, name := range []string{"a#b", "a%41b", "what?mode=memory", "two  spaces ", "per%cent%", "a&b=c;d+e", "ä ü", "quote'\"`$(x)", "%23", ":memory:", "file:x", "back\\slash"} {
		if runtime.GOOS == "windows" && strings.ContainsAny(name, `?":\`) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, name)
			j, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Append(context.Background(), draft("r")); err != nil {
				t.Fatal(err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
				t.Errorf("the journal is not in its folder: %v", err)
			}
			if all, _ := os.ReadDir(root); len(all) != 1 {
				t.Errorf("something was made beside the folder: %v", all)
			}
			again, err := OpenExisting(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = again.Close() }()
			if n, _, err := again.Verify(context.Background()); err != nil || n != 1 {
				t.Errorf("%d entries, %v", n, err)
			}
		})
	}
}

// TestWhatIsNoJournalIsNotTakenForAnEmptyOne: a journal that was lost is told, and
// nothing is begun in its place.
func TestWhatIsNoJournalIsNotTakenForAnEmptyOne(t *testing.T) {
	write := func(name, text string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	}
	remove := func(dir string) error { return os.Remove(filepath.Join(dir, file)) }
	for _, tt := range []struct {
		name, why string
		damage    []func(dir string) error
	}{
		{"it is empty", "empty", []func(string) error{write(file, "")}},
		{"it is not a database", "it is not a database", []func(string) error{write(file, strings.Repeat("this is not a database ", 300))}},
		{"it was deleted, and its write-ahead log was not", "missing", []func(string) error{remove, write(file+"-wal", "x")}},
		{"it was deleted, and the key of fingerprints was not", "missing", []func(string) error{remove, write("fingerprint.key", "x")}},
		{"it was deleted, and the public keys were not", "missing", []func(string) error{remove, write("evidence.pub", "x")}},
		{"it has no tables", "no table of entries", []func(string) error{func(dir string) error {
			db, err := connect(filepath.Join(dir, file), "rw")
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			_, err = db.Exec(`DROP TABLE entries; DROP TABLE tree; DROP TABLE checkpoints; DROP TABLE sent`)
			return err
		}}},
		{"its tables are others", "not those of a journal", []func(string) error{func(dir string) error {
			db, err := connect(filepath.Join(dir, file), "rw")
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			_, err = db.Exec(`ALTER TABLE entries RENAME COLUMN body TO content`)
			return err
		}}},
		{"it is a folder", "not a file", []func(string) error{remove, func(dir string) error { return os.Mkdir(filepath.Join(dir, file), 0o700) }}},
		{"it was cut short", "damaged", []func(string) error{func(dir string) error { return os.Truncate(filepath.Join(dir, file), 5000) }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j, dir := open3(t)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			for _, f := range tt.damage {
				if err := f(dir); err != nil {
					t.Fatal(err)
				}
			}
			for how, open := range map[string]func(string) (*Journal, error){"Open": Open, "OpenExisting": OpenExisting} {
				j, err := open(dir)
				if err == nil {
					_ = j.Close()
				}
				var d *Damaged
				if !errors.As(err, &d) || !strings.Contains(err.Error(), tt.why) || !strings.Contains(err.Error(), "next") {
					t.Errorf("%s: %v, want %q", how, err, tt.why)
				}
			}
		})
	}
}

// TestAJournalThatIsTakenAwayWhileItIsInUseIsMissed at the next entry: what is
// written to it would be read by nobody.
func TestAJournalThatIsTakenAwayWhileItIsInUseIsMissed(t *testing.T) {
	other := func(t *testing.T) string {
		_, dir := open3(t)
		return filepath.Join(dir, file)
	}
	copyOver := func(t *testing.T, from, to string) {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write(b)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, what string
		happens    func(t *testing.T, path, before string)
	}{
		{"it is deleted", "deleted", func(t *testing.T, path, _ string) { _ = os.Remove(path) }},
		{"its folder is deleted", "deleted", func(t *testing.T, path, _ string) { _ = os.RemoveAll(filepath.Dir(path)) }},
		{"its write-ahead log is deleted", "deleted", func(t *testing.T, path, _ string) { _ = os.Remove(path + "-wal") }},
		{"another takes its place", "replaced", func(t *testing.T, path, _ string) { _ = os.Rename(other(t), path) }},
		{"its folder is set back", "replaced", func(t *testing.T, path, before string) {
			_ = os.Rename(path, path+".old")
			b, err := os.ReadFile(before)
			if err != nil {
				t.Fatal(err)
			}
			_ = os.WriteFile(path, b, 0o600)
		}},
		{"it is emptied", "cut short", func(t *testing.T, path, _ string) { _ = os.Truncate(path, 0) }},
		{"an older one is copied over it", "cut short", func(t *testing.T, path, before string) { copyOver(t, before, path) }},
		{"another one is copied over it", "written over", func(t *testing.T, path, _ string) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_ = os.WriteFile(path, bytes.ReplaceAll(b, []byte("xxxx"), []byte("yyyy")), 0o600)
		}},
		{"something else is copied over it", "written over", func(t *testing.T, path, _ string) {
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			_ = os.WriteFile(path, []byte(strings.Repeat("x", int(st.Size()))), 0o600)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := context.Background()
			first, dir := open3(t)
			_ = first.Close() // folds the write-ahead log in
			path, before := filepath.Join(dir, file), filepath.Join(t.TempDir(), "before")
			in, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(before, in, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			j, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = j.Close() }()
			for range 40 { // pages that the older one has not
				d := draft("r")
				d.Body = []byte(`"` + strings.Repeat("x", 900) + `"`)
				if err := j.Append(ctx, d); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := j.db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
				t.Fatal(err)
			}
			if err := j.Append(ctx, draft("r")); err != nil {
				t.Fatalf("a checkpoint of the write-ahead log is taken for somebody else's doing: %v", err)
			}
			past := time.Now().Add(-time.Hour)
			_ = os.Chtimes(path, past, past) // so that a coarse clock hides nothing
			if err := j.Append(ctx, draft("r")); err != nil {
				t.Fatalf("a file that is the same is refused: %v", err)
			}
			tt.happens(t, path, before)
			err = j.Append(ctx, draft("r"))
			var r *Replaced
			if !errors.As(err, &r) || !strings.Contains(err.Error(), tt.what) {
				t.Errorf("got %v, want %q", err, tt.what)
			}
		})
	}
}

// TestNobodyElseReadsTheJournal, whatever the process lets others do with its files,
// and whatever an older version or a restore has left.
func TestNobodyElseReadsTheJournal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	dir := filepath.Join(t.TempDir(), "new")
	look := func(when string) {
		t.Helper()
		for _, name := range []string{file, file + "-wal", file + "-shm", "locks", "locks/CF_X.lock", "."} {
			st, err := os.Stat(filepath.Join(dir, name))
			if err != nil || st.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s: %v %v", when, name, st.Mode(), err)
			}
		}
	}
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := j.Lock("CF_X")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	look("made")
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	look("opened again")
	_, _ = again.Close(), j.Close()
}

// TestJournalsThatAreBegunTogetherAreOne: none of several processes takes the one
// that another has half made, or makes its own over it.
func TestJournalsThatAreBegunTogetherAreOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			j, err := Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = j.Close() }()
			if err := j.Append(context.Background(), draft("r")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	j, err := OpenExisting(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if n, _, err := j.Verify(context.Background()); err != nil || n != 8 {
		t.Errorf("%d entries, %v", n, err)
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !strings.HasPrefix(f.Name(), file) {
			t.Errorf("%s was left", f.Name())
		}
	}
}

// TestWhatIsLookedAtBeforeAnEntryCannotChangeUntilItIsWritten: of many that write
// only if there is none, one does.
func TestWhatIsLookedAtBeforeAnEntryCannotChangeUntilItIsWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		open4(t, at)
		taken := errors.New("taken")
		var mu sync.Mutex
		wrote := 0
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				j, err := at.open()
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = j.Close() }()
				_, err = j.AppendIf(context.Background(), func(v View) error {
					e, err := v.LastOf(context.Background(), "new")
					if err == nil && e.Seq != 0 {
						err = taken
					}
					return err
				}, draft("new"))
				switch {
				case err == nil:
					mu.Lock()
					wrote++
					mu.Unlock()
				case err != taken:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wrote != 1 {
			t.Errorf("%d wrote", wrote)
		}
	})
}

// TestOneWriterAtATimePerPlace: whoever holds a place lets the others wait, not
// fail, and not for longer than they want to; two places never share a lock.
func TestOneWriterAtATimePerPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		other, err := at.existing()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Close() }()
		ctx := context.Background()
		long := "cloudflare:" + strings.Repeat("policy/", 80)
		var closes []func()
		for _, key := range []string{"cloudflare:policy/1", "cloudflare_policy/1", "cloudflare:policy 1", long + "1", long + "2", "../../x"} {
			release, err := j.Hold(ctx, key)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			closes = append(closes, release)
		}
		bounded, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := other.Hold(bounded, long+"2"); !errors.Is(err, ErrLocked) || !errors.Is(err, context.Canceled) {
			t.Errorf("of a place that is held: %v", err)
		}
		got := make(chan error)
		go func() {
			release, err := other.Hold(ctx, long+"2")
			if err == nil {
				release()
			}
			got <- err
		}()
		for _, c := range closes {
			c()
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// TestDamageIsToldByWhoeverReads: also where only pages are damaged that are not read
// when the journal is opened.
func TestDamageIsToldByWhoeverReads(t *testing.T) {
	j, dir := open3(t)
	many := make([]Draft, 400)
	for i := range many {
		many[i] = Draft{Run: "r", Subject: "s", Kind: "k", Body: json.RawMessage(`"` + strings.Repeat("x", 900) + `"`)}
	}
	if err := j.Append(t.Context(), many...); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 3; i < len(b)*2/3; i++ {
		b[i] = byte(i * 7)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err = OpenExisting(dir)
	if err == nil {
		defer func() { _ = j.Close() }()
		_, _, err = j.Verify(t.Context())
	}
	var d *Damaged
	if !errors.As(err, &d) || !strings.Contains(err.Error(), "the database in it is damaged") {
		t.Errorf("%v", err)
	}
}
