//go:build !windows

package postgres

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

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/realserver"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

var server, stopServer = realserver.PostgresOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopServer) }

var itself = sop.Probe{URL: sop.IssuerItself}

// bench is a server with a group, a pair, a role and an admin of its own.
type bench struct {
	*realserver.Postgres
	t          *testing.T
	id         string
	admin      string
	group      string
	one, two   string // a pair
	role       string
	connection map[string]any
	ways       outside.Ways
	calm       func() // waits until the server is up
	mu         sync.Mutex
	calls      []vendorhttp.Call
}

const adminPassword = "of the admin, with ' and \\"

func setUp(t *testing.T) *bench {
	t.Helper()
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	id := hex.EncodeToString(random)
	b := &bench{Postgres: server(t), t: t, id: id, admin: "adm_" + id, group: "grp_" + id, one: "one_" + id, two: "two_" + id, role: "role_" + id, ways: outside.Real{}}
	b.connection = map[string]any{"host": "127.0.0.1", "port": b.Port, "user": b.admin, "password": "env:ADMIN", "sslmode": "disable"}
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

// server opened, with these settings in place of the bench's.
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
	v, err := open(b.env(), "pg", raw)
	if err != nil {
		b.t.Fatal(err)
	}
	return v.(*Server)
}

func issuerOf[T any](b *bench, s *Server, kind, settings string) T {
	b.t.Helper()
	i, err := s.Issuer(kind, json.RawMessage(settings))
	if err != nil {
		b.t.Fatal(err)
	}
	return i.(T)
}

func (b *bench) login(s *Server, more string) *login {
	b.t.Helper()
	return issuerOf[*login](b, s, KindLogin, fmt.Sprintf(`{"group":%q%s}`, b.group, more))
}

func (b *bench) pair(s *Server, more string) *pair {
	b.t.Helper()
	return issuerOf[*pair](b, s, KindPair, fmt.Sprintf(`{"roles":[%q,%q]%s}`, b.one, b.two, more))
}

func (b *bench) inPlace(s *Server) *inPlace {
	b.t.Helper()
	return issuerOf[*inPlace](b, s, KindPassword, fmt.Sprintf(`{"role":%q}`, b.role))
}

func (b *bench) made(i provider.Issuer, name string) (cred.Handle, secret.Bundle) {
	b.t.Helper()
	h, made, err := i.Create(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return h, made
}

// ids of what is listed.
func (b *bench) ids(i provider.Issuer) []string {
	b.t.Helper()
	listed, err := i.List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, h := range listed {
		out = append(out, h.ID)
	}
	slices.Sort(out)
	return out
}

func (b *bench) verdict(i provider.Issuer, with secret.Bundle, want cred.Verdict) {
	b.t.Helper()
	got, detail, err := i.(provider.Prober).Probe(b.t.Context(), itself, with)
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
func (b *bench) session(with secret.Bundle, name string) func() {
	b.t.Helper()
	c, err := pgconn.Connect(b.t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=app sslmode=disable application_name=%s",
		b.Port, with[FieldUsername].Reveal(), with[FieldPassword].Reveal(), name))
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
	for range 200 {
		if b.SQL(b.t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = "+literal(role))[0][0] == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal("sessions do not end")
}
