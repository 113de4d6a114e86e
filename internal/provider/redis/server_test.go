//go:build !windows

package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/realserver"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

const adminPassword = "canary-admin-password"

// server is a real Redis of its own folder.
type server struct {
	t    testing.TB
	dir  string
	port int
	args []string
	cmd  *exec.Cmd
}

// The ways to keep an ACL.
const (
	byFile   = "file"   // an ACL file
	byConfig = "config" // lines in the configuration
	byNobody = "nobody" // neither
)

// startServer starts a server with the users that the tests go by: rekey, who may do all
// that Rekey needs and no more; app, who is in use; pattern, whose rules are copied.
func startServer(t testing.TB, keeps string, more ...string) *server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		realserver.Lacking(t, "Redis (Debian: redis-server)", err)
	}
	s := &server{t: t, dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	users := []string{
		"user default on nopass ~* &* +@all",
		"user rekey on >" + adminPassword + " resetkeys resetchannels -@all +acl|list +acl|setuser +acl|deluser +acl|save +acl|whoami +acl|log +acl|dryrun +config|get +config|rewrite +client|list +client|setname +client|kill +info",
		"user app on >old-password ~app:* &app:* -@all +@read +@write +@connection (~other:* -@all +get)",
		"user pattern off ~app:* resetchannels &app:* -@all +@read +@write +@connection (~other:* -@all +get)",
	}
	conf := []string{"port " + fmt.Sprint(s.port), "bind 127.0.0.1", "save \"\"", "dir " + s.dir}
	switch keeps {
	case byFile:
		conf = append(conf, "aclfile "+filepath.Join(s.dir, "users.acl"))
		s.write("users.acl", strings.Join(users, "\n")+"\n")
	case byConfig:
		conf = append(conf, users...)
	}
	s.args = append([]string{program, s.write("redis.conf", strings.Join(conf, "\n")+"\n")}, more...)
	if keeps == byNobody {
		s.args = append([]string{program, "--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", s.dir}, more...)
	}
	s.run()
	t.Cleanup(s.kill)
	if keeps == byNobody {
		for _, u := range users {
			s.do(append([]string{"ACL", "SETUSER"}, strings.Fields(u)[1:]...)...)
		}
	}
	return s
}

func (s *server) write(name, text string) string {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *server) run() {
	s.t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	// It does not outlive the test, however that ends.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 600 {
		c, err := net.Dial("tcp", s.address())
		if err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("the server does not answer")
}

func (s *server) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// kill ends it at once; restart starts it again with what it has kept.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

func (s *server) restart() { s.t.Helper(); s.kill(); s.run() }

// do is a command of the administrator, who is the user default.
func (s *server) do(args ...string) answer {
	s.t.Helper()
	raw, err := net.Dial("tcp", s.address())
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	a, err := newConn(raw).do(args...)
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return a
}

// lets reports whether a name and password get in, without any of the driver's code
// between a refusal and its meaning.
func (s *server) lets(user, password string) bool {
	s.t.Helper()
	raw, err := net.Dial("tcp", s.address())
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	_, err = newConn(raw).do("AUTH", user, password)
	if err != nil && cred.ClassOf(err) != cred.Denied {
		s.t.Fatal(err)
	}
	return err == nil
}

func (s *server) acl() string {
	var out []string
	for _, l := range s.do("ACL", "LIST").list {
		out = append(out, l.text)
	}
	return strings.Join(out, "\n")
}

// way is how the driver gets out: to a port of this machine, noting what it sends.
type way struct {
	outside.Real
	sent *strings.Builder
	late func(context.Context) error // as in provider.Env
}

func (w way) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := w.Real.Dial(ctx, network, address)
	if err != nil || w.sent == nil {
		return c, err
	}
	return noting{c, w.sent}, nil
}

type noting struct {
	net.Conn
	sent *strings.Builder
}

func (n noting) Write(b []byte) (int, error) { n.sent.Write(b); return n.Conn.Write(b) }

// opened is a driver, and what was seen of its calls.
type opened struct {
	*Server
	calls []vendorhttp.Call
}

func openAt(t testing.TB, port int, w way, settings string) *opened {
	t.Helper()
	o := &opened{}
	v, err := Descriptor.Open(provider.Env{
		Now: time.Now, Outside: w, Late: w.late, Observe: func(c vendorhttp.Call) { o.calls = append(o.calls, c) },
		Text: func(x sop.Text) (string, error) { return x[0], nil },
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			return secret.New(map[sop.Ref]string{"env:ADMIN": adminPassword, "env:WRONG": "canary-wrong"}[refs[0]]), provider.Source{Ref: refs[0]}, nil
		},
	}, "cache", json.RawMessage(fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"user":"rekey","password":"env:ADMIN"%s}`, port, settings)))
	if err != nil {
		t.Fatal(err)
	}
	o.Server = v.(*Server)
	return o
}

func (s *server) open(settings string) *opened { return openAt(s.t, s.port, way{}, settings) }

func mustUsers(t testing.TB, o *opened) *users {
	t.Helper()
	i, err := o.Issuer(KindUser, json.RawMessage(`{"like":"pattern"}`))
	if err != nil {
		t.Fatal(err)
	}
	return i.(*users)
}

func mustPassword(t testing.TB, o *opened) *inPlace {
	t.Helper()
	i, err := o.Issuer(KindPassword, json.RawMessage(`{"user":"app"}`))
	if err != nil {
		t.Fatal(err)
	}
	return i.(*inPlace)
}

func wants(t testing.TB, err error, class cred.Class) {
	t.Helper()
	if cred.ClassOf(err) != class {
		t.Errorf("%v, want %s", err, class)
	}
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("an error shows a secret: %v", err)
	}
}
