package vault_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rekey/internal/provider"
	"rekey/internal/provider/vault"
	"rekey/internal/provider/vault/double"
	"rekey/internal/realserver"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// server is a Vault, simulated or real, and its root token.
type server struct {
	base, token string
	double      *double.Server
}

// each runs a test on the double, and on the real core of Vault where it is built.
func each(t *testing.T, f func(t *testing.T, s *server)) {
	t.Run("double", func(t *testing.T) {
		t.Parallel()
		d := double.New(time.Now)
		h := httptest.NewServer(d)
		t.Cleanup(h.Close)
		f(t, &server{base: h.URL, token: d.Root, double: d})
	})
	t.Run("core of Vault 1.14.1", func(t *testing.T) {
		t.Parallel()
		s, _ := core(t, "")
		s.admin(t, "POST", "sys/mounts/secret", `{"type":"kv","options":{"version":"2"}}`)
		wait(t, "the engine has been set up", func() bool {
			status, _ := s.ask(t, "GET", "secret/config", "")
			return status == http.StatusOK
		})
		f(t, s)
	})
}

// core starts the real core; with a folder it keeps what it holds there. kill ends it
// at once.
func core(t *testing.T, folder string) (s *server, kill func()) {
	t.Helper()
	var args []string
	if folder != "" {
		args = []string{folder}
	}
	cmd := exec.Command(realserver.Built(t, "vault", "1.14.1", "REKEY_VAULT_SERVER", "the real core of Vault"), args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = stdin.Close() }
	t.Cleanup(kill)
	var said struct{ Address, Token string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &said) != nil {
		t.Fatalf("the core did not start: %v", err)
	}
	return &server{base: said.Address, token: said.Token}, kill
}

// wait waits until something is so, for as long as a slow machine may need.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

// ask sends what an administrator would, and returns what was answered.
func (s *server) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.base+"/v1/"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", s.token)
	if method == "PATCH" {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// admin is ask for what has to work.
func (s *server) admin(t *testing.T, method, path, body string) string {
	t.Helper()
	status, said := s.ask(t, method, path, body)
	if status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, status, said)
	}
	return said
}

// limited makes a token with a policy: capabilities by path, as JSON.
func (s *server) limited(t *testing.T, paths map[string]string) string {
	t.Helper()
	var parts []string
	for path, can := range paths {
		parts = append(parts, fmt.Sprintf(`%q:{"capabilities":["%s"]}`, path, strings.ReplaceAll(can, " ", `","`)))
	}
	policy, _ := json.Marshal(`{"path":{` + strings.Join(parts, ",") + `}}`)
	s.admin(t, "PUT", "sys/policies/acl/limited", `{"policy":`+string(policy)+`}`)
	var out struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	if err := json.Unmarshal([]byte(s.admin(t, "POST", "auth/token/create", `{"policies":["limited"]}`)), &out); err != nil {
		t.Fatal(err)
	}
	return out.Auth.Token
}

// world is what a driver is opened with.
type world struct {
	values    map[string]string
	transport http.RoundTripper
	calls     []vendorhttp.Call
	marks     provider.Marks
	now       func() time.Time
}

func (w *world) env() provider.Env {
	if w.transport == nil {
		w.transport = http.DefaultTransport
	}
	if w.now == nil {
		w.now = time.Now
	}
	return provider.Env{
		Transport: w.transport, Now: w.now, Marks: w.marks,
		Observe: func(c vendorhttp.Call) { w.calls = append(w.calls, c) },
		Together: func(calls ...func() error) error {
			for _, c := range calls {
				if err := c(); err != nil {
					return err
				}
			}
			return nil
		},
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			name := strings.TrimPrefix(string(refs[0]), "env:")
			if v := w.values[name]; v != "" {
				return secret.New(v), provider.Source{Ref: refs[0]}, nil
			}
			return secret.Value{}, provider.Source{}, fmt.Errorf("%s is not set", name)
		},
		Text: func(x sop.Text) (string, error) { return x[0], nil },
	}
}

// open opens the driver with a token.
func (s *server) open(t *testing.T, w *world, token string) provider.Vendor {
	t.Helper()
	if token == "" {
		token = s.token
	}
	w.values = map[string]string{"VAULT_TOKEN": token}
	return s.openWith(t, w, `"token":"env:VAULT_TOKEN"`)
}

func (s *server) openWith(t *testing.T, w *world, login string) provider.Vendor {
	t.Helper()
	v, err := vault.Descriptor.Open(w.env(), "vault", json.RawMessage(`{"base_url":"`+s.base+`",`+login+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// store opens the secret at secret/team/console.
func (s *server) store(t *testing.T, w *world, token string) provider.Store {
	t.Helper()
	return storeOf(t, s.open(t, w, token), `{"path":"team/console"}`)
}

func storeOf(t *testing.T, v provider.Vendor, settings string) provider.Store {
	t.Helper()
	st, err := v.(provider.Stores).Store(json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// hook lets a test do something before a request or after its answer.
type hook struct {
	before func(*http.Request) (*http.Response, error) // an answer or an error: the request is not sent
	after  func(*http.Request, *http.Response) (*http.Response, error)
}

func (h hook) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.before != nil {
		if resp, err := h.before(r); resp != nil || err != nil {
			return resp, err
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && h.after != nil {
		return h.after(r, resp)
	}
	return resp, err
}

func slot(name, value string) provider.SlotValue {
	return provider.SlotValue{Slot: name, Value: secret.New(value), Stamp: map[string]string{"run": "k7f3q2", "generation": "k7f3q2-1", "fingerprint": "0123456789abcdef"}}
}
