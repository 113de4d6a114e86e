package main

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// corporate is a network as companies have it: one proxy with a password, which
// looks into TLS with an authority of its own. Behind it answers one gateway.
func corporate(t *testing.T, gateway http.Handler) (proxy, authority string) {
	t.Helper()
	behind := httptest.NewUnstartedServer(gateway)
	behind.Config.ErrorLog = log.New(io.Discard, "", 0)
	behind.EnableHTTP2 = true
	behind.StartTLS()
	t.Cleanup(behind.Close)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if !strings.HasPrefix(req.Header.Get("Proxy-Authorization"), "Basic ") {
			rw.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		to, err := net.Dial("tcp", behind.Listener.Addr().String())
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		from, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}))
	t.Cleanup(front.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: behind.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return front.Listener.Addr().String(), authority
}

// TestBehindAProxy: the real binary behind a proxy, with the vendors' real roles:
// what it says names the proxy and the host, and no token is printed, not even where
// the library is asked to log HTTP/2.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	proxy, authority := corporate(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		rw.Header().Set("Server", "squid/6.1")
		rw.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(rw, "<html>no such page</html>")
	}))
	dir := filepath.Join(t.TempDir(), "d")
	if out, err := exec.Command(rekey(t), "demo", "--latency", "0s", "--folder", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "rekey.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("simulate: world.json", "", "journal: .rekey ", "journal: .rekey-real ", "  cloudflare:\n", "  cloudflare:\n    base_url: https://example.com\n", "  heroku:\n    token", "  heroku:\n    base_url: https://example.com\n    token",
		"  infisical:\n", "  infisical:\n    base_url: https://example.com\n", "https://console.raxx.app", "https://example.com").Replace(string(b))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const canary = "hunter2-canary-token"
	for name, c := range map[string]struct {
		env  []string
		says []string
	}{
		"no password":          {[]string{"HTTPS_PROXY=http://" + proxy}, []string{"the proxy " + proxy + " wants to know who asks (407)"}},
		"a dead proxy":         {[]string{"HTTPS_PROXY=http://user:" + canary + "@127.0.0.1:1"}, []string{"the proxy refused the connection: connection refused by 127.0.0.1:1"}},
		"an unknown authority": {[]string{"HTTPS_PROXY=http://user:" + canary + "@" + proxy}, []string{"the certificate of example.com is not trusted", "SSL_CERT_FILE", "through the proxy " + proxy}},
		"a page for an answer": {[]string{"HTTPS_PROXY=http://user:" + canary + "@" + proxy, "SSL_CERT_FILE=" + authority, "GODEBUG=http2debug=2"},
			[]string{"a page of HTML", "the way leads through the proxy " + proxy, "which calls itself squid"}},
	} {
		cmd := exec.Command(rekey(t), "-C", dir, "check", "CF_ACCESS_SVC_CONSOLE")
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_COLOR=1"}, c.env...)
		for _, name := range []string{"CF_ACCESS_MGMT", "INFISICAL_CLIENT_SECRET", "HEROKU_API_KEY", "OPS_SESSION_COOKIE"} {
			cmd.Env = append(cmd.Env, name+"="+canary)
		}
		cmd.Env = append(cmd.Env, "CF_ACCOUNT_ID=0123456789abcdef0123456789abcdef", "INFISICAL_CLIENT_ID=id", "INFISICAL_PROJECT_ID=project")
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: it calls that good:\n%s", name, out)
		}
		for _, w := range c.says {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s: %q is not said:\n%s", name, w, out)
			}
		}
		if strings.Contains(string(out), canary) {
			t.Errorf("%s: a token is printed:\n%s", name, out)
		}
	}
	if asked.Load() == 0 {
		t.Error("nothing was asked")
	}
}
