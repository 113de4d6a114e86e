package access

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"rekey/internal/journal"
)

// follow has a browser follow something, until the server ends that; why is told then.
func (b *browser) follow(header ...string) (why chan error, leave func()) {
	b.w.t.Helper()
	began, why := make(chan struct{}), make(chan error, 1)
	ctx, leave := context.WithCancel(b.w.t.Context())
	r := httptest.NewRequest(http.MethodGet, b.base+"/follow", nil).WithContext(ctx)
	r.RemoteAddr = b.from
	for k, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	go b.w.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		why <- context.Cause(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), r)
	select {
	case <-began:
	case <-time.After(20 * time.Second):
		b.w.t.Fatal("it is not let in")
	}
	return why, leave
}

// TestWhatIsFollowedEndsWithTheRightToFollowIt: at once where this process has ended the
// session or the token, or has read another rekey.yaml, and soon where another one has.
func TestWhatIsFollowedEndsWithTheRightToFollowIt(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		var w *world
		at := map[bool]*world{}
		for soon, again := range map[bool]time.Duration{false: time.Hour, true: 10 * time.Millisecond} {
			at[soon] = newWorld(t, everything(), func(o *Options) { o.Again, o.Journal = again, open(t) })
		}
		elsewhere := func(statement string) func(t *testing.T, b *browser, token Token) {
			return func(t *testing.T, _ *browser, _ Token) {
				db, _ := w.opened.DB()
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Error(err)
				}
			}
		}
		for name, x := range map[string]struct {
			byToken, soon bool
			end           func(t *testing.T, b *browser, token Token)
		}{
			"signed out":            {false, false, func(_ *testing.T, b *browser, _ Token) { b.do("POST", "/access/sign-out", nil) }},
			"signed out everywhere": {false, false, func(_ *testing.T, b *browser, _ Token) { b.do("POST", "/access/sign-out/everywhere", nil) }},
			"signed out elsewhere":  {false, true, elsewhere(`DELETE FROM access_sessions`)},
			"not used for too long": {false, true, func(*testing.T, *browser, Token) { w.time.pass(61 * time.Minute) }},
			"over":                  {false, true, func(*testing.T, *browser, Token) { w.time.pass(12 * time.Hour) }},
			"revoked": {true, false, func(t *testing.T, b *browser, x Token) {
				_, err := w.RevokeTokens(with(t.Context(), &caller{who: root()}), x.ID)
				fatal(t, err)
			}},
			"revoked elsewhere": {true, true, elsewhere(`UPDATE access_tokens SET revoked = 1, held = ''`)},
			"rotated, and its successor used": {true, true, func(t *testing.T, b *browser, x Token) {
				_, text, err := w.RotateToken(with(t.Context(), &caller{token: &x}), 0)
				fatal(t, err)
				if r := b.get("/", bearer(text)...); r.StatusCode != http.StatusOK {
					t.Errorf("the successor is answered %d", r.StatusCode)
				}
			}},
			"the role is taken away": {false, false, func(t *testing.T, _ *browser, _ Token) {
				c := everything()
				delete(c.Identity.Roles, "ops")
				fatal(t, w.Reload(c))
			}},
			"the grant is": {true, false, func(t *testing.T, _ *browser, _ Token) {
				c := everything()
				c.Identity.Grants = c.Identity.Grants[1:]
				fatal(t, w.Reload(c))
			}},
			"another role is wanted": {false, false, func(t *testing.T, _ *browser, _ Token) {
				c := everything()
				c.Specs[1].Role = "x"
				fatal(t, w.Reload(c))
			}},
		} {
			w = at[x.soon]
			fatal(t, w.Reload(everything()))
			b := w.browser()
			var token Token
			var header []string
			if x.byToken {
				made, text := w.create(t, Wanted{Name: "dashboard"})
				token, header = made, bearer(text)
			} else {
				b.signIn("/")
			}
			why, leave := b.follow(header...)
			// Another file that says the same of who may what ends nothing.
			same := everything()
			same.Specs[0].Cadence = time.Hour
			fatal(t, w.Reload(same))
			w.living.mu.Lock()
			all := slices.Collect(maps.Keys(w.living.all))
			w.living.mu.Unlock()
			for _, l := range all {
				l.still()
			}
			select {
			case err := <-why:
				t.Errorf("%s: it ended before: %v", name, err)
				continue
			default:
			}
			x.end(t, b, token)
			select {
			case err := <-why:
				if !errors.Is(err, errOver) {
					t.Errorf("%s: %v", name, err)
				}
			case <-time.After(20 * time.Second):
				t.Errorf("%s: he goes on", name)
			}
			leave()
			_, _ = w.RevokeTokens(with(t.Context(), &caller{who: root()}), "dashboard")
		}
		remembered := func() (n int) {
			for _, w := range at {
				w.living.mu.Lock()
				n += len(w.living.all)
				w.living.mu.Unlock()
			}
			return n
		}
		for until := time.Now().Add(10 * time.Second); remembered() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("%d are still remembered", remembered())
			}
		}
	})
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
