//go:build !windows

package realserver

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Standby starts a server that follows this one without keeping it waiting
// (asynchronously), until the test ends.
func (p *Postgres) Standby(t testing.TB) *Postgres {
	t.Helper()
	s, err := p.standby()
	if err != nil {
		Lacking(t, "a standby of PostgreSQL (pg_basebackup)", err)
	}
	t.Cleanup(s.stop)
	return s
}

func (p *Postgres) standby() (*Postgres, error) {
	copies, err := program("pg_basebackup", installed)
	if err != nil {
		return nil, err
	}
	s, err := newPostgres(p.Certificate)
	if err != nil {
		return nil, err
	}
	if err := s.once(copies, "-h", p.Socket, "-p", strconv.Itoa(p.Port), "-U", "postgres", "-D", s.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		return nil, err
	}
	return s, s.begin()
}

// Follows waits until the standby has everything that its primary has.
func (p *Postgres) Follows(t testing.TB, primary *Postgres) {
	t.Helper()
	p.until(t, "it does not follow", func() bool {
		there, here := primary.SQL(t, "postgres", "SELECT pg_current_wal_lsn()"), p.SQL(t, "postgres", "SELECT pg_last_wal_replay_lsn()")
		return there[0][0] == here[0][0]
	})
}

// CutOff has a standby hear nothing more from its primary, as a network that is down does.
func (p *Postgres) CutOff(t testing.TB) {
	t.Helper()
	p.SQL(t, "postgres", "ALTER SYSTEM SET primary_conninfo = ''")
	p.SQL(t, "postgres", "SELECT pg_reload_conf()")
	p.until(t, "it follows still", func() bool { return len(p.SQL(t, "postgres", "SELECT pid FROM pg_stat_wal_receiver")) == 0 })
}

// Promote makes a standby the primary.
func (p *Postgres) Promote(t testing.TB) {
	t.Helper()
	p.SQL(t, "postgres", "SELECT pg_promote()")
}

// Kill ends a server as a machine does that loses its power.
func (p *Postgres) Kill(t testing.TB) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(b), "\n", 2)[0])
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.until(t, "it lives still", func() bool { _, err := p.sql("postgres", "SELECT 1"); return err != nil })
}

func (p *Postgres) until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for range 600 {
		if so() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("PostgreSQL: %s: %s", what, p.said())
}
