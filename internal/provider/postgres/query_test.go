//go:build !windows

package postgres

import (
	"testing"

	"rekey/internal/cred"
)

// A query is true by every value that it gives, and changes nothing.
func TestAQueryIsTrueByWhatItGivesAndChangesNothing(t *testing.T) {
	b := setUp(t)
	s := b.open()
	for q, want := range map[string]cred.Class{
		"SELECT true": cred.Done, "SELECT n > 0 FROM generate_series(1, 3) n": cred.Done, "SELECT n > 1 FROM generate_series(1, 3) n": cred.Waiting,
		"SELECT true WHERE false": cred.Waiting, "SELECT 1": cred.Waiting, "SELECT NULL::bool": cred.Waiting,
		"SELEC true": cred.Failed, "CREATE TABLE public.q_" + b.id + " (x int)": cred.Failed, "SELECT true; SELECT true": cred.Failed,
	} {
		if class, detail, err := s.Query(t.Context(), q); class != want || err != nil {
			t.Errorf("%s: %s (%s), %v", q, class, detail, err)
		}
	}
}
