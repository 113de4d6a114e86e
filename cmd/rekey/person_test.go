package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

const byHandConfig = `
rekey: 1
simulate: SIM
vendors:
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
  portal: {vendor: assisted, link: "https://portal.example.com/keys"}
credentials:
` + sim.PortalCredential

// someone sits at the terminal, reads what is asked and does it in the portal.
type someone struct {
	world  *sim.World
	values io.Writer // what is piped in
	given  string    // the value that was handed over
	lies   bool      // says that the old one is gone, and leaves it
	read   bytes.Buffer
}

func (s *someone) sit(tty io.ReadWriter) {
	var asked strings.Builder
	one, name := make([]byte, 1), ""
	for {
		if _, err := tty.Read(one); err != nil {
			return
		}
		s.read.Write(one)
		asked.Write(one)
		text, answer := asked.String(), ""
		switch {
		case strings.HasSuffix(text, "\n"):
			if _, after, ok := strings.Cut(text, "By hand: make "); ok {
				name = strings.TrimSpace(after)
			}
			if _, after, ok := strings.Cut(text, "By hand: end "); ok {
				name = strings.TrimSpace(after)
			}
			if strings.Contains(text, "1. New key, named ") {
				s.given = s.make(name)
				go func() { _, _ = io.WriteString(s.values, s.given+"\n") }()
			}
			asked.Reset()
			continue
		case strings.HasSuffix(text, "(nothing: none): "):
			answer = "console-2026-08-23"
		case strings.HasSuffix(text, "Is it gone? [y/n] "):
			if !s.lies {
				s.end(name)
			}
			answer = "y"
		case strings.HasSuffix(text, " listed? [y/n] "):
			answer = "n"
		default:
			continue
		}
		asked.Reset()
		_, _ = io.WriteString(tty, answer+"\n")
	}
}

func (s *someone) make(name string) (value string) {
	req := httptest.NewRequest(http.MethodPost, "/portal/keys", strings.NewReader(`{"name":"`+name+`"}`))
	s.world.ServeHTTP(httptest.NewRecorder(), req)
	s.world.Look(func(w *sim.State) { value = w.Portal.Keys[len(w.Portal.Keys)-1].Value })
	return value
}

func (s *someone) end(name string) {
	s.world.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodDelete, "/portal/keys/"+name, nil))
}

// byHand plays rekey run with somebody at the terminal and the value from a pipe.
func byHand(t *testing.T, who *someone) (code int, out, errs string) {
	t.Helper()
	who.world = sim.Open(sim.New(sim.Options{Seed: 3, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(10 * time.Millisecond)}}), time.Now)
	who.world.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
	server := httptest.NewServer(who.world)
	defer server.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(strings.Replace(byHandConfig, "SIM", server.URL, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, values := io.Pipe()
	who.values = values
	var stdout, stderr bytes.Buffer
	a := &app{streams: streams{in: stdin, out: &stdout, err: &stderr}}
	a.tty = func() (io.ReadWriteCloser, error) {
		near, far := net.Pipe()
		go who.sit(far)
		return near, nil
	}
	code = a.execute(t.Context(), []string{"-C", dir, "run", "PORTAL_KEY", "--confirm", "PORTAL_KEY"})
	return code, stdout.String(), stderr.String()
}

// TestByHandAtTheTerminal: the person is told where to go and what to do; the
// value comes through the pipe and is nowhere to be read.
func TestByHandAtTheTerminal(t *testing.T) {
	t.Parallel()
	who := &someone{}
	code, out, errs := byHand(t, who)
	if code != exitDone {
		t.Fatalf("exit %d\n%s\n%s\n%s", code, who.read.String(), out, errs)
	}
	for _, want := range []string{"https://portal.example.com/keys", "1. New key, named console-", "Find console-2026-08-23, Delete."} {
		if !strings.Contains(who.read.String(), want) {
			t.Errorf("the person does not read %q:\n%s", want, who.read.String())
		}
	}
	if who.given == "" || strings.Contains(out+errs+who.read.String(), who.given) {
		t.Error("the value can be read")
	}
	who.world.Look(func(w *sim.State) {
		if len(w.Portal.Keys) != 1 || w.Portal.Keys[0].Value != who.given {
			t.Errorf("%d keys are live", len(w.Portal.Keys))
		}
	})
}

// TestPersonIsNotBelieved: said to be gone, and still let in.
func TestPersonIsNotBelieved(t *testing.T) {
	t.Parallel()
	who := &someone{lies: true}
	code, out, errs := byHand(t, who)
	if code != exitStuck || !strings.Contains(out+errs, " resume ") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}
