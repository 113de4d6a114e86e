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
		Denied: true, Absent: true, Conflict: true, Refused: true, Limited: true, Unsent: true, Foreign: true,
	} {
		if c.NotApplied() != want {
			t.Errorf("%s.NotApplied() = %v, want %v", c, c.NotApplied(), want)
		}
	}
}

// TestWordsOfAnErrorSayWhatHappened: what was not sent is not "denied", and only a
// rate limit is "limited".
func TestWordsOfAnErrorSayWhatHappened(t *testing.T) {
	for want, e := range map[string]Error{
		"v: o: denied (401, unauthorized): dead":      {Class: Denied, Status: 401, Code: "unauthorized", Why: "dead"},
		"v: o: limited (429): later":                  {Class: Limited, Status: 429, Why: "later"},
		"v: o: not now: connection refused by h":      {Class: Limited, Why: "connection refused by h"},
		"v: o: not now (502): a page of HTML":         {Class: Limited, Status: 502, Why: "a page of HTML"},
		"v: o: not sent: token: env:X is not set":     {Class: Unsent, Why: "token: env:X is not set"},
		"v: o: no clear answer (404): a page of HTML": {Class: Unknown, Status: 404, Why: "a page of HTML"},
	} {
		e.Vendor, e.Op = "v", "o"
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestANameIsSaidOnce: where id and name are one, it is not told twice.
func TestANameIsSaidOnce(t *testing.T) {
	for want, h := range map[string]Handle{"app (7f)": {ID: "7f", Name: "app"}, "app": {ID: "app", Name: "app"}, "7f": {ID: "7f"}} {
		if got := h.Named(); got != want {
			t.Errorf("%+v is called %q, not %q", h, got, want)
		}
	}
}
