package access

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestWhatIsFollowedEndsWhenWhatAPlatformOrAProxyHasSaidExpires, be it asked by GET or by a
// POST that changes nothing, such as evidence. What changes something is finished.
func TestWhatIsFollowedEndsWhenWhatAPlatformOrAProxyHasSaidExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, everything(), func(o *Options) {
		o.Again, o.Looks = 10*time.Millisecond, func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/evidence" }
	})
	for name, header := range map[string]func() []string{
		"a platform's token": func() []string { return bearer(w.ci.token(map[string]any{"sub": "repo:ops"})) },
		"what a proxy says": func() []string {
			return []string{gated_, w.gt.token(map[string]any{"aud": "aud-tag", "email": "carol@example.com", "sub": "7335d417"})}
		},
		"an end with a part": func() []string {
			return bearer(w.ci.token(map[string]any{"sub": "repo:ops", "exp": float64(w.time.now().Unix()) + 290.5}))
		},
	} {
		for _, asked := range []struct {
			method, path string
			ends         bool
		}{{http.MethodGet, "/runs/x/events", true}, {http.MethodPost, "/evidence", true}, {http.MethodPost, "/runs", false}} {
			began, why := make(chan struct{}), make(chan error, 1)
			ctx, leave := context.WithCancel(t.Context())
			r := httptest.NewRequest(asked.method, w.browser().base+asked.path, nil).WithContext(ctx)
			h := header()
			r.Header.Set(h[0], h[1])
			go w.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(began)
				<-r.Context().Done()
				why <- context.Cause(r.Context())
			})).ServeHTTP(httptest.NewRecorder(), r)
			select {
			case <-began:
			case <-time.After(20 * time.Second):
				t.Fatalf("%s %s: it is not let in", name, asked.path)
			}
			w.time.pass(4 * time.Minute)
			select {
			case err := <-why:
				t.Errorf("%s %s: it ended before: %v", name, asked.path, err)
			case <-time.After(50 * time.Millisecond):
			}
			w.time.pass(91 * time.Second) // past its end, and what clocks may differ by
			select {
			case err := <-why:
				if !asked.ends || !errors.Is(err, errOver) {
					t.Errorf("%s %s ended: %v", name, asked.path, err)
				}
			case <-time.After(map[bool]time.Duration{true: 20 * time.Second, false: 100 * time.Millisecond}[asked.ends]):
				if asked.ends {
					t.Errorf("%s %s: he goes on", name, asked.path)
				}
			}
			leave()
		}
	}
}
