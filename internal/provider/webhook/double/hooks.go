// Package double is a webhook simulated: a collector elsewhere that takes whatever is posted to its secret address.
package double

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	"rekey/internal/world"
)

// HooksHost is where the simulated webhook is: a collector elsewhere that takes
// whatever is posted to an address that only its owner knows. It imitates
// no vendor: it answers 204, as such collectors do.
const HooksHost = "hooks.example.com"

// Double is the collector in the world that it stands in.
type Double struct {
	*world.State
	Hooks *[]Hook
}

// Name of the double.
func (*Double) Name() string { return "hooks" }

// Memory is what was posted.
func (d *Double) Memory() any { return d.Hooks }

// Hosts are its own.
func (*Double) Hosts() []string { return []string{HooksHost} }

// Hook is one post.
type Hook struct {
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// Address is secret by its path, as the addresses of webhooks are.
func Address(seed int64) string {
	return "https://" + HooksHost + hookPath(seed)
}

func hookPath(seed int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "webhook %d", seed))
	return "/simulated-secret-" + hex.EncodeToString(sum[:12])
}

// Routes takes posts.
func (w *Double) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /{path...}", func(rw http.ResponseWriter, req *http.Request) {
		if "/"+req.PathValue("path") != hookPath(w.Seed) {
			http.Error(rw, "no such hook", http.StatusNotFound)
			return
		}
		b, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
		if err != nil {
			http.Error(rw, "cut off", http.StatusBadRequest)
			return
		}
		*w.Hooks = append(*w.Hooks, Hook{ContentType: req.Header.Get("Content-Type"), Body: string(b)})
		rw.WriteHeader(http.StatusNoContent)
	})
}
