package vendorhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// NewTransport is the way to the network for everything that sends a credential.
// choose names the proxy of a request (Proxies).
//
// HTTP/1.1 is spoken, and not HTTP/2. There the library repeats by itself what a server
// refused to take up (GOAWAY, REFUSED_STREAM), up to six times within half a minute, and lets a
// request wait for its turn on a connection after Fence has looked a last time; requests
// of several runs share a connection, so one that comes too late could only be stopped
// by cutting the others off. And with http2debug in GODEBUG it writes every header to the
// log, tokens among them.
func NewTransport(choose func(*http.Request) (*url.URL, error)) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32 // one for each request that is under way at once
	t.Proxy = noting(choose)
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, got *http.Response) error {
		if got.StatusCode == http.StatusOK {
			return nil
		}
		return proxyRefusal(got.StatusCode)
	}
	t.Protocols = &http.Protocols{}
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	// The default one, of which this is a copy, has prepared for HTTP/2 already.
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	t.TLSClientConfig = &tls.Config{NextProtos: []string{"http/1.1"}}
	return t
}

// route is which way a request went.
type route struct {
	proxy string // host and port, without user and password; "": none
}

type routeKey struct{}

// noted returns a context in which the transport notes the way.
func noted(ctx context.Context) (context.Context, *route) {
	r := &route{}
	return context.WithValue(ctx, routeKey{}, r), r
}

// errProxyAddress: the library's own words quote the address, password and all.
var errProxyAddress = errors.New("the address of the proxy is not usable")

func noting(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		u, err := choose(req)
		if err != nil {
			return nil, errProxyAddress
		}
		if r, ok := req.Context().Value(routeKey{}).(*route); ok && u != nil {
			r.proxy = u.Host
		}
		return u, nil
	}
}

// Proxies is http.ProxyFromEnvironment, but for a variable that holds no address:
// the library goes past the proxy then, without a word.
func Proxies(getenv func(string) string) func(*http.Request) (*url.URL, error) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		text := getenv(name)
		whole := text
		if !strings.Contains(text, "://") { // proxy.corp:3128 is one too
			whole = "http://" + text
		}
		u, err := url.Parse(whole)
		if text != "" && (err != nil || u.Hostname() == "") {
			return func(*http.Request) (*url.URL, error) { return nil, errProxyAddress }
		}
	}
	return http.ProxyFromEnvironment
}

// proxyRefusal is the status with which a proxy refused to connect.
type proxyRefusal int

func (p proxyRefusal) Error() string {
	return "the proxy refused to connect: " + http.StatusText(int(p))
}
