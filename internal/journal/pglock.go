package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrLost means that the session that held this process's locks has ended: another
// process may be at what they were for.
var ErrLost = errors.New("this process has lost its locks: its session with the database has ended, and another process may be working on it")

// locks are the advisory locks of one opened journal, held by one session of their own.
// Within a session they could be taken twice, so who holds one is also known here.
type locks struct {
	server *server
	mu     sync.Mutex
	conn   *pgconn.PgConn
	token  int64 // a lock that is nobody else's: while it is held, the session lives
	held   map[int64]bool
}

// lockWithin bounds one question to the server.
const lockWithin = 15 * time.Second

// key is the number of a lock's name.
func (s *server) key(name string) int64 {
	sum := sha256.Sum256([]byte("rekey lock\n" + s.schema + "\n" + name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// take takes a lock without waiting; false: somebody else has it.
func (l *locks) take(name string) (release func(), ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Not the caller's context: giving a question up ends the session, and all locks.
	ctx, cancel := context.WithTimeout(context.Background(), lockWithin)
	defer cancel()
	key := l.server.key(name)
	if l.held[key] {
		return nil, false, nil
	}
	if err := l.alive(ctx); err != nil {
		return nil, false, damaged(l.server.name, err)
	}
	got, err := l.ask(ctx, `SELECT pg_try_advisory_lock($1)`, key)
	if err != nil || got != "t" {
		return nil, false, damaged(l.server.name, err)
	}
	l.held[key] = true
	return sync.OnceFunc(func() { l.release(key) }), true, nil
}

func (l *locks) release(key int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, key)
	if l.conn == nil || l.conn.IsClosed() {
		return // the server has released it
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockWithin)
	defer cancel()
	if got, err := l.ask(ctx, `SELECT pg_advisory_unlock($1)`, key); err != nil || got != "t" {
		_ = l.conn.Close(ctx) // which releases it; locks beside it are lost, and missed
	}
}

// alive makes a session if there is none. One that has died while it held locks is
// not replaced until the last of them is given up.
func (l *locks) alive(ctx context.Context) error {
	if l.conn != nil && !l.conn.IsClosed() && l.conn.Ping(ctx) == nil {
		return nil
	}
	if len(l.held) > 0 {
		return ErrLost
	}
	if l.conn != nil {
		_ = l.conn.Close(ctx)
	}
	var err error
	if l.conn, err = pgconn.ConnectConfig(ctx, l.server.config); err != nil {
		return err
	}
	l.held = map[int64]bool{}
	text, err := l.ask(ctx, `SELECT hashtextextended(gen_random_uuid()::text, $1)`, 0)
	if err != nil {
		return err
	}
	if l.token, err = strconv.ParseInt(text, 10, 64); err != nil {
		return err
	}
	if got, err := l.ask(ctx, `SELECT pg_try_advisory_lock($1)`, l.token); err != nil || got != "t" {
		return errors.Join(errors.New("the session cannot be told from others"), err)
	}
	return nil
}

// ask returns the one value that answers.
func (l *locks) ask(ctx context.Context, query string, arg int64) (string, error) {
	got := l.conn.ExecParams(ctx, query, [][]byte{strconv.AppendInt(nil, arg, 10)}, nil, nil, nil).Read()
	switch {
	case got.Err != nil:
		return "", got.Err
	case len(got.Rows) != 1 || len(got.Rows[0]) != 1:
		return "", fmt.Errorf("%d rows instead of one", len(got.Rows))
	}
	return string(got.Rows[0][0]), nil
}

// still sees, in the transaction that writes, that the locks of this process are held:
// who takes one after that has to wait for the head, and finds what is written here.
func (l *locks) still(ctx context.Context, tx *sql.Tx) error {
	l.mu.Lock()
	n, token := len(l.held), l.token
	l.mu.Unlock()
	if n == 0 {
		return nil
	}
	var there int64
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
		AND ((classid::bigint << 32) | objid::bigint) = $1 AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`, token).Scan(&there)
	switch {
	case err != nil:
		return fmt.Errorf("append to journal: %w", damaged(l.server.name, err))
	case there == 0:
		return fmt.Errorf("append to journal: %w", ErrLost)
	}
	return nil
}

// hold takes a lock as soon as it is free.
func (l *locks) hold(ctx context.Context, name string) (func(), error) {
	for {
		release, ok, err := l.take(name)
		if err != nil || ok {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ErrLocked, ctx.Err())
		case <-time.After(holdEvery):
		}
	}
}

func (l *locks) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = l.conn.Close(ctx)
	}
}
