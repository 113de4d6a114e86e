package engine_test

import (
	"testing"

	"rekey/internal/realserver"
)

func TestMain(m *testing.M) { realserver.Main(m, stopPostgres) }
