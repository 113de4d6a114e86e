//go:build !windows

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/realserver"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sim"
)

// parts is a service in processes of their own, each with one role, on one PostgreSQL.
type parts struct {
	*testing.T
	dir, database, listen string
	server                *realserver.Postgres
	world                 *sim.World
	journal               *journal.Journal
	log                   safe
}

// credentialsOfParts are due; the last one begins after somebody has agreed.
const credentialsOfParts = 3

func newParts(t *testing.T, server *realserver.Postgres) *parts {
	t.Helper()
	p := &parts{T: t, dir: t.TempDir(), server: server}
	p.database = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=parts%d", server.Port, sharedSchemas.Add(1))
	p.world = sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Latency: sim.Duration(20 * time.Millisecond), Shutdown: sim.Duration(50 * time.Millisecond)}}), time.Now)
	p.world.Look(func(s *sim.State) { s.Fleet(credentialsOfParts, 1) })
	vendors := httptest.NewServer(p.world)
	t.Cleanup(vendors.Close)
	text := sim.FleetConfig(credentialsOfParts, vendors.URL, "poll: 50ms, quiet: 500ms, watch: 50ms")
	text = strings.Replace(text, "rekey: 1\n", "rekey: 1\njournal: .rekey\ndatabase: env:REKEY_TEST_JOURNAL\nschedule: {at_most: 9, canary: none, looks: {drift: \"off\", discover: \"off\", check: \"off\"}}\n", 1)
	text = strings.Replace(text, "    discover: \"off\"\n", "    discover: \"off\"\n    cadence: 90d\n    run: automatically\n", 1)
	text += "    run: after approval\n    approvals: {before: start}\n"
	if err := os.WriteFile(filepath.Join(p.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, ".rekey"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.listen = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if p.journal, err = journal.OpenPostgres(t.Context(), p.database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.journal.Close()
		if t.Failed() {
			text := p.log.String()
			t.Logf("the processes said:\n%s", text[max(0, len(text)-5000):])
		}
	})
	return p
}

// start starts a process with one role.
func (p *parts) start(role string) *exec.Cmd {
	p.Helper()
	cmd := exec.Command(rekey(p.T), "-C", p.dir, "serve", "--role", role, "--lease", "2s", "--listen", p.listen, "--json")
	cmd.Env = append(os.Environ(), "REKEY_TEST_JOURNAL="+p.database)
	cmd.Stderr = &p.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if role == "api" {
		var serving struct{ Address string }
		if err := json.NewDecoder(out).Decode(&serving); err != nil {
			p.Fatalf("it does not serve: %v", err)
		}
	}
	return cmd
}

// killed kills processes, all at once, and starts others for them.
func (p *parts) killed(role string, all ...*exec.Cmd) (others []*exec.Cmd) {
	p.Helper()
	for _, c := range all {
		_ = c.Process.Kill()
	}
	for _, c := range all {
		_ = c.Wait()
		others = append(others, p.start(role))
	}
	return others
}

// ask has a command asked of the server, again where the database has just restarted.
func (p *parts) ask(words string, args ...string) {
	p.Helper()
	var said bytes.Buffer
	for range 20 {
		said.Reset()
		if code := execute(p.Context(), append([]string{"--server", "http://" + p.listen}, args...), streams{out: &said, err: &said}); code == exitDone && strings.Contains(said.String(), words) {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	p.Fatalf("%v does not say %q:\n%s", args, words, said.String())
}

// wait waits until something stands in the journal.
func (p *parts) wait(what string, so func([][]rotation.Event) bool) {
	p.Helper()
	for began := time.Now(); time.Since(began) < 50*time.Second; time.Sleep(30 * time.Millisecond) {
		if runs, err := p.runs(); err == nil && so(runs) {
			return
		}
	}
	var said bytes.Buffer
	for _, args := range [][]string{{"schedule"}, {"status"}, {"approvals"}} {
		execute(p.Context(), append([]string{"--server", "http://" + p.listen}, args...), streams{out: &said, err: &said})
	}
	p.Fatalf("it never came to pass: %s\n%s", what, said.String())
}

func (p *parts) runs() (out [][]rotation.Event, err error) {
	book := history.Book{J: p.journal}
	runs, err := book.Runs(context.Background())
	for _, r := range runs {
		events, err := book.Events(context.Background(), r.Run)
		if err != nil {
			return nil, err
		}
		out = append(out, events)
	}
	return out, err
}

func ended(events []rotation.Event) *rotation.Closed { return events[len(events)-1].Closed }

// page is a page of the console.
func (p *parts) page(path string) string {
	p.Helper()
	return string(contentOf(p, "http://"+p.listen+path))
}

// crash has the database end all sessions and recover, as after a restart.
func (p *parts) crash() {
	p.Helper()
	rows := p.server.SQL(p.T, "postgres", `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name = 'rekey' LIMIT 1`)
	pid, err := strconv.Atoi(rows[0][0])
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		p.Fatal(err)
	}
	p.server.Await(p.T)
}

// TestEachRoleInAProcessOfItsOwn: two schedulers, two workers and an API share a database.
// What is due is begun by one of the schedulers and carried out by the workers; what wants
// an agreement gets it through the API. Each of them is killed while that goes on, and the
// database restarts; each credential is rotated once, and the console shows it.
func TestEachRoleInAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	get, stop := realserver.PostgresOnce()
	t.Cleanup(stop)
	p := newParts(t, get(t))
	api := p.start("api")
	for i := range credentialsOfParts {
		p.ask("is in order", "check", fmt.Sprintf("FLEET_%d", i)) // so that its age is known
	}
	schedulers := []*exec.Cmd{p.start("scheduler"), p.start("scheduler")}
	workers := []*exec.Cmd{p.start("worker"), p.start("worker")}
	p.wait("something is done for each that may begin", func(runs [][]rotation.Event) bool {
		n := 0
		for _, events := range runs {
			for _, e := range events {
				if e.Intent != nil {
					n++
					break
				}
			}
		}
		return n == credentialsOfParts-1
	})
	p.killed("worker", workers...)
	p.killed("scheduler", schedulers...)
	p.wait("others go on", func(runs [][]rotation.Event) bool {
		n := 0
		for _, events := range runs {
			if ended(events) != nil {
				n++
			}
		}
		return n > 0
	})
	api = p.killed("api", api)[0]
	p.crash()
	last := fmt.Sprintf("FLEET_%d", credentialsOfParts-1)
	p.ask("to begin a rotation", "approvals")
	p.ask("agreed to", "approve", last, "--confirm", last)
	p.killed("api", api)
	p.wait("all have ended", func(runs [][]rotation.Event) bool {
		for _, events := range runs {
			if ended(events) == nil {
				return false
			}
		}
		return len(runs) == credentialsOfParts
	})
	p.judge()
}

func (p *parts) judge() {
	p.Helper()
	runs, err := p.runs()
	if err != nil {
		p.Fatal(err)
	}
	estate := p.page("/")
	of := map[string]int{}
	for _, events := range runs {
		opened, c := events[0].Opened, ended(events)
		of[opened.Credential]++
		if opened.Actor != schedule.Actor || c == nil || c.Ending != rotation.Rotated {
			p.Errorf("%s was opened by %s and ended as %+v", opened.Credential, opened.Actor, c)
		}
		if shown := p.page("/runs/" + events[0].Run); !strings.Contains(shown, opened.Credential) || !strings.Contains(estate, opened.Credential) {
			p.Errorf("the console does not show run %s of %s", events[0].Run, opened.Credential)
		}
	}
	for i := range credentialsOfParts {
		if name := fmt.Sprintf("FLEET_%d", i); of[name] != 1 {
			p.Errorf("%s has %d runs", name, of[name])
		}
	}
	p.world.Look(func(s *sim.State) {
		for _, o := range s.Outages {
			p.Errorf("outage of %s in %s: %s", o.App, o.Var, o.Why)
		}
		live := map[string]int{}
		for _, x := range s.Cloudflare.Tokens {
			live[x.Name[:len("fleet-0")]]++
		}
		for i := range credentialsOfParts {
			if name := fmt.Sprintf("fleet-%d", i); live[name] != 1 {
				p.Errorf("of %s %d live", name, live[name])
			}
		}
	})
	if _, _, err := p.journal.Verify(p.Context()); err != nil {
		p.Errorf("the journal does not verify: %v", err)
	}
}
