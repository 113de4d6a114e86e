//go:build !windows

package notify

import (
	"context"
	"fmt"
	"testing"

	"rekey/internal/journal"
	"rekey/internal/realserver"
	"rekey/internal/sop"
)

var postgres, stopPostgres = realserver.PostgresOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopPostgres) }

// TestWhatWasToldIsKeptOnPostgreSQLToo: told once, tried again, over, and called again.
func TestWhatWasToldIsKeptOnPostgreSQLToo(t *testing.T) {
	b := newBench(t)
	j, err := journal.OpenPostgres(context.Background(), fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=notices", postgres(t).Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	b.j = j
	b.onceOfMany()
	b.tell(onBoth())
	b.r.takes()
	config := &sop.Notices{Channels: map[string]sop.Channel{"team": {Slack: refs("SLACK")}, "oncall": {PagerDuty: &sop.PagerDuty{Key: refs("KEY")}}}}
	for i, want := range []int{2, 0} {
		if told := b.tell(config, stuck()); told.Sent != want || len(b.r.takes()) != want {
			t.Errorf("the time %d: %+v", i, told)
		}
	}
	b.tell(config)
	if n := len(b.r.takes()); n != 1 { // on-call is told that it is over
		t.Errorf("%d when it is over", n)
	}
	if told := b.tell(config, stuck()); told.Sent != 2 || len(b.r.takes()) != 2 {
		t.Errorf("called again: %+v", told)
	}
}
