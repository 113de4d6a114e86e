//go:build !windows

package mysql

import (
	"testing"
	"time"

	"rekey/internal/cred"
)

// TestNothingIsChangedOnceItIsTooLate, however far the session had come when the process
// was stopped.
func TestNothingIsChangedOnceItIsTooLate(t *testing.T) {
	b := setUp(t)
	b.TooLateAtEveryPiece(b.Port, b.id, b.deeds())
}

// TestAStatementThatWaitsForALockIsGivenUpWithTheLease: the server goes on with it when
// its session is gone, so it must not wait longer.
func TestAStatementThatWaitsForALockIsGivenUpWithTheLease(t *testing.T) {
	b := setUp(t)
	b.Left = func() time.Duration { return time.Second }
	b.SQL(t, "GRANT RELOAD ON *.* TO "+b.admin)
	c, err := b.open().admin(t.Context()) // holds what every change of a user needs
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.query(t.Context(), "FLUSH TABLES WITH READ LOCK"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = b.users(b.open(), "").Switch(t.Context(), cred.Handle{ID: b.user + "@%", Public: b.user}, false)
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("it waited for %s (%v)", took, err)
	}
	b.Class(err, cred.Unknown) // it is looked at what became of it
}
