package webhook_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rekey/internal/provider"
	"rekey/internal/provider/webhook"
	"rekey/internal/secret"
)

// TestPostSendsOnceAndQuotesNothing: what is sent, and that neither the address nor
// a header stands in any error.
func TestPostSendsOnceAndQuotesNothing(t *testing.T) {
	status, posts := http.StatusNoContent, 0
	var got map[string]string
	var kind, auth string
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		posts++
		b, _ := io.ReadAll(req.Body)
		_ = json.Unmarshal(b, &got)
		kind, auth = req.Header.Get("Content-Type"), req.Header.Get("Authorization")
		rw.Header().Set("Location", "/hunter2")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, "hunter2")
	}))
	defer s.Close()
	env := provider.Env{Transport: http.DefaultTransport, Now: time.Now}
	post := func(to string) error {
		return webhook.Post(context.Background(), env, "webhook:env:X", "application/cloudevents+json", secret.New(to),
			map[string]secret.Value{"Authorization": secret.New("Bearer hunter2")}, map[string]string{"a": "b"})
	}
	if err := post(s.URL + "/hunter2?key=hunter2"); err != nil || got["a"] != "b" || kind != "application/cloudevents+json" || auth != "Bearer hunter2" {
		t.Errorf("%v %v %q %q", err, got, kind, auth)
	}
	for _, status = range []int{302, 401, 404, 429, 500} {
		posts = 0
		if err := post(s.URL + "/hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") || posts != 1 {
			t.Errorf("%d: %d posts, %v", status, posts, err)
		}
	}
	for _, bad := range []string{"hunter2", "ftp://hunter2/x", "http://hunter2.example.com/x", "https://hunter2 /x", "https://127.0.0.1:1/hunter2"} {
		if err := post(bad); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
