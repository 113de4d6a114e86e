//go:build !windows

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/realserver"
	"rekey/internal/rotation"
	"rekey/internal/sim"
)

var (
	askedID    = regexp.MustCompile(`name="id" value="([^"]+)"`)
	askedName  = regexp.MustCompile(`<li>New key, named ([^,]+),`)
	askedThere = regexp.MustCompile(`Yes, (\S+) is listed`)
)

// form is somebody who does in the simulated portal what a run's page asks, and answers there.
type form struct {
	*parts
	run   string
	typed []string // values, as they were handed over
	seen  strings.Builder
}

// post sends an answer.
func (f *form) post(answer url.Values) (int, string) {
	f.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm("http://"+f.listen+"/runs/"+f.run+"/by-hand", answer)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	f.seen.Write(b)
	return resp.StatusCode, string(b)
}

// answer does what is asked next, until something is; "": the run is over. It returns what was asked,
// and how it would be answered.
func (f *form) answer() (want string, answer url.Values) {
	f.Helper()
	text := ""
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(30 * time.Millisecond) {
		text = f.page("/runs/" + f.run)
		f.seen.WriteString(text)
		if strings.Contains(text, `id="ended"`) {
			return "", nil
		}
		if askedID.MatchString(text) {
			break
		}
	}
	id := askedID.FindStringSubmatch(text)
	if id == nil {
		f.Fatalf("nothing is asked:\n%s", text)
	}
	answer = url.Values{"id": {id[1]}, "done": {"yes"}}
	keys := func() (out []string) {
		f.world.Look(func(w *sim.State) {
			for _, k := range w.Portal.Keys {
				out = append(out, k.Name)
			}
		})
		return out
	}
	switch {
	case strings.Contains(text, `type="password"`):
		f.world.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/portal/keys", strings.NewReader(`{"name":"`+askedName.FindStringSubmatch(text)[1]+`"}`)))
		f.world.Look(func(w *sim.State) { f.typed = append(f.typed, w.Portal.Keys[len(w.Portal.Keys)-1].Value) })
		answer.Set("field-value", f.typed[len(f.typed)-1])
		return "make", answer
	case strings.Contains(text, `name="names" class`):
		answer.Set("names", strings.Join(keys(), ","))
		return "look", answer
	case strings.Contains(text, "Yes, it is gone"):
		name := regexp.MustCompile(`<li>Find ([^,]+), Delete`).FindStringSubmatch(text)[1]
		f.world.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodDelete, "/portal/keys/"+name, nil))
		return "end", answer
	case askedThere.MatchString(text):
		answer.Set("done", "no")
		for _, k := range keys() {
			if k == askedThere.FindStringSubmatch(text)[1] {
				answer.Set("done", "yes")
			}
		}
		return "listed", answer
	}
	// Which is in use: the one that was there before anything was made.
	answer.Set("names", "console-2026-08-23")
	return "which", answer
}

// TestWhatIsTypedInOneProcessReachesTheWorkerInAnother: the API serves the form, and a worker in
// a process of its own waits for it, on PostgreSQL. The worker is killed while the form
// waits, and what is sent to it then is taken by nobody and kept nowhere; another one stands
// still while it is answered. The value goes on to its store, and is in no log, no page, no
// row and no file of the database.
func TestWhatIsTypedInOneProcessReachesTheWorkerInAnother(t *testing.T) {
	t.Parallel()
	get, stop := realserver.PostgresOnce()
	t.Cleanup(stop)
	p := newParts(t, get(t))
	p.world.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
	file := filepath.Join(p.dir, "rekey.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "\nvendors:\n", "\nvendors:\n  portal: {vendor: assisted, link: \"https://portal.example.com/keys\"}\n", 1)
	text = strings.Replace(text, "\ncredentials:\n", "\ncredentials:\n"+sim.PortalCredential, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start("api")
	worker := p.start("worker")
	resp, err := http.Post("http://"+p.listen+"/api/v1/runs", "application/json", strings.NewReader(`{"credential":"PORTAL_KEY","confirm":"PORTAL_KEY"}`))
	if err != nil {
		t.Fatal(err)
	}
	var begun struct{ Run string }
	if err := errors.Join(json.NewDecoder(resp.Body).Decode(&begun), resp.Body.Close()); err != nil || begun.Run == "" {
		t.Fatalf("%d, and not begun (%v)", resp.StatusCode, err)
	}
	f := &form{parts: p, run: begun.Run}
	answered := map[string]int{}
	killed, slept := false, false
	for {
		want, answer := f.answer()
		if want == "" {
			break
		}
		answered[want]++
		if estate := p.page("/"); !strings.Contains(estate, "Waits for you") {
			t.Error("the estate does not say that it waits for somebody")
		}
		if want == "make" && !killed {
			killed = true
			_ = worker.Process.Kill()
			_ = worker.Wait()
			if code, said := f.post(answer); code != http.StatusConflict || !strings.Contains(said, "othing of it was kept") {
				t.Errorf("what was handed over to a process that is dead: %d %s", code, said)
			}
			worker = p.start("worker")
			continue
		}
		if want == "make" && !slept { // as long as its lease lasts
			slept = true
			if err := worker.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(300*time.Millisecond, func() { _ = worker.Process.Signal(syscall.SIGCONT) })
		}
		code, said := f.post(answer)
		if code == http.StatusConflict && slept && want == "make" {
			continue // it slept for too long, and asks again
		}
		if code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", want, code, said)
		}
		if code, _ := f.post(answer); code != http.StatusConflict {
			t.Errorf("%s: the form is taken twice: %d", want, code)
		}
	}
	if !slept || answered["look"] == 0 || answered["end"] == 0 {
		t.Errorf("asked was %v", answered)
	}
	runs, err := p.runs()
	if err != nil || len(runs) != 1 || ended(runs[0]) == nil || ended(runs[0]).Ending != rotation.Rotated {
		t.Fatalf("it did not end rotated (%v)", err)
	}
	p.world.Look(func(w *sim.State) {
		if len(w.Portal.Keys) != 1 || w.Portal.Keys[0].Value != f.typed[len(f.typed)-1] {
			t.Error("what was typed last is not the only one that lives")
		}
	})
	notes, err := history.Book{J: p.journal}.Notes(t.Context(), "PORTAL_KEY", history.HandedOver)
	if err != nil || len(notes) < 4 {
		t.Errorf("%d answers stand in the journal (%v)", len(notes), err)
	}
	for i, v := range f.typed {
		for where, text := range map[string]string{"a page": f.seen.String(), "a log": p.log.String(), "the journal's notes": fmt.Sprintf("%s", notes)} {
			if strings.Contains(text, v) {
				t.Errorf("value %d is in %s", i, where)
			}
		}
	}
	f.nowhereIn(p.server.SQL(t, "postgres", "CHECKPOINT; SHOW data_directory"), p.dir)
}

// nowhereIn looks through all files of the database and of the folder.
func (f *form) nowhereIn(rows [][]string, more string) {
	f.Helper()
	files := 0
	for _, dir := range []string{rows[len(rows)-1][0], more} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // it comes and goes while the server runs
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			files++
			for i, v := range f.typed {
				if strings.Contains(string(b), v) {
					f.Errorf("value %d is in %s", i, path)
				}
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	}
	if files < 100 {
		f.Errorf("%d files were searched", files)
	}
}
