//go:build !windows

// Package realserver starts real database servers for tests, on loopback and in a folder of their own.
//
// One server of a kind is started in a test binary, when it is first asked for; Main
// stops it. Whatever way the binary ends, the server ends with it.
package realserver

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Main runs the tests of a package and stops the servers that they have started:
//
//	func TestMain(m *testing.M) { realserver.Main(m, servers...) }
//
// It lets the process collect memory less often, unless GOGC says otherwise: much is made
// and dropped, and little is kept.
func Main(m *testing.M, stop ...func()) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800)
	}
	code := m.Run()
	for _, s := range stop {
		s()
	}
	os.Exit(code)
}

// Lacking skips a test loudly, and fails it where CI promises that everything is
// installed.
func Lacking(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not to be had here, and CI has to have it: %v", what, err)
	}
	t.Skipf("SKIPPED: %s is not to be had here, so nothing of this was tested: %v", what, err)
}

// program finds a program in PATH or in the first of the folders that match.
func program(name string, folders ...string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, f := range folders {
		found, _ := filepath.Glob(filepath.Join(f, name))
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is neither in PATH nor in %s", name, strings.Join(folders, ", "))
}

// service is one started server.
type service struct {
	dir   string
	as    *syscall.Credential
	cmd   *exec.Cmd
	stdin io.Closer
	log   string
}

// folder makes a folder that belongs to the user who may run the server: they refuse
// to run as root.
func folder(name string) (*service, error) {
	dir, err := os.MkdirTemp("", "rekey-"+name+"-")
	if err != nil {
		return nil, err
	}
	s := &service{dir: dir, log: filepath.Join(dir, "log")}
	if os.Getuid() != 0 {
		return s, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return s, os.Chown(dir, int(uid), int(gid))
}

// own gives a file to the user who runs the server.
func (s *service) own(path string) error {
	if s.as == nil {
		return nil
	}
	return os.Chown(path, int(s.as.Uid), int(s.as.Gid))
}

// once runs a program to its end, as that user.
func (s *service) once(path string, args ...string) error {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.as}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(path), err, said.String())
	}
	return nil
}

// start runs the server under a shell that ends it when its own input ends: so it does
// not outlive a test binary that is killed.
func (s *service) start(path string, args ...string) error {
	s.cmd = exec.Command("/bin/sh", append([]string{"-c", `"$@" & p=$!; read _; kill -INT $p; kill $p; wait $p`, "sh", path}, args...)...)
	s.cmd.Dir, s.cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	return s.cmd.Start()
}

// stop ends the server and removes its folder.
func (s *service) stop() {
	if s.cmd != nil {
		_ = s.stdin.Close()
		late := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) })
		_ = s.cmd.Wait()
		late.Stop()
	}
	_ = os.RemoveAll(s.dir)
}

// said is the end of the server's log, for a failure to start.
func (s *service) said() string {
	b, _ := os.ReadFile(s.log)
	return string(b[max(0, len(b)-2000):])
}

// await asks until the server answers.
func (s *service) await(ask func() error) error {
	var err error
	for range 600 {
		if err = ask(); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("it does not answer: %w: %s", err, s.said())
}

// freePort is one that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
