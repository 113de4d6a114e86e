package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
)

// HooksHost is where the simulated webhook is: a collector elsewhere that takes
// whatever is posted to an address that only its owner knows. It is nobody's
// double: it answers 204, as such collectors do.
const HooksHost = "hooks.example.com"

// Hook is one post.
type Hook struct {
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// hookAddress is secret by its path, as the addresses of webhooks are.
func hookAddress(seed int64) string {
	return "https://" + HooksHost + hookPath(seed)
}

func hookPath(seed int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "webhook %d", seed))
	return "/simulated-secret-" + hex.EncodeToString(sum[:12])
}

func (w *World) hooksRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /{path...}", func(rw http.ResponseWriter, req *http.Request) {
		if "/"+req.PathValue("path") != hookPath(w.state.Seed) {
			http.Error(rw, "no such hook", http.StatusNotFound)
			return
		}
		b, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
		if err != nil {
			http.Error(rw, "cut off", http.StatusBadRequest)
			return
		}
		w.state.Hooks = append(w.state.Hooks, Hook{ContentType: req.Header.Get("Content-Type"), Body: string(b)})
		rw.WriteHeader(http.StatusNoContent)
	})
}
