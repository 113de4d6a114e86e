package httpcheck_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/httpcheck"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

const cookie = "canary-session-5d11"

// TestCheck: only what was expected is done; an answer that shows something else
// is waited for; one that waiting will not mend fails. No answer is quoted.
func TestCheck(t *testing.T) {
	since := time.Date(2026, 11, 23, 9, 0, 0, 500, time.UTC)
	for _, tt := range []struct {
		name   string
		status int
		body   string
		check  sop.Check
		want   cred.Class
	}{
		{"status alone", 200, "anything", sop.Check{}, cred.Done},
		{"the status that was asked for", 204, "", sop.Check{Status: 204}, cred.Done},
		{"another status", 500, "{}", sop.Check{}, cred.Waiting},
		{"turned away", 401, "{}", sop.Check{}, cred.Failed},
		{"sent to a login", 302, "", sop.Check{}, cred.Failed},
		{"true", 200, `{"a":true}`, sop.Check{JQ: ".a"}, cred.Done},
		{"all true", 200, `[true,true]`, sop.Check{JQ: ".[]"}, cred.Done},
		{"one false", 200, `[true,false]`, sop.Check{JQ: ".[]"}, cred.Waiting},
		{"truthy is not true", 200, `{"a":1}`, sop.Check{JQ: ".a"}, cred.Waiting},
		{"nothing selected", 200, `[]`, sop.Check{JQ: ".[]"}, cred.Waiting},
		{"does not fit", 200, `{"a":"` + cookie + `"}`, sop.Check{JQ: ".a.b"}, cred.Waiting},
		{"a page", 200, "<html>" + cookie, sop.Check{JQ: ".a"}, cred.Failed},
		{"half", 200, `{"a":`, sop.Check{JQ: ".a"}, cred.Waiting},
		{"without an end", 200, `{}`, sop.Check{JQ: "def f: f; f"}, cred.Waiting},
		{"older than the switch", 200, `{"at":"2026-11-23T09:00:00.9Z"}`, sop.Check{JQ: ".at >= $since"}, cred.Waiting},
		{"younger than the switch", 200, `{"at":"2026-11-23T09:00:02Z"}`, sop.Check{JQ: ".at >= $since"}, cred.Done},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				if req.Header.Get("Cookie") != cookie {
					t.Error("the header was not sent")
				}
				rw.Header().Set("Location", "/elsewhere")
				rw.WriteHeader(tt.status)
				_, _ = rw.Write([]byte(tt.body))
			}))
			defer srv.Close()
			tt.check.URL, tt.check.Headers = srv.URL, map[string]sop.Refs{"Cookie": {"env:SESSION"}}
			class, detail, err := checker(true).Check(t.Context(), tt.check, since)
			if err != nil || class != tt.want || detail == "" || strings.Contains(detail, cookie) {
				t.Errorf("%s, %q, %v; want %s", class, detail, err, tt.want)
			}
		})
	}
	if class, _, err := checker(true).Check(t.Context(), sop.Check{URL: "http://127.0.0.1:1/"}, since); class != cred.Waiting || cred.ClassOf(err) != cred.Unknown {
		t.Errorf("nobody there: %s, %v", class, err)
	}
	if _, _, err := checker(false).Check(t.Context(), sop.Check{URL: "http://127.0.0.1:1/", Headers: map[string]sop.Refs{"Cookie": {"env:SESSION"}}}, since); cred.ClassOf(err) != cred.Unsent {
		t.Errorf("without its header: %v", err)
	}
}

func checker(set bool) *httpcheck.Checker {
	return httpcheck.New(provider.Env{
		Transport: http.DefaultTransport, Now: time.Now,
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			if !set {
				return secret.Value{}, provider.Source{}, fmt.Errorf("%v is not set", refs)
			}
			return secret.New(cookie), provider.Source{Ref: refs[0]}, nil
		},
	})
}
