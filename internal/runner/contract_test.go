package runner_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"rekey/internal/contract"
	"rekey/internal/stage"
)

func TestRunsSpeakAsPublished(t *testing.T) {
	rec := contract.New()
	play := func(sc stage.Scenario) {
		sc.Around = rec.Around
		v := sc.Run(1)
		if v.Err != nil || len(v.Broken) > 0 {
			t.Errorf("%s: %q %v %v", sc, v.Ending, v.Err, v.Broken)
		}
	}
	for _, list := range [][]stage.Scenario{variations, apiTokens, purposes, authorizations} {
		for _, sc := range list {
			play(sc)
		}
	}
	for _, v := range rec.Violations() {
		t.Error(v)
	}
	for _, e := range rec.Unneeded() {
		t.Errorf("never needed: %s", e)
	}
	counts := rec.Counts()
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		t.Log(fmt.Sprintf("%6d  %s", counts[op], op))
	}
}
