package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/secret"
)

const (
	certLimit = 1 << 20
	// handshakePatience: a server without TLS waits for the end of a line that never comes.
	handshakePatience = 5 * time.Second
	// ourName is what our own connections are called, and left out by.
	ourName = "rekey"
)

// dial opens a connection. Its error is one of a command that was not sent.
func (s *Server) dial(ctx context.Context) (*conn, error) {
	network := "tcp"
	if s.socket() {
		network = "unix"
	}
	raw, err := s.env.Ways().Dial(ctx, network, s.address())
	if err != nil {
		if errors.Is(err, outside.ErrClosed) {
			return nil, err
		}
		why := "the server cannot be reached"
		if errors.Is(err, syscall.ECONNREFUSED) {
			why = "connection refused"
		}
		return nil, &cred.Error{Class: cred.Limited, Why: why + " (" + s.address() + ")"}
	}
	context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	if s.conn.TLS {
		c, err := s.tls()
		if err == nil {
			over := tls.Client(raw, c)
			within, cancel := context.WithTimeout(ctx, handshakePatience)
			defer cancel()
			if handshake := over.HandshakeContext(within); handshake != nil {
				err = &cred.Error{Class: cred.Limited, Why: "no TLS with " + s.address() + ": its certificate is not trusted or is of another name, or it speaks none"}
			}
			raw = over
		}
		if err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	return newConn(raw), nil
}

func newConn(c net.Conn) *conn { return &conn{Conn: c, r: bufio.NewReaderSize(c, 64<<10)} }

func (s *Server) tls() (*tls.Config, error) {
	c := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if s.conn.CACert == "" {
		return c, nil
	}
	f, err := s.env.Ways().Files().Read(s.conn.CACert, certLimit)
	if err != nil {
		return nil, &cred.Error{Class: cred.Unsent, Why: fmt.Sprintf("cacert %s cannot be read", s.conn.CACert), Err: err}
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM([]byte(f.Content.Reveal())) {
		return nil, &cred.Error{Class: cred.Unsent, Why: fmt.Sprintf("cacert %s holds no certificate in PEM", s.conn.CACert)}
	}
	return c, nil
}

// login says who we are, and makes sure of it: a client that goes on after a refused
// AUTH is the user default, who may be allowed to do anything.
func (c *conn) login(user string, password secret.Value) error {
	said, err := c.do("AUTH", user, password.Reveal())
	if err != nil {
		return err
	}
	if said.text != "OK" {
		return &cred.Error{Class: cred.Unknown, Why: "the login was answered neither yes nor no"}
	}
	me, err := c.do("ACL", "WHOAMI")
	switch e, _ := errors.AsType[*cred.Error](err); {
	case e != nil && e.Code == noPerm: // it may not ask who it is
		return nil
	case err != nil:
		return err
	case me.text != user:
		return &cred.Error{Class: cred.Unknown, Why: "the login was answered yes, and gives another user"}
	}
	return nil
}

// admin opens a session as the user that Rekey uses. Its error is one of a command
// that was not sent.
func (s *Server) admin(ctx context.Context) (*conn, error) {
	var password secret.Value
	used := "no password"
	if len(s.conn.Password) > 0 {
		v, source, err := s.env.Resolve(ctx, s.conn.Password)
		if err != nil {
			return nil, &cred.Error{Class: cred.Unsent, Why: "password: " + err.Error()}
		}
		password, used = v, source.String()
	}
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if password.Present() || s.user != "default" {
		err = c.login(s.user, password)
	} else {
		_, err = c.do("ACL", "WHOAMI")
	}
	if err == nil {
		_, err = c.do("CLIENT", "SETNAME", ourName)
	}
	if e, ok := errors.AsType[*cred.Error](err); ok {
		_ = c.Close()
		if e.Class == cred.Unknown && ctx.Err() == nil {
			e.Class = cred.Limited
		}
		if e.Class == cred.Denied {
			e.Why, e.Where = e.Why+"; used "+used, s.env.Where("user "+s.user, s.address())
		}
		return nil, e
	}
	return c, nil
}

// look asks in a session of its own.
func (s *Server) look(ctx context.Context, op string, ask func(*conn) error) error {
	return s.env.Look(ctx, s.name, op, s.in(ask))
}

// change changes something in a session of its own, and saves it: what is not saved is
// undone by the next restart, and whoever has the new secret is then shut out.
func (s *Server) change(ctx context.Context, op string, do func(*conn) error) error {
	return s.env.Change(ctx, s.name, op, s.in(func(c *conn) error {
		if err := do(c); err != nil {
			return err
		}
		return s.save(c)
	}))
}

func (s *Server) in(do func(*conn) error) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := s.admin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		return do(c)
	}
}

// save makes the ACL outlive a restart. Where nothing can, ForeseeEnd has said so.
func (s *Server) save(c *conn) error {
	if s.conn.Saved == "by-others" {
		return nil
	}
	_, err := c.do("ACL", "SAVE")
	if e, ok := errors.AsType[*cred.Error](err); ok && e.Code == noACLFile {
		_, err = c.do("CONFIG", "REWRITE")
	}
	if e, ok := errors.AsType[*cred.Error](err); ok {
		return &cred.Error{Class: cred.Unknown, Maybe: true, Why: "it was changed, and could not be saved (ACL SAVE or CONFIG REWRITE), so a restart would undo it: " + e.Why}
	}
	return err
}
