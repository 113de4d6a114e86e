//go:build unix

package main

import (
	"path/filepath"
	"reflect"
	"testing"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// TestTheNewestGenerationIsKnownFromItsOwnRun: what the journal knows of the generation
// in use is the same whether all runs are read or the last ones; and the last ones are
// few, however many there were.
func TestTheNewestGenerationIsKnownFromItsOwnRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".rekey")
	manyEntries(t, dir, []string{"live-0", "live-1"}, 2000)
	j, err := journal.OpenExisting(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	book := history.Book{J: j}
	for _, name := range []string{"FLEET_0", "FLEET_1"} {
		all, err := book.Generations(t.Context(), name)
		if err != nil || len(all) < 20 {
			t.Fatalf("%d generations, %v", len(all), err)
		}
		newest := all[len(all)-1]
		some, whole, err := book.Recent(t.Context(), name, newest.Handle.ID)
		if err != nil || whole || len(some) == 0 || len(some) > 4 {
			t.Errorf("%d generations are read for the newest, whole %v, %v", len(some), whole, err)
		}
		if got := some[len(some)-1]; !reflect.DeepEqual(got, newest) {
			t.Errorf("from the last runs\n %+v\nfrom all\n %+v", got, newest)
		}
		older := all[len(all)/2]
		some, _, err = book.Recent(t.Context(), name, older.Handle.ID)
		i := indexOf(some, older.Handle.ID)
		if err != nil || i < 0 || !reflect.DeepEqual(some[i], older) {
			t.Errorf("an older one is not known: %v", err)
		}
		if none, whole, err := book.Recent(t.Context(), name, "nobody's"); err != nil || !whole || !reflect.DeepEqual(none, all) {
			t.Errorf("of one that no run has made, not all is read: %v", err)
		}
	}
}

func indexOf(all []rotation.Generation, id string) int {
	for i, g := range all {
		if g.Handle.ID == id {
			return i
		}
	}
	return -1
}
