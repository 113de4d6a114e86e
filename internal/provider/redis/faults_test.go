//go:build !windows

package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"encoding/pem"

	"rekey/internal/cred"
	"rekey/internal/realserver"
	"rekey/internal/secret"
)

// deed changes the server, and did tells whether it has happened.
type deed struct {
	do  func(t *testing.T, o *opened) error
	did func(s *server) bool
}

var deeds = map[string]deed{
	"create": {
		func(t *testing.T, o *opened) error {
			_, _, err := mustUsers(t, o).Create(t.Context(), "new")
			return err
		},
		func(s *server) bool { return strings.Contains(s.acl(), "user new on ") },
	},
	"delete": {
		func(t *testing.T, o *opened) error {
			return mustUsers(t, o).Revoke(t.Context(), cred.Handle{ID: "app"})
		},
		func(s *server) bool { return !strings.Contains(s.acl(), "user app ") },
	},
	"switch off": {
		func(t *testing.T, o *opened) error {
			_, err := mustUsers(t, o).Switch(t.Context(), cred.Handle{ID: "app"}, false)
			return err
		},
		func(s *server) bool { return strings.Contains(s.acl(), "user app off") },
	},
	"roll": {
		func(t *testing.T, o *opened) error {
			_, _, err := mustPassword(t, o).Roll(t.Context(), cred.Handle{ID: "app"}, time.Now().Add(time.Hour))
			return err
		},
		func(s *server) bool {
			for line := range strings.Lines(s.acl()) {
				if strings.HasPrefix(line, "user app ") {
					return strings.Count(line, "#") == 2
				}
			}
			return false
		},
	},
}

// TestWhateverIsCutIsCalledWhatItIs: at every piece that is sent, the connection is cut
// before or after it, the answer spoiled, or the server killed. What is called certain
// is so, and what has happened is never called "not applied".
func TestWhateverIsCutIsCalledWhatItIs(t *testing.T) {
	for name, d := range deeds {
		for _, fault := range []realserver.Fault{realserver.Before, realserver.After, realserver.Garbage, realserver.Pass} {
			t.Run(fmt.Sprintf("%s %d", name, fault), func(t *testing.T) {
				t.Parallel()
				struck := 0
				for piece := 1; ; piece++ {
					s := startServer(t, byFile)
					p := realserver.NewProxy(t, s.port)
					var strike func()
					if fault == realserver.Pass { // the piece is passed on to nobody
						strike = s.kill
					}
					p.Set(fault, piece, strike)
					err := d.do(t, openAt(t, p.Port, way{}, ""))
					was, _ := p.Struck()
					if !was {
						if err != nil || piece < 5 {
							t.Errorf("%d pieces, %v", piece, err)
						}
						s.kill()
						break
					}
					struck++
					if fault == realserver.Pass {
						s.restart()
					}
					happened := d.did(s)
					switch {
					case err == nil && !happened:
						t.Errorf("piece %d: it says done, and nothing has happened", piece)
					case err != nil && happened && !cred.MayHaveHappened(err):
						t.Errorf("piece %d: it has happened, and it says %v", piece, err)
					case err == nil && fault != realserver.Pass:
						t.Errorf("piece %d: nothing was noticed", piece)
					}
					s.kill()
				}
				if struck < 5 {
					t.Errorf("only %d pieces were spoiled", struck)
				}
			})
		}
	}
}

// TestARollWhoseAnswerIsLostIsFoundOutByTrying it.
func TestARollWhoseAnswerIsLostIsFoundOutByTrying(t *testing.T) {
	s := startServer(t, byFile)
	p := realserver.NewProxy(t, s.port)
	good := mustPassword(t, s.open(""))
	b, err := good.Make("")
	if err != nil {
		t.Fatal(err)
	}
	if works, err := good.Works(t.Context(), cred.Handle{ID: "app"}, b); err != nil || works {
		t.Errorf("%v %v", works, err)
	}
	p.Set(realserver.After, 5, nil) // AUTH, WHOAMI, SETNAME, LIST, SETUSER
	_, err = mustPassword(t, openAt(t, p.Port, way{}, "")).RollWith(t.Context(), cred.Handle{ID: "app"}, time.Now().Add(time.Hour), b)
	if cred.ClassOf(err) != cred.Unknown {
		t.Error(err)
	}
	if works, err := good.Works(t.Context(), cred.Handle{ID: "app"}, b); err != nil || !works {
		t.Errorf("%v %v", works, err)
	}
}

// TestALimitIsNoVerdict: all connections are taken.
func TestALimitIsNoVerdict(t *testing.T) {
	s := startServer(t, byFile, "--maxclients", "3")
	before := s.acl()
	var held []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", s.address())
		if err != nil {
			t.Fatal(err)
		}
		if a, err := newConn(c).do("PING"); err != nil || a.text != "PONG" {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	u := mustUsers(t, s.open(""))
	_, _, err := u.Create(t.Context(), "new")
	wants(t, err, cred.Limited)
	if v, _, err := u.Probe(t.Context(), itself, secret.Bundle{FieldUsername: secret.New("app"), FieldPassword: secret.New("old-password")}); v != cred.Unclear || err == nil {
		t.Errorf("%s %v", v, err)
	}
	for _, c := range held {
		_ = c.Close()
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err = u.List(t.Context()); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil || s.acl() != before {
		t.Error(err)
	}
}

// TestWhatSpeaksAnotherProtocolIsNotBelieved, and neither is what never ends.
func TestWhatSpeaksAnotherProtocolIsNotBelieved(t *testing.T) {
	for name, says := range map[string]string{
		"HTTP": "HTTP/1.1 400 Bad Request\r\n\r\n", "nothing": "", "no end": strings.Repeat("x", 1<<17), "huge": "$999999999999\r\n", "deep": strings.Repeat("*1\r\n", 100),
		"negative": "$-7\r\n", "a list of millions": "*99999999\r\n", "an unknown error": "-CANARY canary-in-an-error\r\n", "half": "+O",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, says)
				_ = c.(*net.TCPConn).CloseWrite()
			}
		}()
		o := openAt(t, l.Addr().(*net.TCPAddr).Port, way{}, "")
		_, _, err = mustUsers(t, o).Create(t.Context(), "new")
		wants(t, err, cred.Limited) // it could not even log in
		v, _, err := mustUsers(t, o).Probe(t.Context(), itself, mustUsers(t, o).Wrong())
		if v != cred.Unclear || err == nil {
			t.Errorf("%s: %s %v", name, v, err)
		}
		_ = l.Close()
	}
	_, err := mustUsers(t, openAt(t, 1, way{}, "")).List(t.Context())
	wants(t, err, cred.Limited)
}

// TestTLS: a certificate is held against the name, and against who may have signed it.
func TestTLS(t *testing.T) {
	s := startServer(t, byFile)
	h := httptest.NewUnstartedServer(nil)
	h.StartTLS()
	cert := h.TLS.Certificates[0]
	signed := h.Certificate()
	h.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				to, err := net.Dial("tcp", s.address())
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(to, c); _ = to.Close() }()
				_, _ = io.Copy(c, to)
				_ = c.Close()
			}()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	list := func(port int, settings string) error {
		_, err := mustUsers(t, openAt(t, port, way{}, settings)).List(t.Context())
		return err
	}
	wants(t, list(port, `,"tls":true,"cacert":"`+ca+`"`), cred.Done)
	wants(t, list(port, `,"tls":true`), cred.Limited) // nobody known has signed it
	wants(t, list(port, ``), cred.Limited)
	wants(t, list(port, `,"tls":true,"cacert":"/nowhere"`), cred.Unsent)
}

// TestAStuckServerIsNotWaitedForBeyondTheCall.
func TestAStuckServerIsNotWaitedForBeyondTheCall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Read(make([]byte, 1)) // it has been asked
			cancel()
		}
	}()
	_, err = mustUsers(t, openAt(t, l.Addr().(*net.TCPAddr).Port, way{}, "")).List(ctx)
	if err == nil {
		t.Error("an answer that nobody gave")
	}
}
