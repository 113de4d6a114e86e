package access

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekey/internal/realserver"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// provider is a running one.
type provider struct{ Issuer, Client, Secret, User, Password, Email string }

func startProvider(t *testing.T, back string) (p provider) {
	t.Helper()
	cmd := exec.Command(realserver.Built(t, "oidc", "3.52.0", "REKEY_OIDC_SERVER", "the real OpenID provider"), back)
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
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &p) != nil {
		t.Fatalf("the provider did not start: %v", err)
	}
	return p
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// TestARealProvider: somebody signs in by the pages of a provider that is not ours, over
// the network, in real time; and once more before what cannot be undone.
func TestARealProvider(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	p := startProvider(t, "http://"+address+Prefix+"callback")
	a, err := New(t.Context(), Options{
		Config: &sop.Config{Identity: &sop.Identity{
			SignIn: &sop.SignIn{Issuer: p.Issuer, ClientID: p.Client, ClientSecret: sop.Refs{"env:X"}},
			Roles:  map[string][]sop.Who{"admin": {{Claims: map[string]string{"iss": p.Issuer, "email": p.Email}}}},
		}},
		Listen: address, Journal: openSQLite(t), Now: time.Now,
		Transport: vendorhttp.NewTransport(func(*http.Request) (*url.URL, error) { return nil, nil }),
		Resolve:   func(context.Context, sop.Refs) (secret.Value, error) { return secret.New(p.Secret), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(Prefix, a.Routes())
	mux.Handle("/", a.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := From(r.Context())
		_ = json.NewEncoder(w).Encode(map[string]any{"who": who, "fresh": a.Fresh(r.Context()) == nil})
	})))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &http.Client{Jar: jar, Timeout: time.Minute}
	home := "http://" + address
	read := func(r *http.Response, err error) (string, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.Request.URL.String(), string(body)
	}
	// signIn goes from our page over the provider's back to ours.
	signIn := func(more, password string) (at, body string) {
		t.Helper()
		at, page := read(b.Get(home + Prefix + "start?to=/where" + more))
		id := hidden.FindStringSubmatch(page)
		if !strings.HasPrefix(at, p.Issuer+"login/") || id == nil {
			t.Fatalf("led to %s: %s", at, page)
		}
		return read(b.PostForm(p.Issuer+"login/username", url.Values{"id": {id[1]}, "username": {p.User}, "password": {password}}))
	}
	if at, _ := signIn("", "a guess"); strings.HasPrefix(at, home) {
		t.Fatalf("a wrong password leads to %s", at)
	}
	at, body := signIn("", p.Password)
	var said struct {
		Who   rotation.Who
		Fresh bool
	}
	if at != home+"/where" || json.Unmarshal([]byte(body), &said) != nil {
		t.Fatalf("led to %s: %s", at, body)
	}
	if said.Who.Name != p.Email || said.Who.How != p.Issuer || !said.Who.Verified || strings.Join(said.Who.Roles, ",") != "admin" || !said.Fresh {
		t.Errorf("%+v", said)
	}
	if at, body := signIn("&fresh=1", p.Password); at != home+"/where" || !strings.Contains(body, `"fresh":true`) {
		t.Errorf("a fresh sign-in leads to %s: %s", at, body)
	}
	if at, _ := read(b.Post(home+Prefix+"sign-out", "", nil)); !strings.HasPrefix(at, home+Prefix+"sign-in?out=1") {
		t.Errorf("signing out leads to %s", at)
	}
	if _, body := read(b.Get(home + "/")); !strings.Contains(body, "nobody has signed in") {
		t.Errorf("after signing out: %s", body)
	}
}
