//go:build !windows

package postgres

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/cred"
	"rekey/internal/outside"
)

// mortal are the ways of a process that dies: its connections are cut, and it makes no
// others, not even to have its statement cancelled.
type mortal struct {
	outside.Real

	mu   sync.Mutex
	dead bool
	open []net.Conn
}

func (m *mortal) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, net.ErrClosed
	}
	c, err := m.Real.Dial(ctx, network, address)
	m.open = append(m.open, c)
	return c, err
}

func (m *mortal) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	for _, c := range m.open {
		_ = c.Close()
	}
}

// TestNothingIsChangedOnceItIsTooLate, however far the session had come when the process
// was stopped.
func TestNothingIsChangedOnceItIsTooLate(t *testing.T) {
	b := setUp(t)
	b.TooLateAtEveryPiece(b.Port, b.id, b.deeds())
}

// TestAStatementThatWaitsForALockIsGivenUpWithTheLease: the server goes on with it when
// its session is gone, as after kill -9, so whoever takes the run up would look too early.
func TestAStatementThatWaitsForALockIsGivenUpWithTheLease(t *testing.T) {
	b := setUp(t)
	b.Left = func() time.Duration { return time.Second }
	other, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres", b.Socket, b.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(context.Background()) }()
	if _, err := other.Exec(t.Context(), "BEGIN; ALTER ROLE "+b.role+" PASSWORD 'of somebody else'").ReadAll(); err != nil {
		t.Fatal(err)
	}
	dying := &mortal{}
	b.Ways = dying
	i := b.inPlace(b.open())
	b.Ways = nil
	made, err := i.Make("")
	if err != nil {
		t.Fatal(err)
	}
	// The process dies while its statement waits.
	defer time.AfterFunc(300*time.Millisecond, dying.die).Stop()
	_, err = i.RollWith(t.Context(), cred.Handle{ID: b.role}, zero, made)
	b.Class(err, cred.Unknown)
	i = b.inPlace(b.open())
	time.Sleep(1200 * time.Millisecond) // the lease is over, and the next holder looks
	if _, err := other.Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if ok, err := i.Works(t.Context(), cred.Handle{}, made); ok || err != nil {
		t.Errorf("what was sent under the lease was carried out after it (%v, %v)", ok, err)
	}
}
