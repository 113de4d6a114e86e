//go:build !windows

package realserver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	my "github.com/go-sql-driver/mysql"
)

// MariaDB is a started MariaDB with every statement in its log.
type MariaDB struct {
	Port        int
	Socket      string // on which root needs no password
	Certificate string // file with the authority that has signed its certificate, which is of localhost
	run         func() error
	*service
}

// MariaDBOnce returns what starts a server when it is first called, and what stops it.
func MariaDBOnce() (get func(testing.TB) *MariaDB, stop func()) {
	start := sync.OnceValues(startMariaDB)
	var started atomic.Bool // asked by tests side by side
	get = func(t testing.TB) *MariaDB {
		t.Helper()
		started.Store(true)
		m, err := start()
		if err != nil {
			Lacking(t, "MariaDB (Debian: mariadb-server)", err)
		}
		return m
	}
	return get, func() {
		if !started.Load() {
			return
		}
		if m, err := start(); err == nil {
			m.stop()
		}
	}
}

func startMariaDB() (*MariaDB, error) {
	install, err := program("mariadb-install-db", "/usr/bin", "/usr/local/bin")
	if err != nil {
		return nil, err
	}
	mariadbd, err := program("mariadbd", "/usr/sbin", "/usr/local/sbin")
	if err != nil {
		return nil, err
	}
	s, err := folder("mysql")
	if err != nil {
		return nil, err
	}
	m := &MariaDB{service: s, Socket: filepath.Join(s.dir, "socket"), Certificate: filepath.Join(s.dir, "server.crt")}
	if m.Port, err = freePort(); err != nil {
		return nil, err
	}
	data := filepath.Join(s.dir, "data")
	if err := s.once(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"); err != nil {
		return nil, err
	}
	key := filepath.Join(s.dir, "server.key")
	if err := s.certify(m.Certificate, key); err != nil {
		return nil, err
	}
	m.run = func() error {
		return s.start(mariadbd, "--no-defaults", "--datadir="+data, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(m.Port), "--socket="+m.Socket,
			"--pid-file="+filepath.Join(s.dir, "pid"), "--skip-name-resolve", "--general-log=1", "--general-log-file="+filepath.Join(s.dir, "general"),
			fmt.Sprintf("--max-connections=%d", MaxConnections), "--max-connect-errors=1000000", "--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0",
			"--ssl-cert="+m.Certificate, "--ssl-key="+key)
	}
	if err := m.run(); err != nil {
		return nil, err
	}
	if err := s.await(func() error { _, err := m.sql("SELECT 1"); return err }); err != nil {
		s.stop()
		return nil, err
	}
	if _, err := m.sql("CREATE DATABASE app"); err != nil {
		s.stop()
		return nil, err
	}
	return m, nil
}

// SQL runs statements as root, one after the other, and returns the rows of the last.
func (m *MariaDB) SQL(t testing.TB, statements ...string) [][]string {
	t.Helper()
	rows, err := m.sql(statements...)
	if err != nil {
		t.Fatalf("%q: %v", statements, err)
	}
	return rows
}

func (m *MariaDB) sql(statements ...string) (out [][]string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := my.NewConfig()
	c.User, c.Net, c.Addr, c.Logger = "root", "unix", m.Socket, &my.NopLogger{}
	connector, err := my.NewConnector(c)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	for _, s := range statements {
		rows, err := conn.(driver.QueryerContext).QueryContext(ctx, s, nil)
		if err != nil {
			return nil, err
		}
		out = nil
		values := make([]driver.Value, len(rows.Columns()))
		for len(values) > 0 {
			if err := rows.Next(values); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			row := make([]string, len(values))
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					row[i] = string(b)
				} else if v != nil {
					row[i] = fmt.Sprint(v)
				}
			}
			out = append(out, row)
		}
		_ = rows.Close()
	}
	return out, nil
}

// Log is every statement that the server was sent.
func (m *MariaDB) Log(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.dir, "general"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Crash kills the server, as the kernel does, and starts it again.
func (m *MariaDB) Crash(t testing.TB) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = m.stdin.Close()
	_ = m.cmd.Wait()
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
}

// Await waits until the server answers again, on its socket and on its port.
func (m *MariaDB) Await(t testing.TB) {
	t.Helper()
	err := m.await(func() error {
		if _, err := m.sql("SELECT 1"); err != nil {
			return err
		}
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Port)))
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}
