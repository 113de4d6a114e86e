package journal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unusable means that a database cannot hold the journal as it is, or cannot be asked.
type Unusable struct {
	Path string   // without password
	Why  string   // one line
	Next []string // what can be done about it, the best first
	Err  error    // what was answered; nil: nothing
}

func (u *Unusable) Error() string {
	text := fmt.Sprintf("%s cannot be used for the journal: %s", u.Path, u.Why)
	for i, n := range u.Next {
		text += "\n  " + []string{"next  ", "or    "}[min(i, 1)] + n
	}
	return text
}

func (u *Unusable) Unwrap() error { return u.Err }

// unreached says why there is no session with a server; nil where there was one.
func unreached(name string, err error) error {
	var c *pgconn.ConnectError
	if !errors.As(err, &c) {
		return nil
	}
	u := &Unusable{Path: name, Err: err}
	var theirs *pgconn.PgError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &theirs):
		u.Why, u.Next = refusal(c.Config, theirs)
	default:
		u.Why, u.Next = silence(err)
	}
	return u
}

// refusal is why a server that answers makes no session
// [postgresql.org/docs/current/errcodes-appendix.html].
func refusal(c *pgconn.Config, e *pgconn.PgError) (why string, next []string) {
	const give = "give it in the address that the reference leads to, in PGPASSWORD, or in the file that PGPASSFILE names (~/.pgpass)"
	switch e.Code {
	case "28P01": // invalid_password
		if c.Password == "" {
			return "the server wants a password of the role " + c.User + ", and none was given", []string{give}
		}
		return "the server rejects this password of the role " + c.User, []string{give}
	case "28000": // invalid_authorization_specification
		return "the server does not let the role " + c.User + " in: " + e.Message, []string{"allow it in pg_hba.conf, or make the role: CREATE ROLE " + c.User + " LOGIN"}
	case "3D000": // invalid_catalog_name
		return "the server has no database " + c.Database, []string{"make it: CREATE DATABASE " + c.Database + " ENCODING 'UTF8' TEMPLATE template0"}
	case "42501": // insufficient_privilege
		return "the role " + c.User + " may not use the database: " + e.Message, []string{"GRANT CONNECT ON DATABASE " + c.Database + " TO " + c.User}
	case "53300": // too_many_connections
		return "the server has no session free: " + e.Message, []string{"wait until others have ended, or raise max_connections: each process has up to " + fmt.Sprint(mostSessions+1)}
	case "57P03", "57P01", "57P02": // cannot_connect_now, admin_shutdown, crash_shutdown
		return "the server is starting or stopping: " + e.Message, []string{"wait until it is up, then do this again"}
	case "08P01": // protocol_violation
		if strings.Contains(e.Message, "startup parameter") {
			return "a connection pooler (such as PgBouncer) is between here and the server; it may share sessions, so locks would not hold (" + e.Message + ")", []string{"name the server itself, past the pooler"}
		}
	}
	return e.Message, []string{"see the server's log"}
}

// silence is why no server has answered.
func silence(err error) (why string, next []string) {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var other x509.HostnameError
	var nameless *net.DNSError
	var network net.Error
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return "its certificate is not signed by an authority that this machine trusts", []string{"name the file of the authority that signed it in the address: sslrootcert=FILE"}
	case errors.As(err, &other):
		return "its certificate is not for this host: " + other.Error(), []string{"use the host name that the certificate is for"}
	case errors.As(err, &invalid):
		return "its certificate is not valid: " + invalid.Error(), []string{"renew it, and check this machine's clock"}
	case errors.As(err, &verification):
		return "its certificate is not valid: " + verification.Err.Error(), []string{"name the file of the authority that signed it in the address: sslrootcert=FILE"}
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return "the server does not encrypt", []string{"turn ssl on there", "if nobody else can read the connection, say so in the address: sslmode=disable"}
	case errors.As(err, &nameless):
		return "there is no host of this name: " + nameless.Name, []string{"check the address, and this machine's DNS"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no server answers there: connection refused", []string{"start it, or check host and port"}
	case errors.Is(err, syscall.ENOENT):
		return "there is no socket in this folder", []string{"start the server, or check host and port"}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no server answers there in time", []string{"check host and port, and the firewall in between"}
	}
	return "no session could be made: " + lastOf(err).Error(), []string{"see the server's log"}
}

// lastOf is what an error is at its bottom.
func lastOf(err error) error {
	for {
		below := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
			below = many.Unwrap()[0]
		}
		if below == nil {
			return err
		}
		err = below
	}
}

// broken tells whether a session has ended in the middle.
func broken(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &op) || strings.Contains(err.Error(), "conn closed")
}
