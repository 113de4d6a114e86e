package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/access"
	"rekey/internal/client"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/service"
	"rekey/internal/sop"
)

const (
	asksAt    = "REKEY_TEST_ASKS_AT"    // address of a service
	readsFrom = "REKEY_TEST_READS_FROM" // file with the token to ask it by
)

// TestMain: with these variables this program is the one that holds the token.
func TestMain(m *testing.M) {
	if at := os.Getenv(asksAt); at != "" {
		asks(at, os.Getenv(readsFrom))
		return
	}
	if dir := os.Getenv(servesFrom); dir != "" {
		serves(dir, os.Getenv(servesAt))
		return
	}
	if os.Getenv("GOGC") == "" { // much is made and dropped, and little is kept
		debug.SetGCPercent(800)
	}
	os.Exit(m.Run())
}

// answered is what the program that holds the token was answered.
type answered struct {
	Asked   int
	Refused []string
	Tokens  int // different ones that it asked by
}

// asks asks a service all the time, by the token that a file holds then, until its input
// ends, and prints what it was answered.
func asks(at, file string) {
	var out answered
	var mu sync.Mutex
	seen := map[string]bool{}
	over := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(over) }()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			c := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
			for {
				select {
				case <-over:
					return
				case <-time.After(20 * time.Millisecond):
				}
				token, status := "", "no answer"
				b, err := os.ReadFile(file)
				if err == nil {
					_, token, _ = strings.Cut(strings.TrimSpace(string(b)), "=")
					var req *http.Request
					if req, err = http.NewRequest(http.MethodGet, at+"/api/v1/status", nil); err == nil {
						req.Header.Set("Authorization", "Bearer "+token)
						var resp *http.Response
						if resp, err = c.Do(req); err == nil {
							_, _ = io.Copy(io.Discard, resp.Body)
							_ = resp.Body.Close()
							status = resp.Status
						}
					}
				}
				mu.Lock()
				out.Asked++
				if seen[token] = true; err != nil || status != "200 OK" {
					out.Refused = append(out.Refused, fmt.Sprintf("%s (%v)", status, err))
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	out.Tokens = len(seen)
	_ = json.NewEncoder(os.Stdout).Encode(out)
}

// own is a service that rotates its own tokens, by the rekey.yaml of docs/access.md.
type own struct {
	*testing.T
	dir, at string
	log     *lines
	tokens  *access.Tokens
	// lose: the answer to the next create is lost on its way.
	lose, lost atomic.Bool
	// passed tells of a request that changed a token, once it was answered.
	passed chan string
	stop   func() error
}

// serveOwn starts it on the page's example, with shorter waits and other places, and with
// the tokens that are made by hand.
func serveOwn(t *testing.T) *own {
	t.Helper()
	x := &own{T: t, dir: t.TempDir(), log: &lines{}, passed: make(chan string, 1)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x.at = "http://" + l.Addr().String()
	file := filepath.Join(x.dir, "rekey.yaml")
	x.write("rekey.yaml", x.example(x.way()))
	env := func(string) (string, bool) { return "", false }
	config, err := sop.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	user := func() string { return "root@laptop" }
	here := estate.New(config, estate.Surroundings{Env: env, User: user, Tool: "test"})
	long := func() time.Time { return time.Now().Add(-61 * 24 * time.Hour) } // so they are due
	local, closing, err := access.OpenTokens(t.Context(), here, config, long)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closing() })
	for name, w := range map[string]access.Wanted{"nightly": {Name: "nightly-1", Only: []string{"look", "rotate"}}, "rotator": {Name: "rotator-1"}} {
		_, text, err := local.Create(t.Context(), rotation.Who{Name: "root@laptop", Roles: []string{"operator"}}, w)
		if err != nil {
			t.Fatal(err)
		}
		if name == "nightly" {
			x.write("nightly.env", "REKEY_TOKEN="+text+"\n")
			x.write("job.env", "REKEY_TOKEN="+text+"\n")
		} else {
			x.write("rotator.env", "REKEY_ROTATOR="+text+"\n")
			x.write("rotator", text+"\n")
		}
	}
	x.start(l)
	t.Cleanup(func() {
		if err := x.stop(); err != nil {
			t.Errorf("it stopped with %v", err)
		}
	})
	x.tokens, closing, err = access.OpenTokens(t.Context(), here, config, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closing() })
	return x
}

// start serves on a listener, until stop.
func (x *own) start(l net.Listener) {
	x.Helper()
	s, err := service.Open(context.Background(), service.Options{
		File: filepath.Join(x.dir, "rekey.yaml"), Listen: l.Addr().String(), Name: "one", Tool: "test", Drain: 5 * time.Second, Every: 10 * time.Millisecond, Tick: 50 * time.Millisecond, Noted: time.Second,
		Env: func(string) (string, bool) { return "", false }, User: func() string { return "root@laptop" }, Log: slog.New(slog.NewJSONHandler(x.log, nil)),
	})
	if err != nil {
		x.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	x.stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, s.Close())
	})
}

// way leads to the service, and may lose an answer.
func (x *own) way() string {
	to, err := url.Parse(x.at)
	if err != nil {
		x.Fatal(err)
	}
	s := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: &http.Transport{DisableKeepAlives: true}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodPost {
				select {
				case x.passed <- r.Request.URL.Path:
				default: // nobody has heard of the one before
				}
			}
			if r.Request.Method == http.MethodPost && r.Request.URL.Path == "/api/v1/tokens" && r.StatusCode == http.StatusCreated && x.lose.Swap(false) {
				x.lost.Store(true)
				return errors.New("lost")
			}
			return nil
		}})
	x.Cleanup(s.Close)
	return s.URL
}

// example is the page's, as it stands there but for places and waits.
func (x *own) example(at string) string {
	page, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		x.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "### Rotated by Rekey itself")
	_, rest, block := strings.Cut(rest, "```yaml\n")
	text, _, end := strings.Cut(rest, "```")
	if !found || !block || !end {
		x.Fatal("the page has no example")
	}
	for _, r := range [][2]string{
		{"https://rekey.example.com", at}, {"/etc/rekey/", x.dir + "/"}, {"/srv/nightly/rekey.env", x.dir + "/job.env"}, {"/var/lib/rekey/kept", x.dir + "/kept"},
		{"{user: root}]", "{user: root}, {token: ops}]"}, {"    cadence: 60d\n", "    cadence: 60d\n    timing: {poll: 50ms, quiet: 1s, watch: 50ms}\n"},
	} {
		if !strings.Contains(text, r[0]) {
			x.Fatalf("the example has no %s", r[0])
		}
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	if err := os.Mkdir(filepath.Join(x.dir, "kept"), 0o700); err != nil {
		x.Fatal(err)
	}
	return text
}

func (x *own) write(name, text string) {
	x.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
}

// held is the token in a file.
func (x *own) held(name string) string {
	x.Helper()
	b, err := os.ReadFile(filepath.Join(x.dir, name))
	if err != nil {
		x.Fatal(err)
	}
	text := strings.TrimSpace(string(b))
	if _, value, is := strings.Cut(text, "="); is {
		return value
	}
	return text
}

// works reports whether the service takes a token.
func (x *own) works(token string) bool {
	x.Helper()
	p := &place{T: x.T, at: x.at}
	_, err := p.client(token).Whoami(x.Context())
	return err == nil
}

// live are the tokens of a family that work.
func (x *own) live(family string) (out []access.Token) {
	x.Helper()
	all, err := x.tokens.List(x.Context(), rotation.Who{Name: "root@laptop", Roles: []string{"operator"}})
	if err != nil {
		x.Fatal(err)
	}
	for _, t := range all {
		if strings.HasPrefix(t.Name, family) && t.Live(time.Now()) {
			out = append(out, t)
		}
	}
	return out
}

// TestAServiceRotatesItsOwnTokens, by the example of docs/access.md: what is due begins by
// itself; the program that holds the token and asks all the time is never refused, also
// where the answer to the first create was lost; the old one is refused afterwards; the
// token by which it is done is rotated in the same way and then rotates others.
func TestAServiceRotatesItsOwnTokens(t *testing.T) {
	t.Parallel()
	x := serveOwn(t)
	first, rotator := x.held("job.env"), x.held("rotator")
	x.lose.Store(true)
	program := exec.CommandContext(t.Context(), os.Args[0])
	program.Env = append(os.Environ(), asksAt+"="+x.at, readsFrom+"="+filepath.Join(x.dir, "job.env"))
	program.Stderr = os.Stderr
	in, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	_, ops, err := x.tokens.Create(t.Context(), rotation.Who{Name: "root@laptop", Roles: []string{"operator"}}, access.Wanted{Name: "ops"})
	if err != nil {
		t.Fatal(err)
	}
	c := (&place{T: t, at: x.at}).client(ops)
	x.rotated(c, "REKEY_NIGHTLY", 1)
	x.rotated(c, "REKEY_ROTATOR", 1)
	second := x.held("job.env")
	if _, err := c.Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: "REKEY_NIGHTLY"}, Confirm: "REKEY_NIGHTLY", Reason: "once more, by the new one"}, estate.Silent{}); err != nil {
		t.Fatal(err)
	}
	x.rotated(c, "REKEY_NIGHTLY", 2)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	var got answered
	if err := json.NewDecoder(bufio.NewReader(said)).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests, %d refused, by %d tokens", got.Asked, len(got.Refused), got.Tokens)
	if len(got.Refused) > 0 || got.Tokens != 3 || got.Asked < 50 {
		t.Errorf("%d requests by %d tokens, refused: %.300q", got.Asked, got.Tokens, got.Refused)
	}
	if !x.lost.Load() {
		t.Error("no answer was lost")
	}
	third, next := x.held("job.env"), x.held("rotator")
	for name, tt := range map[string]struct {
		token string
		works bool
	}{"the first": {first, false}, "the second": {second, false}, "the third": {third, true}, "the old rotator": {rotator, false}, "the new rotator": {next, true}} {
		if x.works(tt.token) != tt.works {
			t.Errorf("%s works: %v", name, !tt.works)
		}
	}
	for _, family := range []string{"nightly-", "rotator-"} {
		if live := x.live(family); len(live) != 1 || live[0].Used.IsZero() || !slices.Contains(live[0].Roles, "bot") {
			t.Errorf("of %s there are %+v", family, live)
		}
	}
	for _, secret := range []string{first, second, third, rotator, next, ops} {
		if strings.Contains(x.log.String(), secret) {
			t.Error("a token stands in the log")
		}
	}
}

// TestAServiceIsStoppedWhileItRotatesItsOwnTokens: it is its own vendor, so what it asks
// for meanwhile nobody answers. After each of the first changes it is stopped, as a deploy
// does, and started again.
func TestAServiceIsStoppedWhileItRotatesItsOwnTokens(t *testing.T) {
	t.Parallel()
	x := serveOwn(t)
	_, ops, err := x.tokens.Create(t.Context(), rotation.Who{Name: "root@laptop", Roles: []string{"operator"}}, access.Wanted{Name: "ops"})
	if err != nil {
		t.Fatal(err)
	}
	stopped := map[string]int{}
	for range 4 {
		select {
		case path := <-x.passed: // the answer goes out while it stops
			stopped[path]++
		case <-time.After(60 * time.Second):
			t.Fatalf("stopped after %v, and nothing goes on", stopped)
		}
		if err := x.stop(); err != nil {
			t.Errorf("it stopped with %v", err)
		}
		l, err := net.Listen("tcp", strings.TrimPrefix(x.at, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		x.start(l)
	}
	t.Logf("stopped after %v", stopped)
	c := (&place{T: t, at: x.at}).client(ops)
	x.rotated(c, "REKEY_NIGHTLY", 1)
	x.rotated(c, "REKEY_ROTATOR", 1)
	for family, file := range map[string]string{"nightly-": "job.env", "rotator-": "rotator"} {
		if live := x.live(family); len(live) != 1 || !x.works(x.held(file)) {
			t.Errorf("of %s there are %+v", family, live)
		}
	}
}

// rotated waits until so many runs of a credential are over, and all ended well.
func (x *own) rotated(c *client.Client, credential string, many int) {
	x.Helper()
	var last string
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		runs, err := c.RunsOf(x.Context(), credential)
		if last = fmt.Sprint(err); err != nil { // it may be away
			continue
		}
		over := 0
		for _, r := range runs {
			if last = fmt.Sprintf("%+v", r); !r.Open() {
				over++
			}
		}
		if over >= many {
			for _, r := range runs {
				if r.Ending != rotation.Rotated {
					log, _ := c.Log(x.Context(), r.Run)
					for _, e := range log.Events {
						if e.Outcome != nil {
							x.Logf("%s: %+v", e.Outcome.Step, *e.Outcome)
						}
					}
					x.Fatalf("%s: %+v", credential, r)
				}
			}
			return
		}
	}
	x.Fatalf("%s: not %d runs: %s", credential, many, last)
}
