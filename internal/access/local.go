package access

import (
	"context"
	"crypto/rand"
	"time"

	"rekey/internal/estate"
	"rekey/internal/sop"
)

// OpenTokens opens the tokens in the journal that the operations of a folder work with,
// for a command line that has the files. The caller calls close.
func OpenTokens(ctx context.Context, e *estate.Estate, config *sop.Config, now func() time.Time) (t *Tokens, close func() error, err error) {
	j, close, err := e.Journal()
	if err != nil {
		return nil, nil, err
	}
	if err := j.Tables(ctx, "access", migrations()...); err != nil {
		_ = close()
		return nil, nil, err
	}
	db, _ := j.DB()
	return &Tokens{store: &store{db: db, now: now}, config: config, random: func(n int) (string, error) { return chance(rand.Reader, n) }}, close, nil
}
