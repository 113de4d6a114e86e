package heroku_test

import (
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// TestWhatIsNotThereIsNamed: an app or a pipeline that is not there is named, and
// the one that is called most like it.
func TestWhatIsNotThereIsNamed(t *testing.T) {
	for settings, says := range map[string]string{
		`{"app":"raxx-console-prd"}`:                 "there is no app raxx-console-prd that the token may see; did you mean raxx-console-prod?",
		`{"app":"RAXX-console-prod"}`:                "did you mean raxx-console-prod?",
		`{"app":"something-else-altogether"}`:        "there is no app something-else-altogether that the token may see, nor is one of the",
		`{"pipeline":"rax","stage":"review"}`:        "there is no pipeline rax that the token may see; did you mean raxx?",
		`{"pipeline":"elsewhere","stage":"review"}`:  "there is no pipeline elsewhere that the token may see, nor is one of the",
		`{"pipeline":"` + id + `","stage":"review"}`: "there is no pipeline " + id + " that the token may see",
		`{"app":"` + id + `"}`:                       "there is no app " + id + " that the token may see",
	} {
		_, v := open(t)
		c := consumer(t, v, settings)
		_, err := c.Snapshot(t.Context(), []string{slot})
		if cred.ClassOf(err) != cred.Absent || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %s: %v", settings, cred.ClassOf(err), err)
		}
		if strings.Contains(settings, "app") {
			err := c.Write(t.Context(), []provider.SlotValue{{Slot: slot, Value: secret.New("x")}})
			if name := strings.Split(settings, `"`)[3]; cred.ClassOf(err) != cred.Absent || !strings.Contains(err.Error(), "there is no app "+name) {
				t.Errorf("a write to %s: %v", settings, err)
			}
		}
	}
}

const id = "00000000-0000-4000-8000-00000000dead"

// TestAnAppThatIsListedIsThere: one answer does not make it go away.
func TestAnAppThatIsListedIsThere(t *testing.T) {
	b, v := open(t)
	b.answers("/releases", 404, "application/json", `{"id":"not_found","message":"x"}`)
	_, err := consumer(t, v, prod).Snapshot(t.Context(), []string{slot})
	if cred.ClassOf(err) != cred.Unknown || !strings.Contains(err.Error(), "app raxx-console-prod is listed, and not found") {
		t.Errorf("%s: %v", cred.ClassOf(err), err)
	}
}
