package console_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestARotationByFormsAlone: planned, started as planned, confirmed, shown.
func TestARotationByFormsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	page := b.get("/credentials/" + svc + "/plan")
	plan := value(t, page, "plan")
	run := b.post("/credentials/"+svc+"/run", url.Values{"plan": {plan}, "purpose": {""}, "reason": {"it is time"}})
	b.settle(run)
	page = b.get(run)
	for _, want := range []string{"This run waits for you", "it is time", "Who did what", "alice@laptop", "point of no return"} {
		if !strings.Contains(page, want) {
			t.Errorf("the run's page has no %q", want)
		}
	}
	status, body := b.ask("POST", run+"/resume", url.Values{"confirm": {"SOMETHING"}})
	if status != 422 || !strings.Contains(body, "The name does not match") {
		t.Errorf("another name: %d %s", status, body)
	}
	if b.post(run+"/resume", url.Values{"confirm": {svc}}) != run {
		t.Error("it leads to another run")
	}
	b.settle(run)
	page = b.get(run)
	if !strings.Contains(page, "Rotated in") || strings.Contains(page, "This run waits for you") {
		t.Errorf("it is not rotated:\n%s", page)
	}
	if dir := os.Getenv("REKEY_PAGES"); dir != "" {
		for name, path := range map[string]string{"estate": "/", "credential": "/credentials/" + svc, "run": run, "runs": "/runs", "calendar": "/calendar", "findings": "/findings", "evidence": "/evidence", "health": "/health?doctor=1", "plan": "/credentials/" + vault + "/plan", "revoke": "/credentials/" + vault + "/plan?purpose=revoke"} {
			if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(b.get(path)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// value of a hidden field.
func value(t *testing.T, page, name string) string {
	t.Helper()
	_, after, ok := strings.Cut(page, `name="`+name+`" value="`)
	text, _, _ := strings.Cut(after, `"`)
	if !ok || text == "" {
		t.Fatalf("the page has no field %s:\n%s", name, page)
	}
	return strings.ReplaceAll(text, "&#43;", "+")
}
