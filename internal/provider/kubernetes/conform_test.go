package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	"rekey/internal/provider"
)

// TestWhatItSaysIsSo: the page has what a reader looks for, and what the descriptor says
// of its roles is what the code can do.
func TestWhatItSaysIsSo(t *testing.T) {
	for _, heading := range []string{"## What it needs", "## What it reads and writes", "## Worth knowing"} {
		if !strings.Contains(Descriptor.Doc, "\n"+heading+"\n") {
			t.Errorf("doc.md has no %q", heading)
		}
	}
	v, err := open(provider.Env{}, "kubernetes", json.RawMessage(`{"in_cluster":true}`))
	if err != nil {
		t.Fatal(err)
	}
	store, err := v.(provider.Stores).Store(json.RawMessage(`{"namespace":"a","secret":"b"}`))
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := v.(provider.Consumes).Consumer(json.RawMessage(`{"namespace":"a","secret":"b","workloads":["deployment/x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, applies := consumer.(provider.Applier); applies != Descriptor.Holds.Applied {
		t.Error("the descriptor and the consumer disagree on applying")
	}
	if _, applies := store.(provider.Applier); applies != Descriptor.Keeps.Applied {
		t.Error("the descriptor and the store disagree on applying")
	}
	if calls := consumer.(provider.Calls).Calls(); !strings.Contains(calls["write"], "secrets/b") || !strings.Contains(calls["apply"], "deployments/x") {
		t.Errorf("%v", calls)
	}
	if calls := store.(provider.Calls).Calls(); !strings.Contains(calls["write"], "secrets/b") {
		t.Errorf("%v", calls)
	}
}
