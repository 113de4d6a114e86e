package console_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// TestAFindingIsAcknowledgedByAForm: with a reason and for how long; it is under another
// filter then, with who and why, and can be taken back there.
func TestAFindingIsAcknowledgedByAForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.world.Look(func(s *sim.State) { s.Heroku.Apps[0].Current().Vars[svc] = "something:else" })
	b.post("/findings/compare", nil)
	page := b.get("/findings")
	m := regexp.MustCompile(`action="/findings/([0-9a-f]{10})/acknowledge"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("there is no form: %s", page)
	}
	id, seen := m[1], value(t, page, "seen")
	for why, values := range map[string]url.Values{"A reason is required": {"days": {"30"}}, "Until when": {"reason": {"x"}, "days": {"100000"}}, "something else by now": {"reason": {"x"}, "days": {"7"}, "seen": {"0123456789"}}} {
		if status, body := b.ask("POST", "/findings/"+id+"/acknowledge", values); status < 400 || !strings.Contains(body, why) {
			t.Errorf("%s: %d %s", why, status, body)
		}
	}
	if status, _ := b.ask("POST", "/findings/0123456789/acknowledge", url.Values{"reason": {"x"}, "days": {"7"}}); status != 404 {
		t.Errorf("of nothing: %d", status)
	}
	to := b.post("/findings/"+id+"/acknowledge", url.Values{"reason": {"<b>it moves in March</b>"}, "days": {"30"}, "seen": {seen}})
	if to != "/findings?show=acknowledged" {
		t.Errorf("it leads to %s", to)
	}
	until := b.clock.Now().AddDate(0, 0, 30).UTC().Format("2 Jan 2006")
	for _, path := range []string{to, "/findings?show=all", "/credentials/" + svc} {
		if page := b.get(path); !strings.Contains(page, "&lt;b&gt;it moves in March") || !strings.Contains(page, "alice@laptop") || !strings.Contains(page, until) {
			t.Errorf("%s does not tell: %s", path, page)
		}
	}
	if page := b.get("/findings"); strings.Contains(page, "/findings/"+id+"/") {
		t.Errorf("it is among those that are open: %s", page)
	}
	if page := b.get("/"); strings.Contains(page, "Drifted") {
		t.Errorf("it still counts: %s", page)
	}
	b.post("/findings/"+id+"/take-back", nil)
	if page := b.get("/findings"); !strings.Contains(page, "/findings/"+id+"/acknowledge") {
		t.Errorf("taken back, it is not open: %s", page)
	}
	b.post("/findings/"+id+"/acknowledge", url.Values{"reason": {"again"}, "days": {"7"}})
	b.clock.Pass(8 * 24 * time.Hour)
	if page := b.get("/findings"); !strings.Contains(page, "/findings/"+id+"/acknowledge") {
		t.Errorf("its day is past, and it is not open: %s", page)
	}
}
