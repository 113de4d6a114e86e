package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// once answers an operation that changes something: where the request bears a key, it is
// done once, and answered the same each time. The operation notes so in the transaction
// that writes what it does.
// into is where its body goes.
func (s *Server) once(w http.ResponseWriter, r *http.Request, into any, do func(context.Context) error) error {
	text, err := s.body(w, r, into)
	if err != nil {
		return err
	}
	request, err := requestOf(r, text)
	if err != nil {
		return err
	}
	ctx := estate.Asking(r.Context(), request)
	// Looked at before anything else: by now the run may be over, or the request answered.
	if err = s.o.Engine.Answered(ctx); err == nil {
		if err = do(ctx); err != nil && estate.CodeOf(err) != estate.Repeated {
			// The same request may have been under way, and have changed what this one met.
			err = cmp.Or(s.o.Engine.Answered(ctx), err)
		}
	}
	switch {
	case estate.CodeOf(err) == estate.Repeated && err != nil && request.Answer != nil:
		w.Header().Set(api.ReplayedHeader, "true")
	case err != nil:
		return err
	case request.Answer == nil:
		return errors.New("the operation has not said what to answer: a mistake in this program")
	}
	var about estate.Begun
	if json.Unmarshal(request.Answer, &about) == nil && about.Run != "" {
		of(r).run = about.Run
		if of(r).way == "openRun" {
			w.Header().Set("Location", api.Base+"/runs/"+about.Run)
		}
	}
	return s.give(w, r, request.Answer)
}

// requestOf is the request by which an operation is asked for.
func requestOf(r *http.Request, body []byte) (*estate.Request, error) {
	out := new(estate.Request)
	keys := r.Header.Values(api.RequestHeader)
	if len(keys) == 0 {
		return out, nil
	}
	key := keys[0]
	if len(keys) > 1 || key == "" || len(key) > 200 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, &wrong{mistakes: []api.Mistake{{At: api.RequestHeader, What: "want one key of 1 to 200 visible ASCII characters"}}}
	}
	// The caller's own: a key that somebody else has used is another one. Where nobody is
	// signed in, all callers are one.
	out.Key, out.What = digest(of(r).who, key), digest(r.Method, r.URL.Path, string(body))
	return out, nil
}

// callerID tells callers apart who may have the same name by other ways.
func callerID(who rotation.Who) string {
	return digest(who.How, who.Claims["iss"], who.Claims["sub"], who.Name)
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
