package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// control is a real control plane on loopback: etcd, and Kubernetes' own API server and
// controller manager, which servers/kubernetes builds.
type control struct {
	t           *testing.T
	dir, binary string
	base        string
	running     map[string]*exec.Cmd
	flags       map[string][]string
	http        *http.Client
}

// realCluster starts one, or says loudly why not: REKEY_KUBERNETES_SERVER names the program
// (servers/kubernetes/build.sh prints it). With REKEY_SERVERS=1 it has to be there.
func realCluster(t *testing.T) *control {
	t.Helper()
	binary := os.Getenv("REKEY_KUBERNETES_SERVER")
	_, err := exec.LookPath("etcd")
	if binary == "" || err != nil {
		why := "REKEY_KUBERNETES_SERVER names no program (servers/kubernetes/build.sh builds it), or etcd is not installed: the real Kubernetes is not tried"
		if os.Getenv("REKEY_SERVERS") == "1" {
			t.Fatal(why)
		}
		t.Skip("SKIPPED: " + why)
	}
	c := &control{t: t, dir: t.TempDir(), binary: binary, running: map[string]*exec.Cmd{}}
	store, peers, port := free(t), free(t), free(t)
	c.base = "https://127.0.0.1:" + port
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c.put("sa.key", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))
	c.put("tokens.csv", "hunter2,admin,1,system:masters\n")
	c.put("kubeconfig", "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: k, cluster: {server: '"+c.base+"', certificate-authority: certs/apiserver.crt}}]\n"+
		"users: [{name: u, user: {token: hunter2}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n")
	c.flags = map[string][]string{
		"etcd": {"--data-dir", filepath.Join(c.dir, "etcd"), "--listen-client-urls", "http://127.0.0.1:" + store, "--advertise-client-urls", "http://127.0.0.1:" + store,
			"--listen-peer-urls", "http://127.0.0.1:" + peers, "--initial-advertise-peer-urls", "http://127.0.0.1:" + peers, "--initial-cluster", "default=http://127.0.0.1:" + peers},
		"kube-apiserver": {"--etcd-servers=http://127.0.0.1:" + store, "--secure-port=" + port, "--bind-address=127.0.0.1", "--endpoint-reconciler-type=none",
			"--cert-dir=" + filepath.Join(c.dir, "certs"), "--token-auth-file=" + filepath.Join(c.dir, "tokens.csv"), "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
			"--service-account-issuer=https://rekey.test", "--service-account-key-file=" + filepath.Join(c.dir, "sa.key"), "--service-account-signing-key-file=" + filepath.Join(c.dir, "sa.key"),
			// Pods here have no service account, and nodes no conditions.
			"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition"},
		"kube-controller-manager": {"--kubeconfig=" + filepath.Join(c.dir, "kubeconfig"), "--leader-elect=false", "--secure-port=0",
			"--controllers=deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller"},
	}
	t.Cleanup(func() {
		for name := range c.running {
			c.kill(name)
		}
		if t.Failed() {
			for name := range c.flags {
				b, _ := os.ReadFile(filepath.Join(c.dir, name+".log"))
				t.Logf("%s: %s", name, b[max(0, len(b)-1500):])
			}
		}
	})
	c.start("etcd")
	c.start("kube-apiserver")
	c.ready()
	c.start("kube-controller-manager")
	c.must("POST", "/api/v1/namespaces", `{"metadata":{"name":"shop"}}`)
	c.must("POST", "/api/v1/nodes", `{"metadata":{"name":"here"},"status":{"conditions":[{"type":"Ready","status":"True"}],"allocatable":{"pods":"100","cpu":"9","memory":"9Gi"}}}`)
	return c
}

// free is a port on which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (c *control) put(name, text string) {
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// start starts one part; its log is shown where the test fails.
func (c *control) start(name string) {
	c.t.Helper()
	cmd := exec.Command(c.binary, append([]string{name}, c.flags[name]...)...)
	if name == "etcd" {
		cmd = exec.Command(name, c.flags[name]...)
	}
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.running[name] = cmd
}

// kill ends one part as a power cut does.
func (c *control) kill(name string) {
	cmd := c.running[name]
	delete(c.running, name)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// ready waits for the API server.
func (c *control) ready() {
	c.t.Helper()
	for range 1200 {
		time.Sleep(50 * time.Millisecond)
		pem, err := os.ReadFile(filepath.Join(c.dir, "certs", "apiserver.crt"))
		if err != nil {
			continue
		}
		t := vendorhttp.NewTransport(func(*http.Request) (*url.URL, error) { return nil, nil })
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
		c.http = &http.Client{Transport: t, Timeout: 10 * time.Second}
		if status, b, err := c.do("GET", "/readyz", ""); err == nil && status == 200 && string(b) == "ok" {
			return
		}
	}
	c.t.Fatal("the API server does not become ready")
}

func (c *control) do(method, path, body string) (int, []byte, error) {
	kind := "application/json"
	if method == http.MethodPatch {
		kind = mergeKey
	}
	resp, err := c.http.Transport.RoundTrip(request(c.base, method, path, kind, body))
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

func request(base, method, path, kind, body string) *http.Request {
	req, _ := http.NewRequest(method, base+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer hunter2")
	req.Header.Set("Content-Type", kind)
	return req
}

func (c *control) must(method, path, body string) []byte {
	c.t.Helper()
	status, b, err := c.do(method, path, body)
	if err != nil || status >= 300 {
		c.t.Fatalf("%s %s: %d %v %s", method, path, status, err, b)
	}
	return b
}

// cluster is the driver on this server, by its kubeconfig; around stands between, nil: nothing.
func (c *control) cluster(around func(http.RoundTripper) http.RoundTripper) *cluster {
	c.t.Helper()
	v, err := Descriptor.Open(provider.Env{
		Transport: vendorhttp.NewTransport(func(*http.Request) (*url.URL, error) { return nil, nil }), Now: time.Now, Outside: outside.Real{},
		Text: func(x sop.Text) (string, error) { return x[0], nil },
	}, "kubernetes", json.RawMessage(fmt.Sprintf(`{"kubeconfig":[%q]}`, filepath.Join(c.dir, "kubeconfig"))))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { v.Close(context.Background()) })
	k := v.(*cluster)
	if around != nil {
		api, err := k.client(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		api.Transport = around(api.Transport)
	}
	return k
}

// shape is what is compared of an answer: status, kind, reason and which of the
// fields that the driver reads are there.
func shape(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	var out struct {
		Kind   string `json:"kind"`
		Reason string `json:"reason"`
		Code   int    `json:"code"`
		Meta   struct {
			Version string            `json:"resourceVersion"`
			UID     string            `json:"uid"`
			Created string            `json:"creationTimestamp"`
			Fields  []json.RawMessage `json:"managedFields"`
			Notes   map[string]string `json:"annotations"`
		} `json:"metadata"`
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(b), &out); err != nil {
		return fmt.Sprintf("%d and no JSON", resp.StatusCode)
	}
	return fmt.Sprintf("%d %s %s %d version=%v uid=%v created=%v fields=%v notes=%v data=%v", resp.StatusCode, out.Kind, out.Reason, out.Code,
		out.Meta.Version != "", out.Meta.UID != "", len(out.Meta.Created) == len("2026-01-02T15:04:05Z"), len(out.Meta.Fields) > 0, out.Meta.Notes, out.Data)
}
