//go:build !windows

package mysql

import (
	"testing"

	"rekey/internal/cred"
)

// A query is true by every value that it gives, and changes nothing.
func TestAQueryIsTrueByWhatItGivesAndChangesNothing(t *testing.T) {
	b := setUp(t)
	s := b.open()
	b.SQL(t, "CREATE TABLE app.q_"+b.id+" (x int)", "INSERT INTO app.q_"+b.id+" VALUES (1), (2)", "GRANT ALL ON app.* TO "+b.admin)
	t.Cleanup(func() { b.SQL(t, "DROP TABLE app.q_"+b.id) })
	for q, want := range map[string]cred.Class{
		"SELECT TRUE": cred.Done, "(SELECT x > 0 FROM app.q_" + b.id + ")": cred.Done, "SELECT x > 1 FROM app.q_" + b.id: cred.Waiting,
		"SELECT TRUE FROM app.q_" + b.id + " WHERE x > 9": cred.Waiting, "SELECT 2": cred.Waiting, "SELECT NULL": cred.Waiting,
		"SELEC TRUE": cred.Failed, "DROP TABLE app.q_" + b.id: cred.Failed, "SELECT TRUE; SELECT TRUE": cred.Failed, "KILL 1": cred.Failed,
		"WITH a AS (SELECT 1 b) SELECT b FROM a": cred.Done, "SELECT no_such()": cred.Failed,
	} {
		if class, detail, err := s.Query(t.Context(), q); class != want || err != nil {
			t.Errorf("%s: %s (%s), %v", q, class, detail, err)
		}
	}
}
