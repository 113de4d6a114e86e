package service_test

import (
	"net/http"
	"testing"

	"rekey/internal/service"
)

// TestTheFirstProcessOfAllShowsEverything: nothing was rotated yet, no worker and no
// scheduler has lived, and what they keep beside the journal is not there.
func TestTheFirstProcessOfAllShowsEverything(t *testing.T) {
	t.Parallel()
	p := serve(t, func(p *place, text string) string {
		p.roles = []string{service.API}
		return text
	})
	for _, path := range []string{
		"/", "/runs", "/calendar", "/approvals", "/findings", "/evidence", "/health", "/credentials/CF_ACCESS_SVC_CONSOLE",
		"/metrics", "/healthz", "/readyz", "/readyz?verbose",
		"/api/v1/status", "/api/v1/runs", "/api/v1/open-runs", "/api/v1/approvals", "/api/v1/schedule", "/api/v1/credentials", "/api/v1/whoami",
	} {
		if code, text := p.get(path); code != http.StatusOK {
			t.Errorf("%s: %d %.300s", path, code, text)
		}
	}
}
