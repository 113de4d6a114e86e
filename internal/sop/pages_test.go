package sop

import (
	"os"
	"strings"
	"testing"
)

// TestTheExamplesOfPagesAreWhole: each is a file that can be used as it stands, and lint
// has nothing against it.
func TestTheExamplesOfPagesAreWhole(t *testing.T) {
	for _, page := range []string{"../../docs/schedule.md", "../../docs/notifications.md"} {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(b), "```yaml\n")
		text, _, whole := strings.Cut(rest, "```\n")
		if !found || !whole {
			t.Fatalf("%s has no example", page)
		}
		c, err := Parse(page, []byte(text))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if strings.Contains(page, "schedule") && (c.Specs[0].Run != Automatically || !c.Specs[0].Canary || c.Specs[1].Approvals.HowMany != 2) || strings.Contains(page, "notif") && len(c.Notify.Channels) != 4 {
			t.Errorf("%s: %+v %+v", page, c.Specs, c.Notify)
		}
		for _, a := range c.Advice {
			if strings.Contains(a.Path, "notify") || strings.Contains(a.Path, "approvals") || strings.Contains(a.Path, "identity") {
				t.Errorf("%s", a)
			}
		}
	}
}
