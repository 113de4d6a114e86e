package service_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"rekey/internal/api"
	"rekey/internal/client"
)

// TestEveryOperationIsRefusedToWhoeverMayNotAskForIt: each one of the API's document, asked
// without anything, with tokens that prove nothing, and with a good one that has no role.
func TestEveryOperationIsRefusedToWhoeverMayNotAskForIt(t *testing.T) {
	t.Parallel()
	p, root := serveIdentified(t)
	ops := p.client(root)
	roleless, err := ops.CreateToken(t.Context(), client.TokenWanted{Name: "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := ops.CreateToken(t.Context(), client.TokenWanted{Name: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ops.RevokeTokens(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	forged := part(`{"alg":"none","typ":"JWT"}`) + "." + part(`{"iss":"https://id.example.com","sub":"root","exp":4102444800}`) + "."
	callers := []struct {
		name, token string
		status      int
	}{
		{"nobody", "", 401}, {"a made-up token", "rekey_" + strings.Repeat("0", 46), 401}, {"one with another end", root[:len(root)-1] + "~", 401},
		{"a revoked token", revoked.Secret, 401}, {"an unsigned token of an issuer", forged, 401}, {"nonsense", "x.y.z", 401}, {"a token without a role", roleless.Secret, 403},
	}
	// Whoever is known may ask who he is; the one that asks may be rotated and revoked by itself.
	own := map[string]bool{"whoami": true, "rotateToken": true}
	if runtime.GOOS == "darwin" {
		t.Skip("SKIPPED: this machine has one loopback address only, and whoever proves nothing is told to wait after thirty attempts from one")
	}
	asked := 0
	// from asks from an address of its own.
	from := func() *http.Transport {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(asked>>8), byte(asked))}}
		return &http.Transport{DisableKeepAlives: true, DialContext: d.DialContext}
	}
	for _, way := range api.Ways() {
		for _, c := range callers {
			if c.status == 403 && own[way.ID] {
				continue
			}
			body := ""
			if way.Method == http.MethodPost {
				body = bodies[way.ID]
				if body == "" && way.Body != nil {
					body = "{}"
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), way.Method, p.at+api.Base+strings.ReplaceAll(way.Path, "{run}", "222222"), strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", api.JSON)
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			resp, err := from().RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			asked++
			if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != api.Problem || c.token != "" && strings.Contains(string(text), c.token) {
				t.Errorf("%s, asked by %s: %d %s %.300s", way.ID, c.name, resp.StatusCode, resp.Header.Get("Content-Type"), text)
			}
		}
	}
	if asked < 6*len(api.Ways()) {
		t.Errorf("%d were asked", asked)
	}
	for _, c := range callers {
		if c.token != "" && strings.Contains(p.log.String(), c.token) {
			t.Errorf("the log holds %s", c.name)
		}
	}
}

// bodies are those of operations that want something said.
var bodies = map[string]string{
	"openRun": `{"credential":"CF_ACCESS_SVC_CONSOLE","reason":"why"}`, "check": `{"credential":"CF_ACCESS_SVC_CONSOLE"}`, "plan": `{"credential":"CF_ACCESS_SVC_CONSOLE"}`,
	"approve": `{"about":"CF_ACCESS_SVC_CONSOLE"}`, "refuse": `{"about":"CF_ACCESS_SVC_CONSOLE","reason":"why"}`, "takeBack": `{"about":"CF_ACCESS_SVC_CONSOLE"}`,
	"evidence": `{"from":"2020-01-01T00:00:00Z","to":"2030-01-01T00:00:00Z"}`, "newKey": `{"reason":"why"}`, "pause": `{"reason":"why"}`,
	"acknowledge": `{"finding":"222222","reason":"why","until":"2099-01-01T00:00:00Z"}`, "createToken": `{"name":"x"}`, "revokeToken": `{"token":"root"}`,
}

// TestRequestsThatNoClientSends are refused over a real connection, and nothing that comes
// after them on it is taken for a request.
func TestRequestsThatNoClientSends(t *testing.T) {
	t.Parallel()
	p := serve(t)
	host := strings.TrimPrefix(p.at, "http://")
	for name, x := range map[string]struct {
		text   string
		status []int
	}{
		"no host":                   {"GET /api/v1/whoami HTTP/1.1\r\n\r\n", []int{400}},
		"an empty host":             {"GET /api/v1/whoami HTTP/1.1\r\nHost:\r\n\r\n", []int{421, 400}},
		"two hosts":                 {"GET /api/v1/whoami HTTP/1.1\r\nHost: " + host + "\r\nHost: evil.example\r\n\r\n", []int{400}},
		"another host in the URI":   {"GET http://evil.example/api/v1/whoami HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{421}},
		"a length and chunks":       {"POST /api/v1/plan HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400, 404, 422}},
		"two lengths":               {"POST /api/v1/plan HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}GET /metrics HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}},
		"chunks by another name":    {"POST /api/v1/plan HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{400, 501}},
		"2 MB of headers":           {"GET /api/v1/whoami HTTP/1.1\r\nHost: " + host + "\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", []int{431}},
		"a header with a line feed": {"GET /api/v1/whoami HTTP/1.1\r\nHost: " + host + "\r\nX: a\x00b\r\n\r\n", []int{400}},
		"a path that climbs":        {"GET /api/v1/runs/..%2f..%2fmetrics HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{404, 400}},
		"another place to go to":    {"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{404, 400, 301, 307}},
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		go func() { _, _ = io.WriteString(conn, x.text) }() // who is refused may not read it all
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			_ = conn.Close()
			continue
		}
		known := false
		for _, s := range x.status {
			known = known || resp.StatusCode == s
		}
		if to := resp.Header.Get("Location"); !known || strings.Contains(to, "://") || strings.HasPrefix(to, "//") {
			t.Errorf("%s: %s, to %q", name, resp.Status, to)
		}
		_ = conn.Close()
	}
}

// TestStalledConnectionsLockNobodyOut, though they come from the same address, as all do
// that are behind a proxy.
func TestStalledConnectionsLockNobodyOut(t *testing.T) {
	t.Parallel()
	p := serve(t)
	host := strings.TrimPrefix(p.at, "http://")
	for i := range 300 {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		switch i % 3 {
		case 0: // says nothing
		case 1: // does not end its headers
			_, err = fmt.Fprintf(conn, "GET /api/v1/whoami HTTP/1.1\r\nHost: %s\r\nX: ", host)
		default: // does not send its body
			_, err = fmt.Fprintf(conn, "POST /api/v1/plan HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", host)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // until the server has read what there is
	if status, text := p.get("/api/v1/whoami"); status != 200 {
		t.Errorf("whoami is answered %d: %.300s", status, text)
	}
	if status, text := p.get("/healthz"); status != 200 {
		t.Errorf("healthz is answered %d: %.300s", status, text)
	}
}
