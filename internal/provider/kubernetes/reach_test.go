package kubernetes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// server is one that speaks TLS, asks for a client certificate, and tells who came.
type server struct {
	*httptest.Server
	ca, cert, key string // PEM
	seen          []string
}

func serve(t *testing.T) *server {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rekey"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{cert: block("CERTIFICATE", der), key: block("PRIVATE KEY", keyDER)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		who := req.Header.Get("Authorization")
		for _, c := range req.TLS.PeerCertificates {
			who += "certificate of " + c.Subject.CommonName
		}
		s.seen = append(s.seen, who)
		_, _ = io.WriteString(rw, `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"app","resourceVersion":"1","uid":"u"},"data":{"A":"b25l"}}`)
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	s.ca = block("CERTIFICATE", s.Certificate().Raw)
	return s
}

func block(kind string, b []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
}

// TestEveryWayOfAKubeconfig reaches the server over TLS: token, file, certificate and
// command; and what would weaken it is refused, in words that quote nothing.
func TestEveryWayOfAKubeconfig(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	coded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	put("ca.crt", s.ca, 0o600)
	put("token", "from-a-file\n", 0o600)
	put("plugin", fmt.Sprintf("#!/bin/sh\ncase $KUBERNETES_EXEC_INFO in *%s*) ;; *) exit 1 ;; esac\necho >>%s\n"+
		`echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$1-$WHO"'","expirationTimestamp":"2026-11-23T09:05:00Z"}}'`+"\n", s.URL, filepath.Join(dir, "asked")), 0o700)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	try := func(at, user string, ways outside.Ways) (*consumer, error) {
		put("config", fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: k, cluster: {server: %q%s}}]\nusers: [{name: u, user: {%s}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n",
			s.URL, at, user), 0o600)
		v, err := Descriptor.Open(provider.Env{
			Transport: vendorhttp.Fence{Next: vendorhttp.NewTransport(func(*http.Request) (*url.URL, error) { return nil, nil }), Ours: func(context.Context) error { return nil }},
			Now:       func() time.Time { return now }, Outside: ways,
			Text: func(x sop.Text) (string, error) { return x[0], nil },
		}, "kubernetes", json.RawMessage(fmt.Sprintf(`{"kubeconfig":[%q]}`, filepath.Join(dir, "config"))))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.Close(context.Background()) })
		c := opened(t, v.(*cluster).Consumer, `{"namespace":"shop","secret":"app"}`).(*consumer)
		_, err = c.Held(t.Context(), []string{"A"})
		return c, err
	}
	ca := ", certificate-authority: ca.crt"
	for user, want := range map[string]string{
		"token: inline": "Bearer inline",
		"tokenFile: " + filepath.Join(dir, "token"):                                                                                                        "Bearer from-a-file",
		"client-certificate-data: " + coded(s.cert) + ", client-key-data: " + coded(s.key):                                                                 "certificate of rekey",
		"exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [one], env: [{name: WHO, value: me}], interactiveMode: IfAvailable}": "Bearer one-me",
	} {
		s.seen = nil
		c, err := try(ca, user, outside.Real{})
		if err != nil || len(s.seen) != 1 || s.seen[0] != want {
			t.Errorf("%s: the server saw %v, want %q: %v", user, s.seen, want, err)
			continue
		}
		if strings.HasPrefix(user, "exec") { // asked once for as long as it is good
			now = now.Add(4 * time.Minute)
			_, err1 := c.Held(t.Context(), nil)
			now = now.Add(time.Minute)
			_, err2 := c.Held(t.Context(), nil)
			if asked, _ := os.ReadFile(filepath.Join(dir, "asked")); len(asked) != 2 || err1 != nil || err2 != nil {
				t.Errorf("the command was asked %d times, want 2: %v %v", len(asked), err1, err2)
			}
		}
	}
	if _, err := try(", certificate-authority-data: "+coded(s.ca), "token: x", outside.Real{}); err != nil {
		t.Error(err)
	}
	s.seen = nil
	for says, bad := range map[string][2]string{
		"not trusted":                  {"", "token: hunter2"},
		"insecure-skip-tls-verify":     {", insecure-skip-tls-verify: true", "token: hunter2"},
		"no certificate is in":         {", certificate-authority-data: " + coded("hunter2"), "token: hunter2"},
		"cannot be used together":      {ca, "client-certificate-data: " + coded("hunter2") + ", client-key-data: " + coded("hunter2")},
		"cannot be read":               {", certificate-authority: none.crt", "token: hunter2"},
		"no token, no certificate":     {ca, "x: y"},
		"acts as another":              {ca, "token: hunter2, as: root"},
		"proxy-url":                    {ca + ", proxy-url: 'http://hunter2'", "token: hunter2"},
		"not known to Kubernetes":      {ca, "username: hunter2"},
		"did not give one":             {ca, "exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false'}"},
		"is not an ExecCredential":     {ca, "exec: {apiVersion: client.authentication.k8s.io/v1, command: echo, args: [hunter2]}"},
		"lacks the command":            {ca, "exec: {apiVersion: x, command: echo}"},
		"this is not a kubeconfig":     {ca, "token: [hunter2"},
		"it could not be started":      {ca, "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./none}"},
		"a certificate or key in the ": {", certificate-authority-data: '?'", "token: hunter2"},
	} {
		if _, err := try(bad[0], bad[1], outside.Real{}); says != "not trusted" && cred.ClassOf(err) != cred.Unsent || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %q: %v", says, err)
		}
	}
	if len(s.seen) > 0 {
		t.Errorf("the server was reached: %v", s.seen)
	}
	// In a simulation no file is read, so nothing is reached.
	if _, err := try(ca, "token: x", nil); cred.ClassOf(err) != cred.Unsent || !strings.Contains(err.Error(), "simulation") {
		t.Error(err)
	}
}

// TestContexts: the current one where none is named, and what is not there is told.
func TestContexts(t *testing.T) {
	text := secret.New("current-context: b\nclusters: [{name: x, cluster: {server: https://x}}]\nusers: [{name: u, user: {token: t}}]\n" +
		"contexts: [{name: a, context: {cluster: none, user: u}}, {name: b, context: {cluster: x, user: u}}]\n")
	for context, says := range map[string]string{"": "", "b": "", "a": "does not have", "c": "no context c"} {
		k, err := parseKubeconfig(text, context)
		if says == "" && (err != nil || k.cluster.Server != "https://x") || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v", context, err)
		}
	}
	if _, err := parseKubeconfig(secret.New("a: b"), ""); err == nil || !strings.Contains(err.Error(), "no current context") {
		t.Error(err)
	}
}

// TestSettingsAreToldWhenOpened.
func TestSettingsAreToldWhenOpened(t *testing.T) {
	for settings, says := range map[string]string{
		`{}`: "give kubeconfig", `{"in_cluster":true,"kubeconfig":["/x"]}`: "give kubeconfig",
		`{"base_url":"https://x"}`: "belong together", `[]`: "vendor kubernetes",
	} {
		if _, err := open(provider.Env{}, "kubernetes", json.RawMessage(settings)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", settings, err)
		}
	}
	v, err := open(provider.Env{}, "kubernetes", json.RawMessage(`{"in_cluster":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.(*cluster).Consumer(json.RawMessage(`{"namespace":"a","secret":"b","workloads":["job/x"]}`)); err == nil {
		t.Error("a job was taken for something that is rolled out")
	}
	if _, err := v.(*cluster).Store(json.RawMessage(`{"namespace":"a","secret":"b","keep_secret":"b"}`)); err == nil {
		t.Error("a Secret keeps itself")
	}
}
