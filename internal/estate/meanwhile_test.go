package estate_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"rekey/internal/rotation"
)

// TestWhatWasReadBeforeARunHasWrittenIsNotToldAfterIt: a comparison asks each thing once for
// all credentials; one of them is rotated while it is at another. At whatever request that
// happens, all agrees.
func TestWhatWasReadBeforeARunHasWrittenIsNotToldAfterIt(t *testing.T) {
	t.Parallel()
	for at := int64(1); ; at++ {
		b := newBench(t)
		b.rotate(console)
		b.rotate(vault)
		b.clock.Pass(48 * 3600e9)
		var n atomic.Int64
		rotated := false
		b.mu.Lock()
		b.before = func(req *http.Request) {
			if n.Add(1) == at {
				b.mu.Lock()
				b.before = nil
				b.mu.Unlock()
				rotated = true
				if s := b.rotate(vault).State; s.Closed == nil || s.Closed.Ending != rotation.Rotated {
					t.Errorf("%+v", s.Closed)
				}
			}
		}
		b.mu.Unlock()
		compared, err := b.operations().Compare(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !rotated {
			if at < 4 {
				t.Errorf("a comparison is %d requests", at-1)
			}
			return
		}
		for _, c := range compared.Credentials {
			if c.Drifted() || len(c.Strangers) > 0 {
				var says []string
				for _, f := range c.Findings {
					says = append(says, f.What)
				}
				t.Errorf("rotated at request %d: %s is told to have drifted: %s, strangers %v", at, c.Credential, strings.Join(says, "; "), c.Strangers)
			}
		}
	}
}
