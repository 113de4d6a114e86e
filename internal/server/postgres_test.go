//go:build !windows

package server_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"rekey/internal/journal"
	"rekey/internal/realserver"
)

var (
	postgres, stopPostgres = realserver.PostgresOnce()
	schemas                atomic.Int64
)

func TestMain(m *testing.M) { realserver.Main(m, stopPostgres) }

// onPostgres is a journal of its own on a real server.
func onPostgres(b *bench) *journal.Journal {
	b.Helper()
	if err := os.MkdirAll(filepath.Join(b.dir, ".rekey"), 0o700); err != nil { // of the fingerprint key
		b.Fatal(err)
	}
	at := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=server%d_%d", postgres(b.T).Port, os.Getpid(), schemas.Add(1))
	j, err := journal.OpenPostgres(context.Background(), at)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	return j
}
