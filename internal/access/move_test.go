//go:build !windows

package access

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"rekey/internal/journal"
)

// TestTokensGoWithTheJournal to a database and back, as they are by then; where it was
// none is made or ended any more. Sessions stay behind.
func TestTokensGoWithTheJournal(t *testing.T) {
	folder := func() journal.Where { return journal.Where{Folder: filepath.Join(t.TempDir(), "journal")} }
	first, there, back := folder(), journal.Where{Address: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=moved%d", server(t).Port, os.Getpid())}, folder()
	open := func(at journal.Where) *journal.Journal {
		t.Helper()
		j, err := journal.Open(at.Folder)
		if at.Address != "" {
			j, err = journal.OpenPostgres(t.Context(), at.Address)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		return j
	}
	move := func(from, to journal.Where, id string) {
		t.Helper()
		j, err := journal.OpenLeaving(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		if _, err := j.Move(t.Context(), to, journal.Carrying{ID: id, Name: "there", At: time.Now(), Further: Carried()}); err != nil {
			t.Fatal(err)
		}
	}
	in := func(j *journal.Journal) *world {
		return newWorld(t, everything(), func(o *Options) { o.Journal = j })
	}
	list := func(w *world) []Token {
		t.Helper()
		all, err := w.Tokens().List(t.Context(), root())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	old := open(first)
	if err := old.Append(t.Context(), journal.Draft{At: time.Now(), Kind: "note", Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	w := in(old)
	made, secret := w.create(t, Wanted{Name: "nightly", Only: []string{"look"}, Lives: 24 * time.Hour})
	ended, gone := w.create(t, Wanted{Name: "dashboard", Only: []string{"look"}, Lives: 24 * time.Hour})
	if _, err := w.Tokens().Revoke(t.Context(), root(), ended.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.store.putSession(t.Context(), session{hash: "s", subject: "alice", expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	before := list(w)
	was := w
	for round, way := range [][2]journal.Where{{first, there}, {there, back}} {
		move(way[0], way[1], fmt.Sprint("m", round))
		if _, err := was.Tokens().Revoke(t.Context(), root(), made.ID); err == nil {
			t.Errorf("round %d: a token is ended where nobody looks any more", round)
		}
		if moved := (*journal.Moved)(nil); !errors.As(was.opened.Whereabouts(t.Context()), &moved) || moved.To == "" {
			t.Errorf("round %d: whoever has it open is not told", round)
		}
		now := open(way[1])
		if err := now.Whereabouts(t.Context()); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		w = in(now)
		if after := list(w); !reflect.DeepEqual(before, after) {
			t.Errorf("round %d: %+v became %+v", round, before, after)
		}
		if all, err := w.store.sessions(t.Context(), ""); err != nil || len(all) != 0 {
			t.Errorf("round %d: sessions %v (%v)", round, all, err)
		}
		if r := w.browser().get("/", bearer(gone)...); r.StatusCode != 401 {
			t.Errorf("round %d: what was revoked opens again: %d", round, r.StatusCode)
		}
		if r := w.browser().get("/", bearer(secret)...); r.StatusCode != 200 {
			t.Errorf("round %d: the token is not taken: %d", round, r.StatusCode)
		}
		was, before = w, list(w) // it was used by now
	}
}
