package access

import (
	"encoding/json"
	"net/http"
	"time"

	"rekey/internal/sop"
)

// tokenRoutes have whoever signed in ask for tokens, as a face does.
func tokenRoutes(a *Access, mux *http.ServeMux) {
	known := func(pattern string, f func(r *http.Request) (any, error)) {
		mux.Handle(pattern, a.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out, err := f(r)
			if err != nil {
				a.told(w, r, err)
				return
			}
			answer(w, out)
		})))
	}
	known("GET /tokens", func(r *http.Request) (any, error) { return a.ListTokens(r.Context(), true) })
	known("POST /tokens", func(r *http.Request) (any, error) {
		var want struct {
			Wanted
			Expires sop.Duration
		}
		if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
			return nil, &Wrong{Why: err.Error()}
		}
		if want.Expires != "" {
			lives, err := sop.ParseDuration(string(want.Expires))
			if err != nil {
				return nil, &Wrong{Why: err.Error()}
			}
			want.Lives = lives
		}
		made, text, err := a.CreateToken(r.Context(), want.Wanted)
		return Minted{made, text}, err
	})
	known("POST /tokens/rotate", func(r *http.Request) (any, error) {
		overlap, err := time.ParseDuration(r.URL.Query().Get("overlap"))
		if err != nil {
			return nil, &Wrong{Why: err.Error()}
		}
		made, text, err := a.RotateToken(r.Context(), overlap)
		return Minted{made, text}, err
	})
	known("DELETE /tokens/{id}", func(r *http.Request) (any, error) { return a.RevokeTokens(r.Context(), r.PathValue("id")) })
}
