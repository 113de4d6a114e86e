package vendorhttp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"rekey/internal/cred"
)

// proxy answers every CONNECT with this status, and leads it to there if that is 200.
func proxy(t *testing.T, status int, there string) *url.URL {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodConnect || status != http.StatusOK {
			rw.Header().Set("Proxy-Authenticate", "Basic")
			rw.WriteHeader(status)
			return
		}
		to, err := net.Dial("tcp", there)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		from, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n") // nothing was sent yet, so nothing is lost in a buffer
		go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(strings.Replace(s.URL, "http://", "http://user:hunter2@", 1))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// closed is a port on which nobody listens: one that was just closed may be taken by
// the next server.
const closed = "127.0.0.1:1"

// TestTheProxyIsNamed: whatever goes wrong with a proxy names it, without its
// password, and nothing of it counts as an answer of the vendor.
func TestTheProxyIsNamed(t *testing.T) {
	vendor := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNotFound) }))
	vendor.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(vendor.Close)
	there := vendor.Listener.Addr().String()
	dead := &url.URL{Scheme: "http", Host: closed, User: url.UserPassword("user", "hunter2")}
	trusted := x509.NewCertPool()
	trusted.AddCert(vendor.Certificate())
	for name, c := range map[string]struct {
		proxy *url.URL
		roots *x509.CertPool
		host  string
		says  string
	}{
		"it wants a password":     {proxy(t, 407, ""), nil, "example.com", "the proxy PROXY wants to know who asks (407)"},
		"it refuses":              {proxy(t, 403, ""), nil, "example.com", "the proxy PROXY would not connect to example.com (403)"},
		"it is dead":              {dead, nil, "example.com", "the proxy refused the connection: connection refused by PROXY"},
		"the vendor is dead":      {proxy(t, 200, closed), nil, "example.com", "the proxy PROXY would not connect to example.com (502)"},
		"it looks into TLS":       {proxy(t, 200, there), nil, "example.com", "the certificate of example.com is not trusted: no authority known here has signed it; add your own authority to the system's, or to the file that SSL_CERT_FILE names, through the proxy PROXY"},
		"a certificate of others": {proxy(t, 200, there), trusted, "example.org", "the certificate of example.org is not trusted: it is for another host, through the proxy PROXY"},
		"an answer behind it":     {proxy(t, 200, there), trusted, "example.com", "an empty answer, not in the vendor's format: something between here and example.com (the way leads through the proxy PROXY) answered"},
	} {
		tr := NewTransport(http.ProxyURL(c.proxy))
		tr.TLSClientConfig = &tls.Config{RootCAs: c.roots}
		cl := client("https://" + c.host)
		cl.Transport = tr
		_, err := cl.Do(t.Context(), Request{Op: "look", Method: http.MethodGet, Path: "/x"})
		says := strings.ReplaceAll(c.says, "PROXY", c.proxy.Host)
		if cred.ClassOf(err) != cred.Unknown || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want %q: %v", name, says, err)
		}
		tr.CloseIdleConnections()
	}
	cl := client("https://example.com")
	cl.Transport = NewTransport(func(*http.Request) (*url.URL, error) { return nil, errors.New(`parse "http://user:hunter2": bad`) })
	if _, err := cl.Do(t.Context(), Request{Op: "look", Method: http.MethodGet}); !strings.Contains(err.Error(), "names a proxy") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an address that is none: %v", err)
	}
}

// TestHostsAreNamed: what went wrong on the way names the host, by name and address alike.
func TestHostsAreNamed(t *testing.T) {
	fails := func(err error) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	for says, err := range map[string]error{
		"there is no host api.example.com": &net.DNSError{Name: "api.example.com", IsNotFound: true},
		"the address of api.example.com could not be looked up: the name server does not answer": &net.DNSError{Name: "api.example.com", IsTimeout: true},
		"api.example.com:8443 aborted the TLS handshake":                                         tls.AlertError(40),
		"the certificate of api.example.com:8443 is not trusted: it has expired":                 &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
		"the connection to api.example.com:8443 was cut before the answer":                       io.EOF,
	} {
		c := client("https://api.example.com:8443")
		c.Transport = fails(err)
		if _, err := c.Do(t.Context(), Request{Op: "look", Method: http.MethodGet}); cred.ClassOf(err) != cred.Unknown || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
	}
}

// TestOverIPv6: an address in brackets is reached, and told in brackets.
func TestOverIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Logf("this machine has no IPv6 (%v); only the refusal is tried", err)
	} else {
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{}`)) })}}
		s.Start()
		defer s.Close()
		if _, err := client(s.URL).Do(t.Context(), Request{Op: "look", Method: http.MethodGet}); err != nil || !strings.HasPrefix(s.URL, "http://[::1]:") {
			t.Errorf("%s: %v", s.URL, err)
		}
	}
	c := client("http://[::1]:1")
	if _, err := c.Do(t.Context(), Request{Op: "look", Method: http.MethodGet}); err == nil || !strings.Contains(err.Error(), "[::1]:1") {
		t.Errorf("%v", err)
	}
}

// TestAProxyThatIsNoAddressIsNotPassedBy: whoever names one does not want to go
// without it.
func TestAProxyThatIsNoAddressIsNotPassedBy(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, "https://api.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, usable := range map[string]bool{
		"": true, "http://proxy.corp:3128": true, "proxy.corp:3128": true, "proxy.corp": true, "socks5://127.0.0.1:1080": true, "http://u:p@proxy.corp": true,
		"::://x": false, "http://": false, "http://proxy corp": false, "%zz": false,
	} {
		choose := Proxies(func(name string) string { return map[string]string{"https_proxy": text}[name] })
		if _, err := choose(req); (err == nil) != usable {
			t.Errorf("%q: %v", text, err)
		}
	}
}
