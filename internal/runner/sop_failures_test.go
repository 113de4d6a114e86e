package runner_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// The SOP's commands, run by hand, fail in 48 ways; T01 to T48 are their numbers
// in the list of the project's research. Each has a test here, beside the
// headings of that list, in internal/sop or in cmd/rekey: it arranges the failure
// and looks at what the world is like in the end.

// The SOP's two credentials, and their former names.
const (
	console, formerConsole = "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"
	vault, formerVault     = "CF_ACCESS_SVC_VAULT", "CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE"
)

// kind of request, by method and a part of host and path.
type kind struct{ method, part string }

var (
	creates     = kind{"POST", "/service_tokens"}
	switches    = kind{"PUT", "/service_tokens/"}
	deletes     = kind{"DELETE", "/service_tokens"}
	storeWrites = kind{"PATCH", "/api/v4/secrets/batch"}
	appWrites   = kind{"PATCH", "/config-vars"}
	probes      = kind{"GET", "console.raxx.app/health"}
	checks      = kind{"GET", "/api/status/sites"}
)

func (k kind) fits(req *http.Request) bool {
	return req.Method == k.method && strings.Contains(req.URL.Host+req.URL.Path, k.part)
}

type send = func() (*http.Response, error)

// whenever hands every request of a kind to f, with its number among its kind
// from 1. What was arranged before stands behind it.
func whenever(s *stage.Stage, k kind, f func(n int, req *http.Request, pass send) (*http.Response, error)) {
	behind, n := s.Before, 0
	s.Before = func(call int, req *http.Request, pass send) (*http.Response, error) {
		if behind != nil {
			direct := pass
			pass = func() (*http.Response, error) { return behind(call, req, direct) }
		}
		if !k.fits(req) {
			return pass()
		}
		n++
		return f(n, req, pass)
	}
}

// after lets f look at the world, or change it, after the n-th request of a kind.
func after(s *stage.Stage, k kind, n int, f func(w *sim.State)) {
	whenever(s, k, func(i int, _ *http.Request, pass send) (*http.Response, error) {
		resp, err := pass()
		if i == n {
			s.World.Look(f)
		}
		return resp, err
	})
}

// says is an answer that the world did not give.
func says(req *http.Request, status int, mime, body string) (*http.Response, error) {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {mime}}, Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// view is all that a rotation may change, at one moment.
type view struct {
	Tokens   map[string]string            // live ones: name by id
	Deleted  []string                     // ids
	Slots    map[string]string            // of the store
	Versions map[string]int               // of the store's slots
	Vars     map[string]map[string]string // in force, by app
	Releases map[string]int               // how many, by app
	Rules    map[string]string            // of policies and groups, by name
}

func see(s *stage.Stage) view {
	v := view{Tokens: map[string]string{}, Slots: map[string]string{}, Versions: map[string]int{}, Vars: map[string]map[string]string{}, Releases: map[string]int{}, Rules: map[string]string{}}
	s.World.Look(func(w *sim.State) {
		for _, t := range w.Cloudflare.Tokens {
			v.Tokens[t.ID] = t.Name
		}
		for _, t := range w.Cloudflare.Deleted {
			v.Deleted = append(v.Deleted, t.ID)
		}
		for _, x := range w.Infisical.Secrets {
			v.Slots[x.Key], v.Versions[x.Key] = x.Versions[len(x.Versions)-1].Value, len(x.Versions)
		}
		for _, a := range w.Heroku.Apps {
			v.Vars[a.Name], v.Releases[a.Name] = maps.Clone(inForce(a)), len(a.Releases)
		}
		for _, list := range [][]sim.Rules{w.Cloudflare.Policies, w.Cloudflare.Groups} {
			for _, r := range list {
				v.Rules[string(r["name"])] = fmt.Sprintf("%s %s %s %s", r["include"], r["require"], r["exclude"], r["decision"])
			}
		}
	})
	return v
}

// inForce are the config vars of the newest release that succeeded.
func inForce(a *sim.HerokuApp) map[string]string {
	for _, r := range slices.Backward(a.Releases) {
		if r.Status == "succeeded" {
			return r.Vars
		}
	}
	return nil
}

// sameValues compares everything but how often it was written and what was
// deleted: as it is after a rollback.
func sameValues(t *testing.T, before, now view) {
	t.Helper()
	now.Versions, now.Releases, now.Deleted = before.Versions, before.Releases, before.Deleted
	same(t, before, now)
}

// same compares everything.
func same(t *testing.T, before, now view) {
	t.Helper()
	if was, is := fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", now); was != is {
		t.Errorf("the world was changed\nfrom %s\nto   %s", was, is)
	}
}

// liveToken is the live token whose name begins so.
func liveToken(t *testing.T, s *stage.Stage, begins string) sim.Token {
	t.Helper()
	var found []sim.Token
	s.World.Look(func(w *sim.State) {
		for _, x := range w.Cloudflare.Tokens {
			if strings.HasPrefix(x.Name, begins) {
				found = append(found, *x)
			}
		}
	})
	if len(found) != 1 {
		t.Fatalf("%d live tokens are named %s…", len(found), begins)
	}
	return found[0]
}

func pair(t sim.Token) string { return t.ClientID + ":" + t.Secret }

// put writes a value into the store, as a person would.
func put(w *sim.State, key, value string) {
	for _, x := range w.Infisical.Secrets {
		if x.Key == key {
			x.Versions = append(x.Versions, sim.Version{Value: value, At: w.At})
		}
	}
}

// set changes config vars in the release in force, without a release of its own:
// the running processes go on with what they had.
func set(a *sim.HerokuApp, name, value string) {
	for _, r := range slices.Backward(a.Releases) {
		if r.Status == "succeeded" {
			r.Vars = maps.Clone(r.Vars)
			r.Vars[name] = value
			return
		}
	}
}

// secondApp adds an app whose one process holds the token, as somebody forgot
// who wrote the list of consumers.
func secondApp(w *sim.State, name, variable, value string) *sim.HerokuApp {
	first := w.Heroku.Apps[0]
	vars := map[string]string{variable: value}
	r := &sim.Release{ID: "00000000-0000-4000-8000-0000000000aa", Version: 7, Status: "succeeded", Description: "Deploy 77aa", CreatedAt: first.Releases[0].CreatedAt, Vars: vars}
	p := &sim.Process{ID: "00000000-0000-4000-8000-0000000000ab", Name: "worker.1", Type: "worker", Release: 7, Env: vars, Started: r.CreatedAt, Up: r.CreatedAt}
	a := &sim.HerokuApp{ID: "00000000-0000-4000-8000-0000000000ac", Name: name, Releases: []*sim.Release{r}, Processes: []*sim.Process{p}}
	w.Heroku.Apps = append(w.Heroku.Apps, a)
	return a
}

// config is the example with some of its text replaced.
func config(t *testing.T, oldnew ...string) *sop.Config {
	t.Helper()
	text := sop.Example()
	for i := 0; i+1 < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the example does not say %q", oldnew[i])
		}
		text = strings.Replace(text, oldnew[i], oldnew[i+1], 1)
	}
	c, err := sop.Parse("rekey.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// play plays a run to its end.
func play(t *testing.T, s *stage.Stage, name string) *rotation.State {
	t.Helper()
	result, err := s.Play(name)
	if err != nil {
		t.Fatal(err)
	}
	return result.State
}

// next opens another run on the same world, with a journal of its own.
func next(t *testing.T, s *stage.Stage, name, run string) *rotation.State {
	t.Helper()
	events, err := s.Log.Events()
	if err != nil {
		t.Fatal(err)
	}
	s.Earlier, s.Log = append(s.Earlier, events...), &stage.Log{}
	if err := s.Open(name, run); err != nil {
		t.Fatal(err)
	}
	result, err := s.Resume()
	if err != nil {
		t.Fatal(err)
	}
	return result.State
}

// judged adds to the test every promise that the judge finds broken.
func judged(t *testing.T, s *stage.Stage, st *rotation.State) {
	t.Helper()
	for _, b := range s.Judge(runner.Result{State: st}) {
		t.Error(b)
	}
}

// noOutage is the part of the judgement that holds in every world.
func noOutage(t *testing.T, s *stage.Stage) {
	t.Helper()
	s.World.Look(func(w *sim.State) {
		for _, o := range w.Outages {
			t.Errorf("outage of %s %s (%s) from %s: %s", o.App, o.Process, o.Var, o.From.Format(time.TimeOnly), o.Why)
		}
	})
}

// ended demands an ending and what is told of it.
func ended(t *testing.T, st *rotation.State, ending rotation.Ending, told ...string) {
	t.Helper()
	if st.Closed == nil || st.Closed.Ending != ending {
		t.Fatalf("want %q, got closed %+v, stuck %+v", ending, st.Closed, st.Stuck)
	}
	text := st.Closed.Why
	for _, r := range st.Closed.Refusals {
		text += "\n" + r.Code + ": " + r.What + ": " + r.Then
	}
	says := func(w string) bool { return strings.Contains(text, w) }
	for _, w := range told {
		if !says(w) {
			t.Errorf("%q is not told: %s", w, text)
		}
	}
}

// halted demands a run that waits for a person, and what it says to them.
func halted(t *testing.T, st *rotation.State, told ...string) {
	t.Helper()
	if st.Stuck == nil {
		t.Fatalf("want stuck, got closed %+v", st.Closed)
	}
	text := st.Stuck.Why + "\n" + strings.Join(st.Stuck.Live, "\n") + "\n" + st.Stuck.Next
	for _, w := range told {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not told: %s", w, text)
		}
	}
}

// count of requests that reached a vendor, by a part of their endpoint.
func count(s *stage.Stage, vendor, endpoint string) int {
	n := 0
	s.World.Look(func(w *sim.State) {
		for e, c := range w.Calls[vendor] {
			if strings.Contains(e, endpoint) {
				n += c
			}
		}
	})
	return n
}

// TestEveryTIsTested: no way to fail is left without a test that names it.
func TestEveryTIsTested(t *testing.T) {
	named := regexp.MustCompile(`^TestT([0-9]{2})[A-Z]`)
	found := map[string]bool{}
	for _, dir := range []string{".", "../sop", "../../cmd/rekey"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests in %s: %v", dir, err)
		}
		for _, path := range files {
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv != nil {
					continue
				}
				if m := named.FindStringSubmatch(fn.Name.Name); m != nil {
					found[m[1]] = true
				}
			}
		}
	}
	for n := 1; n <= 48; n++ {
		if id := fmt.Sprintf("%02d", n); !found[id] {
			t.Errorf("T%s has no test", id)
		}
	}
}
