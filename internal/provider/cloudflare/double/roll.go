package double

import (
	"net/http"
	"time"

	"rekey/internal/world"
)

// rotate gives the token a new secret; the one before works until keep, and one
// before that is gone (docs/vendors/cloudflare.md).
func (s *Double) rotate(t *Token, keep time.Time) {
	t.PrevSecret, t.PrevUntil = t.Secret, keep
	t.Secret = "simulated-secret-" + s.Random(24)
	t.SecretVersion++
	t.UpdatedAt = s.At
}

// rotateToken: without previous_client_secret_expires_at the old secret ends now.
func (w *Double) rotateToken(rw http.ResponseWriter, req *http.Request) {
	t := w.Cloudflare.token(req.PathValue("id"))
	if t == nil {
		tokenNotFound(rw)
		return
	}
	var in struct {
		Keep time.Time `json:"previous_client_secret_expires_at"`
	}
	_ = world.ReadJSON(req, &in) // the body is optional
	if in.Keep.IsZero() {
		in.Keep = w.At
	}
	w.rotate(t, in.Keep.UTC())
	w.Publish()
	out := t.shown()
	out["client_secret"] = t.Secret
	delete(out, "last_seen_at")
	cloudflareResult(rw, http.StatusOK, out)
}

// putToken changes what is sent and keeps the rest; a raised version rotates and
// returns the secret (docs/vendors/cloudflare.md).
func (w *Double) putToken(rw http.ResponseWriter, req *http.Request) {
	t := w.Cloudflare.token(req.PathValue("id"))
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
	if err := world.ReadJSON(req, &in); err != nil {
		cloudflareFailure(rw, http.StatusBadRequest, 12130, "access.api.error.invalid_request")
		return
	}
	rolled := false
	if in.Version != nil && *in.Version > t.SecretVersion {
		keep := w.At
		if in.Keep != nil {
			keep = in.Keep.UTC()
		}
		w.rotate(t, keep)
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
		t.Duration, t.ExpiresAt = *in.Duration, w.At.Add(life)
	}
	if in.Enabled != nil {
		t.Enabled = *in.Enabled
	}
	t.UpdatedAt = w.At
	w.Publish()
	out := t.shown()
	if rolled {
		out["client_secret"] = t.Secret
	}
	cloudflareResult(rw, http.StatusOK, out)
}

// refreshToken extends the expiry by a year; the secret stays. Not a rotation.
func (w *Double) refreshToken(rw http.ResponseWriter, req *http.Request) {
	t := w.Cloudflare.token(req.PathValue("id"))
	if t == nil {
		tokenNotFound(rw)
		return
	}
	t.ExpiresAt = w.At.AddDate(1, 0, 0)
	t.UpdatedAt = w.At
	cloudflareResult(rw, http.StatusOK, t.shown())
}
