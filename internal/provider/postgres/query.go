package postgres

import (
	"context"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
)

// Query asks one question as the role that Rekey uses, in a transaction that may
// only read: it comes out true where it gives at least one row and every value is t
// [postgresql.org/docs/current/sql-set-transaction.html].
func (s *Server) Query(ctx context.Context, question string) (class cred.Class, detail string, err error) {
	err = s.Env.Look(ctx, s.Name, "ask the query of a check", func(ctx context.Context) error {
		conn, err := s.admin(ctx, s.conn.Database)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, "BEGIN READ ONLY").ReadAll(); err != nil {
			return s.answer(ctx, err)
		}
		got := conn.ExecParams(ctx, question, nil, nil, nil, nil).Read()
		if got.Err != nil {
			if err := s.answer(ctx, got.Err); cred.ClassOf(err) == cred.Unknown || cred.ClassOf(err) == cred.Limited {
				return err
			}
			class, detail = cred.Failed, "PostgreSQL does not take the query"
			return nil
		}
		class, detail = logins.Judge(texts(got), "t")
		return nil
	})
	return class, detail, err
}

var _ provider.Queries = (*Server)(nil)
