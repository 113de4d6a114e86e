// Package mysql is MySQL and MariaDB as an issuer: new users with a role, and two passwords of one user that work at once.
//
// Every call is a connection of its own, held by hand: database/sql would send a
// statement up to three times.
package mysql

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"rekey/internal/logins"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

//go:embed doc.md
var doc string

// Kinds of issuer.
const (
	KindUser = "user" // a new user with a role each time
	KindDual = "dual" // one user, with the new and the old password at once
)

// Connection is how to reach the server, directly: not through a proxy that pools.
type Connection struct {
	// Name or address of the server, or its socket: /run/mysqld/mysqld.sock
	Host sop.Text `json:"host" jsonschema:"required"`
	// Port. Default: 3306
	Port int `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// User to work as; it needs CREATE USER.
	User sop.Text `json:"user" jsonschema:"required"`
	// Its password; left out where the server asks for none (a socket).
	Password sop.Refs `json:"password,omitempty"`
	// TLS: disable, require (nothing is verified), verify-ca, verify-full. Default: verify-full; none on a socket
	SSLMode string `json:"sslmode,omitempty" jsonschema:"enum=disable,enum=require,enum=verify-ca,enum=verify-full"`
	// File with the authorities that may have signed the server's certificate. Default: the system's
	SSLRootCert string `json:"sslrootcert,omitempty"`
}

// Descriptor is MySQL and MariaDB for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "mysql",
	Title:      "MySQL and MariaDB",
	Connection: &Connection{},
	Queries:    true,
	Issuers: []provider.Sheet{
		logins.Sheet(KindUser, &UserSettings{}, "dropped", func(s *provider.Sheet) { s.Create, s.Label, s.NameMax = true, true, nameMax }),
		logins.Sheet(KindDual, &DualSettings{}, "locked", func(s *provider.Sheet) { s.Roll, s.Lingers = rotation.RollWithGrace, true }),
	},
	Doc:  doc,
	Open: open,
}

// Server is one opened server.
type Server struct {
	logins.Admin
	conn Connection

	mu      sync.Mutex
	dialect dialect  // once it was told
	ours    []string // ids of sessions in which logins were tried
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	err := json.Unmarshal(settings, &c)
	if err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	s := &Server{}
	if err := s.Set(env, name, "user", c.Host, c.User, c.Port, 3306); err != nil {
		return nil, err
	}
	if c.SSLMode == "" {
		c.SSLMode = outside.VerifyFull
	}
	s.conn = c
	return s, nil
}

// Close does nothing: nothing is held open.
func (s *Server) Close(context.Context) {}

// Issuer returns the issuer of a kind.
func (s *Server) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	switch kind {
	case KindUser:
		return s.users(settings)
	case KindDual:
		return s.dual(settings)
	}
	return nil, fmt.Errorf("mysql issues no %q", kind)
}

// target says where credentials log in, and what becomes of sessions at their end.
func (s *Server) target(from, database, sessions, end string) accounts {
	if from == "" {
		from = "%"
	}
	return accounts{Server: s, from: from, database: database, sessions: sessions, end: end}
}

// nameMax is MySQL's; MariaDB takes longer names
// [dev.mysql.com/doc/refman/8.4/en/user-names.html].
const nameMax = 32

// fits holds a user's or a role's name against what both take.
func fits(name string) error {
	switch {
	case name == "" || utf8.RuneCountInString(name) > nameMax:
		return fmt.Errorf("a user's name has 1 to %d characters, and this one has %d", nameMax, utf8.RuneCountInString(name))
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return errors.New("this is not a name: it is not UTF-8, or holds a zero byte")
	case strings.TrimSpace(name) != name:
		return errors.New("a user's name neither begins nor ends with a space: the server would cut it off")
	}
	return nil
}

// others refuses to rotate the user by which Rekey itself works.
func (s *Server) others(name string) error {
	if name == s.User {
		return errors.New(s.Itself(name))
	}
	return fits(name)
}

var (
	_ provider.Issues       = (*Server)(nil)
	_ provider.Maker        = (*user)(nil)
	_ provider.Issuer       = (*user)(nil)
	_ provider.EndForesight = (*user)(nil)
	_ provider.RollMaker    = (*dual)(nil)
	_ provider.Issuer       = (*dual)(nil)
	_ provider.EndForesight = (*dual)(nil)
	_ provider.Finder       = (*accounts)(nil)
	_ provider.Switcher     = (*accounts)(nil)
	_ provider.Prober       = (*accounts)(nil)
	_ provider.Users        = (*accounts)(nil)
	_ provider.Clocked      = (*accounts)(nil)
)
