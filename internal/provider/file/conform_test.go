package file

import (
	"encoding/json"
	"strings"
	"testing"

	"rekey/internal/provider"
)

// TestWhatItSaysIsSo: the page has what a reader looks for and names every setting, and
// what the descriptor says of its roles is what the code can do.
func TestWhatItSaysIsSo(t *testing.T) {
	for _, heading := range []string{"## What it needs", "## What it reads and writes", "## Worth knowing"} {
		if !strings.Contains(Descriptor.Doc, "\n"+heading+"\n") {
			t.Errorf("doc.md has no %q", heading)
		}
	}
	v := vendor(t, nil)
	settings := json.RawMessage(`{"path":"/a.env","units":["a.service"]}`)
	store, err := v.Store(json.RawMessage(`{"path":"/a.env"}`))
	if err != nil || store == nil {
		t.Fatal(err)
	}
	consumer, err := v.Consumer(settings)
	if err != nil {
		t.Fatal(err)
	}
	if _, applies := consumer.(provider.Applier); applies != Descriptor.Holds.Applied {
		t.Error("the descriptor and the consumer disagree on applying")
	}
	if _, applies := store.(provider.Applier); applies != Descriptor.Keeps.Applied {
		t.Error("the descriptor and the store disagree on applying")
	}
	for what, role := range map[string]any{"store": store, "consumer": consumer} {
		if calls := role.(provider.Calls).Calls(); !strings.Contains(calls["write"], "/a.env") {
			t.Errorf("the %s does not tell what it writes: %v", what, calls)
		}
	}
	for _, bad := range []string{`{`, `[]`} {
		if _, err := open(provider.Env{}, "file", json.RawMessage(bad)); err == nil || !strings.Contains(err.Error(), "file") {
			t.Errorf("settings %s: %v", bad, err)
		}
	}
}
