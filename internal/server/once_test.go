package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"rekey/internal/api"
	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// change is one operation that changes something: what is asked, and which entry of the
// journal stands for it.
type change struct {
	body, other string
	kind        string
	before      func(b *bench, e *engine.Engine) (run string) // what it wants to be so; nil: nothing
}

func changes() map[string]change {
	begun := func(b *bench, e *engine.Engine) string {
		run, err := e.Begin(b.Context(), estate.Opening{Wish: of(vault)})
		if err != nil {
			b.Fatal(err)
		}
		return run
	}
	waits := func(b *bench, e *engine.Engine) string {
		if _, err := e.Begin(b.Context(), estate.Opening{Wish: of(console)}); estate.CodeOf(err) != estate.AwaitsApproval {
			b.Fatal(err)
		}
		return ""
	}
	found := func(b *bench, e *engine.Engine) string {
		_, err := e.Discover(b.Context(), nil)
		f, unread := e.Findings(b.Context())
		if err != nil || unread != nil || len(f.Findings) == 0 {
			b.Fatal(err, unread, f)
		}
		return f.Findings[0].ID
	}
	about := `{"about":"` + console + `"}`
	why := `{"about":"` + console + `","reason":"why"}`
	return map[string]change{
		"openRun":     {`{"credential":"` + vault + `"}`, `{"credential":"` + vault + `","reason":"why"}`, "opened", nil},
		"advanceRun":  {`{"reason":"go on"}`, `{"reason":"go on now"}`, "resumed", begun},
		"goBack":      {`{"reason":"not now"}`, `{}`, "asked", begun},
		"pause":       {`{"reason":"a freeze"}`, `{"reason":"a thaw"}`, "schedule-paused", nil},
		"continue":    {`{}`, `{"reason":"a thaw"}`, "schedule-continued", nil},
		"approve":     {about, why, "approval-given", waits},
		"refuse":      {why, `{"about":"` + console + `","reason":"because"}`, "approval-refused", waits},
		"takeBack":    {about, why, "approval-taken-back", waits},
		"acknowledge": {`{"finding":"{run}","reason":"known","until":"2026-12-24T00:00:00Z"}`, `{"finding":"{run}","take_back":true}`, "acknowledged", found},
		"newKey":      {`{"reason":"yearly"}`, `{"reason":"monthly"}`, "new-key", nil},
	}
}

// asking serves a bench to whoever says who he is; nobody carries runs out.
func asking(b *bench) (*engine.Engine, *httptest.Server) {
	es := b.estate()
	e := engine.New(engine.Options{Estate: func() *estate.Estate { return es }, Name: "api", Now: b.clock.Now})
	b.Cleanup(func() { _ = e.Close() })
	o := b.options(e)
	type name struct{}
	o.SignIn = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), name{}, r.Header.Get("Caller"))))
		})
	}
	o.Who = func(ctx context.Context) (rotation.Who, bool) {
		who, _ := ctx.Value(name{}).(string)
		return rotation.Who{Name: who, How: "test"}, who != ""
	}
	return e, b.live(o)
}

// post asks once, and returns what came back.
func post(t *testing.T, at, key, caller, body string) (status int, replayed bool, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("Caller", caller)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, resp.Header.Get("Idempotent-Replayed") == "true", string(b)
}

// written counts the entries of a kind.
func (b *bench) written(e *engine.Engine, kind string) (n int) {
	b.Helper()
	j, closing, err := b.estate().Journal()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = closing() }()
	db, _ := j.DB()
	if err := db.QueryRowContext(b.Context(), `SELECT COUNT(*) FROM entries WHERE kind = $1`, kind).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// refusedAs is the code of a problem.
func refusedAs(answer string) string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(answer), &p)
	return p.Code
}

// everywhere runs a test with the journal in a folder, and on PostgreSQL.
func everywhere(t *testing.T, test func(t *testing.T, fresh func(t *testing.T, changed ...string) *bench)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T, changed ...string) *bench { return newBench(t, changed...) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T, changed ...string) *bench {
			b := newBench(t, changed...)
			b.shared = onPostgres(b)
			return b
		})
	})
}

// TestWhatChangesSomethingIsDoneOnceForEachKey: asked eight times at once, and again
// afterwards, every operation that changes something is done once, and gives the same
// answer; its key is of no other request.
func TestWhatChangesSomethingIsDoneOnceForEachKey(t *testing.T) {
	t.Parallel()
	all := changes()
	for _, way := range api.Ways() {
		// A token that is asked for again is not shown again: internal/access tries that.
		if _, there := all[way.ID]; there != way.Named && way.Group != "Tokens" {
			t.Errorf("%s takes a key: %v, and is tried here: %v", way.ID, way.Named, there)
		}
		if way.Role && !way.Named && way.Group != "Tokens" { // those say themselves why
			t.Errorf("%s changes something and takes no key", way.ID)
		}
	}
	everywhere(t, func(t *testing.T, fresh func(*testing.T, ...string) *bench) {
		for id, c := range all {
			t.Run(id, func(t *testing.T) {
				t.Parallel()
				var changed []string
				if strings.HasPrefix(c.kind, "approval-") {
					changed = []string{"    cadence: 90d\n", "    cadence: 90d\n    approvals: {before: start, by_asker: true}\n"}
				}
				b := fresh(t, changed...)
				e, ts := asking(b)
				run := ""
				if c.before != nil {
					run = c.before(b, e)
				}
				way := api.WayOf(id)
				c := c
				c.body, c.other = strings.ReplaceAll(c.body, "{run}", run), strings.ReplaceAll(c.other, "{run}", run)
				at := ts.URL + api.Base + strings.ReplaceAll(way.Path, "{run}", run)
				var mu sync.Mutex
				var answers []string
				first := 0
				var all sync.WaitGroup
				for range 8 {
					all.Go(func() {
						status, replayed, answer := post(t, at, "k", "alice", c.body)
						mu.Lock()
						defer mu.Unlock()
						if status != way.Status {
							t.Errorf("answered %d: %.300s", status, answer)
						}
						if !replayed {
							first++
						}
						answers = append(answers, answer)
					})
				}
				all.Wait()
				if first != 1 || len(slices.Compact(answers)) != 1 {
					t.Errorf("%d were answered as the first, with %.600s", first, answers)
				}
				if n := b.written(e, c.kind); n != 1 {
					t.Errorf("%d entries of %s", n, c.kind)
				}
				if status, replayed, answer := post(t, at, "k", "alice", c.body); status != way.Status || !replayed || answer != answers[0] {
					t.Errorf("asked later: %d %v %.300s, and it was %.300s", status, replayed, answer, answers[0])
				}
				if status, _, answer := post(t, at, "k", "alice", c.other); status != http.StatusUnprocessableEntity || refusedAs(answer) != "other-request" || !strings.Contains(answer, "key was used for another request") {
					t.Errorf("another body: %d %.300s", status, answer)
				}
				if n := b.written(e, c.kind); n != 1 {
					t.Errorf("%d entries of %s afterwards", n, c.kind)
				}
			})
		}
	})
}

// TestAKeyIsItsCallersOwnAndExpires; what was refused has used none up.
func TestAKeyIsItsCallersOwnAndExpires(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, fresh func(*testing.T, ...string) *bench) {
		b := fresh(t)
		e, ts := asking(b)
		at := ts.URL + api.Base + "/schedule/pause"
		want := func(what, key, caller, body string, status int, replayed bool, written int) {
			t.Helper()
			got, again, answer := post(t, at, key, caller, body)
			if got != status || again != replayed {
				t.Errorf("%s: %d, replayed %v: %.300s", what, got, again, answer)
			}
			if n := b.written(e, "schedule-paused"); n != written {
				t.Errorf("%s: %d entries", what, n)
			}
		}
		want("refused", "k", "alice", `{}`, 422, false, 0)
		want("alice", "k", "alice", `{"reason":"why"}`, 200, false, 1)
		want("bob, with the same key", "k", "bob", `{"reason":"why"}`, 200, false, 2)
		want("alice again", "k", "alice", `{"reason":"why"}`, 200, true, 2)
		b.clock.Pass(estate.RequestKept - 1)
		want("just before it is forgotten", "k", "alice", `{"reason":"why"}`, 200, true, 2)
		b.clock.Pass(2)
		want("after that", "k", "alice", `{"reason":"another"}`, 200, false, 3)
	})
}

// TestAKeyIsThereIfAndOnlyIfTheEntryIs: whichever of the two cannot be written, neither
// is, and asked again it is done.
func TestAKeyIsThereIfAndOnlyIfTheEntryIs(t *testing.T) {
	t.Parallel()
	for table, kind := range map[string]string{"entries": "entry", "requests_done": "key"} {
		b := newBench(t)
		e, ts := asking(b)
		at := ts.URL + api.Base + "/schedule/pause"
		post(t, at, "first", "alice", `{"reason":"why"}`) // the tables are there
		j, closing, err := b.estate().Journal()
		if err != nil {
			t.Fatal(err)
		}
		db, _ := j.DB()
		if _, err := db.Exec(`CREATE TRIGGER full_disk BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'disk full'); END`); err != nil {
			t.Fatal(err)
		}
		if status, _, answer := post(t, at, "second", "alice", `{"reason":"why"}`); status != http.StatusServiceUnavailable || refusedAs(answer) != "unwritable" {
			t.Errorf("without the %s: %d %.300s", kind, status, answer)
		}
		var keys int
		if err := db.QueryRow(`SELECT COUNT(*) FROM requests_done`).Scan(&keys); err != nil || keys != 1 || b.written(e, "schedule-paused") != 1 {
			t.Errorf("without the %s: %d keys, %d entries (%v)", kind, keys, b.written(e, "schedule-paused"), err)
		}
		if _, err := db.Exec(`DROP TRIGGER full_disk`); err != nil {
			t.Fatal(err)
		}
		if status, replayed, answer := post(t, at, "second", "alice", `{"reason":"why"}`); status != 200 || replayed || b.written(e, "schedule-paused") != 2 {
			t.Errorf("asked again: %d %.300s", status, answer)
		}
		_ = closing()
	}
}
