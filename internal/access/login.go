package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Browser is how a command line signs somebody in at a server.
type Browser struct {
	Server    string // its address
	Machine   string // what the page calls this computer
	Transport http.RoundTripper
	Random    io.Reader
	Now       func() time.Time
	// Open shows an address in a browser. An error is no end: the address was told.
	Open func(address string) error
	// Tell is told the address, for whoever has to open it himself.
	Tell func(address string)
}

// SignedInAs is what a command line was given.
type SignedInAs struct {
	Token   secret.Value `json:"token"`
	Who     string       `json:"who"`
	Expires time.Time    `json:"expires"`
}

// Network is the way to a server, by the proxies that the environment names.
func Network(getenv func(string) string) http.RoundTripper {
	return vendorhttp.NewTransport(vendorhttp.Proxies(getenv))
}

// serverOf checks a server's address. A token is sent there.
func serverOf(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || sop.CheckAddress(address, false) != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the server's address must have the form https://rekey.example.com; http only on this machine")
	}
	u.Path = ""
	return u, nil
}

// SignIn has somebody sign in by his browser and allow this command line (RFC 8252 §7.3,
// RFC 7636), until ctx is done. Only this computer can take what comes back, and only
// this call can do something with it.
func (b Browser) SignIn(ctx context.Context) (in SignedInAs, err error) {
	server, err := serverOf(b.Server)
	if err != nil {
		return in, err
	}
	c := &vendorhttp.Client{Vendor: "server", Base: server.String(), Transport: b.Transport, Now: b.Now}
	if err := b.possible(ctx, c); err != nil {
		return in, err
	}
	verifier, err1 := chance(b.Random, 64)
	state, err2 := chance(b.Random, 43)
	if err := errors.Join(err1, err2); err != nil {
		return in, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return in, fmt.Errorf("wait for the browser: %w", err)
	}
	sum := sha256.Sum256([]byte(verifier))
	port := listener.Addr().(*net.TCPAddr).Port
	address := server.String() + Prefix + "cli?" + url.Values{
		"port": {strconv.Itoa(port)}, "state": {state}, "machine": {b.Machine}, "challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode()
	codes := make(chan string, 1)
	back := &http.Server{Handler: b.back(port, state, codes), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = back.Serve(listener) }()
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = back.Shutdown(ending) // so that the page is still shown
	}()
	b.Tell(address)
	_ = b.Open(address)
	select {
	case <-ctx.Done():
		return in, errors.New("nobody has allowed it in the browser")
	case code := <-codes:
		resp, err := c.Do(ctx, vendorhttp.Request{Op: "take the token", Method: http.MethodPost, Path: Prefix + "cli/token", Body: map[string]string{"code": code, "verifier": verifier}})
		if err != nil {
			return in, err
		}
		if err := resp.Decode(&in); err != nil || !in.Token.Present() {
			return in, errors.New("the server answered without a token")
		}
		return in, nil
	}
}

// possible refuses where nobody could allow it in a browser, so that nobody waits for what
// cannot come. A server that is not asked itself (a gate stands in front, which wants a
// sign-in of its own) and an older one do not tell, and are tried.
func (b Browser) possible(ctx context.Context, c *vendorhttp.Client) error {
	resp, err := c.Raw(ctx, vendorhttp.Request{Op: "ask how people sign in", Method: http.MethodGet, Path: Prefix + "ways"})
	if err != nil {
		return err
	}
	var ways waysIn
	if resp.Status != http.StatusOK || resp.Decode(&ways) != nil || ways.Browser == nil {
		return nil
	}
	switch {
	case ways.Open:
		return fmt.Errorf("no sign-in is needed: %s has no identity configured. Continue without: rekey --server %s status", b.Server, b.Server)
	case !*ways.Browser:
		return fmt.Errorf("browser sign-in is not available at %s: it accepts tokens only, as REKEY_TOKEN or with --token-from", b.Server)
	}
	return nil
}

// back takes the code from the browser: from no other page, and for no other attempt.
func (b Browser) back(port int, state string, codes chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.Host != "127.0.0.1:"+strconv.Itoa(port) || r.URL.Path != "/" || r.Method != http.MethodGet ||
			subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 || q.Get("code") == "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, "This is not the answer that rekey login waits for.\n")
			return
		}
		select {
		case codes <- q.Get("code"):
		default: // once
		}
		_, _ = io.WriteString(w, "Signed in. You can close this page and go back to the terminal.\n")
	})
}

// LoginFile is where the token of a server is kept: a file of its own below the user's
// folder for settings, which nobody else can read. The command line reads it as file:PATH.
func LoginFile(settings, server string) (string, error) {
	u, err := serverOf(server)
	if err != nil {
		return "", err
	}
	name := strings.NewReplacer(":", "_", "[", "", "]", "").Replace(strings.ToLower(u.Scheme + "_" + u.Host))
	return filepath.Join(settings, "rekey", "logins", name), nil
}

// Keep writes a token to its file, whole or not at all.
func Keep(path string, in SignedInAs) (err error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("keep the token: %w", err)
	}
	f, err := os.CreateTemp(folder, ".new-") // which only the user can read
	if err != nil {
		return fmt.Errorf("keep the token: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("keep the token: %w", err)
		}
	}()
	_, err = io.WriteString(f, in.Token.Reveal()+"\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// SignOut ends the token in a file at its server, and removes the file whatever the server
// says. Without a file there is nothing to do.
func (b Browser) SignOut(ctx context.Context, path string) (was bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	server, err := serverOf(b.Server)
	if err != nil {
		return false, err
	}
	token := secret.New(strings.TrimSpace(string(text)))
	c := &vendorhttp.Client{Vendor: "server", Base: server.String(), Transport: b.Transport, Now: b.Now}
	c.Authorize = func(_ context.Context, r *http.Request) (string, error) {
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		return "the token of the sign-in", nil
	}
	resp, told := c.Raw(ctx, vendorhttp.Request{Op: "sign out", Method: http.MethodPost, Path: Prefix + "sign-out"})
	if err := os.Remove(path); err != nil {
		return true, err
	}
	if told != nil {
		return true, fmt.Errorf("the file is deleted, but the server could not be notified; the sign-in there expires on its own: %w", told)
	}
	if resp.Status >= 400 && resp.Status != http.StatusUnauthorized { // over already
		return true, fmt.Errorf("the file is deleted, but the server answered %d; the sign-in there expires on its own", resp.Status)
	}
	return true, nil
}
