package rotation

import (
	"strings"
	"testing"
)

// TestNoMoreIsWaitedForThanCanBeSeen: of a consumer that tells nothing of what runs with
// it, a file that is read by whoever likes, a plan does not say that everything runs.
func TestNoMoreIsWaitedForThanCanBeSeen(t *testing.T) {
	slots := []SlotSeen{{}}
	p := &Plan{Seen: Observation{Consumers: []ConsumerSeen{{Key: "heroku:app", Slots: slots, Mark: "41"}, {Key: "file:/etc/a", Slots: slots}, {Key: "not asked"}}}}
	for key, runs := range map[string]bool{"heroku:app": true, "file:/etc/a": false, "not asked": true} {
		if says := p.settles(key); strings.Contains(says, "runs") != runs || !strings.Contains(says, key) {
			t.Errorf("%s: %q", key, says)
		}
	}
	b := &builder{}
	p.running(b, nil)
	if title := b.steps[len(b.steps)-1].Title; strings.Contains(title, "everything runs") {
		t.Errorf("%q", title)
	}
}
