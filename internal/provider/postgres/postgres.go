// Package postgres is PostgreSQL as an issuer: login roles in a group, pairs of roles that take turns, and passwords in place.
//
// Every call is a connection of its own: nothing is held open between two steps of a
// run, and what fails before the statement is sent is known to have changed nothing.
package postgres

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

//go:embed doc.md
var doc string

// Kinds of issuer.
const (
	KindLogin    = "login"    // a new login role in a group each time
	KindPair     = "pair"     // two roles that take turns
	KindPassword = "password" // a new password for one role
)

// Connection is how to reach the server, directly: not through a pooler.
type Connection struct {
	// Name or address of the server, or the folder of its socket: /var/run/postgresql
	Host sop.Text `json:"host" jsonschema:"required"`
	// Port. Default: 5432
	Port int `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// Database to work in. Default: postgres
	Database string `json:"database,omitempty"`
	// Role to work as; it needs CREATEROLE.
	User sop.Text `json:"user" jsonschema:"required"`
	// Its password; left out where the server asks for none (a socket with peer).
	Password sop.Refs `json:"password,omitempty"`
	// TLS, as libpq has it: disable, require (nothing is verified), verify-ca, verify-full. Default: verify-full; none on a socket
	SSLMode string `json:"sslmode,omitempty" jsonschema:"enum=disable,enum=require,enum=verify-ca,enum=verify-full"`
	// File with the authorities that may have signed the server's certificate. Default: the system's
	SSLRootCert string `json:"sslrootcert,omitempty"`
}

// Descriptor is PostgreSQL for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "postgres",
	Title:      "PostgreSQL",
	Connection: &Connection{},
	Queries:    true,
	Issuers: []provider.Sheet{
		logins.Sheet(KindLogin, &LoginSettings{}, "dropped", func(s *provider.Sheet) { s.Create, s.Label, s.NameMax = true, true, nameMax }),
		logins.Sheet(KindPair, &PairSettings{}, "locked", func(s *provider.Sheet) { s.Create, s.Label, s.MaxLive = true, true, 2 }),
		logins.Sheet(KindPassword, &PasswordSettings{}, "locked", func(s *provider.Sheet) { s.Roll = rotation.RollAtOnce }),
	},
	Doc:  doc,
	Open: open,
}

// Server is one opened server.
type Server struct {
	logins.Admin
	conn     Connection
	password func(context.Context) (string, error)
	base     *pgconn.Config
	mu       sync.Mutex // of what the kinds remember
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	err := json.Unmarshal(settings, &c)
	if err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	s := &Server{}
	if err := s.Set(env, name, "role", c.Host, c.User, c.Port, 5432); err != nil {
		return nil, err
	}
	if c.Database == "" {
		c.Database = "postgres"
	}
	if c.SSLMode == "" && !s.Socket() {
		c.SSLMode = "verify-full"
	}
	s.conn = c
	s.password = func(ctx context.Context) (string, error) {
		if len(c.Password) == 0 {
			return "", nil
		}
		v, _, err := env.Resolve(ctx, c.Password)
		return v.Reveal(), err
	}
	if s.base, err = s.config(); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	return s, nil
}

// Close does nothing: nothing is held open.
func (s *Server) Close(context.Context) {}

// Issuer returns the issuer of a kind.
func (s *Server) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	switch kind {
	case KindLogin:
		return s.login(settings)
	case KindPair:
		return s.pair(settings)
	case KindPassword:
		return s.inPlace(settings)
	}
	return nil, fmt.Errorf("postgres issues no %q", kind)
}

// target says where credentials log in, and what becomes of sessions at their end.
func (s *Server) target(kind, database, sessions string) roles {
	if database == "" {
		database = s.conn.Database
	}
	end := "locked"
	if kind == KindLogin {
		end = "dropped"
	}
	return roles{Server: s, database: database, sessions: sessions, end: end}
}

// others refuses to rotate the role by which Rekey itself works: the run would end
// what it needs to finish.
func (s *Server) others(names ...string) error {
	for _, n := range names {
		if n == s.User {
			return errors.New(s.Itself(n))
		}
		if err := fits(n); err != nil {
			return err
		}
	}
	return nil
}

// fits: PostgreSQL cuts longer names off without a word, and keeps pg_ for itself
// [postgresql.org/docs/current/sql-syntax-lexical.html, Identifiers; sql-createrole.html].
func fits(name string) error {
	switch {
	case name == "" || len(name) > nameMax:
		return fmt.Errorf("a role's name has 1 to %d bytes, and this one has %d", nameMax, len(name))
	case strings.HasPrefix(name, "pg_"):
		return errors.New("names that begin with pg_ are PostgreSQL's own")
	case strings.ToValidUTF8(name, "") != name || strings.ContainsRune(name, 0):
		return errors.New("this is not a name: it is not UTF-8, or holds a zero byte")
	}
	return nil
}

const nameMax = 63

var (
	_ provider.Issues       = (*Server)(nil)
	_ provider.Maker        = (*login)(nil)
	_ provider.Maker        = (*pair)(nil)
	_ provider.RollMaker    = (*inPlace)(nil)
	_ provider.Roller       = (*inPlace)(nil)
	_ provider.Issuer       = (*inPlace)(nil)
	_ provider.Finder       = (*login)(nil)
	_ provider.Finder       = (*pair)(nil)
	_ provider.Finder       = (*inPlace)(nil)
	_ provider.Switcher     = (*roles)(nil)
	_ provider.Prober       = (*roles)(nil)
	_ provider.Users        = (*roles)(nil)
	_ provider.Clocked      = (*roles)(nil)
	_ provider.EndForesight = (*login)(nil)
	_ provider.EndForesight = (*pair)(nil)
	_ provider.EndForesight = (*inPlace)(nil)
)
