package service_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/service"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// place is a folder with the example's rekey.yaml on a simulated world with short waits,
// and what is served of it.
type place struct {
	*testing.T
	file, at string
	roles    []string // of the process; none: all
	log      *lines
	world    *sim.World
	stop     func() error
	ended    chan error // what Serve returned
}

// serve serves it; change may make another rekey.yaml of it, and something of the world.
func serve(t *testing.T, change ...func(p *place, text string) string) *place {
	t.Helper()
	return serveWith(t, nil, change...)
}

// serveWith serves with an environment.
func serveWith(t *testing.T, env map[string]string, change ...func(p *place, text string) string) *place {
	t.Helper()
	p := &place{T: t, log: &lines{}, file: filepath.Join(t.TempDir(), "rekey.yaml")}
	p.world = sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(10 * time.Millisecond), PrebootDelay: sim.Duration(10 * time.Millisecond)}}), time.Now)
	vendors := httptest.NewServer(p.world)
	t.Cleanup(vendors.Close)
	text := strings.Replace(sop.Example(), "rekey: 1\n", "rekey: 1\nsimulate: "+vendors.URL+"\n", 1)
	text = strings.Replace(text, "    before_expiry: 14d\n", "    before_expiry: 14d\n    timing: {poll: 50ms, quiet: 50ms, watch: 50ms}\n", 1)
	text = strings.Replace(text, "      vendor: heroku\n      slots:", "      vendor: heroku\n      grace: 50ms\n      slots:", 1)
	for _, f := range change {
		text = f(p, text)
	}
	p.write(text)
	s, err := service.Open(t.Context(), service.Options{
		File: p.file, Listen: "127.0.0.1:0", Roles: p.roles, Name: "one", Tool: "test", Drain: 5 * time.Second, Every: 10 * time.Millisecond,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, User: func() string { return "alice@laptop" }, Log: slog.New(slog.NewJSONHandler(p.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.at = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	p.ended = ended
	go func() { ended <- s.Serve(ctx, l) }()
	p.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		if closed := s.Close(); err == nil {
			err = closed
		}
		return err
	})
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("it stopped with %v", err)
		}
	})
	return p
}

func (p *place) write(text string) {
	p.Helper()
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

func (p *place) get(path string) (int, string) {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), http.MethodGet, p.at+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// until asks until an answer holds some words.
func (p *place) until(path, words string) {
	p.Helper()
	text := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, text = p.get(path); strings.Contains(text, words) {
			return
		}
	}
	p.Fatalf("%s never says %q: %s", path, words, text)
}

// TestAWrongFileIsToldAndNotUsed: the version before stays in use, every mistake is told,
// and the next right one is taken.
func TestAWrongFileIsToldAndNotUsed(t *testing.T) {
	t.Parallel()
	p := serve(t)
	right, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	p.until("/readyz?verbose", "[+] configuration")
	p.write(strings.Replace(string(right), "cadence:", "cadenc:", 1))
	p.until("/readyz?verbose", "[!] configuration")
	code, text := p.get("/readyz?verbose")
	if code != http.StatusOK || !strings.Contains(text, "cadenc") || !regexp.MustCompile(`rekey\.yaml:\d+:\d+`).MatchString(text) {
		t.Errorf("with a wrong file it is %d:\n%s", code, text)
	}
	if _, text := p.get("/api/v1/credentials"); !strings.Contains(text, `"wrong":[`) || !strings.Contains(text, "CF_ACCESS_SVC_CONSOLE") {
		t.Errorf("the API tells %.300s", text)
	}
	if _, text := p.get("/api/v1/status"); !strings.Contains(text, "CF_ACCESS_SVC_CONSOLE") {
		t.Errorf("the version before is not in use: %.300s", text)
	}
	if _, text := p.get("/metrics"); !strings.Contains(text, "rekey_configuration_wrong 1") {
		t.Error("the figures do not say that it is wrong")
	}
	p.write(strings.Replace(string(right), "rekey: 1\n", "rekey: 1\njournal: elsewhere\n", 1))
	p.until("/readyz?verbose", "after a restart")
	p.write(strings.Replace(string(right), "CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE", "CF_ACCESS_FORMER", 1))
	p.until("/readyz?verbose", "[+] configuration")
	if _, text := p.get("/api/v1/credentials"); strings.Contains(text, `"wrong"`) || !strings.Contains(text, "CF_ACCESS_FORMER") {
		t.Errorf("the right version is not in use: %.300s", text)
	}
	if log := p.log.String(); !strings.Contains(log, "rekey.yaml has mistakes") || !strings.Contains(log, "rekey.yaml was read again") {
		t.Errorf("the log does not tell of it: %s", log)
	}
}

// TestTheExamplesOfTheAPIsPageWork: every command of docs/api.md, as it stands there, and
// no secret of the world is in anything that is answered or logged.
func TestTheExamplesOfTheAPIsPageWork(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is missing: the examples were not tried", tool)
		}
	}
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	p := serve(t)
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		script.WriteString(block[1])
	}
	text := strings.Replace(script.String(), "http://127.0.0.1:8420", p.at, 1)
	if strings.Count(text, "curl ") < 10 {
		t.Fatalf("the page has only %d commands", strings.Count(text, "curl "))
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", text)
	cmd.Env = append(os.Environ(), "no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{`"steps"`, `"run":"`, "event: ended", `"over":true`, `"ending":"rotated"`, `"next":"`, `"code":"no-credential"`, `"at":"/credental"`, `"at":"/despite/0"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing says %s", want)
		}
	}
	told := string(out) + p.log.String()
	for _, path := range []string{"/", "/runs", "/health", "/api/v1/credentials", "/metrics"} {
		_, more := p.get(path)
		told += more
	}
	p.nothingSecretIn(told)
	if err := p.stop(); err != nil {
		t.Errorf("it stopped with %v", err)
	}
}

// nothingSecretIn: no secret of the world is in what was told.
func (p *place) nothingSecretIn(told string) {
	p.Helper()
	secrets := 0
	p.world.Look(func(s *sim.State) {
		for _, token := range s.Cloudflare.Tokens {
			secrets++
			if token.Secret != "" && strings.Contains(told, token.Secret) {
				p.Errorf("the secret of %s is told", token.Name)
			}
		}
	})
	for name, value := range p.world.Env() {
		if len(value) > 20 && !strings.HasSuffix(name, "_ID") {
			secrets++
			if strings.Contains(told, value) {
				p.Errorf("%s is told", name)
			}
		}
	}
	if secrets < 4 {
		p.Errorf("only %d secrets were looked for", secrets)
	}
}
