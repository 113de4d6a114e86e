//go:build !windows

package mysql

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/realserver"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

var server, stopServer = realserver.MariaDBOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopServer) }

var itself = sop.Probe{URL: sop.IssuerItself}

// bench is a server with a role, a user and an admin of its own.
type bench struct {
	*realserver.MariaDB
	t           *testing.T
	id          string
	admin, role string
	user        string
	connection  map[string]any
	ways        outside.Ways
	mu          sync.Mutex
	calls       []vendorhttp.Call
}

const adminPassword = "of the admin, with ' and \\"

func setUp(t *testing.T) *bench {
	t.Helper()
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	id := hex.EncodeToString(random)
	b := &bench{MariaDB: server(t), t: t, id: id, admin: "adm_" + id, role: "rol_" + id, user: "user_" + id, ways: outside.Real{}}
	b.connection = map[string]any{"host": "127.0.0.1", "port": b.Port, "user": b.admin, "password": "env:ADMIN", "sslmode": "disable"}
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

func (b *bench) env() provider.Env {
	return provider.Env{
		Now: time.Now, Outside: b.ways,
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			return secret.New(adminPassword), provider.Source{Ref: refs[0]}, nil
		},
		Text: func(x sop.Text) (string, error) { return x[0], nil },
		Observe: func(c vendorhttp.Call) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.calls = append(b.calls, c)
		},
	}
}

// open opens the server, with these settings in place of the bench's.
func (b *bench) open(changed ...any) *Server {
	b.t.Helper()
	c := map[string]any{}
	for k, v := range b.connection {
		c[k] = v
	}
	for i := 0; i < len(changed); i += 2 {
		c[changed[i].(string)] = changed[i+1]
	}
	raw, _ := json.Marshal(c)
	v, err := open(b.env(), "db", raw)
	if err != nil {
		b.t.Fatal(err)
	}
	return v.(*Server)
}

func (b *bench) users(s *Server, more string) *user {
	b.t.Helper()
	i, err := s.Issuer(KindUser, json.RawMessage(fmt.Sprintf(`{"role":%q%s}`, b.role, more)))
	if err != nil {
		b.t.Fatal(err)
	}
	return i.(*user)
}

func (b *bench) dual(s *Server, more string) *dual {
	b.t.Helper()
	i, err := s.Issuer(KindDual, json.RawMessage(fmt.Sprintf(`{"user":%q%s}`, b.user, more)))
	if err != nil {
		b.t.Fatal(err)
	}
	return i.(*dual)
}

func (b *bench) made(i provider.Issuer, name string) (cred.Handle, secret.Bundle) {
	b.t.Helper()
	h, made, err := i.Create(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return h, made
}

func (b *bench) lists(i provider.Issuer, id string) bool {
	b.t.Helper()
	listed, err := i.List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.ContainsFunc(listed, func(h cred.Handle) bool { return h.ID == id })
}

func (b *bench) verdict(i provider.Prober, with secret.Bundle, want cred.Verdict) {
	b.t.Helper()
	got, detail, err := i.Probe(b.t.Context(), itself, with)
	if got != want || err != nil {
		b.t.Errorf("the login is %s (%s, %v), want %s", got, detail, err, want)
	}
}

func (b *bench) class(err error, want cred.Class) {
	b.t.Helper()
	if got := cred.ClassOf(err); got != want {
		b.t.Errorf("%v: %s, want %s", err, got, want)
	}
	if e, ok := errors.AsType[*cred.Error](err); err != nil && (!ok || e.Vendor == "" || e.Op == "") {
		b.t.Errorf("%v does not say whose it is and what was asked", err)
	}
}

// session logs in as somebody, and stays until it is closed.
func (b *bench) session(s *Server, with secret.Bundle) func() {
	b.t.Helper()
	c, err := s.connect(b.t.Context(), with[FieldUsername].Reveal(), with[FieldPassword].Reveal(), "")
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
	for range 200 {
		if b.SQL(b.t, "SELECT COUNT(*) FROM information_schema.processlist WHERE USER = "+literal(user))[0][0] == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal("sessions do not end")
}

func (b *bench) has(user string) bool {
	return b.SQL(b.t, "SELECT COUNT(*) FROM mysql.global_priv WHERE User = "+literal(user))[0][0] == "1"
}

func first(user string) secret.Bundle {
	return secret.Bundle{FieldUsername: secret.New(user), FieldPassword: secret.New("first")}
}
