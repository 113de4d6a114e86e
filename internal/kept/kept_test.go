//go:build !windows

package kept_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/kept"
	"rekey/internal/realserver"
	"rekey/internal/refs"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

var postgres, stopPostgres = realserver.PostgresOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopPostgres) }

var schemas atomic.Int64

// machine is a place with a folder of its own; all of one test share a database.
type machine struct {
	kept.Place
	env map[string]string
}

func machines(t *testing.T, n int) (out []machine) {
	t.Helper()
	address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=k%d", postgres(t).Port, schemas.Add(1))
	for range n {
		m := machine{env: map[string]string{"DB": address}}
		m.Place = kept.Place{Folder: filepath.Join(t.TempDir(), "keys"), Database: "env:DB",
			Finder: &refs.Finder{Env: func(name string) (string, bool) { v, ok := m.env[name]; return v, ok }}}
		out = append(out, m)
	}
	return out
}

// opens opens a journal and what goes with it, and closes it.
func opens(t *testing.T, p kept.Place, then func(j *journal.Journal, k secret.Keyer)) error {
	t.Helper()
	j, err := p.Write(t.Context())
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	k, _, err := p.Beside(t.Context(), j)
	if err == nil && then != nil {
		then(j, k)
	}
	return err
}

// TestAMachineWithAnotherKeyIsRefused, and one without; with the same one, in its folder
// or by reference, both make the same fingerprints.
func TestAMachineWithAnotherKeyIsRefused(t *testing.T) {
	all := machines(t, 3)
	a, b, c := all[0], all[1], all[2]
	prints := map[string]bool{}
	note := func(_ *journal.Journal, k secret.Keyer) { prints[string(k.OfText("x"))] = true }
	if err := opens(t, a.Place, note); err != nil {
		t.Fatal(err)
	}
	var other *kept.OtherKey
	if err := opens(t, b.Place, nil); !errors.As(err, &other) || !other.Missing {
		t.Fatalf("a machine without key: %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.Folder, kept.KeyFile)); err == nil {
		t.Error("a key was made for a journal that has one already")
	}
	if err := os.MkdirAll(b.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := secret.KeepNewKeyer(filepath.Join(b.Folder, kept.KeyFile)); err != nil {
		t.Fatal(err)
	}
	if err := opens(t, b.Place, nil); !errors.As(err, &other) || other.Missing {
		t.Fatalf("a machine with another key: %v", err)
	}
	key, err := os.ReadFile(filepath.Join(a.Folder, kept.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.Folder, kept.KeyFile), key, 0o600); err != nil {
		t.Fatal(err)
	}
	c.env["KEY"], c.FingerprintKey = string(key), sop.Refs{"env:KEY"}
	for _, m := range []machine{b, c} {
		if err := opens(t, m.Place, note); err != nil {
			t.Error(err)
		}
	}
	if len(prints) != 1 {
		t.Errorf("they make different fingerprints: %v", prints)
	}
	if all, _ := os.ReadDir(c.Folder); len(all) > 0 {
		t.Errorf("with a reference the folder is not needed: %v", all)
	}
	c.env["KEY"] = strings.Repeat("0a", 32)
	if err := opens(t, c.Place, nil); !errors.As(err, &other) || other.InFile || other.Where != "env:KEY" {
		t.Errorf("a reference to another key: %v", err)
	}
	var damaged *kept.KeyDamaged
	c.env["KEY"] = "hunter2"
	if err := opens(t, c.Place, nil); !errors.As(err, &damaged) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a reference to no key: %v", err)
	}
	// Nothing of a key is in the database.
	for _, row := range postgres(t).SQL(t, "trusting", "SELECT name, value FROM k1.beside_checks") {
		if len(row[1]) != 20 || strings.Contains(string(key), row[1]) {
			t.Errorf("%v", row)
		}
	}
}

// TestMachinesThatBeginTogetherHaveOneKey: one is the first, and the others are told.
func TestMachinesThatBeginTogetherHaveOneKey(t *testing.T) {
	var wg sync.WaitGroup
	var first, told atomic.Int64
	for _, m := range machines(t, 5) {
		wg.Go(func() {
			var other *kept.OtherKey
			switch err := opens(t, m.Place, nil); {
			case err == nil:
				first.Add(1)
			case errors.As(err, &other):
				told.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 || told.Load() != 4 {
		t.Errorf("%d were the first, %d were told", first.Load(), told.Load())
	}
}

// TestWhereTheKeyIsLostAnotherOneIsAccepted, in the transaction that records it.
func TestWhereTheKeyIsLostAnotherOneIsAccepted(t *testing.T) {
	all := machines(t, 2)
	a, b := all[0], all[1]
	if err := opens(t, a.Place, nil); err != nil {
		t.Fatal(err)
	}
	j, err := b.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	refused := errors.New("refused")
	accept := func(end error) error {
		return b.Accept(t.Context(), j, func(change func(context.Context, *sql.Tx) error) error {
			_, err := j.AppendWith(t.Context(), func(_ journal.View, tx *sql.Tx) error {
				return errors.Join(change(t.Context(), tx), end)
			}, journal.Draft{At: time.Now(), Kind: "k", Body: []byte(`{}`)})
			return err
		})
	}
	if err := accept(refused); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if err := opens(t, a.Place, nil); err != nil {
		t.Errorf("after what was refused: %v", err)
	}
	if err := accept(nil); err != nil {
		t.Fatal(err)
	}
	if err := opens(t, b.Place, nil); err != nil {
		t.Error(err)
	}
	var other *kept.OtherKey
	if err := opens(t, a.Place, nil); !errors.As(err, &other) {
		t.Errorf("the old key: %v", err)
	}
}

// TestMarksAreSharedByAllMachines, and one without a database keeps them in its folder.
func TestMarksAreSharedByAllMachines(t *testing.T) {
	all := machines(t, 2)
	if err := opens(t, all[0].Place, nil); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(all[0].Folder, kept.KeyFile))
	if err == nil {
		err = errors.Join(os.MkdirAll(all[1].Folder, 0o700), os.WriteFile(filepath.Join(all[1].Folder, kept.KeyFile), key, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	folder := kept.Place{Folder: t.TempDir()}
	for name, pair := range map[string][2]kept.Place{"database": {all[0].Place, all[1].Place}, "folder": {folder, folder}} {
		t.Run(name, func(t *testing.T) {
			var at [2]*journal.Journal
			for i, p := range pair {
				if at[i], err = p.Write(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = at[i].Close() }()
			}
			_, one, err := pair[0].Beside(t.Context(), at[0])
			if err != nil {
				t.Fatal(err)
			}
			_, two, err := pair[1].Beside(t.Context(), at[1])
			if err != nil {
				t.Fatal(err)
			}
			v := secret.New("hunter2")
			for i := range 6 {
				one.Mark("login of x", v, time.Unix(int64(i), 0))
			}
			when, same := two.Marked("login of x", v)
			if len(when) != 4 || !same || when[3].Unix() != 5 {
				t.Errorf("%v %v", when, same)
			}
			if _, same := two.Marked("login of x", secret.New("other")); same {
				t.Error("another value is taken for it")
			}
			two.Clear("login of x")
			if when, _ := one.Marked("login of x", v); len(when) != 0 {
				t.Errorf("%v", when)
			}
		})
	}
}

// TestNoAddressWithAPasswordIsTakenAsItStands.
func TestNoAddressWithAPasswordIsTakenAsItStands(t *testing.T) {
	p := kept.Place{Database: "postgres://u:hunter2@h/d", Finder: &refs.Finder{Env: os.LookupEnv}}
	if _, err := p.Read(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	if strings.Contains(p.Name(), "hunter2") {
		t.Error(p.Name())
	}
}

// TestAJournalThatWasMovedIntoAFolderWantsItsKey: there a new one would be made otherwise,
// to which every value that an open run has noted looks like somebody else's.
func TestAJournalThatWasMovedIntoAFolderWantsItsKey(t *testing.T) {
	p := kept.Place{Folder: t.TempDir()}
	j, err := p.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if _, err := j.Check(t.Context(), "fingerprint key", "of the key that lies elsewhere"); err != nil {
		t.Fatal(err)
	}
	_, _, err = p.Beside(t.Context(), j)
	if other, is := errors.AsType[*kept.OtherKey](err); !is || !other.Missing {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(p.Folder, kept.KeyFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key was made: %v", err)
	}
}
