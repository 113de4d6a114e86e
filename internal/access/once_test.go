package access

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// TestOfANameOneTokenIsMade however many ask at once, in as many processes: the database
// itself sees to it. Once that one is over, another may be made.
func TestOfANameOneTokenIsMade(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		w := newWorld(t, everything(), func(o *Options) { o.Journal = open(t) })
		by := rotation.Who{Name: "alice@example.com", Verified: true, Roles: []string{"admin", "superadmin", "viewer", "bot"}}
		rush := func(round string) (made Token, secret string) {
			t.Helper()
			var all sync.WaitGroup
			var mu sync.Mutex
			for i := range 8 {
				all.Go(func() {
					x, text, err := w.Tokens().Create(t.Context(), by, Wanted{Name: "dashboard", Request: Request{Key: fmt.Sprint(round, i)}})
					mu.Lock()
					defer mu.Unlock()
					if wrong, is := errors.AsType[*Wrong](err); err != nil && (!is || !wrong.Taken) {
						t.Errorf("%s: %v", round, err)
					}
					if err != nil {
						return
					}
					if made.ID != "" {
						t.Errorf("%s: two were made", round)
					}
					made, secret = x, text
				})
			}
			all.Wait()
			if made.ID == "" {
				t.Fatalf("%s: none was made", round)
			}
			return made, secret
		}
		first, _ := rush("at first")
		fatal(t, w.Tokens().revoke(t.Context(), first.ID, "alice"))
		second, _ := rush("after it was revoked")
		next, _, err := w.Tokens().Rotate(t.Context(), second, time.Hour)
		fatal(t, err)
		if _, _, err := w.Tokens().Create(t.Context(), by, Wanted{Name: "dashboard"}); err == nil {
			t.Error("one is made beside one that was rotated")
		}
		fatal(t, w.Tokens().revoke(t.Context(), next.ID, "alice"))
		fatal(t, w.Tokens().revoke(t.Context(), second.ID, "alice"))
		rush("after both were revoked")
		w.time.pass(91 * 24 * time.Hour)
		rush("after it expired")
	})
}

// TestAKeyMakesOneToken: the same request again makes none, and tells which one it was,
// without its text; with another wish, or of somebody who may not, it is refused.
func TestAKeyMakesOneToken(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		w := newWorld(t, everything(), func(o *Options) { o.Journal = open(t) })
		want := Wanted{Name: "dashboard", Request: Request{Key: "key of alice", What: "this"}}
		made, text := w.create(t, want)
		again, none := w.create(t, want)
		if again.ID != made.ID || none != "" || text == "" {
			t.Errorf("%+v with a text of %d characters, after %+v", again, len(none), made)
		}
		by := rotation.Who{Name: "alice@example.com", Verified: true, Roles: []string{"admin", "superadmin", "viewer", "bot"}}
		other := want
		other.Request.What = "that"
		if _, text, err := w.Tokens().Create(t.Context(), by, other); estate.CodeOf(err) != estate.OtherRequest || text != "" {
			t.Errorf("another request of the same key: %v", err)
		}
		if _, _, err := w.Tokens().Create(t.Context(), rotation.Who{Name: "bob", Verified: true}, want); estate.CodeOf(err) != estate.NoRole {
			t.Errorf("of somebody without a role: %v", err)
		}
		// Revoked meanwhile, it is told as that, and no other one is made.
		fatal(t, w.Tokens().revoke(t.Context(), made.ID, "alice"))
		if again, none = w.create(t, want); again.ID != made.ID || again.Revoked.IsZero() || none != "" {
			t.Errorf("%+v", again)
		}
		w.time.pass(estate.RequestKept + time.Minute)
		if again, text = w.create(t, want); again.ID == made.ID || text == "" {
			t.Errorf("a key is kept for ever: %+v", again)
		}
		// Many send it at once: one is made, and everybody is told of that one.
		want.Request.Key = "another"
		fatal(t, w.Tokens().revoke(t.Context(), again.ID, "alice"))
		var all sync.WaitGroup
		var mu sync.Mutex
		ids, texts := map[string]bool{}, 0
		for range 8 {
			all.Go(func() {
				x, text, err := w.Tokens().Create(t.Context(), by, want)
				mu.Lock()
				defer mu.Unlock()
				if ids[x.ID] = true; text != "" {
					texts++
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(ids) != 1 || texts != 1 {
			t.Errorf("%d were made, and %d texts shown", len(ids), texts)
		}
	})
}

// TestTokensOfBefore: two live ones of a name, made at one instant when nothing kept that
// from happening, both stay good and may be rotated, and no third is made.
func TestTokensOfBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		j := open(t)
		fatal(t, j.Tables(t.Context(), "access", migrations()[:1]...))
		db, _ := j.DB()
		w := &world{time: &clock{t: time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)}}
		for _, id := range []string{"a", "b"} {
			_, err := db.ExecContext(t.Context(), `INSERT INTO access_tokens (`+tokenColumns+`) VALUES ($1, $2, 'dashboard', '', '', '', 'null', 0, 0, $3, 'alice', $4, 0, 0, '', '')`,
				id, hashed(id), ms(w.time.now()), ms(w.time.now().Add(1000*time.Hour)))
			fatal(t, err)
		}
		w = newWorld(t, everything(), func(o *Options) { o.Journal = j })
		for _, id := range []string{"a", "b"} {
			old, err := w.store.tokenOf(t.Context(), id)
			fatal(t, err)
			if made, text, err := w.Tokens().Rotate(t.Context(), old, 0); err != nil || text == "" || made.Name != "dashboard" {
				t.Errorf("%s: %+v (%v)", id, made, err)
			}
		}
		by := rotation.Who{Name: "alice@example.com", Verified: true, Roles: []string{"admin", "superadmin", "viewer", "bot"}}
		if _, _, err := w.Tokens().Create(t.Context(), by, Wanted{Name: "dashboard"}); err == nil {
			t.Error("a third is made")
		}
	})
}
