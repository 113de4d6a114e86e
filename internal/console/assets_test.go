package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestVendoredFilesAreAsTheyCame: htmx.org@4.0.1 from npm.
func TestVendoredFilesAreAsTheyCame(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"htmx.min.js":   "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
		"hx-sse.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
		"htmx.LICENSE":  "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
	} {
		b, err := os.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not what npm's htmx.org@4.0.1 has", name)
		}
	}
}

// TestAssetsAreKeptForGood, and only under the address that has their sum.
func TestAssetsAreKeptForGood(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	found := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(b.get("/"), -1)
	if len(found) < 5 {
		t.Fatalf("the page loads %v", found)
	}
	kinds := map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	for _, m := range found {
		w := b.serve(http.MethodGet, m[1], nil)
		kind := kinds[m[1][strings.LastIndex(m[1], "."):]]
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %v", m[1], w.Code, w.Header())
		}
	}
	if status, _ := b.ask(http.MethodGet, "/assets/0123456789ab/app.css", nil); status != http.StatusNotFound {
		t.Errorf("an old address: %d", status)
	}
}
