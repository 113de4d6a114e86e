package httpcheck_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/provider/httpcheck"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// A command is given the value by its standard input and by nothing else, what it
// prints is shown to nobody, and its status decides.
func TestACommandIsTrueByItsStatusAndShowsNothing(t *testing.T) {
	script := filepath.Join(t.TempDir(), "works")
	text := "#!/bin/sh\nread -r v\nenv | grep -q \"$v\" && exit 9\necho \"$v\"; echo \"$v\" >&2\n[ \"$1\" = \"2026-11-23T09:00:01Z\" ] || exit 8\n[ \"$v\" = canary-5d11 ] || exit 3\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	env := provider.Env{Now: time.Now, Outside: outside.Real{}}
	since := time.Date(2026, 11, 23, 9, 0, 0, 500, time.UTC)
	k := sop.Check{Command: []string{script, "$since"}, Stdin: "{password}"}
	for value, want := range map[string]cred.Class{"canary-5d11": cred.Done, "another": cred.Waiting} {
		class, detail, err := httpcheck.Command(t.Context(), env, k, since, secret.New(value+"\n"))
		if class != want || err != nil || strings.Contains(detail, value) {
			t.Errorf("%s: %s, %s, %v", value, class, detail, err)
		}
	}
	if class, detail, _ := httpcheck.Command(t.Context(), env, k, time.Time{}, secret.New("canary-5d11\n")); class != cred.Waiting || !strings.Contains(detail, "status 8") {
		t.Errorf("before the switch: %s, %s", class, detail)
	}
	k.Command = []string{"/nonexistent/works"}
	if _, _, err := httpcheck.Command(t.Context(), env, k, since, secret.Value{}); cred.ClassOf(err) != cred.Unsent {
		t.Errorf("one that is not there: %v", err)
	}
	env.Outside = nil // a simulation
	k.Command = []string{script}
	if _, _, err := httpcheck.Command(t.Context(), env, k, since, secret.Value{}); cred.ClassOf(err) != cred.Unsent {
		t.Errorf("in a simulation: %v", err)
	}
}
