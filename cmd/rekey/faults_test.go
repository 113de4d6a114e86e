package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestFaultsCanBeTakenBack: what was made to go wrong is listed, and goes right again.
func TestFaultsCanBeTakenBack(t *testing.T) {
	t.Parallel()
	base := serve(t)
	resp, err := http.Post(base+"/_faults", "application/json", strings.NewReader(`{"faults":[{"vendor":"heroku","endpoint":"GET","status":503,"times":-1}],"world":{"edge_delay":"3s"}}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if _, body := get(t, base+"/_faults"); !strings.Contains(body, "503") || !strings.Contains(body, `"edge_delay":"3s"`) {
		t.Errorf("GET /_faults says %s", body)
	}
	if status, _ := get(t, base+"/heroku/apps"); status != http.StatusServiceUnavailable {
		t.Errorf("the fault is not there: %d", status)
	}
	req, err := http.NewRequest(http.MethodDelete, base+"/_faults", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if status, _ := get(t, base+"/heroku/apps"); status != http.StatusUnauthorized {
		t.Errorf("after it was taken back Heroku answers %d", status)
	}
	if _, body := get(t, base+"/_faults"); strings.Contains(body, "503") || strings.Contains(body, `"edge_delay":"3s"`) {
		t.Errorf("GET /_faults says %s", body)
	}
}
