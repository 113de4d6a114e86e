package access

import (
	"strings"
	"testing"
)

// TestTooManyGroupsGiveNoRole, and nobody is asked at an address that a token names; the
// log says why the role is missing.
func TestTooManyGroupsGiveNoRole(t *testing.T) {
	w := newWorld(t, everything())
	w.idp.over = map[string]any{
		"groups": nil, "sub": "u-3", "email": "carol@example.com", "_claim_names": map[string]string{"groups": "src1", "address": "src1"},
		"_claim_sources": map[string]any{"src1": map[string]string{"endpoint": "https://evil.example.com/groups"}},
	}
	b := w.browser()
	b.signIn("/")
	if text := bodyOf(t, b.get("/")); !strings.Contains(text, "carol@example.com") || strings.Contains(text, `"ops"`) {
		t.Errorf("%s", text)
	}
	w.logLock.Lock()
	defer w.logLock.Unlock()
	if log := w.log.String(); !strings.Contains(log, "left out claims") || !strings.Contains(log, "claims=[groups]") {
		t.Errorf("the log says %s", log)
	}
}
