package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/realserver"
	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// smallDisk is a folder on a file system of sixteen megabytes, for SQLite keeps up to four beside the journal, and a world outside of it.
type smallDisk struct {
	*testing.T
	dir   string
	world *sim.World

	mu      sync.Mutex
	at      string // the request at which the disk is filled, before the vendor looks at it
	full    bool
	changes []changed
}

// changed is that a vendor was asked to change something.
type changed struct {
	at   time.Time
	what string
	full bool // the disk was full
}

func newSmallDisk(t *testing.T, at string) *smallDisk {
	t.Helper()
	d := &smallDisk{T: t, dir: t.TempDir(), at: at}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size=16m,mode=700"); err != nil {
		realserver.Lacking(t, "a small file system (mounting one needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d.world = sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(50 * time.Millisecond)}}), time.Now)
	d.world.Look(func(s *sim.State) { s.Fleet(2, 10) })
	vendors := httptest.NewServer(d)
	t.Cleanup(vendors.Close)
	text := strings.Replace(sim.FleetConfig(2, vendors.URL, "poll: 50ms, quiet: 100ms, watch: 50ms"), "rekey: 1\n", "rekey: 1\njournal: .rekey\n", 1)
	if err := os.WriteFile(filepath.Join(d.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// ServeHTTP notes what changes something, and fills the disk when it is time.
func (d *smallDisk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.Contains(r.URL.Path, "login") {
		what := r.Method + " " + r.URL.Path
		d.mu.Lock()
		d.changes = append(d.changes, changed{time.Now(), what, d.full})
		if d.at != "" && strings.Contains(what, d.at) {
			d.at = ""
			d.fill()
		}
		d.mu.Unlock()
	}
	d.world.ServeHTTP(w, r)
}

func (d *smallDisk) filler() string { return filepath.Join(d.dir, "filler") }

// fill leaves no room; d.mu is held.
func (d *smallDisk) fill() {
	f, err := os.Create(d.filler())
	if err != nil {
		d.Error(err)
		return
	}
	defer func() { _ = f.Close() }()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.Error(err)
	}
	d.full = true
}

// isFull waits until the disk is.
func (d *smallDisk) isFull() {
	d.Helper()
	for range 4000 {
		d.mu.Lock()
		full := d.full
		d.mu.Unlock()
		if full {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	d.Fatal("no run came so far that the disk was to be filled")
}

func (d *smallDisk) makeRoom() {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.Remove(d.filler()); err != nil {
		d.Fatal(err)
	}
	d.full = false
}

// judge compares what the vendors saw with the journal: each change had its intent there,
// and each credential has one generation, which its app holds.
func (d *smallDisk) judge() {
	d.Helper()
	d.world.Look(func(s *sim.State) {
		for _, o := range s.Outages {
			d.Errorf("outage of %s in %s: %s", o.App, o.Var, o.Why)
		}
		for i := range 2 {
			name, live := fmt.Sprintf("fleet-%d", i), 0
			for _, x := range s.Cloudflare.Tokens {
				if strings.HasPrefix(x.Name, name) {
					live++
					for _, a := range s.Heroku.Apps {
						if held := a.Releases[len(a.Releases)-1].Vars["FLEET_"+name[6:]]; a.Name == name && held != x.ClientID+":"+x.Secret {
							d.Errorf("%s does not hold what lives", name)
						}
					}
				}
			}
			if live != 1 {
				d.Errorf("of %s %d live", name, live)
			}
		}
	})
	j, err := journal.Open(filepath.Join(d.dir, ".rekey"))
	if err != nil {
		d.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if _, _, err := j.Verify(d.Context()); err != nil {
		d.Errorf("the journal does not verify: %v", err)
	}
	book := history.Book{J: j}
	runs, err := book.Runs(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	var all [][]rotation.Event
	for _, r := range runs {
		events, err := book.Events(d.Context(), r.Run)
		if err != nil {
			d.Fatal(err)
		}
		all = append(all, events)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.changes {
		if !intended(all, c.at) {
			d.Errorf("%s at %s (disk full: %t) has no intent in the journal", c.what, c.at.Format("05.000"), c.full)
		}
	}
	if len(d.changes) < 7 {
		d.Errorf("only %d changes were judged", len(d.changes))
	}
}

// intended tells whether a run had noted that it is about to change something, and not yet
// what came of it.
func intended(runs [][]rotation.Event, at time.Time) bool {
	for _, events := range runs {
		open := map[string]bool{}
		for _, e := range events {
			if e.At.After(at) {
				break
			}
			switch {
			case e.Intent != nil:
				for _, s := range e.Intent.Steps {
					open[s] = true
				}
			case e.Outcome != nil:
				delete(open, e.Outcome.Step)
			}
		}
		if len(open) > 0 {
			return true
		}
	}
	return false
}

// TestAServiceOnAFullDiskGoesOnOnceThereIsRoom, by itself: the disk fills while a vendor is
// at a change. Nothing more is done then, /readyz and whoever asks for something are told
// what to do, and with room both runs end, in the same process.
func TestAServiceOnAFullDiskGoesOnOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{
		"while the new one is made":            "POST /cloudflare",
		"while the store is written":           "PATCH /infisical",
		"while the old one is taken away":      "DELETE /cloudflare",
		"while a consumer is given the secret": "PATCH /heroku",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSmallDisk(t, at)
			server := d.serve()
			ends := make(chan int, 2)
			var said [2]safe
			for i := range 2 {
				name := fmt.Sprintf("FLEET_%d", i)
				go func() {
					ends <- execute(context.Background(), []string{"--server", server, "run", name, "--confirm", name}, streams{out: &said[i], err: &said[i]})
				}()
			}
			d.isFull()
			d.tells(server+"/readyz?verbose", http.StatusServiceUnavailable, "the disk is full")
			time.Sleep(3 * time.Second) // longer than the leases last
			var asked bytes.Buffer
			if code := execute(t.Context(), []string{"--server", server, "schedule", "pause", "--reason", "x"}, streams{out: &asked, err: &asked}); code != exitFailed || !strings.Contains(asked.String(), "the disk is full") {
				t.Errorf("whoever asks for something is told with %d:\n%s", code, asked.String())
			}
			asked.Reset()
			if code := execute(t.Context(), []string{"--server", server, "status"}, streams{out: &asked, err: &asked}); code != exitDone {
				t.Errorf("a look is refused with %d:\n%s", code, asked.String())
			}
			d.makeRoom()
			d.tells(server+"/readyz?verbose", http.StatusOK, "[+] journal can be written")
			for range 2 {
				if code := <-ends; code != exitDone && code != exitRolledBack {
					t.Errorf("a run ended with %d:\n%s\n%s", code, said[0].String(), said[1].String())
				}
			}
			d.judge()
		})
	}
}

// safe is a buffer for what is said side by side.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve serves the folder until the test ends, and returns where.
func (d *smallDisk) serve() string {
	d.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var log safe
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"-C", d.dir, "serve", "--json", "--lease", "2s", "--listen", "127.0.0.1:0"}, streams{out: in, err: &log})
	}()
	d.Cleanup(func() {
		stop()
		if code := <-ended; code != exitDone {
			d.Errorf("the server ended with %d", code)
		}
		if d.Failed() {
			d.Logf("it said:\n%s", log.String())
		}
	})
	var serving struct{ Address string }
	if err := json.NewDecoder(out).Decode(&serving); err != nil {
		d.Fatal(err)
	}
	return serving.Address
}

// tells waits until an address answers so.
func (d *smallDisk) tells(address string, status int, words string) {
	d.Helper()
	text, got := "", 0
	for range 600 {
		resp, err := http.Get(address)
		if err != nil {
			d.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if text, got = string(b), resp.StatusCode; got == status && strings.Contains(text, words) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.Errorf("%s never says %d, %q: %d, %s", address, status, words, got, text)
}

// TestACommandOnAFullDiskSaysWhatToDo, does nothing more, and is gone on with by rekey
// resume once there is room.
func TestACommandOnAFullDiskSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{
		"while the new one is made":       "POST /cloudflare",
		"while the store is written":      "PATCH /infisical",
		"while the old one is taken away": "DELETE /cloudflare",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSmallDisk(t, "")
			command := func(code int, words string, args ...string) {
				t.Helper()
				var said bytes.Buffer
				if got := execute(t.Context(), append([]string{"-C", d.dir}, args...), streams{out: &said, err: &said}); got != code || !strings.Contains(said.String(), words) {
					t.Errorf("%v: %d and not %d, or it does not say %q:\n%s", args, got, code, words, said.String())
				}
			}
			const full = "the disk is full; make room on it"
			command(exitDone, "rotated", "run", "FLEET_1", "--confirm", "FLEET_1") // the second, so that there is a journal
			d.mu.Lock()
			d.changes, d.at = nil, at
			d.mu.Unlock()
			command(exitStuck, full, "run", "FLEET_0", "--confirm", "FLEET_0")
			made := len(d.changes)
			command(exitFailed, full, "resume")
			command(exitDone, "FLEET_0", "status")
			command(exitFailed, full, "serve", "--listen", "127.0.0.1:0")
			if len(d.changes) != made {
				t.Errorf("on a full disk vendors were asked for %v", d.changes[made:])
			}
			d.makeRoom()
			command(exitDone, "rotated", "resume", "--confirm", "FLEET_0")
			d.judge()
		})
	}
}

// TestTheFirstRunOnAFullOrReadOnlyDiskSaysWhereAndWhatToDo: there is no journal yet, so
// making one is what fails, before any vendor is asked to change something.
func TestTheFirstRunOnAFullOrReadOnlyDiskSaysWhereAndWhatToDo(t *testing.T) {
	d := newSmallDisk(t, "")
	try := func(what string) {
		t.Helper()
		var said bytes.Buffer
		code := execute(t.Context(), []string{"-C", d.dir, "run", "FLEET_0", "--confirm", "FLEET_0"}, streams{out: &said, err: &said})
		if code != exitFailed || !strings.Contains(said.String(), what) || !strings.Contains(said.String(), ".rekey") || len(d.changes) > 0 {
			t.Errorf("%d, want %d and %q with the folder: %s", code, exitFailed, what, said.String())
		}
	}
	d.mu.Lock()
	d.fill()
	d.mu.Unlock()
	try("the disk is full; make room on it")
	d.makeRoom()
	if err := os.RemoveAll(filepath.Join(d.dir, ".rekey")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", d.dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=16m,mode=700"); err != nil {
		t.Fatal(err)
	}
	try("its file system is read-only; use another folder")
}
