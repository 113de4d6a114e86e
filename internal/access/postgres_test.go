//go:build !windows

package access

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"rekey/internal/journal"
	"rekey/internal/realserver"
)

var (
	server, stop = realserver.PostgresOnce()
	schemas      atomic.Int64
)

func TestMain(m *testing.M) { realserver.Main(m, stop) }

func openPostgres(t *testing.T) *journal.Journal {
	t.Helper()
	at := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=a%d_%d", server(t).Port, os.Getpid(), schemas.Add(1))
	j, err := journal.OpenPostgres(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}
