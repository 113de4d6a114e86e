package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/realserver"
	"rekey/internal/sop"
)

// rootDir is a root directory with the program and nothing else, as deploy/Containerfile
// makes one, seen as a container sees it: nothing in it can be written but /var/lib/rekey,
// and nobody is root.
type rootDir struct {
	*testing.T
	dir string
}

// nobody is the user whom the Containerfile names.
const nobody = 65532

func newRoot(t *testing.T) rootDir {
	t.Helper()
	r := rootDir{t, t.TempDir()}
	bin, err := os.ReadFile(rekey(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"rekey": bin, "etc/rekey/rekey.yaml": []byte(strings.Replace(sop.Example(), "rekey: 1\n", "rekey: 1\njournal: /var/lib/rekey\n", 1))} {
		path := filepath.Join(r.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	state := filepath.Join(r.dir, "var/lib/rekey")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	mounted := 0
	t.Cleanup(func() {
		for _, at := range []string{state, r.dir}[2-mounted:] {
			if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
	})
	if err := syscall.Mount(r.dir, r.dir, "", syscall.MS_BIND, ""); err != nil {
		realserver.Lacking(t, "a root directory that cannot be written (mounting one needs root)", err)
	}
	mounted++
	if err := syscall.Mount("", r.dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size=32m,mode=700,uid=65532,gid=65532"); err != nil {
		t.Fatal(err)
	}
	mounted++
	return r
}

func (r rootDir) command(args ...string) *exec.Cmd {
	c := exec.Command("/rekey", args...)
	c.Dir, c.Env = "/", []string{}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return c
}

// TestTheProgramNeedsNothingElse: alone in a root directory that cannot be written, without
// a home, an environment, /etc/passwd, /tmp, /proc or a shell, and as nobody, it serves,
// writes its journal, and stops when it is told to. Of what the Containerfile brings beside
// the program, the authorities are needed for vendors only.
func TestTheProgramNeedsNothingElse(t *testing.T) {
	r := newRoot(t)
	if out, err := r.command("version").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	c := r.command("-C", "/etc/rekey", "--json", "serve", "--listen", "127.0.0.1:0")
	var log bytes.Buffer
	c.Stderr = &log
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill() }()
	var said struct{ Address string }
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		_ = c.Process.Kill()
		_ = c.Wait()
		t.Fatalf("it did not serve: %v\n%s", err, &log)
	}
	ready := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && !strings.Contains(ready, "[+] workers"); time.Sleep(50 * time.Millisecond) {
		ready = fetched(t, said.Address+"/readyz?verbose")
	}
	if !strings.Contains(ready, "[+] workers") || strings.Contains(ready, "[-]") {
		t.Errorf("it is not ready:\n%s", ready)
	}
	if status := fetched(t, said.Address+"/api/v1/status"); !strings.Contains(status, "CF_ACCESS_SVC_CONSOLE") {
		t.Errorf("it says %.300s", status)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "var/lib/rekey/journal.db")); err != nil {
		t.Errorf("where is the journal? %v", err)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("it stopped with %v\n%s", err, &log)
	}
}

func fetched(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// TestTheContainerIsWhatWasTried: the file copies the authorities and the program, names
// the same user, and the program is static.
func TestTheContainerIsWhatWasTried(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(top, "deploy/Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, last, found := strings.Cut(string(b), "\nFROM scratch\n")
	if !found {
		t.Fatal("what is made is not from scratch")
	}
	var copies []string
	for _, m := range regexp.MustCompile(`(?m)^(?:COPY|ADD) .* (\S+)$`).FindAllStringSubmatch(last, -1) {
		copies = append(copies, m[1])
	}
	if strings.Join(copies, " ") != "/etc/ssl/certs/ /rekey" {
		t.Errorf("it holds %v", copies)
	}
	for _, want := range []string{"USER 65532:65532\n", "STOPSIGNAL SIGTERM\n", `ENTRYPOINT ["/rekey", "-C", "/etc/rekey", "serve", "--listen", "0.0.0.0:8420"]`} {
		if !strings.Contains(last, want) {
			t.Errorf("it does not say %s", want)
		}
	}
	f, err := elf.Open(rekey(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program wants a loader: it is not static (CGO_ENABLED=0)")
		}
	}
}

// TestTheUnitIsJudgedBySystemd: its own tool finds no mistake, and little that the service
// may do beyond what it needs.
func TestTheUnitIsJudgedBySystemd(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		realserver.Lacking(t, "systemd-analyze (Debian: systemd)", err)
	}
	b, err := os.ReadFile(filepath.Join(top, "deploy/rekey.service"))
	if err != nil {
		t.Fatal(err)
	}
	// It looks whether the program is there.
	unit := filepath.Join(t.TempDir(), "rekey.service")
	if err := os.WriteFile(unit, bytes.Replace(b, []byte("/usr/local/bin/rekey"), []byte(rekey(t)), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "rekey.service:") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err := exec.Command(tool, "security", "--offline=true", "--threshold=20", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Errorf("it may more than it needs (2.0 is the limit): %v\n%s", err, out)
	}
}
