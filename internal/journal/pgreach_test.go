//go:build !windows

package journal

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/realserver"
)

// TestWhyADatabaseCannotBeUsedIsTold, with what to do about it, and without a password.
func TestWhyADatabaseCannotBeUsedIsTold(t *testing.T) {
	p := postgres(t)
	t.Setenv("PGPASSFILE", filepath.Join(t.TempDir(), "none"))
	p.SQL(t, "postgres", `DROP ROLE IF EXISTS told; CREATE ROLE told LOGIN PASSWORD 'right'; DROP ROLE IF EXISTS shut; CREATE ROLE shut LOGIN PASSWORD 'right'; ALTER ROLE shut SET default_transaction_read_only = on; REVOKE CONNECT ON DATABASE app FROM PUBLIC`)
	p.SQL(t, "postgres", `CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'`)
	t.Cleanup(func() { p.SQL(t, "postgres", `GRANT CONNECT ON DATABASE app TO PUBLIC`) })
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	at := fmt.Sprintf("127.0.0.1:%d", p.Port)
	for name, tt := range map[string]struct{ address, why, next string }{
		"no server":           {"postgres://told:hunter2@127.0.0.1:1/app", "connection refused", "start it"},
		"no answer":           {"postgres://told:hunter2@" + silent.Addr().String() + "/app?connect_timeout=1", "in time", "firewall"},
		"no host":             {"postgres://told:hunter2@no-such-host.invalid/app", "no host of this name", "DNS"},
		"no socket":           {"postgres://told:hunter2@/app?host=" + t.TempDir(), "no socket", "start the server"},
		"wrong password":      {"postgres://told:hunter2@" + at + "/app", "rejects this password of the role told", "PGPASSWORD"},
		"no password":         {"postgres://told@" + at + "/app", "wants a password of the role told", "PGPASSFILE"},
		"no such role":        {"postgres://nobody@" + at + "/trusting", "does not let the role nobody in", "CREATE ROLE nobody LOGIN"},
		"no such database":    {"postgres://told:right@" + at + "/nothing", "has no database nothing", "CREATE DATABASE nothing"},
		"may not connect":     {"postgres://told:right@" + at + "/app", "may not use the database", "GRANT CONNECT ON DATABASE app TO told"},
		"may make no tables":  {"postgres://told@" + at + "/trusting?search_path=untold", "may not make tables", "CREATE SCHEMA untold AUTHORIZATION told"},
		"only reads":          {"postgres://shut@" + at + "/trusting", "only read there", "ALTER ROLE shut"},
		"not UTF-8":           {"postgres://postgres@/latin?host=" + p.Socket + "&port=" + fmt.Sprint(p.Port), "encoded as LATIN1", "ENCODING 'UTF8'"},
		"unknown certificate": {"postgres://told:right@localhost:" + fmt.Sprint(p.Port) + "/trusting?sslmode=verify-full", "not signed by an authority", "sslrootcert=FILE"},
		"for another host":    {"postgres://told:right@" + at + "/trusting?sslmode=verify-full&sslrootcert=" + p.Certificate, "not for this host", "host name that the certificate is for"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenPostgres(t.Context(), tt.address)
			if err == nil || !strings.Contains(err.Error(), tt.why) || !strings.Contains(err.Error(), tt.next) {
				t.Errorf("%v, want %q and %q", err, tt.why, tt.next)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is told: %v", err)
			}
			var unusable *Unusable
			var lacks *Unprivileged
			if !errors.As(err, &unusable) && !errors.As(err, &lacks) {
				t.Errorf("%T", err)
			}
		})
	}
	good, err := OpenPostgres(t.Context(), "postgres://postgres@localhost:"+fmt.Sprint(p.Port)+"/trusting?search_path=tls&sslmode=verify-full&sslrootcert="+p.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = good.Close() }()
	if f, server, err := good.Facts(t.Context()); err != nil || !server || !f.Encrypted || f.Replica || !f.Makes || f.Role != "postgres" || f.Version == "" {
		t.Errorf("%+v %v", f, err)
	}
}

// TestAServerThatDoesNotSuitIsRefused, whatever it is.
func TestAServerThatDoesNotSuitIsRefused(t *testing.T) {
	s := &server{name: "postgres://h/d (schema rekey)"}
	good := looked{Facts: Facts{Version: "16.4"}, number: 160004, brand: "PostgreSQL 16.4 on x", encoding: "UTF8"}
	if err := s.suits(good, true); err != nil {
		t.Fatal(err)
	}
	for why, spoil := range map[string]func(*looked){
		"calls itself CockroachDB": func(l *looked) { l.brand = "CockroachDB CCL v24" },
		"13 is the oldest":         func(l *looked) { l.number = 120022 },
		"connection pooler":        func(l *looked) { l.pooled = true },
		"needs UTF8":               func(l *looked) { l.encoding = "SQL_ASCII" },
		"is a replica":             func(l *looked) { l.Replica = true },
		"may not use the schema":   func(l *looked) { l.barred = true },
	} {
		l := good
		spoil(&l)
		if err := s.suits(l, true); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "\n  next  ") {
			t.Errorf("%v, want %q", err, why)
		}
	}
	l := good
	l.Replica, l.readOnly = true, true
	if err := s.suits(l, false); err != nil {
		t.Errorf("a replica can be read: %v", err)
	}
}

// TestAPoolerIsRefused, PgBouncer in transaction mode, as it comes and where it lets
// pass what sessions ask for.
func TestAPoolerIsRefused(t *testing.T) {
	p := postgres(t)
	for _, ignored := range []string{"", "search_path,lock_timeout,idle_in_transaction_session_timeout,synchronous_commit,tcp_keepalives_idle,tcp_keepalives_interval,tcp_keepalives_count"} {
		port := realserver.PgBouncer(t, p, ignored)
		_, err := OpenPostgres(t.Context(), address(port, "postgres", "pooled"))
		var unusable *Unusable
		if !errors.As(err, &unusable) || !strings.Contains(unusable.Why, "pooler") {
			t.Errorf("ignoring %q: %v", ignored, err)
		}
	}
}

// TestASchemaOfANewerVersionIsRefused, and nothing is written to it.
func TestASchemaOfANewerVersionIsRefused(t *testing.T) {
	at := onServer(t)
	j := open4(t, at)
	if _, err := j.db.Exec(`UPDATE versions SET version = 7 WHERE name = 'journal'`); err != nil {
		t.Fatal(err)
	}
	var newer *Newer
	for _, open := range []func() (*Journal, error){at.open, at.existing} {
		if err := opens(open); !errors.As(err, &newer) || newer.Version != 7 {
			t.Errorf("%v", err)
		}
	}
}

// TestALibpqUserFindsHisWays: the service file, the password file and PGPASSWORD are
// read as libpq reads them.
func TestALibpqUserFindsHisWays(t *testing.T) {
	p := postgres(t)
	p.SQL(t, "postgres", `DROP ROLE IF EXISTS ways; CREATE ROLE ways LOGIN PASSWORD 'secret of ways'`)
	p.SQL(t, "postgres", `CREATE DATABASE ways OWNER ways`)
	dir := t.TempDir()
	service, pass := filepath.Join(dir, "service"), filepath.Join(dir, "pass")
	if err := errors.Join(
		os.WriteFile(service, []byte(fmt.Sprintf("[journal]\nhost=127.0.0.1\nport=%d\nuser=ways\ndbname=ways\nsslmode=disable\n", p.Port)), 0o600),
		os.WriteFile(pass, []byte("127.0.0.1:*:ways:ways:secret of ways\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	plain := fmt.Sprintf("postgres://ways@127.0.0.1:%d/ways", p.Port)
	for name, tt := range map[string]struct {
		env     map[string]string
		address string
	}{
		"PGPASSWORD":    {map[string]string{"PGPASSWORD": "secret of ways"}, plain},
		"PGPASSFILE":    {map[string]string{"PGPASSFILE": pass}, plain},
		"PGSERVICEFILE": {map[string]string{"PGSERVICEFILE": service, "PGPASSFILE": pass}, "postgres://?service=journal"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			if HoldsPassword(tt.address) {
				t.Error("the address holds no password")
			}
			if err := opens(func() (*Journal, error) { return OpenPostgres(t.Context(), tt.address) }); err != nil {
				t.Error(err)
			}
		})
	}
	for _, a := range []string{"postgres://u:hunter2@h/d", "postgres://u@h/d?password=hunter2", "postgres://u@h/d?sslpassword=x", "postgres://u:%zz@h/d", "postgres://u@h/d?%zz"} {
		if !HoldsPassword(a) {
			t.Errorf("%s is taken for an address without password", a)
		}
	}
}
