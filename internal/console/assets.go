package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"
)

// assets has what pages load. htmx.min.js and hx-sse.min.js are htmx 4.0.1 and its
// extension for server-sent events as npm's package htmx.org has them (dist/ and
// dist/ext/), unchanged, under the Zero-Clause BSD licence in htmx.LICENSE; a test holds
// them to their sums. The rest is ours.
//
//go:embed assets
var assetFiles embed.FS

// asset is a file that a page loads; its address has its sum in it, so that a browser
// keeps it for good and never has an old one.
type asset struct {
	kind string
	body []byte
	sum  string
}

func readAssets() (map[string]asset, error) {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	out := map[string]asset{}
	for _, e := range entries {
		b, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, err
		}
		kind := mime.TypeByExtension(path.Ext(e.Name()))
		if strings.HasSuffix(e.Name(), ".LICENSE") {
			kind = "text/plain; charset=utf-8"
		}
		sum := sha256.Sum256(b)
		out[e.Name()] = asset{kind: kind, body: b, sum: hex.EncodeToString(sum[:6])}
	}
	return out, nil
}

// address of an asset.
func (c *Console) address(name string) string {
	return "/assets/" + c.assets[name].sum + "/" + name
}

func (c *Console) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := c.assets[r.PathValue("name")]
	if !ok || a.sum != r.PathValue("sum") {
		c.failed(w, r, errNoPage)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.body)
}
