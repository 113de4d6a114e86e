package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/sim"
)

// town is a simulated world that is served in this process, and a folder with a
// rekey.yaml for it. Every command opens its own files, as a process would.
type town struct {
	*testing.T
	dir, base string
	world     *sim.World
	ctx       context.Context // of the next commands
	// before is called before each request, with its method and path; it may block.
	before func(call string)
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{T: t, ctx: context.Background(), world: sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: demoKnobs(0)}), time.Now)}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if w.before != nil {
			w.before(req.Method + " " + req.URL.Path)
		}
		w.world.ServeHTTP(rw, req)
	}))
	t.Cleanup(s.Close)
	w.base = s.URL
	w.dir, _ = folder(t, s.URL)
	return w
}

// rekey runs a command to its end.
func (w *town) rekey(args ...string) (code int, output string) {
	var out bytes.Buffer
	code = execute(w.ctx, append([]string{"-C", w.dir}, args...), streams{in: strings.NewReader(""), out: &out, err: &out})
	return code, out.String()
}

// journal counts the entries of a kind.
func (w *town) entries(kind string) int {
	w.Helper()
	j, err := journal.OpenExisting(filepath.Join(w.dir, ".rekey"))
	if err != nil {
		return 0
	}
	defer func() { _ = j.Close() }()
	all, err := j.Kinds(context.Background(), kind)
	if err != nil {
		w.Error(err)
	}
	return len(all)
}

// rewrite changes rekey.yaml.
func (w *town) rewrite(change func(string) string) {
	w.Helper()
	path := filepath.Join(w.dir, "rekey.yaml")
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(change(string(b))), 0o644)
	}
	if err != nil {
		w.Fatal(err)
	}
}

const console = "CF_ACCESS_SVC_CONSOLE"

// TestOfTenRunsOnOneAppThatAreBegunTogetherOneIsOpened: what is looked at before a
// run opens cannot change until it is open.
func TestOfTenRunsOnOneAppThatAreBegunTogetherOneIsOpened(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.rewrite(func(text string) string {
		for i := range 8 {
			text = strings.Replace(text, "\ncredentials:\n", fmt.Sprintf("\ncredentials:\n  CF_ACCESS_SVC_TEN%d:\n    consumers:\n      - app: raxx-console-prod\n\n", i), 1)
		}
		return text
	})
	// Whoever has opened a run waits at the first vendor until all others are refused.
	refused := make(chan struct{})
	w.before = func(call string) {
		if !strings.Contains(call, "/_env") {
			select {
			case <-refused:
			case <-time.After(20 * time.Second):
			}
		}
	}
	var mu sync.Mutex
	codes := map[int]int{}
	var wg sync.WaitGroup
	for i := range 10 {
		name := []string{console, "CF_ACCESS_SVC_VAULT"}[i%2]
		if i < 8 {
			name = fmt.Sprintf("CF_ACCESS_SVC_TEN%d", i)
		}
		wg.Go(func() {
			code, out := w.rekey("run", name, "--confirm", name)
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
			if code == exitLocked && (!strings.Contains(out, "it changes heroku:raxx-console-prod too") || !strings.Contains(out, " resume ")) {
				t.Errorf("refused with\n%s", out)
			}
			if code == exitLocked && codes[exitLocked] == 9 {
				close(refused)
			}
		})
	}
	wg.Wait()
	if codes[exitLocked] != 9 || w.entries("opened") != 1 {
		t.Errorf("%d runs were opened; exit codes %v", w.entries("opened"), codes)
	}
}

// TestAProcessWhoseRunWasTakenUpByAnotherStopsAtOnce, though no lock kept that one
// away: it says what is live, writes nothing more, and the other ends the run.
func TestAProcessWhoseRunWasTakenUpByAnotherStopsAtOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	inFlight, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	w.before = func(call string) {
		if strings.HasPrefix(call, "PATCH /heroku/") {
			first.Do(func() {
				close(inFlight)
				<-goOn
			})
		}
	}
	type end struct {
		code int
		out  string
	}
	firstEnd, secondEnd := make(chan end, 1), make(chan end, 1)
	go func() {
		code, out := w.rekey("run", console, "--confirm", console)
		firstEnd <- end{code, out}
	}()
	<-inFlight
	if err := os.RemoveAll(filepath.Join(w.dir, ".rekey", "locks")); err != nil {
		t.Fatal(err)
	}
	go func() {
		code, out := w.rekey("resume", "--confirm", console)
		secondEnd <- end{code, out}
	}()
	for w.entries("resumed") == 0 {
		time.Sleep(2 * time.Millisecond)
	}
	close(goOn)
	one, two := <-firstEnd, <-secondEnd
	if one.code != exitLocked || !strings.Contains(one.out, "another process ") || !strings.Contains(one.out, "this one has stopped") || !strings.Contains(one.out, "\n  live  the old one, ") || !strings.Contains(one.out, " status\n  or ") {
		t.Errorf("the first: exit %d\n%s", one.code, one.out)
	}
	if two.code != exitDone {
		t.Errorf("the second: exit %d\n%s", two.code, two.out)
	}
	if n := w.entries("closed"); n != 1 {
		t.Errorf("the run is closed %d times", n)
	}
}

// TestAJournalThatIsTakenAwayDuringARunStopsIt before the next effect, and says what
// is live.
func TestAJournalThatIsTakenAwayDuringARunStopsIt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	var once sync.Once
	var later []string
	var mu sync.Mutex
	w.before = func(call string) {
		if strings.HasPrefix(call, "PATCH /heroku/") {
			mu.Lock()
			defer mu.Unlock()
			later = append(later, call)
			once.Do(func() { _ = os.Remove(filepath.Join(w.dir, ".rekey", "journal.db")) })
		}
	}
	code, out := w.rekey("run", console, "--confirm", console)
	if code != exitStuck || !strings.Contains(out, "journal.db was deleted while it was in use") || !strings.Contains(out, "\n  live  the old one, ") || !strings.Contains(out, " drift "+console) {
		t.Errorf("exit %d\n%s", code, out)
	}
	if len(later) != 1 {
		t.Errorf("it went on: %v", later)
	}
	if code, out = w.rekey("status"); code != exitFailed || !strings.Contains(out, "it is missing") {
		t.Errorf("status: exit %d\n%s", code, out)
	}
}
