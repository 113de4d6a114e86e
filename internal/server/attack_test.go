package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/server"
)

// TestWhatIsWrongInItselfIsRefused: each in its way, with all mistakes at once, and nothing
// that was sent is repeated.
func TestWhatIsWrongInItselfIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := b.live(b.options(b.engine())).URL
	const canary = "s3cr3t-that-somebody-typed"
	long := strings.Repeat("a", 2<<20)
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		body               string
		status             int
		code               estate.Code
		mistakes           []string // where
	}{
		{"no such path", "GET", "/api/v1/nothing", nil, "", 404, api.NoWay, nil},
		{"no such version", "GET", "/api/v2/runs", nil, "", 404, api.NoWay, nil},
		{"no console", "GET", "/", nil, "", 404, api.NoWay, nil},
		{"another method", "DELETE", "/api/v1/runs", nil, "", 405, api.NoMethod, nil},
		{"no method at all", "BREW", "/api/v1/runs/222222/back", nil, "", 405, api.NoMethod, nil},
		{"TRACE", "TRACE", "/api/v1/whoami", nil, "", 405, api.NoMethod, nil},
		{"a probe, otherwise", "POST", "/healthz", nil, "", 405, api.NoMethod, nil},
		{"readiness, otherwise", "PUT", "/readyz", nil, "", 405, api.NoMethod, nil},
		{"figures, otherwise", "DELETE", "/metrics", nil, "", 405, api.NoMethod, nil},
		{"the document, otherwise", "POST", "/api/v1/openapi.json", nil, "", 405, api.NoMethod, nil},
		{"the API itself", "GET", "/api/v1", nil, "", 404, api.NoWay, nil},
		{"what is above it", "GET", "/api", nil, "", 404, api.NoWay, nil},
		{"no type", "POST", "/api/v1/runs", map[string]string{"Content-Type": ""}, `{}`, 415, api.BadType, nil},
		{"a form", "POST", "/api/v1/runs", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, `credential=x`, 415, api.BadType, nil},
		{"text", "POST", "/api/v1/check", map[string]string{"Content-Type": "text/plain"}, `{}`, 415, api.BadType, nil},
		{"compressed", "POST", "/api/v1/check", map[string]string{"Content-Encoding": "gzip"}, `{}`, 415, api.BadType, nil},
		{"no JSON", "POST", "/api/v1/check", nil, `{"credential": ` + canary, 400, api.BadRequest, []string{"/credential"}},
		{"nothing", "POST", "/api/v1/check", map[string]string{"Content-Type": "application/json"}, ``, 400, api.BadRequest, []string{""}},
		{"two values", "POST", "/api/v1/check", nil, `{} {}`, 400, api.BadRequest, []string{""}},
		{"twice", "POST", "/api/v1/check", nil, `{"credential":"A","credential":"B"}`, 400, api.BadRequest, []string{"/credential"}},
		{"a list", "POST", "/api/v1/check", nil, `[]`, 400, api.BadRequest, []string{""}},
		{"all mistakes", "POST", "/api/v1/runs", nil, `{"credential":1,"password":"` + canary + `","despite":["a",2],"Reason":"` + canary + `","outside_window":"yes"}`, 400, api.BadRequest,
			[]string{"/Reason", "/credential", "/despite/1", "/outside_window", "/password"}},
		{"deep", "POST", "/api/v1/check", nil, strings.Repeat("[", 100000), 400, api.BadRequest, nil},
		{"a plan that is none", "POST", "/api/v1/runs", nil, `{"credential":"A","reviewed":{"version":"` + canary + `"}}`, 400, api.BadRequest, nil},
		{"a window that is none", "POST", "/api/v1/evidence", nil, `{"from":"` + canary + `","to":"2026-01-01T00:00:00Z"}`, 400, api.BadRequest, []string{"/from"}},
		{"too large", "POST", "/api/v1/check", nil, `{"credential":"` + long + `"}`, 413, api.TooLarge, nil},
		{"unknown parameter", "GET", "/api/v1/runs?openn=true&limit=x&open=maybe", nil, "", 400, api.BadRequest, []string{"limit", "open", "openn"}},
		{"parameter twice", "GET", "/api/v1/status?live=true&live=false", nil, "", 400, api.BadRequest, []string{"live"}},
		{"limit", "GET", "/api/v1/runs?limit=0", nil, "", 400, api.BadRequest, []string{"limit"}},
		{"cursor", "GET", "/api/v1/runs?cursor=%00", nil, "", 400, api.BadRequest, []string{"cursor"}},
		{"id with a line", "GET", "/api/v1/runs/a%0d%0aX-Injected:%20y/log", nil, "", 404, estate.NoRun, nil},
		{"id that climbs", "GET", "/api/v1/runs/..%2f..%2fmetrics/log", nil, "", 404, estate.NoRun, nil},
		{"a key with a line", "POST", "/api/v1/runs", map[string]string{"Idempotency-Key": "a\tb"}, `{"credential":"A"}`, 400, api.BadRequest, []string{"Idempotency-Key"}},
		{"a key too long", "POST", "/api/v1/runs", map[string]string{"Idempotency-Key": strings.Repeat("k", 201)}, `{"credential":"A"}`, 400, api.BadRequest, []string{"Idempotency-Key"}},
		{"after", "GET", "/api/v1/runs/222222/events?after=-1", nil, "", 400, api.BadRequest, []string{"after"}},
		{"a body where none is", "POST", "/api/v1/checkpoints", nil, `{}`, 400, api.BadRequest, []string{""}},
		{"another site's page", "POST", "/api/v1/checkpoints", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, "", 403, api.CrossSite, nil},
		{"another site's name", "GET", "/api/v1/status", map[string]string{"Host": "evil.example"}, "", 421, api.WrongHost, nil},
		{"another site's name and a port", "GET", "/healthz", map[string]string{"Host": "evil.example:8420"}, "", 421, api.WrongHost, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, at+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		for k, v := range c.header {
			if req.Header.Set(k, v); k == "Host" {
				req.Host = v
			}
		}
		resp, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		problem, is := api.ReadRefusal(text)
		if resp.StatusCode != c.status || !is || problem.Code != c.code || problem.Status != c.status || resp.Header.Get("Content-Type") != api.Problem {
			t.Errorf("%s: it is %d %s (%.200s), and should be %d %s", c.name, resp.StatusCode, problem.Code, text, c.status, c.code)
			continue
		}
		if problem.Instance == "" || problem.Instance != resp.Header.Get(api.IDHeader) || resp.Header.Get("X-Injected") != "" {
			t.Errorf("%s: headers are %v", c.name, resp.Header)
		}
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("%s: what was sent is repeated: %s", c.name, text)
		}
		var where []string
		for _, m := range problem.Mistakes {
			where = append(where, m.At)
		}
		slices.Sort(where)
		if c.mistakes != nil && strings.Join(where, " ") != strings.Join(c.mistakes, " ") {
			t.Errorf("%s: mistakes are at %q, and should be at %q: %s", c.name, where, c.mistakes, text)
		}
	}
	if strings.Contains(b.log.String(), canary) {
		t.Error("what was sent is in the log")
	}
	for line := range strings.SplitSeq(strings.TrimSpace(b.log.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is none: %s", line)
		}
	}
}

// TestAFloodOfStreamsIsBounded: one caller has so many, and everybody else is served.
func TestAFloodOfStreamsIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.engine()
	ops := b.client(b.live(b.options(e)).URL, nil)
	if _, err := ops.Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{}); err != nil {
		t.Fatal(err)
	}
	run := last(t.Context(), e)
	o := b.options(endless{e})
	o.Limits = server.Limits{Streams: 4, Beat: 5 * time.Millisecond}
	at := b.live(o).URL
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	get := func(path string) *http.Response {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Transport{}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	var streams []*http.Response
	for range 4 {
		streams = append(streams, get("/api/v1/runs/"+run+"/events"))
	}
	if resp := get("/api/v1/runs/" + run + "/events"); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the fifth stream is answered %d", resp.StatusCode)
	}
	if resp := get("/api/v1/runs"); resp.StatusCode != http.StatusOK {
		t.Errorf("the list is answered %d meanwhile", resp.StatusCode)
	}
	// Signs of life come although nothing happens.
	in := bufio.NewReader(streams[0].Body)
	for beats := 0; beats < 2; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, ":") {
			beats++
		}
	}
	// Whoever goes away makes room.
	_ = streams[1].Body.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if resp := get("/api/v1/runs/" + run + "/events"); resp.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no room")
		}
	}
}

// endless follows runs without end.
type endless struct{ server.Engine }

func (endless) Follow(ctx context.Context, _ string, _ int64, _ estate.Face) (estate.Ended, error) {
	<-ctx.Done()
	return estate.Ended{Detached: true}, nil
}

// TestAMistakeOfThisProgramSaysNothing: what the operation panics with stands in the log
// only.
func TestAMistakeOfThisProgramSaysNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := b.live(b.options(panicking{b.engine()})).URL
	_, err := b.client(at, nil).Whoami(t.Context())
	if err == nil || strings.Contains(err.Error(), "inside") || !strings.Contains(err.Error(), "mistake in this program") {
		t.Errorf("told is %v", err)
	}
	if !strings.Contains(b.log.String(), "inside") || !strings.Contains(b.log.String(), `"stack"`) {
		t.Error("the log does not say what it was")
	}
}

type panicking struct{ server.Engine }

func (panicking) Whoami(context.Context) (estate.Whoami, error) { panic("inside") }

// TestWhoIsSlowIsServedNoLongerThanOthersWait: while many send their headers byte by byte,
// others are served; and the server is stopping when it is told to.
func TestWhoIsSlowIsServedNoLongerThanOthersWait(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, err := server.New(b.options(b.engine()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, time.Second) }()
	var slow []net.Conn
	for i := range 50 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := fmt.Fprintf(c, "POST /api/v1/check HTTP/1.1\r\nHost: 127.0.0.1\r\nX-%d: ", i); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	at, err := url.Parse("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.client(at.String(), nil).Whoami(t.Context()); err != nil {
		t.Errorf("beside %d slow ones nobody is served: %v", len(slow), err)
	}
	stop()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), "deadline") {
		t.Errorf("it stopped with %v", err)
	}
}
