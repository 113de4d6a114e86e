//go:build !windows

package journal

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

var entries = flag.Int("entries", 5_000, "entries of the journal that is moved in bounded memory; go test ./internal/journal -run Bounded -v -args -entries 1000000")

// TestAMoveNeedsBoundedMemory, there and back, whatever the number of entries.
func TestAMoveNeedsBoundedMemory(t *testing.T) {
	from, to := spot{dir: t.TempDir()}, onServer(t)
	j, err := from.open()
	if err != nil {
		t.Fatal(err)
	}
	d := draft("r")
	d.Body = []byte(`{"text":"` + strings.Repeat("x", 600) + `"}`)
	many := make([]Draft, 1000)
	for i := range many {
		many[i] = d
	}
	for range *entries / len(many) {
		if err := j.Append(t.Context(), many...); err != nil {
			t.Fatal(err)
		}
	}
	_ = j.Close()
	const most = 48 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // what is in use is judged, not what nobody has collected yet; no test runs beside this one
	for round, way := range [][2]spot{{from, to}, {to, from}} {
		runtime.GC()
		var peak uint64
		look := func(int64) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		begun := time.Now()
		got, err := move(t.Context(), way[0], way[1], Carrying{ID: fmt.Sprint("m", round), Tell: look})
		if err != nil || got.Entries != int64(*entries) {
			t.Fatalf("%+v %v", got, err)
		}
		if peak == 0 || peak > most {
			t.Errorf("round %d: %d MB in use", round, peak>>20)
		}
		t.Logf("round %d: %d entries in %v, at most %d MB in use", round, got.Entries, time.Since(begun).Round(time.Second/10), peak>>20)
	}
}
