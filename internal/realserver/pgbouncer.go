//go:build !windows

package realserver

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// PgBouncer starts a pooler in transaction mode before a server, which ends with the
// test, and returns its port. Of the parameters that a session asks for it passes over
// those that are ignored.
func PgBouncer(t testing.TB, p *Postgres, ignored string) (port int) {
	t.Helper()
	program, err := program("pgbouncer", "/usr/sbin")
	if err != nil {
		Lacking(t, "PgBouncer (Debian: pgbouncer)", err)
	}
	s, err := folder("postgres")
	if err != nil {
		t.Fatal(err)
	}
	if port, err = freePort(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\ntrusting = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nauth_type=any\npool_mode=transaction\nunix_socket_dir=\n", p.Port, port)
	if ignored != "" {
		text += "ignore_startup_parameters=" + ignored + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.start(program, config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	if err := s.await(func() error {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = c.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return port
}
