package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// get asks and returns status and body.
func get(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestSimServesAVendorAlone: at an address of its own a vendor stands at the root,
// with nothing of the world's beside it, and what the world tells its tools leads there.
func TestSimServesAVendorAlone(t *testing.T) {
	t.Parallel()
	base := serve(t, "--heroku", "127.0.0.1:0")
	_, lines := get(t, base+"/_env/heroku")
	set := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^export (\w+)='([^']*)'$`).FindAllStringSubmatch(lines, -1) {
		set[m[1]] = m[2]
	}
	host := set["HEROKU_HOST"]
	if !strings.HasPrefix(host, "http://127.0.0.1:") || host == base || set["DISABLE_TELEMETRY"] != "true" {
		t.Fatalf("GET /_env/heroku says\n%s", lines)
	}
	accept := []string{"Accept", "application/vnd.heroku+json; version=3", "Authorization", "Bearer " + set["HEROKU_API_KEY"]}
	if status, body := get(t, host+"/apps/raxx-console-prod", accept...); status != http.StatusOK || !strings.Contains(body, `"raxx-console-prod"`) {
		t.Errorf("the app: %d %s", status, body)
	}
	for _, path := range []string{"/_world", "/_env", "/cloudflare/client/v4/user/tokens"} {
		if status, _ := get(t, host+path, accept...); status != http.StatusNotFound {
			t.Errorf("%s is answered with %d at the vendor's own address", path, status)
		}
	}
	if n := look(t, base).Calls["heroku"]["GET /apps/{app}"]; n != 1 {
		t.Errorf("the world counts %d calls to the app, not 1: is it another world?", n)
	}

	// What has no address of its own is told by its path, and Heroku's tools take none.
	base = serve(t)
	if _, lines := get(t, base+"/_env/cloudflare"); !strings.Contains(lines, base+"/cloudflare/client/v4'") {
		t.Errorf("GET /_env/cloudflare says\n%s", lines)
	}
	if status, says := get(t, base+"/_env/heroku"); status != http.StatusNotFound || !strings.Contains(says, "--heroku") {
		t.Errorf("GET /_env/heroku: %d %s", status, says)
	}
	if status, says := get(t, base+"/_env/nobody"); status != http.StatusNotFound || !strings.Contains(says, "cloudflare, infisical, heroku") {
		t.Errorf("GET /_env/nobody: %d %s", status, says)
	}
}
