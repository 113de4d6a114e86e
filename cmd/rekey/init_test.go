package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitChecksEachAnswerWhenItIsGiven: what is wrong is said at once and asked
// again; none is an answer; no second credential is bound to one's app; and the file
// lints without a warning.
func TestInitChecksEachAnswerWhenItIsGiven(t *testing.T) {
	dir := t.TempDir()
	says := []string{
		"cf access", "CF_ACCESS_SVC_BILLING", // a name
		"CF_ACCESS_SVC_BILLING", "none", // a former name
		"billing", "/billing/", // a folder
		"Prod: x", "staging", // an environment
		"My App", "billing-staging", // an app
		"http://billing.example.com", "https://billing.example.com/health", // an address
		"none",
	}
	code, written := typist{columns: 80, rows: 40, says: says}.at(t, dir, "init")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, written)
	}
	for _, want := range []string{"a name looks like", "that is the present name", "a folder begins and ends with /", "an environment is its slug", "an app's name has", "an address looks like"} {
		if strings.Count(written, want) != 1 {
			t.Errorf("%q is said %d times", want, strings.Count(written, want))
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if strings.Contains(text, "VAULT") || strings.Contains(text, "former:") || strings.Count(text, "- app: ") != 1 || !strings.Contains(text, "- app: billing-staging") {
		t.Errorf("%s", text)
	}
	if !strings.HasPrefix(text, "# yaml-language-server: $schema=rekey.schema.json\n") {
		t.Error("an editor is not led to the schema")
	}
	if _, err := os.Stat(filepath.Join(dir, "rekey.schema.json")); err != nil {
		t.Error(err)
	}

	// Nothing is asked where the file is there already.
	code, written = typist{columns: 80, rows: 40}.at(t, dir, "init")
	if code != exitUsage || strings.Contains(written, "Credential name") || !strings.Contains(written, "never overwritten") {
		t.Errorf("exit %d: %s", code, written)
	}
}
