//go:build !windows

package heroku_test

import (
	"testing"

	"rekey/internal/realserver"
)

// TestMain starts no server: it lets the process collect memory less often.
func TestMain(m *testing.M) { realserver.Main(m) }
