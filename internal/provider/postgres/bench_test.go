//go:build !windows

package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/logins"
	"rekey/internal/realserver"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

var server, stopServer = realserver.PostgresOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopServer) }

var itself = sop.Probe{URL: sop.IssuerItself}

// bench is a server with a group, a pair, a role and an admin of its own.
type bench struct {
	*realserver.Postgres
	*realserver.Issuing
	t        *testing.T
	id       string
	admin    string
	group    string
	one, two string // a pair
	role     string
	calm     func() // waits until the server is up
}

const adminPassword = "of the admin, with ' and \\"

func setUp(t *testing.T) *bench {
	t.Helper()
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	id := hex.EncodeToString(random)
	b := &bench{Postgres: server(t), t: t, id: id, admin: "adm_" + id, group: "grp_" + id, one: "one_" + id, two: "two_" + id, role: "role_" + id}
	b.Issuing = &realserver.Issuing{T: t, Password: adminPassword, Connection: map[string]any{"host": "127.0.0.1", "port": b.Port, "user": b.admin, "password": "env:ADMIN", "sslmode": "disable"}}
	// Of few iterations: logging in costs a hundredth of the time.
	admin, err := kept(secret.New(adminPassword), random, 2)
	if err != nil {
		t.Fatal(err)
	}
	first, err := kept(secret.New("first"), random, 2)
	if err != nil {
		t.Fatal(err)
	}
	b.SQL(t, "postgres", fmt.Sprintf(`CREATE ROLE %s LOGIN CREATEROLE PASSWORD %s; CREATE ROLE %s;
 CREATE ROLE %s LOGIN PASSWORD %[5]s; CREATE ROLE %[6]s; CREATE ROLE %[7]s LOGIN PASSWORD %[5]s; COMMENT ON ROLE %[4]s IS 'of the app'`,
		b.admin, literal(admin), b.group, b.one, literal(first), b.two, b.role))
	return b
}

// server opened, with these settings in place of the bench's.
func (b *bench) open(changed ...any) *Server {
	b.t.Helper()
	v, err := open(b.Env(), "pg", b.Settings(changed...))
	if err != nil {
		b.t.Fatal(err)
	}
	return v.(*Server)
}

func (b *bench) login(s *Server, more string) *login {
	b.t.Helper()
	return realserver.IssuerOf[*login](b.t, s, KindLogin, fmt.Sprintf(`{"group":%q%s}`, b.group, more))
}

func (b *bench) pair(s *Server, more string) *pair {
	b.t.Helper()
	return realserver.IssuerOf[*pair](b.t, s, KindPair, fmt.Sprintf(`{"roles":[%q,%q]%s}`, b.one, b.two, more))
}

func (b *bench) inPlace(s *Server) *inPlace {
	b.t.Helper()
	return realserver.IssuerOf[*inPlace](b.t, s, KindPassword, fmt.Sprintf(`{"role":%q}`, b.role))
}

// session logs in as somebody, and stays until it is closed.
func (b *bench) session(with secret.Bundle, name string) func() {
	b.t.Helper()
	c, err := pgconn.Connect(b.t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=app sslmode=disable application_name=%s",
		b.Port, with[logins.FieldUsername].Reveal(), with[logins.FieldPassword].Reveal(), name))
	if err != nil {
		b.t.Fatal(err)
	}
	done := func() { _ = c.Close(context.Background()) }
	b.t.Cleanup(done)
	return done
}

// settle waits until no session of others than us is left of a role: a session ends a
// moment after it was closed.
func (b *bench) settle(role string) {
	b.t.Helper()
	b.Settle(func() string {
		return b.SQL(b.t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = "+literal(role))[0][0]
	})
}
