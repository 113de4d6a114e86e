package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	my "github.com/go-sql-driver/mysql"

	"rekey/internal/cred"
	"rekey/internal/outside"
)

// session is one connection, without database/sql above it.
type session struct {
	driver.Conn
}

// connect opens one. Nothing that others have set decides what a statement means: a
// backslash in a text is a backslash.
func (s *Server) connect(ctx context.Context, user, password, database string) (*session, error) {
	c := my.NewConfig()
	c.User, c.Passwd, c.DBName, c.Logger = user, password, database, &my.NopLogger{}
	c.Net, c.Addr = "tcp", s.Address()
	if s.Socket() {
		c.Net, c.Addr = "unix", s.Host
	} else {
		t, err := outside.TLS(s.Env.Ways().Files(), s.conn.SSLMode, s.conn.SSLRootCert, s.Host)
		if err != nil {
			return nil, &cred.Error{Class: cred.Unsent, Why: "sslrootcert", Err: err}
		}
		c.TLS = t
	}
	c.DialFunc = s.Env.Ways().Dial
	c.Params = map[string]string{"sql_mode": "'NO_BACKSLASH_ESCAPES'"}
	connector, err := my.NewConnector(c)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &session{Conn: conn}, nil
}

// bound has the server give the next statement up while the lease on the run lasts: one
// that waits for a lock goes on when its session is gone, and would be carried out after
// another process has looked. Tables of accounts are waited for without lock_wait_timeout
// [dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_lock_wait_timeout],
// so MariaDB is told the other bound as well; MySQL has none for what changes something.
func (s *Server) bound(ctx context.Context, conn *session) error {
	wait := max(int(s.Env.Within(10*time.Second).Seconds()), 1)
	whole := max(s.Env.Within(25*time.Second).Seconds(), 0.1)
	_, err := conn.Conn.(driver.ExecerContext).ExecContext(ctx, fmt.Sprintf("SET /*M!100101 max_statement_time = %.1f, */ lock_wait_timeout = %d", whole, wait), nil)
	return err
}

// admin opens a session as the user that Rekey uses.
func (s *Server) admin(ctx context.Context) (*session, error) {
	password := ""
	if len(s.conn.Password) > 0 {
		v, _, err := s.Env.Resolve(ctx, s.conn.Password)
		if err != nil {
			return nil, &cred.Error{Class: cred.Unsent, Why: "password: " + err.Error()}
		}
		password = v.Reveal()
	}
	conn, err := s.connect(ctx, s.User, password, "")
	if err != nil {
		return nil, s.unreached(ctx, err)
	}
	return conn, nil
}

// query returns rows as text; NULL as "".
func (c *session) query(ctx context.Context, sql string) ([][]string, error) {
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, sql, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out [][]string
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			switch v := v.(type) {
			case nil:
			case []byte:
				row[i] = string(v)
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		out = append(out, row)
	}
}

// rows asks one question, in the server's dialect.
func (s *Server) rows(ctx context.Context, op string, sql func(dialect) string) (out [][]string, err error) {
	err = s.Env.Look(ctx, s.Name, op, func(ctx context.Context) error {
		conn, err := s.admin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		d, err := s.speaks(ctx, conn)
		if err != nil {
			return s.answer(ctx, err, false)
		}
		if out, err = conn.query(ctx, sql(d)); err != nil {
			return s.answer(ctx, err, false)
		}
		return nil
	})
	return out, err
}

// change sends statements one after the other. Each is whole by itself
// [dev.mysql.com/doc/refman/8.4/en/atomic-ddl.html; mariadb.com/kb/en/atomic-ddl]; an
// error after the first one leaves what came before it.
func (s *Server) change(ctx context.Context, op string, sql func(dialect) []string) error {
	return s.Env.Change(ctx, s.Name, op, func(ctx context.Context) error {
		conn, err := s.admin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		d, err := s.speaks(ctx, conn)
		if err != nil {
			return s.unreached(ctx, err)
		}
		for i, statement := range sql(d) {
			if err := s.bound(ctx, conn); err != nil {
				return s.answer(ctx, err, i > 0)
			}
			if _, err := conn.Conn.(driver.ExecerContext).ExecContext(ctx, statement, nil); err != nil {
				return s.answer(ctx, err, i > 0)
			}
		}
		return nil
	})
}

// speaks finds out once whether it is MariaDB.
func (s *Server) speaks(ctx context.Context, conn *session) (dialect, error) {
	s.mu.Lock()
	known := s.dialect
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	rows, err := conn.query(ctx, "SELECT VERSION()")
	if err != nil {
		return nil, err
	}
	var d dialect = mySQL{}
	if len(rows) == 1 && strings.Contains(rows[0][0], "MariaDB") {
		d = mariaDB{}
	}
	s.mu.Lock()
	s.dialect = d
	s.mu.Unlock()
	return d, nil
}

// literal and ident quote; every session of ours takes a backslash for itself.
func literal(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }
func ident(s string) string   { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// account is a user as statements name it.
func account(user, host string) string { return literal(user) + "@" + literal(host) }
