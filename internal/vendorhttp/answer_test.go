package vendorhttp

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
)

// answers makes a client whose every request is answered so.
func answers(status int, header http.Header, body string) *Client {
	c := client("https://api.example.com")
	c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header.Clone(), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})
	c.Own = func(r *Response) bool {
		var e struct {
			ID string `json:"id"`
		}
		return json.Unmarshal(r.Body, &e) == nil && e.ID != ""
	}
	c.Explain = func(_ int, body []byte) (cred.Class, string, string) {
		if strings.Contains(string(body), "bad_token") {
			return cred.Denied, "bad_token", "the token is malformed"
		}
		return "", "", ""
	}
	c.NotApplied = func(r *Response) bool { return strings.Contains(string(r.Body), "still_named") }
	return c
}

// TestOnlyTheVendorSaysWhatItHas: every class of answer, by who gave it and to what:
// what is not in the vendor's own shape is unknown, and a refusal of a write proves
// only what the vendor documents of it.
func TestOnlyTheVendorSaysWhatItHas(t *testing.T) {
	const own = `{"id":"some_error"}`
	strangers := map[string]string{"a page of HTML": "<html>404</html>", "JSON of another shape": `{"error":"no route"}`, "an empty answer": " ", "a text": "not found"}
	for _, c := range []struct {
		status int
		body   string
		want   cred.Class
		maybe  bool // asked of a write
	}{
		{302, own, cred.Unknown, true}, {307, own, cred.Unknown, true}, {304, own, cred.Unknown, true},
		{400, own, cred.Refused, true}, {401, own, cred.Denied, false}, {402, own, cred.Refused, true}, {403, own, cred.Denied, false},
		{404, own, cred.Absent, true}, {408, own, cred.Unknown, true}, {409, own, cred.Conflict, true}, {410, own, cred.Absent, true},
		{412, own, cred.Conflict, true}, {422, own, cred.Refused, true}, {429, own, cred.Limited, false},
		{500, own, cred.Unknown, true}, {502, own, cred.Unknown, true}, {503, own, cred.Unknown, true},
		{400, `{"id":"bad_token"}`, cred.Denied, false}, {400, `{"id":"still_named"}`, cred.Refused, false}, {409, `{"id":"still_named"}`, cred.Conflict, false},
	} {
		for method, write := range map[string]bool{"GET": false, "HEAD": false, "POST": true, "PATCH": true, "PUT": true, "DELETE": true} {
			_, err := answers(c.status, nil, c.body).Do(t.Context(), Request{Op: "op", Method: method})
			if cred.ClassOf(err) != c.want || maybe(err) != (c.maybe && write) {
				t.Errorf("%s answered %d %s: %s, maybe %v", method, c.status, c.body, cred.ClassOf(err), maybe(err))
			}
			for kind, body := range strangers {
				_, err := answers(c.status, http.Header{"Server": {"nginx/1.2.3"}}, body).Do(t.Context(), Request{Op: "op", Method: method})
				want := cred.Unknown
				if c.status == 429 && !write {
					want = cred.Limited
				}
				if cred.ClassOf(err) != want || maybe(err) != write {
					t.Errorf("%s answered %d with %s: %s, maybe %v", method, c.status, kind, cred.ClassOf(err), maybe(err))
				}
				if says := err.Error(); c.status >= 400 && (!strings.Contains(says, kind) || !strings.Contains(says, "between here and api.example.com, which calls itself nginx,") || strings.Contains(says, "1.2.3")) {
					t.Error(says)
				}
			}
		}
		_, err := answers(c.status, nil, c.body).Do(t.Context(), Request{Op: "log in", Method: "POST", Reads: true})
		if maybe(err) {
			t.Errorf("a login answered %d changed something", c.status)
		}
	}
}

func maybe(err error) bool {
	e, ok := err.(*cred.Error)
	return ok && e.Maybe
}

func TestRetryAfter(t *testing.T) {
	at := func(d time.Duration) string { return epoch.Add(d).Format(http.TimeFormat) }
	for in, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": 0, "-1": 0, "soon": 0, " 7 ": 7 * time.Second, "7s": 0,
		"99999999999": math.MaxInt64, "999999999999999999999999": math.MaxInt64,
		at(90 * time.Second): 90 * time.Second, at(-90 * time.Second): 0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {in}}, epoch); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	// The vendor's clock is an hour behind: its date means two minutes, not none.
	h := http.Header{"Retry-After": {at(-58 * time.Minute)}, "Date": {at(-time.Hour)}}
	if got := RetryAfter(h, epoch); got != 2*time.Minute {
		t.Errorf("by the vendor's own clock: %s", got)
	}
}

// TestYearsAreNotWaited: what the vendor asks for is told, and not done.
func TestYearsAreNotWaited(t *testing.T) {
	for in, says := range map[string]string{
		"900": "", "901": "it says to wait 15m0s; Rekey asks again after 15m", "7200": "it says to wait 2h0m0s;", "259200": "it says to wait 3 days;",
		"99999999999": "more than a year", "999999999999999999999999": "more than a year",
		"Fri, 31 Dec 9999 23:59:59 GMT": "more than a year", "Fri, 31 Dec 2300 23:59:59 GMT": "more than a year",
	} {
		_, err := answers(429, http.Header{"Retry-After": {in}}, `{"id":"rate_limit"}`).Do(t.Context(), Request{Op: "op", Method: "GET"})
		if got := cred.RetryAfter(err); got > 15*time.Minute || got <= 0 || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: waits %s: %v", in, got, err)
		}
	}
}

// TestTheVendorsClockIsKnown: by the Date of its last answer.
func TestTheVendorsClockIsKnown(t *testing.T) {
	for _, ahead := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		c := answers(200, http.Header{"Date": {epoch.Add(ahead).Format(http.TimeFormat)}}, `{}`)
		if _, told := c.Ahead(); told {
			t.Error("a client without a clock tells one")
		}
		c.Clock = &Clock{}
		if _, told := c.Ahead(); told {
			t.Error("told before it was asked")
		}
		if _, err := c.Do(t.Context(), Request{Op: "op", Method: "GET"}); err != nil {
			t.Fatal(err)
		}
		if got, told := c.Ahead(); !told || (got-ahead).Abs() > time.Second {
			t.Errorf("%s: %s, %v", ahead, got, told)
		}
	}
}
