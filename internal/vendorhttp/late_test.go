package vendorhttp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestNothingIsSentOnceItIsTooLate although it was not when the request began: the connection
// took long, or the process was stopped.
func TestNothingIsSentOnceItIsTooLate(t *testing.T) {
	var came atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	defer s.Close()
	var late error
	client := &http.Client{Transport: Fence{Next: &http.Transport{}, Ours: func(context.Context) error { return nil }, Late: func(context.Context) error { return late }}}
	send := func(method string) error {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := send(http.MethodPost); err != nil || came.Load() != 1 {
		t.Fatalf("%d came (%v)", came.Load(), err)
	}
	late = errors.New("too late")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} { // on a connection that is there, and on new ones
		if err := send(method); err == nil || came.Load() != 1 {
			t.Errorf("%s: %d came (%v)", method, came.Load(), err)
		}
	}
}
