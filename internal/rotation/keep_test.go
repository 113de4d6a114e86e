package rotation_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
)

// TestAJournalFromBeforeStoresCouldFollowFoldsAsItDid: a plan with one store says nothing
// of others, so a plan that was reviewed before still comes out by its digest; and its
// steps are about the one store, whatever their target.
func TestAJournalFromBeforeStoresCouldFollowFoldsAsItDid(t *testing.T) {
	events := played(t, func(*stage.Stage) {})
	p := planOf(t, events)
	b, err := json.Marshal(p)
	if err != nil || strings.Contains(string(b), `"further"`) || strings.Contains(string(b), `"holds"`) {
		t.Fatalf("a plan with one store tells of others: %v", err)
	}
	for _, st := range append(p.Steps, p.Back...) {
		switch st.Verb {
		case rotation.Store, rotation.Restore:
			if st.Target != "" || p.StoreOf(st).Key != p.Spec.Store.Key {
				t.Errorf("%s is about %s", st.ID, p.StoreOf(st).Key)
			}
		}
	}
	if w, g := p.Writes(p.Spec.Store.Key), p.GivesBack(p.Spec.Store.Key); w != "store" || g != "restore" {
		t.Errorf("the store is written by %q and given back by %q", w, g)
	}
	if at := p.StoreOf(rotation.Step{Verb: rotation.Restore, Target: "at the end"}); at.Key != p.Spec.Store.Key {
		t.Errorf("a rehearsal of before empties %s at its end", at.Key)
	}
	if st := rotation.Fold(events); st.Closed == nil || st.Closed.Ending != rotation.Rotated {
		t.Errorf("%+v", st.Closed)
	}
}
