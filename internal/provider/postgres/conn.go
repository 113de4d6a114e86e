package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/cred"
	"rekey/internal/outside"
)

// application is how our own sessions name themselves, and are left out by.
const application = "rekey"

// config is a configuration of which nothing is left that pgconn takes from the
// environment or the disk (PGHOST, .pgpass, a service file): it can only be made by
// ParseConfig, so everything is written over.
func (s *Server) config() (*pgconn.Config, error) {
	c, err := pgconn.ParseConfig("host=localhost port=5432 user=rekey password=none dbname=postgres sslmode=disable sslcert='' sslkey='' sslrootcert='' " +
		"sslcertmode=disable sslnegotiation=postgres target_session_attrs=any min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer connect_timeout=0")
	if err != nil {
		return nil, errors.New("the environment says something of PostgreSQL that cannot be read: unset PGSERVICE")
	}
	c.Host, c.Port, c.Fallbacks, c.ValidateConnect = s.Host, uint16(s.Port), nil, nil
	c.KerberosSrvName, c.KerberosSpn, c.ConnectTimeout = "", "", 0
	c.DialFunc = s.Env.Ways().Dial
	// The name is looked up by the way out, once: each address tried here would be one
	// more attempt, with the password.
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	return c, nil
}

// connect opens one session. proves: only a server that asks for the password is
// accepted. The password is sent in clear where only TLS or a socket can see it.
func (s *Server) connect(ctx context.Context, user, password, database string, proves bool) (*pgconn.PgConn, error) {
	c := s.base.Copy()
	var err error
	if c.TLSConfig, err = s.tls(); err != nil {
		return nil, err
	}
	c.User, c.Password, c.Database = user, password, database
	c.RuntimeParams = map[string]string{"application_name": application, "client_encoding": "UTF8"}
	open := c.TLSConfig == nil && !s.Socket()
	switch {
	case proves && open:
		c.RequireAuth = "scram-sha-256,md5"
	case proves:
		c.RequireAuth = "scram-sha-256,md5,password"
	case open:
		c.RequireAuth = "!password"
	}
	return pgconn.ConnectConfig(ctx, c)
}

// admin opens a session as the role that Rekey uses. Nothing of what others have
// set for it or the database decides what a statement means.
func (s *Server) admin(ctx context.Context, database string) (*pgconn.PgConn, error) {
	password, err := s.password(ctx)
	if err != nil {
		return nil, &cred.Error{Class: cred.Unsent, Why: "password: " + err.Error()}
	}
	conn, err := s.connect(ctx, s.User, password, database, false)
	if err != nil {
		return nil, s.unreached(ctx, err)
	}
	_, err = conn.Exec(ctx, "SET standard_conforming_strings = on; SET search_path = pg_catalog; "+s.bounds()).ReadAll()
	if err != nil {
		_ = conn.Close(ctx)
		return nil, s.unreached(ctx, err)
	}
	return conn, nil
}

// bounds has the server give a statement up while the lease on the run lasts: one that
// waits for a lock goes on when its session is gone, and would be carried out after
// another process has looked.
func (s *Server) bounds() string {
	return fmt.Sprintf("SET statement_timeout = %d; SET lock_timeout = %d", s.Env.Within(25*time.Second).Milliseconds(), s.Env.Within(10*time.Second).Milliseconds())
}

// rows asks one question. NULL comes back as "".
func (s *Server) rows(ctx context.Context, op, sql string, args ...string) (out [][]string, err error) {
	err = s.Env.Look(ctx, s.Name, op, func(ctx context.Context) error {
		conn, err := s.admin(ctx, s.conn.Database)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		given := make([][]byte, len(args))
		for i, a := range args {
			given[i] = []byte(a)
		}
		got := conn.ExecParams(ctx, sql, given, nil, nil, nil).Read()
		if got.Err != nil {
			return s.answer(ctx, got.Err)
		}
		out = texts(got)
		return nil
	})
	return out, err
}

func texts(got *pgconn.Result) (out [][]string) {
	for _, r := range got.Rows {
		row := make([]string, len(r))
		for i, v := range r {
			row[i] = string(v)
		}
		out = append(out, row)
	}
	return out
}

// change sends statements in one request. The server takes them as one transaction
// [postgresql.org/docs/current/protocol-flow.html, Multiple Statements in a Simple
// Query], so an error that it answers proves that none was applied.
func (s *Server) change(ctx context.Context, op, database, sql string) error {
	return s.Env.Change(ctx, s.Name, op, func(ctx context.Context) error {
		conn, err := s.admin(ctx, database)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		// The bounds once more, for the login took a part of them.
		if _, err := conn.Exec(ctx, s.bounds()+"; "+sql).ReadAll(); err != nil {
			return s.answer(ctx, err)
		}
		return nil
	})
}

func (s *Server) tls() (*tls.Config, error) {
	if s.Socket() {
		return nil, nil
	}
	c, err := outside.TLS(s.Env.Ways().Files(), s.conn.SSLMode, s.conn.SSLRootCert, s.Host)
	if err != nil {
		return nil, &cred.Error{Class: cred.Unsent, Why: "sslrootcert", Err: err}
	}
	return c, nil
}
