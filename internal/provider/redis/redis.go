// Package redis is Redis and Valkey as an issuer: ACL users after a pattern, and passwords of one user that overlap.
//
// Every call is a connection of its own, so what fails before the command is sent is
// known to have changed nothing. Passwords are made here, and the server is given their
// hashes only (#…), so no command that could be logged holds one.
package redis

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

//go:embed doc.md
var doc string

// Kinds of issuer.
const (
	KindUser     = "user"     // a new ACL user each time
	KindPassword = "password" // one more password of one user
)

// Fields of a bundle. Only the password is secret.
const (
	FieldUsername = "username"
	FieldPassword = "password"
	FieldHost     = "host"
	FieldPort     = "port"
)

// Connection is how to reach one server.
type Connection struct {
	// Name or address of the server, or the path of its socket: /run/redis/redis.sock
	Host sop.Text `json:"host" jsonschema:"required"`
	// Port. Default: 6379
	Port int `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// ACL user to work as. Default: default
	User sop.Text `json:"user,omitempty"`
	// Its password; left out where the server asks for none.
	Password sop.Refs `json:"password,omitempty"`
	// Whether the server is spoken to by TLS. Default: false
	TLS bool `json:"tls,omitempty"`
	// File with the authorities that may have signed the server's certificate. Default: the system's
	CACert string `json:"cacert,omitempty"`
	// Who makes the ACL outlive a restart: Rekey does (ACL SAVE where there is an ACL file, CONFIG REWRITE otherwise), or others do, from what Rekey cannot see. Default: rekey
	Saved string `json:"saved,omitempty" jsonschema:"enum=rekey,enum=by-others"`
	// Whether the ACL of replicas and of other nodes of a cluster is kept alike by others: Redis does not do that. Default: false
	OtherNodes bool `json:"other_nodes_by_others,omitempty"`
}

// Descriptor is Redis for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "redis",
	Title:      "Redis and Valkey",
	Connection: &Connection{},
	Issuers: []provider.Sheet{
		{
			Kind: KindUser, Settings: &UserSettings{}, Fields: []string{FieldUsername, FieldPassword}, Optional: []string{FieldHost, FieldPort},
			Public: []string{FieldUsername, FieldHost, FieldPort}, Create: true, Disable: true, Label: true, Verifies: true, NameChars: nameChars, End: "deleted",
		},
		{
			Kind: KindPassword, Settings: &PasswordSettings{}, Fields: []string{FieldPassword}, Optional: []string{FieldUsername, FieldHost, FieldPort},
			Public: []string{FieldUsername, FieldHost, FieldPort}, Roll: rotation.RollWithGrace, Lingers: true, MaxLive: 2, Verifies: true, End: "locked",
		},
	},
	Doc:  doc,
	Open: open,
}

// nameChars are those that a user's name may have: no space and no zero byte
// [redis.io/docs/latest/commands/acl-setuser], and nothing that a line would not show.
const nameChars = "!-~"

// Server is one opened server.
type Server struct {
	env  provider.Env
	name string
	conn Connection
	host string
	user string
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	s := &Server{env: env, name: name, user: "default"}
	err := json.Unmarshal(settings, &s.conn)
	if err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	if s.host, err = env.Text(s.conn.Host); err != nil {
		return nil, fmt.Errorf("vendor %s: host: %w", name, err)
	}
	if len(s.conn.User) > 0 {
		if s.user, err = env.Text(s.conn.User); err != nil {
			return nil, fmt.Errorf("vendor %s: user: %w", name, err)
		}
	}
	if s.conn.Port == 0 {
		s.conn.Port = 6379
	}
	return s, nil
}

// Close does nothing: nothing is held open.
func (s *Server) Close(context.Context) {}

// Issuer returns the issuer of a kind.
func (s *Server) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	switch kind {
	case KindUser:
		return s.users(settings)
	case KindPassword:
		return s.inPlace(settings)
	}
	return nil, fmt.Errorf("redis issues no %q", kind)
}

// socket reports whether the host is the path of a socket.
func (s *Server) socket() bool { return strings.HasPrefix(s.host, "/") }

// address of the server, for people and for Dial.
func (s *Server) address() string {
	if s.socket() {
		return s.host
	}
	return net.JoinHostPort(s.host, strconv.Itoa(s.conn.Port))
}

// fits says why a name cannot be that of a user which is rotated; "" if it can.
func (s *Server) fits(name string) string {
	switch {
	case name == "":
		return "a user has a name"
	case strings.ContainsFunc(name, func(r rune) bool { return r < '!' || r > '~' }):
		return "the name of a user has no space, and nothing that is no ASCII"
	case name == s.user:
		return fmt.Sprintf("user %s is the one that Rekey itself uses (vendors.%s.user), and a run cannot revoke what it needs to finish: give Rekey a user of its own", name, s.name)
	}
	return ""
}

// passwordLength of letters and digits: 238 bits.
const passwordLength = 40

// bundle makes the secret of a user.
func (s *Server) bundle(username string) (secret.Bundle, error) {
	p, err := secret.Generate(s.env.Random, passwordLength, secret.Alphanumeric)
	if err != nil {
		return nil, err
	}
	return secret.Bundle{FieldUsername: secret.New(username), FieldPassword: p, FieldHost: secret.New(s.host), FieldPort: secret.New(strconv.Itoa(s.conn.Port))}, nil
}

func (s *Server) refuse(op, format string, args ...any) error {
	return &cred.Error{Vendor: s.name, Op: op, Class: cred.Refused, Why: fmt.Sprintf(format, args...)}
}

func (s *Server) absent(op, user string) error {
	return &cred.Error{Vendor: s.name, Op: op, Class: cred.Absent, Why: "there is no user " + user, Where: s.env.Where("user "+s.user, s.address())}
}

var (
	_ provider.Issues       = (*Server)(nil)
	_ provider.Maker        = (*users)(nil)
	_ provider.Finder       = (*users)(nil)
	_ provider.Switcher     = (*users)(nil)
	_ provider.Prober       = (*users)(nil)
	_ provider.Users        = (*users)(nil)
	_ provider.Adviser      = (*users)(nil)
	_ provider.EndForesight = (*users)(nil)
	_ provider.Issuer       = (*inPlace)(nil)
	_ provider.RollMaker    = (*inPlace)(nil)
	_ provider.Roller       = (*inPlace)(nil)
	_ provider.Unroller     = (*inPlace)(nil)
	_ provider.Finder       = (*inPlace)(nil)
	_ provider.Prober       = (*inPlace)(nil)
	_ provider.Adviser      = (*inPlace)(nil)
	_ provider.EndForesight = (*inPlace)(nil)
)
