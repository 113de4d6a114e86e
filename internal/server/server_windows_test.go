package server_test

import "rekey/internal/journal"

func onPostgres(b *bench) *journal.Journal {
	b.Skip("SKIPPED: no server is started for tests on Windows, so nothing of PostgreSQL was tested")
	return nil
}
