package sim

import (
	"net/http"
	"time"
)

// rotate gives the token a new secret; the one before works until keep, and one
// before that is gone (docs/vendors/cloudflare.md).
func (s *State) rotate(t *Token, keep time.Time) {
	t.PrevSecret, t.PrevUntil = t.Secret, keep
	t.Secret = "simulated-secret-" + s.random(24)
	t.SecretVersion++
	t.UpdatedAt = s.At
}

// rotateToken: without previous_client_secret_expires_at the old secret ends now.
func (w *World) rotateToken(rw http.ResponseWriter, req *http.Request) {
	t := w.state.Cloudflare.token(req.PathValue("id"))
	if t == nil {
		tokenNotFound(rw)
		return
	}
	var in struct {
		Keep time.Time `json:"previous_client_secret_expires_at"`
	}
	_ = readJSON(req, &in) // the body is optional
	if in.Keep.IsZero() {
		in.Keep = w.state.At
	}
	w.state.rotate(t, in.Keep.UTC())
	w.publishChange()
	out := t.shown()
	out["client_secret"] = t.Secret
	delete(out, "last_seen_at")
	cloudflareResult(rw, http.StatusOK, out)
}

// putToken changes what is sent and keeps the rest; a raised version rotates and
// returns the secret (docs/vendors/cloudflare.md).
func (w *World) putToken(rw http.ResponseWriter, req *http.Request) {
	t := w.state.Cloudflare.token(req.PathValue("id"))
	if t == nil {
		tokenNotFound(rw)
		return
	}
	var in struct {
		Name     *string    `json:"name"`
		Duration *string    `json:"duration"`
		Enabled  *bool      `json:"enabled"`
		Version  *int       `json:"client_secret_version"`
		Keep     *time.Time `json:"previous_client_secret_expires_at"`
	}
	if err := readJSON(req, &in); err != nil {
		cloudflareFailure(rw, http.StatusBadRequest, 12130, "access.api.error.invalid_request")
		return
	}
	rolled := false
	if in.Version != nil && *in.Version > t.SecretVersion {
		keep := w.state.At
		if in.Keep != nil {
			keep = in.Keep.UTC()
		}
		w.state.rotate(t, keep)
		t.SecretVersion = *in.Version
		rolled = true
	} else if in.Keep != nil && t.PrevSecret != "" {
		t.PrevUntil = in.Keep.UTC()
	}
	if in.Name != nil {
		t.Name = *in.Name
	}
	if in.Duration != nil {
		life, err := time.ParseDuration(*in.Duration)
		if err != nil {
			cloudflareFailure(rw, http.StatusBadRequest, 12130, "access.api.error.invalid_request: duration")
			return
		}
		t.Duration, t.ExpiresAt = *in.Duration, w.state.At.Add(life)
	}
	if in.Enabled != nil {
		t.Enabled = *in.Enabled
	}
	t.UpdatedAt = w.state.At
	w.publishChange()
	out := t.shown()
	if rolled {
		out["client_secret"] = t.Secret
	}
	cloudflareResult(rw, http.StatusOK, out)
}

// refreshToken extends the expiry by a year; the secret stays. Not a rotation.
func (w *World) refreshToken(rw http.ResponseWriter, req *http.Request) {
	t := w.state.Cloudflare.token(req.PathValue("id"))
	if t == nil {
		tokenNotFound(rw)
		return
	}
	t.ExpiresAt = w.state.At.AddDate(1, 0, 0)
	t.UpdatedAt = w.state.At
	cloudflareResult(rw, http.StatusOK, t.shown())
}
