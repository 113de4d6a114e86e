package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"rekey/internal/server"
)

// TestWhereARequestCameFrom: a header is believed from the proxies that are named, and of
// it only what they have written themselves.
func TestWhereARequestCameFrom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	from := ""
	o := b.options(b.engine())
	o.Behind = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	o.Public = map[string]http.Handler{"/where": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { from = r.RemoteAddr })}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		peer  string
		heads []string
		want  string
	}{
		"not by a proxy":                    {"203.0.113.9:99", nil, "203.0.113.9:99"},
		"not by a proxy, which it claims":   {"203.0.113.9:99", []string{"192.0.2.1"}, "203.0.113.9:99"},
		"by one that says nothing":          {"10.0.0.1:99", nil, "10.0.0.1:99"},
		"by one":                            {"10.0.0.1:99", []string{"192.0.2.1"}, "192.0.2.1:0"},
		"by two":                            {"10.0.0.1:99", []string{"192.0.2.1, 10.3.3.3"}, "192.0.2.1:0"},
		"by two, in a header each":          {"10.0.0.1:99", []string{"192.0.2.1", "10.3.3.3"}, "192.0.2.1:0"},
		"what its caller has put before":    {"10.0.0.1:99", []string{"127.0.0.1, 198.51.100.1, 192.0.2.1"}, "192.0.2.1:0"},
		"with a port":                       {"10.0.0.1:99", []string{"192.0.2.1:4711"}, "192.0.2.1:4711"},
		"IPv6":                              {"[fd00::1]:99", []string{"2001:db8::7"}, "[2001:db8::7]:0"},
		"IPv6 with a port":                  {"[fd00::1]:99", []string{"[2001:db8::7]:80"}, "[2001:db8::7]:80"},
		"IPv4 written as IPv6":              {"[::ffff:10.0.0.1]:99", []string{"::ffff:192.0.2.1"}, "192.0.2.1:0"},
		"rubbish":                           {"10.0.0.1:99", []string{"<script>"}, "10.0.0.1:99"},
		"rubbish of its caller's":           {"10.0.0.1:99", []string{"\x00, 192.0.2.1"}, "192.0.2.1:0"},
		"a zone, which changes no limit":    {"10.0.0.1:99", []string{"fe80::1%eth0"}, "[fe80::1]:0"},
		"nothing but proxies, as a monitor": {"10.0.0.1:99", []string{"10.9.9.9"}, "10.9.9.9:0"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/where", nil)
		r.RemoteAddr = x.peer
		for _, h := range x.heads {
			r.Header.Add("X-Forwarded-For", h)
		}
		from = ""
		s.ServeHTTP(httptest.NewRecorder(), r)
		if from != x.want {
			t.Errorf("%s: it came from %s, and not %s", name, from, x.want)
		}
	}
}
