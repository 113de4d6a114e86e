//go:build !windows

package engine_test

import (
	"fmt"
	"os"
	"testing"

	"rekey/internal/realserver"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(workerName); name != "" {
		if err := beWorker(name); err != nil {
			fmt.Fprintln(os.Stderr, name, err)
			os.Exit(1)
		}
		return
	}
	realserver.Main(m, stopPostgres)
}
