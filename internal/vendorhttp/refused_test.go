package vendorhttp

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
)

// vendor answers with a status and headers, and counts what came.
type vendor struct {
	*httptest.Server
	came   int
	status int
	header map[string]string
}

func newVendor(t *testing.T) *vendor {
	v := &vendor{status: http.StatusOK}
	v.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		v.came++
		rw.Header().Set("Date", epoch.UTC().Format(http.TimeFormat))
		for k, x := range v.header {
			rw.Header().Set(k, x)
		}
		rw.WriteHeader(v.status)
		_, _ = rw.Write([]byte(`{}`))
	}))
	t.Cleanup(v.Close)
	return v
}

// asks returns what asks it in one process, which goes by this clock.
func (v *vendor) asks(t *testing.T, p *Pace, now *time.Time) func(method string) error {
	c := client(v.URL)
	c.Now, c.Pace = func() time.Time { return *now }, p
	return func(method string) error {
		_, err := c.Do(t.Context(), Request{Op: "op", Method: method, Path: "/"})
		return err
	}
}

// TestWhatAVendorRefusesIsObeyedByAllWorkers: for as long as it says, in whatever form, and
// for a while if it says nothing that can be. Nobody comes back before, but an emergency.
func TestWhatAVendorRefusesIsObeyedByAllWorkers(t *testing.T) {
	date := func(d time.Duration) string { return epoch.Add(d).UTC().Format(http.TimeFormat) }
	for name, x := range map[string]struct {
		status int
		header map[string]string
		wait   time.Duration
	}{
		"seconds":               {429, map[string]string{"Retry-After": "120"}, 2 * time.Minute},
		"a date":                {429, map[string]string{"Retry-After": date(time.Minute)}, time.Minute},
		"a date that is past":   {429, map[string]string{"Retry-After": date(-time.Hour)}, unsaid},
		"nothing":               {429, nil, unsaid},
		"nonsense":              {429, map[string]string{"Retry-After": "soon"}, unsaid},
		"a time that is past":   {429, map[string]string{"Retry-After": "-7"}, unsaid},
		"no time":               {429, map[string]string{"Retry-After": "0"}, unsaid},
		"a part of a second":    {429, map[string]string{"Retry-After": "0.5"}, unsaid},
		"a year":                {429, map[string]string{"Retry-After": "31536000"}, longestWait},
		"more than a number":    {429, map[string]string{"Retry-After": "99999999999999999999999"}, longestWait},
		"when its limit is new": {429, map[string]string{"RateLimit": `"default";r=0;t=70`}, 70 * time.Second},
		"GitHub's":              {403, map[string]string{"Retry-After": "60", "X-RateLimit-Remaining": "4000"}, time.Minute},
		"an overloaded one's":   {503, map[string]string{"Retry-After": "30"}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			v, all, now := newVendor(t), known{}, epoch
			v.status, v.header = x.status, x.header
			one, two := v.asks(t, &Pace{Reserve: 50, Limits: all}, &now), v.asks(t, &Pace{Limits: all}, &now)
			urgent := v.asks(t, &Pace{Limits: all, Urgent: true}, &now)
			if err := one(http.MethodPost); err == nil || v.came != 1 {
				t.Fatal(err)
			}
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				for n, ask := range []func(string) error{one, two} {
					err := ask(method)
					if cred.ClassOf(err) != cred.Limited || cred.MayHaveHappened(err) || cred.RetryAfter(err) != x.wait || !strings.Contains(err.Error(), "not asked") {
						t.Errorf("%s of process %d: %v, after %s, want %s", method, n, err, cred.RetryAfter(err), x.wait)
					}
				}
			}
			if v.came != 1 {
				t.Errorf("%d requests", v.came)
			}
			if _ = urgent(http.MethodPost); v.came != 2 {
				t.Error("an emergency is held back")
			}
			v.status, v.header, now = 200, nil, now.Add(x.wait)
			clear(all)
			if err := one(http.MethodGet); err != nil {
				t.Errorf("the time has ended: %v", err)
			}
		})
	}
}

// TestAVendorThatNeverStopsRefusingIsAskedOnceATime: each refusal holds anew, although a look
// is let out whole.
func TestAVendorThatNeverStopsRefusingIsAskedOnceATime(t *testing.T) {
	v, now := newVendor(t), epoch
	v.status, v.header = 429, map[string]string{"Retry-After": "10"}
	ask := v.asks(t, &Pace{Reserve: 50}, &now)
	for range 600 {
		_ = ask(http.MethodGet)
		now = now.Add(time.Second)
	}
	if v.came > 61 {
		t.Errorf("it was asked %d times in ten minutes, and says ten seconds", v.came)
	}
}

// TestALookThatIsRefusedHoldsNoChangeBack: vendors count them apart.
func TestALookThatIsRefusedHoldsNoChangeBack(t *testing.T) {
	v, now := newVendor(t), epoch
	ask := v.asks(t, &Pace{}, &now)
	v.status = 429
	_ = ask(http.MethodGet)
	v.status = 200
	if err := ask(http.MethodPost); err != nil || v.came != 2 {
		t.Errorf("%v, %d requests", err, v.came)
	}
}

// TestAShareOfTheLimitIsKeptForEmergencies: looks of many workers use the limit up to the
// reserve, their changes most of that, and an emergency has what is left.
func TestAShareOfTheLimitIsKeptForEmergencies(t *testing.T) {
	v, all, now, left := newVendor(t), known{}, epoch, 100
	count := func() {
		left--
		v.header = map[string]string{"RateLimit-Remaining": strconv.Itoa(left), "RateLimit-Reset": "300"}
	}
	var workers []func(string) error
	for range 3 {
		workers = append(workers, v.asks(t, &Pace{Reserve: 50, Limits: all}, &now))
	}
	use := func(method string) {
		for range 200 {
			for _, w := range workers {
				before := v.came
				if _ = w(method); v.came > before {
					count()
				}
			}
		}
	}
	count()
	use(http.MethodGet)
	if left < 45 || left > 50 {
		t.Errorf("looks left %d of 100 calls", left)
	}
	use(http.MethodPost)
	if left < 6 || left > 10 {
		t.Errorf("changes left %d calls", left)
	}
	urgent, sent := v.asks(t, &Pace{Reserve: 50, Limits: all, Urgent: true}, &now), v.came
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodGet} {
		if err := urgent(method); err != nil {
			t.Errorf("an emergency is held back: %v", err)
		}
	}
	if v.came != sent+4 {
		t.Errorf("%d of an emergency's 4 requests came", v.came-sent)
	}
}
