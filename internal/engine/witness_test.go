//go:build !windows

package engine_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// witness sees what worker processes do without asking them: the vendors note who asked
// for what and when, and the database notes who held which run and who wrote to it. All
// of it is by the clock of one machine.
type witness struct {
	world *sim.World
	// struck is called for each request of a worker before the vendor looks at it; nil:
	// nothing.
	struck func(asked)

	mu    sync.Mutex
	asked []*asked
}

// asked is a request of a worker process, as it arrived.
type asked struct {
	arrived, done time.Time // done is zero while it is under way
	process       string
	credentials   []string // whose it is, as far as can be told
	change        bool
	what          string
}

var fleetNumber = regexp.MustCompile(`(?i)fleet[-_](\d+)`)

// ServeHTTP notes who asks for what, and passes it on to the world.
func (w *witness) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	by := req.Header.Get("X-Test-Process")
	if by == "" {
		w.world.ServeHTTP(rw, req)
		return
	}
	body, _ := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(body))
	login := strings.Contains(req.URL.Path, "login")
	a := &asked{arrived: time.Now(), process: by, what: req.Method + " " + req.URL.Path, change: req.Method != http.MethodGet && req.Method != http.MethodHead && !login}
	a.credentials = w.concerned(req, string(body))
	w.mu.Lock()
	w.asked = append(w.asked, a)
	w.mu.Unlock()
	if w.struck != nil {
		w.struck(*a)
	}
	w.world.ServeHTTP(rw, req)
	w.mu.Lock()
	a.done = time.Now()
	w.mu.Unlock()
}

// concerned are the credentials that a request is about: it names one, or one of its
// generations, or it changes who a rule lets in.
func (w *witness) concerned(req *http.Request, body string) (out []string) {
	found := map[string]bool{}
	rules := strings.Contains(req.URL.Path, "/policies/")
	if !rules {
		for _, m := range fleetNumber.FindAllStringSubmatch(req.URL.Path+" "+body, -1) {
			found["FLEET_"+m[1]] = true
		}
	}
	if len(found) == 0 && strings.Contains(req.URL.Path, "/access/") {
		w.world.Look(func(s *sim.State) {
			before := ""
			for _, p := range s.Cloudflare.Policies {
				if rules && strings.HasSuffix(req.URL.Path, p.Text("id")) {
					before = string(p["include"])
				}
			}
			for _, x := range slices.Concat(s.Cloudflare.Tokens, s.Cloudflare.Deleted) {
				m := fleetNumber.FindStringSubmatch(x.Name)
				switch {
				case m == nil:
				case rules && req.Method != http.MethodGet && strings.Contains(before, x.ID) != strings.Contains(body, x.ID), strings.HasSuffix(req.URL.Path, x.ID):
					found["FLEET_"+m[1]] = true
				}
			}
		})
	}
	for name := range found {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// watchHolders has the database note, in the transactions that do it, who takes which run
// up, and who writes to it.
func watchHolders(t *testing.T, j *journal.Journal) {
	t.Helper()
	db, _ := j.DB()
	for _, statement := range []string{
		`CREATE TABLE test_holders (at BIGINT NOT NULL, run TEXT NOT NULL, credential TEXT NOT NULL, epoch BIGINT NOT NULL, holder TEXT NOT NULL)`,
		`CREATE TABLE test_written (at BIGINT NOT NULL, seq BIGINT NOT NULL, run TEXT NOT NULL, kind TEXT NOT NULL, process TEXT NOT NULL, holder TEXT NOT NULL)`,
		`CREATE FUNCTION test_holds() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO test_holders VALUES ((EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint, NEW.run, NEW.credential, NEW.epoch, NEW.holder);
			RETURN NULL; END $$`,
		`CREATE FUNCTION test_writes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO test_written VALUES ((EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint, NEW.seq, NEW.run, NEW.kind,
				current_setting('test.process', true), COALESCE((SELECT holder FROM lease_runs WHERE run = NEW.run), 'nobody'));
			RETURN NULL; END $$`,
		`CREATE TRIGGER test_added AFTER INSERT ON lease_runs FOR EACH ROW EXECUTE FUNCTION test_holds()`,
		`CREATE TRIGGER test_held AFTER UPDATE ON lease_runs FOR EACH ROW WHEN (OLD.epoch <> NEW.epoch) EXECUTE FUNCTION test_holds()`,
		`CREATE TRIGGER test_written AFTER INSERT ON entries FOR EACH ROW WHEN (current_setting('test.process', true) <> '' AND NEW.run <> '') EXECUTE FUNCTION test_writes()`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// held is that a run came into a process's hands, or into nobody's.
type held struct {
	at         time.Time
	run        string
	credential string
	epoch      int64
	holder     string
}

// holders are all that, as the database has it, the oldest first, until each run is closed:
// whoever takes one up after that, because its holder died before he had removed the lease,
// removes it and does nothing else. By then the next run of the credential may be on its way.
func holders(ctx context.Context, db *sql.DB) (out []held, err error) {
	rows, err := db.QueryContext(ctx, `SELECT at, run, credential, epoch, holder FROM test_holders h
		WHERE NOT EXISTS (SELECT 1 FROM test_written w WHERE w.run = h.run AND w.kind = $1 AND w.at < h.at) ORDER BY at`, rotation.KindClosed)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var h held
		var at int64
		if err := rows.Scan(&at, &h.run, &h.credential, &h.epoch, &h.holder); err != nil {
			return nil, err
		}
		h.at = time.UnixMicro(at)
		out = append(out, h)
	}
	return out, rows.Err()
}

// frozen is that a process was stopped, and woken.
type frozen struct {
	process  string
	from, to time.Time
}

// testified is what the witnesses say against the workers.
type testified struct {
	changes, written, handed int
	lost                     int // runs that were handed on while their holder was stopped
	broken                   []string
	// between are changes that arrived after a run was handed on and before somebody had
	// taken it up: late, and harmless, for whoever takes it up looks first.
	between int
}

// testify compares what the vendors saw with who held what. Broken is
//
//   - a change of a process after another one had taken the run up (LATE);
//   - a change of one that never held a run of that credential (STRANGER);
//   - a look or a change of the next holder while a change of the one before was still
//     under way (TOO EARLY);
//   - an entry of a process that did not hold the run when it was written (UNHELD).
func (w *witness) testify(ctx context.Context, db *sql.DB, stops []frozen) (out testified, err error) {
	all, err := holders(ctx, db)
	if err != nil {
		return out, err
	}
	of := map[string][]held{}
	for _, h := range all {
		before := of[h.credential]
		of[h.credential] = append(before, h)
		if h.holder != "" || len(before) == 0 {
			continue
		}
		out.handed++
		if slices.ContainsFunc(stops, func(f frozen) bool {
			return f.process == before[len(before)-1].holder && h.at.After(f.from) && h.at.Before(f.to)
		}) {
			out.lost++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, a := range w.asked {
		if !a.change {
			continue
		}
		for _, name := range a.credentials {
			out.changes++
			last := -1 // what had become of the run when the request arrived
			for i, h := range of[name] {
				if h.at.After(a.arrived) {
					break
				}
				last = i
			}
			taken := last
			for taken >= 0 && of[name][taken].holder == "" {
				taken--
			}
			switch {
			case taken < 0:
				out.broken = append(out.broken, fmt.Sprintf("STRANGER: %s by %s for %s, whose run nobody had taken up", a.what, a.process, name))
			case of[name][taken].holder != a.process:
				h := of[name][taken]
				out.broken = append(out.broken, fmt.Sprintf("LATE: %s by %s for %s (run %s), %s after %s had taken it up under epoch %d", a.what, a.process, name, h.run, a.arrived.Sub(h.at), h.holder, h.epoch))
			case taken != last:
				out.between++
			}
			for _, b := range w.asked[i+1:] {
				if b.process != a.process && slices.Contains(b.credentials, name) && (a.done.IsZero() || b.arrived.Before(a.done)) {
					out.broken = append(out.broken, fmt.Sprintf("TOO EARLY: %s by %s for %s, while %s by %s was under way", b.what, b.process, name, a.what, a.process))
					break
				}
			}
		}
	}
	rows, err := db.QueryContext(ctx, `SELECT seq, run, kind, process, holder FROM test_written ORDER BY seq`)
	if err != nil {
		return out, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq int64
		var run, kind, process, holder string
		if err := rows.Scan(&seq, &run, &kind, &process, &holder); err != nil {
			return out, err
		}
		out.written++
		if process != holder {
			out.broken = append(out.broken, fmt.Sprintf("UNHELD: entry %d (%s of run %s) by %s, when the run was in the hands of %q", seq, kind, run, process, holder))
		}
	}
	return out, rows.Err()
}
