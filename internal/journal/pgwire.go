package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// dialer makes sessions with PostgreSQL for database/sql. pgx's own driver answers
// driver.ErrBadConn in more places than this needs, upon which database/sql sends a
// statement again; here only what changes nothing is ever sent twice.
type dialer struct{ config *pgconn.Config }

func (d dialer) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := pgconn.ConnectConfig(ctx, d.config)
	if err != nil {
		return nil, err
	}
	return &session{conn: c, used: time.Now()}, nil
}

func (d dialer) Driver() driver.Driver { return d }

func (d dialer) Open(string) (driver.Conn, error) { return d.Connect(context.Background()) }

// session is one session. All values travel as text.
type session struct {
	conn *pgconn.PgConn
	used time.Time
}

// fresh is how long after its last use a session is taken for alive unasked.
const fresh = time.Second

// ResetSession is asked before a session is used again: one that a restart of the
// server has ended is replaced before anything is sent on it.
func (s *session) ResetSession(ctx context.Context) error {
	if s.conn.IsClosed() || s.conn.TxStatus() != 'I' {
		return driver.ErrBadConn
	}
	if time.Since(s.used) > fresh && s.conn.Ping(ctx) != nil {
		return driver.ErrBadConn
	}
	return nil
}

func (s *session) IsValid() bool { return !s.conn.IsClosed() }

func (s *session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return s.conn.Close(ctx)
}

func (s *session) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("statements are not prepared here")
}

func (s *session) Begin() (driver.Tx, error) {
	return s.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. A session that turns out to be dead is replaced by
// another one: nothing was asked of it yet.
func (s *session) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	begin := "BEGIN"
	switch sql.IsolationLevel(o.Isolation) {
	case sql.LevelDefault:
	case sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable:
		begin += " ISOLATION LEVEL " + strings.ToUpper(sql.IsolationLevel(o.Isolation).String())
	default:
		return nil, fmt.Errorf("there is no isolation level %s here", sql.IsolationLevel(o.Isolation))
	}
	if o.ReadOnly {
		begin += " READ ONLY"
	}
	if _, err := s.conn.Exec(ctx, begin).ReadAll(); err != nil {
		if ctx.Err() == nil && s.conn.IsClosed() {
			return nil, driver.ErrBadConn
		}
		return nil, err
	}
	return &transaction{s, ctx}, nil
}

type transaction struct {
	*session
	ctx context.Context
}

// Commit also fails where the server answers that it has rolled back instead, which
// is not an error to PostgreSQL.
func (t *transaction) Commit() error {
	t.used = time.Now()
	got, err := t.conn.Exec(t.ctx, "COMMIT").ReadAll()
	if err != nil {
		return err
	}
	if len(got) != 1 || got[0].CommandTag.String() != "COMMIT" {
		return errors.New("the server has rolled the transaction back")
	}
	return nil
}

func (t *transaction) Rollback() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := t.conn.Exec(ctx, "ROLLBACK").ReadAll()
	return err
}

// ExecContext sends a statement with its values, or several without any.
func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s.used = time.Now()
	if len(args) == 0 {
		got, err := s.conn.Exec(ctx, query).ReadAll()
		if err != nil || len(got) == 0 {
			return driver.RowsAffected(0), err
		}
		return driver.RowsAffected(got[len(got)-1].CommandTag.RowsAffected()), nil
	}
	reader, err := s.send(ctx, query, args)
	if err != nil {
		return nil, err
	}
	got := reader.Read()
	return driver.RowsAffected(got.CommandTag.RowsAffected()), got.Err
}

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s.used = time.Now()
	reader, err := s.send(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &answer{reader}, nil
}

// send sends a statement and its values. Of bytes the server is asked first what they
// are to be, for a column of bytes reads another text than one of JSON.
func (s *session) send(ctx context.Context, query string, args []driver.NamedValue) (*pgconn.ResultReader, error) {
	for _, a := range args {
		if _, raw := a.Value.([]byte); raw {
			d, err := s.conn.Prepare(ctx, "", query, nil)
			if err != nil {
				return nil, err
			}
			values, err := texts(args, d.ParamOIDs)
			if err != nil {
				return nil, err
			}
			return s.conn.ExecPrepared(ctx, "", values, nil, nil), nil
		}
	}
	values, err := texts(args, nil)
	if err != nil {
		return nil, err
	}
	return s.conn.ExecParams(ctx, query, values, nil, nil, nil), nil
}

// answer is what a question brought, row by row.
type answer struct{ got *pgconn.ResultReader }

func (a *answer) Columns() []string {
	fields := a.got.FieldDescriptions()
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return out
}

func (a *answer) Close() error {
	_, err := a.got.Close()
	return err
}

func (a *answer) Next(row []driver.Value) error {
	if !a.got.NextRow() {
		if _, err := a.got.Close(); err != nil {
			return err
		}
		return io.EOF
	}
	fields := a.got.FieldDescriptions()
	for i, v := range a.got.Values() {
		var err error
		if row[i], err = value(fields[i].DataTypeOID, v); err != nil {
			return err
		}
	}
	return nil
}
