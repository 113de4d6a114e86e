package service_test

import (
	"database/sql"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// withPortal adds a credential that a person makes.
func withPortal(p *place, text string) string {
	p.world.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
	text = strings.Replace(text, "\nvendors:\n", "\nvendors:\n  portal: {vendor: assisted, link: \"https://portal.example.com/keys\"}\n", 1)
	return strings.Replace(text, "\ncredentials:\n", "\ncredentials:\n"+sim.PortalCredential, 1)
}

// TestAServiceThatWaitsForAPersonStops when it is told to: nobody is waited for.
func TestAServiceThatWaitsForAPersonStops(t *testing.T) {
	t.Parallel()
	p := serve(t, withPortal)
	resp, err := http.Post(p.at+"/api/v1/runs", "application/json", strings.NewReader(`{"credential":"PORTAL_KEY"}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	run, _, _ := strings.Cut(strings.TrimPrefix(string(b), `{"run":"`), `"`)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s %v", resp.StatusCode, b, err)
	}
	p.until("/runs/"+run, `id="by-hand-title"`)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(p.log.String(), `"level":"ERROR"`) {
		t.Errorf("it stopped with trouble: %s", p.log)
	}
}

var formID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// TestWhatAPersonTypesGoesToTheRunAndNowhereElse: somebody follows a run in his browser, does
// by hand in the portal what its page asks, and hands the new value over by its hidden form.
// The value is in no answer of the server, in no log, and in no file of the journal.
func TestWhatAPersonTypesGoesToTheRunAndNowhereElse(t *testing.T) {
	t.Parallel()
	p := serve(t, withPortal)
	var seen strings.Builder // everything that the server has answered
	post := func(path, body, kind string, header ...string) (int, string, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.at+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(b)
		return resp.StatusCode, string(b), resp.Header.Get("Location")
	}
	const form = "application/x-www-form-urlencoded"
	status, text, _ := post("/api/v1/runs", `{"credential":"PORTAL_KEY","confirm":"PORTAL_KEY"}`, "application/json")
	run, _, _ := strings.Cut(strings.TrimPrefix(text, `{"run":"`), `"`)
	if status != http.StatusCreated || run == "" {
		t.Fatalf("%d %s", status, text)
	}
	at, typed, tried := "/runs/"+run, "", map[string]bool{}
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("it does not end; asked was %v\n%s", tried, text)
		}
		_, text = p.get(at)
		seen.WriteString(text)
		if strings.Contains(text, `id="ended"`) {
			break
		}
		id := formID.FindStringSubmatch(text)
		if id == nil {
			continue
		}
		_, part := p.get(at + "/by-hand?shown=none")
		if code, _ := p.get(at + "/by-hand?shown=" + id[1]); !strings.Contains(part, id[1]) || code != http.StatusNoContent && code != http.StatusOK {
			t.Fatalf("the part of the page: %d %s", code, part)
		}
		answer := url.Values{"id": {id[1]}, "done": {"yes"}}
		what := ""
		switch {
		case strings.Contains(text, `type="password"`):
			what = "make"
			if !strings.Contains(text, `autocomplete="off"`) {
				t.Error("a browser may keep what is typed")
			}
			if !tried[what] { // another site, nothing typed, and more than any value
				for want, bad := range map[int][]string{
					http.StatusForbidden:             {answer.Encode() + "&field-value=x", "Sec-Fetch-Site", "cross-site"},
					http.StatusUnprocessableEntity:   {answer.Encode() + "&field-value="},
					http.StatusRequestEntityTooLarge: {answer.Encode() + "&field-value=" + strings.Repeat("x", 70<<10)},
					http.StatusConflict:              {"id=other&done=yes&field-value=x"},
				} {
					if code, _, _ := post(at+"/by-hand", bad[0], form, bad[1:]...); code != want {
						t.Errorf("%.60s: %d and not %d", bad[0], code, want)
					}
				}
				name := regexp.MustCompile(`<li>New key, named ([^,]+),`).FindStringSubmatch(text)
				if name == nil {
					t.Fatalf("it does not say which: %s", text)
				}
				p.world.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/portal/keys", strings.NewReader(`{"name":"`+name[1]+`"}`)))
				p.world.Look(func(w *sim.State) { typed = w.Portal.Keys[len(w.Portal.Keys)-1].Value })
			}
			answer.Set("field-value", typed)
		case strings.Contains(text, `name="names" class`):
			what = "look"
			p.world.Look(func(w *sim.State) {
				for _, k := range w.Portal.Keys {
					answer.Set("names", answer.Get("names")+","+k.Name)
				}
			})
		case strings.Contains(text, "Yes, it is gone"):
			what = "end"
			p.world.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodDelete, "/portal/keys/console-2026-08-23", nil))
		default: // is it listed?
			what = "listed"
			answer.Set("done", "no")
			p.world.Look(func(w *sim.State) {
				for _, k := range w.Portal.Keys {
					if strings.Contains(text, "Yes, "+k.Name+" is listed") {
						answer.Set("done", "yes")
					}
				}
			})
		}
		tried[what] = true
		if code, said, to := post(at+"/by-hand", answer.Encode(), form, "Sec-Fetch-Site", "same-origin"); code != http.StatusSeeOther || to != at {
			t.Fatalf("%s: %d to %s: %s", what, code, to, said)
		}
	}
	if !strings.Contains(text, "Rotated in") || !tried["make"] || !tried["end"] || typed == "" {
		t.Fatalf("asked was %v, and it ended so:\n%s", tried, text)
	}
	p.world.Look(func(w *sim.State) {
		if len(w.Portal.Keys) != 1 || w.Portal.Keys[0].Value != typed {
			t.Error("what was typed is not the only one that lives")
		}
	})
	_, text = p.get("/api/v1/runs/" + run + "/log")
	seen.WriteString(text)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	never := func(where, text string) {
		t.Helper()
		for _, form := range []string{typed, url.QueryEscape(typed)} {
			if strings.Contains(text, form) {
				t.Errorf("what was typed is in %s", where)
			}
		}
	}
	never("an answer of the server", seen.String())
	never("the log", p.log.String())
	files := 0
	err := filepath.WalkDir(filepath.Dir(p.file), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		never(path, string(b))
		if strings.HasSuffix(path, ".db") && !strings.Contains(string(b), `"handed-over"`) && !strings.Contains(string(b), "handed-over") {
			t.Errorf("%s does not say who handed it over", path)
		}
		return err
	})
	if err != nil || files < 2 {
		t.Errorf("%d files were searched (%v)", files, err)
	}
}

// TestARowOfSomebodyElseGetsNoValue: who can write in the database, and has not the
// installation's fingerprint key, puts a key of his own beside what is asked.
func TestARowOfSomebodyElseGetsNoValue(t *testing.T) {
	t.Parallel()
	p := serve(t, withPortal)
	resp, err := http.Post(p.at+"/api/v1/runs", "application/json", strings.NewReader(`{"credential":"PORTAL_KEY"}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	run, _, _ := strings.Cut(strings.TrimPrefix(string(b), `{"run":"`), `"`)
	if err != nil || run == "" {
		t.Fatalf("%s %v", b, err)
	}
	p.until("/runs/"+run, `id="by-hand-title"`)
	_, text := p.get("/runs/" + run)
	found, err := filepath.Glob(filepath.Join(filepath.Dir(p.file), "*", "journal.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("journals: %v (%v)", found, err)
	}
	db, err := sql.Open("sqlite", "file:"+found[0]+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(`UPDATE lease_asked SET key = '00'`); err != nil {
		t.Fatal(err)
	}
	if code, page := p.get("/runs/" + run); code < 400 || strings.Contains(page, `<input type="password"`) || !strings.Contains(page, "fingerprint key") {
		t.Errorf("%d %s", code, page)
	}
	id := formID.FindStringSubmatch(text)[1]
	resp, err = http.PostForm(p.at+"/runs/"+run+"/by-hand", url.Values{"id": {id}, "done": {"yes"}, "names": {"console-2026-08-23"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode < 400 {
		t.Errorf("it is answered: %d", resp.StatusCode)
	}
}
