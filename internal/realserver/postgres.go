//go:build !windows

package realserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres is a started PostgreSQL with every statement in its log. It asks for a
// password on TCP (127.0.0.1, with TLS or without); in the database "trusting" for none,
// and in "cleartext" for one in clear.
type Postgres struct {
	Port        int
	Socket      string // folder of the socket, on which the role postgres needs no password
	Certificate string // file with the authority that has signed its certificate, which is of localhost
	*service
}

// MaxConnections is how many sessions there may be at once.
const MaxConnections = 60

// PostgresOnce returns what starts a server when it is first called, and what stops it.
func PostgresOnce() (get func(testing.TB) *Postgres, stop func()) {
	start := sync.OnceValues(startPostgres)
	var started atomic.Bool // asked by tests side by side
	get = func(t testing.TB) *Postgres {
		t.Helper()
		started.Store(true)
		p, err := start()
		if err != nil {
			Lacking(t, "PostgreSQL (Debian: postgresql)", err)
		}
		return p
	}
	return get, func() {
		if !started.Load() {
			return
		}
		if p, err := start(); err == nil {
			p.stop()
		}
	}
}

func startPostgres() (*Postgres, error) {
	initdb, err := program("initdb", installed)
	if err != nil {
		return nil, err
	}
	p, err := newPostgres("")
	if err != nil {
		return nil, err
	}
	s, data := p.service, p.data()
	if err := s.once(initdb, "--no-sync", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"); err != nil {
		return nil, err
	}
	hba := "local all all trust\nlocal replication all trust\nhost trusting all 127.0.0.1/32 trust\nhost cleartext all 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return nil, err
	}
	if err := s.own(filepath.Join(data, "pg_hba.conf")); err != nil {
		return nil, err
	}
	if err := s.certify(p.Certificate, filepath.Join(s.dir, "server.key")); err != nil {
		return nil, err
	}
	if err := p.begin(); err != nil {
		return nil, err
	}
	for _, db := range []string{"trusting", "cleartext", "app"} {
		if _, err := p.sql("postgres", "CREATE DATABASE "+db); err != nil {
			s.stop()
			return nil, err
		}
	}
	return p, nil
}

// installed is where Debian's programs of a server are.
const installed = "/usr/lib/postgresql/*/bin"

// newPostgres is a server that has a folder and a port, and neither data nor a process. It
// has a certificate of its own, or that of another one.
func newPostgres(certificate string) (*Postgres, error) {
	s, err := folder("postgres")
	if err != nil {
		return nil, err
	}
	p := &Postgres{service: s, Socket: s.dir, Certificate: certificate}
	if certificate == "" {
		p.Certificate = filepath.Join(s.dir, "server.crt")
	}
	p.Port, err = freePort()
	return p, err
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// begin starts the process on its data, and waits until it answers.
func (p *Postgres) begin() error {
	postgres, err := program("postgres", installed)
	if err != nil {
		return err
	}
	if err := p.start(postgres, p.arguments(p.data())...); err != nil {
		return err
	}
	if err := p.await(func() error { _, err := p.sql("postgres", "SELECT 1"); return err }); err != nil {
		p.stop()
		return err
	}
	return nil
}

// arguments are those of a server with this folder of data.
func (p *Postgres) arguments(data string) []string {
	args := []string{"-D", data, "-k", p.Socket, "-p", strconv.Itoa(p.Port), "-h", "127.0.0.1"}
	for _, setting := range []string{
		"fsync=off", "log_statement=all", "restart_after_crash=on", "shared_buffers=16MB", fmt.Sprintf("max_connections=%d", MaxConnections), "superuser_reserved_connections=3",
		"ssl=on", "ssl_cert_file=" + p.Certificate, "ssl_key_file=" + filepath.Join(filepath.Dir(p.Certificate), "server.key"),
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// certify makes a certificate of localhost that has signed itself.
func (s *service) certify(cert, key string) error {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		return err
	}
	kder, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kder}), 0o600); err != nil {
		return err
	}
	return s.own(key)
}

// SQL runs statements as the superuser, and returns the rows of the last one.
func (p *Postgres) SQL(t testing.TB, database, sql string) [][]string {
	t.Helper()
	rows, err := p.sql(database, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func (p *Postgres) sql(database, sql string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := pgconn.Connect(ctx, fmt.Sprintf("host=%s port=%d user=postgres dbname=%s sslmode=disable application_name=test", p.Socket, p.Port, database))
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close(ctx) }()
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var out [][]string
	for _, r := range results[len(results)-1].Rows {
		row := make([]string, len(r))
		for i, v := range r {
			row[i] = string(v)
		}
		out = append(out, row)
	}
	return out, nil
}

// Log is everything that the server has written down.
func (p *Postgres) Log(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Await waits until the server answers again, after a crash.
func (p *Postgres) Await(t testing.TB) {
	t.Helper()
	if err := p.await(func() error { _, err := p.sql("postgres", "SELECT 1"); return err }); err != nil {
		t.Fatal(err)
	}
}
