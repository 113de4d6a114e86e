//go:build !windows

package lease_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/lease"
	"rekey/internal/vendorhttp"
)

// TestAVendorThatRefusesIsAskedOnceByThreeWorkers, whose clocks are an hour apart, and which
// know it by two names: none comes back before it says, and an emergency does.
func TestAVendorThatRefusesIsAskedOnceByThreeWorkers(t *testing.T) {
	everywhere(t, func(b *bench) {
		var came atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			came.Add(1)
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte("{}"))
		}))
		defer srv.Close()
		var workers []*vendorhttp.Client
		for i, l := range []*lease.Limits{b.stores[0].Limits(), b.stores[1].Limits(), lease.LimitsOf(b.journals[0])} {
			skew := time.Duration(i-1) * time.Hour
			workers = append(workers, &vendorhttp.Client{Vendor: []string{"shop", "heroku", "heroku"}[i], Base: srv.URL, Transport: http.DefaultTransport,
				Now: func() time.Time { return time.Now().Add(skew) }, Pace: &vendorhttp.Pace{Limits: l, Account: "heroku"}})
		}
		ask := func(c *vendorhttp.Client) error {
			_, err := c.Do(b.Context(), vendorhttp.Request{Op: "op", Method: http.MethodPost, Path: "/"})
			return err
		}
		begun := time.Now()
		for time.Since(begun) < 5500*time.Millisecond {
			for _, c := range workers {
				if err := ask(c); cred.ClassOf(err) != cred.Limited || cred.RetryAfter(err) > 2*time.Second {
					b.Errorf("%v, after %s", err, cred.RetryAfter(err))
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		// Once in two seconds; by each of three, if they ask in the same instant.
		if n := came.Load(); n < 3 || n > 9 {
			b.Errorf("it was asked %d times in 5.5 seconds, and says to come back after 2", n)
		}
		before := came.Load()
		workers[0].Pace.Urgent = true
		if _ = ask(workers[0]); came.Load() != before+1 {
			b.Error("an emergency is held back")
		}
	})
}
