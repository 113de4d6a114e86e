package journal

import "testing"

func onServer(t *testing.T) spot {
	t.Skip("SKIPPED: no server is started for tests on Windows, so nothing of PostgreSQL was tested")
	return spot{}
}
