//go:build !windows

package history_test

import (
	"context"
	"fmt"
	"testing"

	"rekey/internal/journal"
	"rekey/internal/realserver"
)

var postgres, stopPostgres = realserver.PostgresOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopPostgres) }

// TestSeveralMachinesOnOneServerAreAsSeveralProcessesOnOneFile: runs are begun alone,
// and whoever is overtaken writes nothing more.
func TestSeveralMachinesOnOneServerAreAsSeveralProcessesOnOneFile(t *testing.T) {
	on := func(schema string) func() (*journal.Journal, error) {
		address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=%s", postgres(t).Port, schema)
		return func() (*journal.Journal, error) { return journal.OpenPostgres(context.Background(), address) }
	}
	t.Run("overtaken", func(t *testing.T) { overtaken(t, on("overtaken")) })
	t.Run("begun alone", func(t *testing.T) { beginsAlone(t, on("alone")) })
}
