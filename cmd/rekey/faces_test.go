package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sim"
)

// faceOf is one way to ask for the operations, on a world and a journal of its own.
type faceOf struct {
	*testing.T
	name, dir, at string // at: the server's address; "": there is none
	world         *sim.World
	end           func()
	ask           func(d deedOf) (refused bool)
}

// deedOf is one thing that a person asks for.
type deedOf struct {
	what    string // "run", "pause", "continue", "resume", "back", "drifts", "acknowledge"
	purpose string
	fields  map[string]string // credential, target, reason, confirm, ticket
	refused string            // by which code; "": it is done
	words   string            // of that
}

const onlyCredential = "FLEET_0"

func deedsOfFaces() []deedOf {
	return []deedOf{
		{"pause", "", map[string]string{}, "no-reason", "with its reason"},
		{"pause", "", map[string]string{"reason": "a freeze"}, "", ""},
		{"continue", "", map[string]string{"reason": "it is over"}, "", ""},
		{"run", "", map[string]string{"credential": "FLEET_9", "confirm": "FLEET_9"}, "no-credential", "no credential FLEET_9"},
		{"run", "", map[string]string{"credential": onlyCredential, "confirm": "FLEET_9"}, "other-name", "FLEET_9"},
		{"run", "revoke", map[string]string{"credential": onlyCredential, "confirm": "FLEET_0"}, "no-reason", "reason"},
		{"run", "", map[string]string{"credential": onlyCredential, "confirm": onlyCredential, "reason": "scheduled", "ticket": "T-1"}, "", ""},
		{"resume", "", map[string]string{"confirm": onlyCredential}, "run-over", "rotated"},
		{"back", "", map[string]string{"reason": "why not"}, "run-over", "rotated"},
		{"run", "revoke", map[string]string{"credential": onlyCredential, "confirm": onlyCredential, "reason": "it leaked"}, "", ""},
		{"acknowledge", "", map[string]string{"reason": "nothing was found yet"}, "no-finding", "0123456789"},
		{"run", "after revoke", map[string]string{"credential": onlyCredential, "confirm": onlyCredential, "reason": "a new one"}, "", ""},
		{"drifts", "", map[string]string{}, "", ""},
		{"acknowledge", "", map[string]string{}, "no-reason", "with its reason"},
		{"acknowledge", "", map[string]string{"reason": "it moves in March"}, "", ""},
	}
}

// newFaceOf lays a world and a folder out, and serves them where the face needs that.
func newFaceOf(t *testing.T, name string, served bool, change func(string) string) *faceOf {
	t.Helper()
	f := &faceOf{T: t, name: name, dir: t.TempDir(), end: func() {}}
	world := sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(20 * time.Millisecond)}}), time.Now)
	world.Look(func(s *sim.State) { s.Fleet(1, 1) })
	f.world = world
	vendors := httptest.NewServer(world)
	t.Cleanup(vendors.Close)
	text := strings.Replace(sim.FleetConfig(1, vendors.URL, "poll: 20ms, quiet: 100ms, watch: 20ms"), "rekey: 1\n",
		"rekey: 1\nschedule: {canary: none, looks: {drift: \"off\", discover: \"off\", check: \"off\"}}\n", 1)
	if change != nil {
		text = change(text)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if !served {
		return f
	}
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	log := new(safe)
	go func() {
		ended <- execute(ctx, []string{"-C", f.dir, "serve", "--json", "--listen", "127.0.0.1:0"}, streams{out: in, err: log})
	}()
	over := false
	f.end = func() {
		if over {
			return
		}
		over = true
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("%s: the server ended with %d: %s", name, code, log.String())
		}
	}
	t.Cleanup(f.end)
	var serving struct{ Address string }
	if err := json.NewDecoder(out).Decode(&serving); err != nil {
		t.Fatal(err)
	}
	if f.at = serving.Address; f.at == "" {
		f.end()
		t.Fatalf("%s: it does not serve: %s", name, log.String())
	}
	return f
}

// command asks by the command line, at the server where there is one.
func (f *faceOf) command(d deedOf) bool {
	var args []string
	switch d.what {
	case "pause", "continue":
		args = []string{"schedule", d.what}
	case "resume":
		args = []string{"resume", f.last()}
	case "back":
		args = []string{"rollback", f.last()}
	case "drifts":
		f.drifts()
		args = []string{"drift"}
	case "acknowledge":
		args = []string{"acknowledge", f.found(), "--until", "30d"}
	default:
		args = map[string][]string{"": {"run"}, "after revoke": {"run", "--after-revoke"}, "revoke": {"revoke"}}[d.purpose]
		args = append(slices.Clone(args), d.fields["credential"])
	}
	for _, flag := range []string{"confirm", "reason", "ticket"} {
		if v := d.fields[flag]; v != "" {
			args = append(args, "--"+flag, v)
		}
	}
	if f.at != "" {
		args = append([]string{"--server", f.at}, args...)
	}
	var said bytes.Buffer
	code := execute(f.Context(), append([]string{"-C", f.dir}, args...), streams{out: &said, err: &said})
	refused := code == exitUsage || code == exitFailed
	if !refused && code != exitDone && !(d.what == "drifts" && code == exitNeeds) || !strings.Contains(said.String(), d.words) {
		f.Errorf("%s: %v ended with %d:\n%s", f.name, args, code, said.String())
	}
	return refused
}

// send sends one request to the server, and waits until no run is open.
func (f *faceOf) send(path, kind, body, says string) bool {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), http.MethodPost, f.at+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := new(http.Transport).RoundTrip(req)
	if err != nil {
		f.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode >= 500 || !strings.Contains(string(text), says) {
		f.Errorf("%s: %s: %d %.300s", f.name, path, resp.StatusCode, text)
	}
	f.until("nothing is open", `"runs":[]`, "/api/v1/runs?open=true")
	return resp.StatusCode >= 400
}

func (f *faceOf) until(what, words, path string) {
	f.Helper()
	for began := time.Now(); time.Since(began) < 60*time.Second; time.Sleep(20 * time.Millisecond) {
		if _, text := get(f.T, f.at+path); strings.Contains(text, words) {
			return
		}
	}
	f.Fatalf("%s: it never came to pass: %s", f.name, what)
}

// api asks as a program does that knows HTTP and JSON only.
func (f *faceOf) api(d deedOf) bool {
	path := map[string]string{"pause": "/schedule/pause", "continue": "/schedule/continue", "drifts": "/compare", "acknowledge": "/findings/acknowledge", "run": "/runs", "resume": "/runs/" + f.last() + "/advance", "back": "/runs/" + f.last() + "/back"}[d.what]
	fields := map[string]string{}
	for k, v := range d.fields {
		fields[k] = v
	}
	if d.purpose != "" {
		fields["purpose"] = d.purpose
	}
	switch d.what {
	case "drifts":
		f.drifts()
	case "acknowledge":
		fields["finding"], fields["until"] = f.found(), time.Now().AddDate(0, 0, 30).UTC().Format(time.RFC3339)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		f.Fatal(err)
	}
	says := ""
	if d.refused != "" {
		says = `"code":"` + d.refused + `"`
	}
	return f.send("/api/v1"+path, "application/json", string(body), says)
}

// pages asks by the forms of the console, as a browser without JavaScript sends them.
func (f *faceOf) pages(d deedOf) bool {
	if d.what == "drifts" {
		f.drifts()
	}
	path := map[string]string{"pause": "/schedule/pause", "continue": "/schedule/continue", "drifts": "/findings/compare", "acknowledge": "/findings/" + f.found() + "/acknowledge", "run": "/credentials/" + d.fields["credential"] + "/run", "resume": "/runs/" + f.last() + "/resume", "back": "/runs/" + f.last() + "/back"}[d.what]
	form := url.Values{}
	for k, v := range d.fields {
		if k != "credential" {
			form.Set(k, v)
		}
	}
	if d.purpose != "" {
		form.Set("purpose", d.purpose)
	}
	if d.what == "acknowledge" {
		form.Set("days", "30")
	}
	return f.send(path, "application/x-www-form-urlencoded", form.Encode(), "")
}

// drifts has the credential's only app hold something else.
func (f *faceOf) drifts() {
	f.world.Look(func(s *sim.State) {
		for _, app := range s.Heroku.Apps {
			if app.Name == "fleet-0" {
				app.Current().Vars[onlyCredential] = "something:else"
			}
		}
	})
}

// found is the id of what the last comparison has found; one of nothing where it found
// nothing.
func (f *faceOf) found() string {
	f.Helper()
	var text string
	if f.at != "" {
		_, text = get(f.T, f.at+"/api/v1/findings?credential="+onlyCredential)
	} else {
		var out bytes.Buffer
		execute(f.Context(), []string{"-C", f.dir, "findings", "--json"}, streams{out: &out, err: io.Discard})
		text = out.String()
	}
	var list struct{ Findings []report.Finding }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		f.Fatalf("%v: %s", err, text)
	}
	if i := slices.IndexFunc(list.Findings, func(x report.Finding) bool { return x.Counts }); i >= 0 {
		return list.Findings[i].ID
	}
	return "0123456789"
}

// last is the newest run; an id of none where there is none.
func (f *faceOf) last() string {
	f.Helper()
	if f.at != "" {
		_, text := get(f.T, f.at+"/api/v1/runs?limit=1")
		var list struct{ Runs []struct{ Run string } }
		if err := json.Unmarshal([]byte(text), &list); err == nil && len(list.Runs) > 0 {
			return list.Runs[0].Run
		}
		return "222222"
	}
	last := "222222"
	f.book(func(b history.Book) {
		if runs, err := b.Runs(f.Context()); err == nil && len(runs) > 0 {
			last = runs[len(runs)-1].Run
		}
	})
	return last
}

func (f *faceOf) book(read func(history.Book)) {
	f.Helper()
	j, err := journal.Open(filepath.Join(f.dir, ".rekey-simulated"))
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	read(history.Book{J: j})
}

// says is what the journal says, without what is another in each world, and without that
// a worker took a run up and what it looked at then.
func (f *faceOf) says() (out []string) {
	f.Helper()
	f.book(func(b history.Book) {
		notes, err := b.Notes(f.Context(), "", schedule.Paused, schedule.Continued)
		if err != nil {
			f.Fatal(err)
		}
		for _, n := range notes {
			var p schedule.Pause
			if err := json.Unmarshal(n.Body, &p); err != nil {
				f.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s by %s (%s) because %q", n.Kind, p.By.Name, p.By.How, p.Reason))
		}
		acknowledged, err := b.Notes(f.Context(), onlyCredential, history.Acknowledged)
		if err != nil {
			f.Fatal(err)
		}
		for _, n := range acknowledged {
			var k report.Acknowledged
			if err := json.Unmarshal(n.Body, &k); err != nil || len(k.Standing) != 1 {
				f.Fatalf("%s %v", n.Body, err)
			}
			out = append(out, fmt.Sprintf("%s %q by %s (%s) because %q", k.Said, k.Standing[0].What, k.By.Name, k.By.How, k.Reason))
		}
		runs, err := b.Runs(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		for _, r := range runs {
			events, err := b.Events(f.Context(), r.Run)
			if err != nil {
				f.Fatal(err)
			}
			for _, line := range linesOf(events) {
				out = append(out, strings.ReplaceAll(line, r.Run, "RUN"))
			}
		}
	})
	return out
}

func linesOf(events []rotation.Event) (out []string) {
	var outcomes []string // of steps side by side, which end in any order
	flush := func() { slices.Sort(outcomes); out, outcomes = append(out, outcomes...), nil }
	for _, e := range events {
		switch {
		case e.Outcome != nil:
			if e.Outcome.Step != rotation.ResumeStep && e.Outcome.Class != cred.Waiting { // how often is asked is the clock's
				outcomes = append(outcomes, fmt.Sprintf("%s: %s", e.Outcome.Step, e.Outcome.Class))
			}
			continue
		case e.Resumed != nil && e.Resumed.Worker != "":
			continue
		}
		flush()
		switch {
		case e.Opened != nil:
			o := e.Opened
			out = append(out, fmt.Sprintf("opened %s %q by %s (%s) because %q, %q, despite %v", o.Credential, o.Spec.Purpose, o.Actor, o.By.How, o.Reason, o.Ticket, o.Overrides))
		case e.Intent != nil:
			out = append(out, fmt.Sprintf("means %v", e.Intent.Steps))
		case e.Confirmed != nil:
			out = append(out, fmt.Sprintf("confirmed %s by %s", e.Confirmed.Name, e.Confirmed.Actor))
		case e.Closed != nil:
			out = append(out, "closed "+string(e.Closed.Ending))
		default:
			out = append(out, string(e.Kind))
		}
	}
	flush()
	return out
}

// TestOneOperationThroughEveryFace: the command line, the same at a server, the API, the
// forms of the console and the schedule ask for the same, are refused the same, and leave
// the same in the journal: who, why, what was meant, what came of it, and how it ended.
func TestOneOperationThroughEveryFace(t *testing.T) {
	t.Parallel()
	said := make([][]string, 5)
	names := []string{"the command line", "the command line at a server", "the API", "the console", "the schedule"}
	t.Run("faces", func(t *testing.T) {
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if i == 4 {
					f := newFaceOf(t, name, true, func(text string) string {
						return strings.Replace(text, "    discover: \"off\"\n", "    discover: \"off\"\n    cadence: 90d\n    run: automatically\n", 1)
					})
					f.send("/api/v1/check", "application/json", `{"credential":"`+onlyCredential+`"}`, `"refusals"`) // which tells how old it is
					f.until("a rotation", `"ending":"rotated"`, "/api/v1/runs")
					f.end()
					said[i] = f.says()
					return
				}
				f := newFaceOf(t, name, i > 0, nil)
				f.ask = []func(deedOf) bool{f.command, f.command, f.api, f.pages}[i]
				for _, d := range deedsOfFaces() {
					if refused := f.ask(d); refused != (d.refused != "") {
						t.Errorf("%s: %s %s %v is refused: %v", name, d.what, d.purpose, d.fields, refused)
					}
				}
				f.end()
				said[i] = f.says()
			})
		}
	})
	for i, lines := range said[:4] {
		if strings.Join(lines, "\n") != strings.Join(said[0], "\n") {
			t.Errorf("by %s the journal says\n  %s\nand by %s\n  %s", names[0], strings.Join(said[0], "\n  "), names[i], strings.Join(lines, "\n  "))
		}
	}
	if len(said[0]) < 40 || !slices.Contains(said[0], "closed rotated") {
		t.Fatalf("little was done: %v", said[0])
	}
	// The schedule asks for a rotation only, in its own name and with its own reason.
	from := slices.IndexFunc(said[0], func(l string) bool { return strings.HasPrefix(l, "opened") })
	to := slices.Index(said[0], "closed rotated")
	person, own := said[0][from:to+1], said[4]
	if end := slices.Index(own, "closed rotated"); end >= 0 {
		own = own[:end+1]
	}
	if len(own) == 0 || !strings.Contains(own[0], "opened "+onlyCredential) || !strings.Contains(own[0], `because "due since `) || strings.Join(own[1:], "\n") != strings.ReplaceAll(strings.Join(person[1:], "\n"), actorOf(person), actorOf(own)) {
		t.Errorf("by a person the journal says\n  %s\nand by the schedule\n  %s", strings.Join(person, "\n  "), strings.Join(own, "\n  "))
	}
}

// actorOf is who opened a run.
func actorOf(lines []string) string {
	_, by, _ := strings.Cut(lines[0], " by ")
	who, _, _ := strings.Cut(by, " (")
	return who
}
