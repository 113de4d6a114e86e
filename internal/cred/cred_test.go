package cred

import "testing"

func TestBearsFindsExactLabelOnly(t *testing.T) {
	label := Label("k7f3q2", 1)
	for name, want := range map[string]bool{
		"raxx-console-svc-2026-11-23-k7f3q2-1":   true,
		"k7f3q2-1":                               true,
		"raxx-k7f3q2-1-svc":                      true,
		"raxx-console-svc-2026-11-23-k7f3q2-11":  false,
		"raxx-console-svc-2026-11-23-xk7f3q2-1":  false,
		"raxx-xk7f3q2-1-and-k7f3q2-1":            true,
		"raxx-console-svc-2026-05-01":            false,
		"raxx-console-svc-2026-11-23-k7f3q2-2":   false,
		"raxx-console-svc-2026-11-23-k7f3q2-1-a": true,
	} {
		if got := Bears(name, label); got != want {
			t.Errorf("Bears(%q, %q) = %v, want %v", name, label, got, want)
		}
	}
}

func TestTemplate(t *testing.T) {
	tpl, err := ParseTemplate("{client_id}:{client_secret}")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(tpl.Parts()); got != 3 {
		t.Errorf("parts = %d, want 3", got)
	}
	if _, alone := tpl.Alone(); alone {
		t.Error("a joined template gives no field back")
	}
	for _, bad := range []string{"", "plain", "{", "}", "{Client}", "{a", "a}b{c}"} {
		if _, err := ParseTemplate(bad); err == nil {
			t.Errorf("ParseTemplate(%q) accepted", bad)
		}
	}
	esc, err := ParseTemplate(`{{"id":"{client_id}"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if esc.Parts()[0].Text != `{"id":"` {
		t.Errorf("first part = %q", esc.Parts()[0].Text)
	}
}

func TestOnlyClearAnswersProveThatNothingChanged(t *testing.T) {
	for c, want := range map[Class]bool{
		Done: false, Waiting: false, Unknown: false, Failed: false,
		Denied: true, Absent: true, Conflict: true, Refused: true, Limited: true, Foreign: true,
	} {
		if c.NotApplied() != want {
			t.Errorf("%s.NotApplied() = %v, want %v", c, c.NotApplied(), want)
		}
	}
}
