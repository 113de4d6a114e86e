package mysql

import (
	"context"
	"database/sql/driver"
	"regexp"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
)

// reads is what a question may begin with: KILL and SET GLOBAL are carried out in a
// transaction that may only read as well.
var reads = regexp.MustCompile(`(?i)^[\s(]*(SELECT|WITH|SHOW)\b`)

// Query asks one question as the user that Rekey uses, in a transaction that may
// only read: it comes out true where it gives at least one row and every value is 1
// [dev.mysql.com/doc/refman/8.4/en/commit.html; mariadb.com/kb/en/start-transaction].
func (s *Server) Query(ctx context.Context, question string) (class cred.Class, detail string, err error) {
	if !reads.MatchString(question) {
		return cred.Failed, "a query of a check begins with SELECT, WITH or SHOW", nil
	}
	err = s.Env.Look(ctx, s.Name, "ask the query of a check", func(ctx context.Context) error {
		conn, err := s.admin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Conn.(driver.ExecerContext).ExecContext(ctx, "START TRANSACTION READ ONLY", nil); err != nil {
			return s.answer(ctx, err, false)
		}
		rows, err := conn.query(ctx, question)
		if err != nil {
			if err := s.answer(ctx, err, false); cred.ClassOf(err) == cred.Unknown || cred.ClassOf(err) == cred.Limited {
				return err
			}
			class, detail = cred.Failed, "the server does not take the query"
			return nil
		}
		class, detail = logins.Judge(rows, "1")
		return nil
	})
	return class, detail, err
}

var _ provider.Queries = (*Server)(nil)
