package vendorhttp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
)

// TestLeft reads the headers as the vendors send them (docs/vendors/cloudflare.md, Heroku's
// Platform API reference, recorded answers of Infisical).
func TestLeft(t *testing.T) {
	for _, c := range []struct {
		headers map[string]string
		calls   int
		full    time.Duration
		ok      bool
	}{
		{map[string]string{"Ratelimit": `"default";r=50;t=30`}, 50, 30 * time.Second, true},
		{map[string]string{"Ratelimit": `"default";r=900;t=200, "burst";r=3;t=2`}, 3, 2 * time.Second, true},
		{map[string]string{"RateLimit-Remaining": "4499"}, 4499, 0, true},
		{map[string]string{"RateLimit-Limit": "100", "RateLimit-Remaining": "5", "RateLimit-Reset": "40"}, 5, 40 * time.Second, true},
		{map[string]string{"RateLimit": "limit=100, remaining=50, reset=5"}, 50, 5 * time.Second, true},
		{map[string]string{"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": strconv.FormatInt(epoch.Add(50*time.Second).Unix(), 10)}, 3, 50 * time.Second, true},
		{map[string]string{"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": strconv.FormatInt(epoch.Add(-time.Hour).Unix(), 10)}, 3, 0, true},
		{map[string]string{"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "-5"}, 3, 0, true},
		{map[string]string{"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "99999999999999999999"}, 3, 0, true},
		{map[string]string{"X-RateLimit-Remaining": "-1"}, 0, 0, true},
		{map[string]string{"RateLimit-Remaining": "many"}, 0, 0, false},
		{map[string]string{"Ratelimit": `"default";r=99999999999999999999;t=1`}, 0, 0, false},
		{map[string]string{"X-Ratelimit-Remaining": "7", "X-Ratelimit-Reset": "60"}, 7, time.Minute, true},
		{map[string]string{"Ratelimit": "nonsense"}, 0, 0, false},
		{nil, 0, 0, false},
	} {
		h := http.Header{}
		for k, v := range c.headers {
			h.Set(k, v)
		}
		if calls, full, ok := Left(h, epoch); calls != c.calls || full != c.full || ok != c.ok {
			t.Errorf("%v: %d, %s, %v", c.headers, calls, full, ok)
		}
	}
}

// TestPaceLeavesRoomForChanges: with few calls left a look is not sent and says
// that it was not; a change is sent all the same; when the time is over the look
// goes out again.
func TestPaceLeavesRoomForChanges(t *testing.T) {
	sent, left := 0, 100
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		sent++
		rw.Header().Set("Ratelimit", `"default";r=`+strconv.Itoa(left)+`;t=20`)
		_, _ = rw.Write([]byte(`{}`))
	}))
	defer srv.Close()
	now := epoch
	c := client(srv.URL)
	c.Now, c.Pace = func() time.Time { return now }, &Pace{Reserve: 10}
	ask := func(method string) error {
		_, err := c.Do(t.Context(), Request{Op: "op", Method: method, Path: "/"})
		return err
	}
	steps := []struct {
		left   int
		after  time.Duration
		method string
		want   cred.Class
	}{
		{100, 0, "GET", cred.Done},
		{9, 0, "GET", cred.Done}, // tells that few are left
		{8, 0, "GET", cred.Limited},
		{8, 0, "POST", cred.Done},
		{7, 19 * time.Second, "GET", cred.Limited},
		{6, time.Second, "GET", cred.Done}, // the time has ended: one whole look
		{5, time.Second, "GET", cred.Done},
		{4, 4 * time.Second, "GET", cred.Done}, // the last of it tells that few are left
		{3, 0, "GET", cred.Limited},
		{50, 20 * time.Second, "GET", cred.Done},
		{50, 0, "GET", cred.Done},
	}
	want := 0
	for i, s := range steps {
		left, now = s.left, now.Add(s.after)
		err := ask(s.method)
		if got := cred.ClassOf(err); got != s.want {
			t.Fatalf("step %d: %s: %v", i, got, err)
		}
		if s.want == cred.Done {
			want++
		} else if cred.RetryAfter(err) <= 0 || !strings.Contains(err.Error(), "not asked") {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if sent != want {
		t.Errorf("%d requests, want %d", sent, want)
	}
}

// known is what several processes know together.
type known map[string]Held

func (k known) Hold(_ context.Context, account string, h Held) {
	k[account] = Held{max(k[account].Looks, h.Looks), max(k[account].Changes, h.Changes)}
}
func (k known) Held(_ context.Context, account string) Held { return k[account] }

// TestWhatOneProcessLearnsOfALimitHoldsForTheOthers: one that has asked nothing yet does
// not look while another one was told that little is left; what changes something goes out,
// and an emergency looks.
func TestWhatOneProcessLearnsOfALimitHoldsForTheOthers(t *testing.T) {
	sent := 0
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		sent++
		rw.Header().Set("Ratelimit", `"default";r=3;t=20`)
		_, _ = rw.Write([]byte(`{}`))
	}))
	defer srv.Close()
	all := known{}
	process := func(p *Pace) func(string) error {
		c := client(srv.URL)
		c.Now, c.Pace = func() time.Time { return epoch }, p
		return func(method string) error {
			_, err := c.Do(t.Context(), Request{Op: "op", Method: method, Path: "/"})
			return err
		}
	}
	one, two, urgent := process(&Pace{Reserve: 10, Limits: all}), process(&Pace{Reserve: 10, Limits: all}), process(&Pace{Reserve: 10, Limits: all, Urgent: true})
	if err := one(http.MethodGet); err != nil || sent != 1 {
		t.Fatalf("the first: %v, %d sent", err, sent)
	}
	if err := two(http.MethodGet); cred.ClassOf(err) != cred.Limited || cred.RetryAfter(err) != 20*time.Second || sent != 1 {
		t.Errorf("another process looks all the same: %v, %d sent", err, sent)
	}
	if err := two(http.MethodPost); err != nil || sent != 2 {
		t.Errorf("a change is held back: %v", err)
	}
	if err := urgent(http.MethodGet); err != nil || sent != 3 {
		t.Errorf("an emergency is held back: %v", err)
	}
	clear(all)
	if err := process(&Pace{Reserve: 10, Limits: all})(http.MethodGet); err != nil || sent != 4 {
		t.Errorf("the time is over, and nobody looks: %v", err)
	}
}
