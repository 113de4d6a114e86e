//go:build !windows

package mysql

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"rekey/internal/logins"
	"rekey/internal/realserver"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

var server, stopServer = realserver.MariaDBOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopServer) }

var itself = sop.Probe{URL: sop.IssuerItself}

// bench is a server with a role, a user and an admin of its own.
type bench struct {
	*realserver.MariaDB
	*realserver.Issuing
	t           *testing.T
	id          string
	admin, role string
	user        string
}

const adminPassword = "of the admin, with ' and \\"

func setUp(t *testing.T) *bench {
	t.Helper()
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	id := hex.EncodeToString(random)
	b := &bench{MariaDB: server(t), t: t, id: id, admin: "adm_" + id, role: "rol_" + id, user: "user_" + id}
	b.Issuing = &realserver.Issuing{T: t, Password: adminPassword, Connection: map[string]any{"host": "127.0.0.1", "port": b.Port, "user": b.admin, "password": "env:ADMIN", "sslmode": "disable"}}
	b.SQL(t, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
		"CREATE USER "+b.admin+" IDENTIFIED BY "+literal(adminPassword),
		"GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO "+b.admin,
		"GRANT SELECT, UPDATE ON mysql.* TO "+b.admin,
		"CREATE ROLE "+b.role,
		"GRANT "+b.role+" TO "+b.admin+" WITH ADMIN OPTION",
		"GRANT SELECT, SHOW VIEW ON app.* TO "+b.role,
		"CREATE USER "+b.user+" IDENTIFIED BY 'first'")
	return b
}

// open opens the server, with these settings in place of the bench's.
func (b *bench) open(changed ...any) *Server {
	b.t.Helper()
	v, err := open(b.Env(), "db", b.Settings(changed...))
	if err != nil {
		b.t.Fatal(err)
	}
	return v.(*Server)
}

func (b *bench) users(s *Server, more string) *user {
	b.t.Helper()
	return realserver.IssuerOf[*user](b.t, s, KindUser, fmt.Sprintf(`{"role":%q%s}`, b.role, more))
}

func (b *bench) dual(s *Server, more string) *dual {
	b.t.Helper()
	return realserver.IssuerOf[*dual](b.t, s, KindDual, fmt.Sprintf(`{"user":%q%s}`, b.user, more))
}

// session logs in as somebody, and stays until it is closed.
func (b *bench) session(s *Server, with secret.Bundle) func() {
	b.t.Helper()
	c, err := s.connect(b.t.Context(), with[logins.FieldUsername].Reveal(), with[logins.FieldPassword].Reveal(), "")
	if err != nil {
		b.t.Fatal(err)
	}
	done := func() { _ = c.Close() }
	b.t.Cleanup(done)
	return done
}

// settle waits until no session is left of a user.
func (b *bench) settle(user string) {
	b.t.Helper()
	b.Settle(func() string {
		return b.SQL(b.t, "SELECT COUNT(*) FROM information_schema.processlist WHERE USER = "+literal(user))[0][0]
	})
}

func (b *bench) has(user string) bool {
	return b.SQL(b.t, "SELECT COUNT(*) FROM mysql.global_priv WHERE User = "+literal(user))[0][0] == "1"
}

func first(user string) secret.Bundle {
	return secret.Bundle{logins.FieldUsername: secret.New(user), logins.FieldPassword: secret.New("first")}
}
