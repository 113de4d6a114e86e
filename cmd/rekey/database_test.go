//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/realserver"
)

// TestDatabaseLoginIsRotatedUnderLoad rotates the login of a service that runs: a real
// PostgreSQL, files, and a process that is started anew with another environment while it
// asks its database all the time. No query fails, twice in a row.
func TestDatabaseLoginIsRotatedUnderLoad(t *testing.T) {
	get, stop := realserver.PostgresOnce()
	t.Cleanup(stop)
	db := get(t)
	db.SQL(t, "postgres", `CREATE ROLE shop; CREATE ROLE shop_first LOGIN PASSWORD 'first' IN ROLE shop;
 CREATE ROLE pair_first LOGIN PASSWORD 'first' IN ROLE shop; CREATE ROLE pair_second IN ROLE shop;
 CREATE ROLE rekey_admin LOGIN CREATEROLE PASSWORD 'of-the-admin'; GRANT pg_read_all_stats TO rekey_admin`)
	db.SQL(t, "app", "CREATE TABLE goods AS SELECT 7 AS price; GRANT SELECT ON goods TO shop")
	t.Run("login", func(t *testing.T) {
		underLoad(t, db, "shop_first", "kind: login, name: shop-<date>, group: shop", "shop-20", "shop-20")
	})
	t.Run("pair", func(t *testing.T) {
		underLoad(t, db, "pair_first", "kind: pair, name: pair-<date>, roles: [pair_first, pair_second]", "pair_second", "pair_first")
	})
}

// underLoad rotates as often as there are names that the logins begin with afterwards.
func underLoad(t *testing.T, db *realserver.Postgres, before, issuer string, after ...string) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop", "rekey"} {
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("app.env", "# the service reads this\nDB_USER="+before+"\nDB_PASSWORD=first\nOTHER=stays\n", 0o600)
	write("secrets.yaml", "db:\n  user: "+before+"\n  password: first\n", 0o600)
	if err := os.Mkdir(filepath.Join(dir, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The new process begins before the old one ends, as anybody would have it.
	restart := write("restart", fmt.Sprintf(`#!/bin/sh
cd %q || exit 1
old=$(cat pid 2>/dev/null)
set -a; . ./app.env; set +a
SHOP=%q DB_PORT=%d ./shop </dev/null >/dev/null 2>&1 &
echo $! >pid.new && mv pid.new pid
if [ -n "$old" ]; then kill "$old"; fi
`, dir, dir, db.Port), 0o700)
	if out, err := exec.Command(restart).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { end(t, dir) })
	write("rekey.yaml", fmt.Sprintf(`rekey: 1
vendors:
  db: {vendor: postgres, host: 127.0.0.1, port: %d, user: rekey_admin, password: env:DB_ADMIN, sslmode: disable}
  file: {}
credentials:
  SHOP_DB:
    cadence: 30d
    issuer: {vendor: db, %[4]s, database: app}
    store: {vendor: file, path: %[2]s/secrets.yaml, keep: %[2]s/kept, slots: {db.user: "{username}", db.password: "{password}"}}
    consumers:
      - {vendor: file, path: %[2]s/app.env, command: [%[3]s], pidfiles: [%[2]s/pid], environment: true, grace: 200ms, slots: {DB_USER: "{username}", DB_PASSWORD: "{password}"}}
    verify:
      - {vendor: db, query: "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'shop'"}
    timing: {poll: 50ms, quiet: 100ms, watch: 200ms}
`, db.Port, dir, restart, issuer), 0o600)

	family := before[:4]
	logins := func() []string {
		var out []string
		for _, r := range db.SQL(t, "postgres", "SELECT rolname FROM pg_roles WHERE rolcanlogin AND starts_with(rolname, '"+family+"') ORDER BY 1") {
			out = append(out, r[0])
		}
		return out
	}
	for n, want := range after {
		cmd := exec.Command(filepath.Join(dir, "rekey"), "run", "SHOP_DB", "--confirm", "SHOP_DB")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "DB_ADMIN=of-the-admin")
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("rotation %d: %v\n%s", n+1, err, said)
		}
		now := logins()
		if len(now) != 1 || now[0] == before || !strings.HasPrefix(now[0], want) {
			t.Fatalf("rotation %d: %v may log in\n%s", n+1, now, said)
		}
		for _, file := range []string{"app.env", "secrets.yaml"} {
			if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(b), now[0]) || strings.Contains(string(b), before) {
				t.Errorf("rotation %d: %s holds another one than %s (%v)", n+1, file, now[0], err)
			}
		}
		before = now[0]
	}
	end(t, dir)
	if failed, err := os.ReadFile(filepath.Join(dir, "failed")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("queries failed: %s", failed)
	}
	served, err := os.ReadFile(filepath.Join(dir, "served"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(served)), "\n")
	if len(lines) != 3 {
		t.Errorf("three processes ran one after the other: %q", lines)
	}
	for _, l := range lines {
		if _, count, _ := strings.Cut(l, " "); count == "" || count == "0" {
			t.Errorf("one asked nothing: %q", l)
		}
	}
	t.Logf("%s", strings.Join(lines, ", "))

	// A query that fails would have been seen.
	wrong := exec.Command(filepath.Join(dir, "shop"))
	wrong.Env = []string{"SHOP=" + dir, "DB_PORT=" + strconv.Itoa(db.Port), "DB_USER=" + before, "DB_PASSWORD=wrong"}
	if err := wrong.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = wrong.Process.Signal(syscall.SIGTERM); _ = wrong.Wait() }()
	for range 1000 {
		if _, err := os.Stat(filepath.Join(dir, "failed")); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a login with a wrong password is not written down as failed")
}

// TestSecondPasswordIsRotated rolls a password of MariaDB beside the present one, for a
// job that reads its file each time: between the two commands both work, then one does.
func TestSecondPasswordIsRotated(t *testing.T) {
	get, stop := realserver.MariaDBOnce()
	t.Cleanup(stop)
	db := get(t)
	dir := t.TempDir()
	db.SQL(t, "CREATE USER shop IDENTIFIED BY 'first'", "CREATE USER rekey_admin IDENTIFIED BY 'of-the-admin'",
		"GRANT CREATE USER, PROCESS ON *.* TO rekey_admin", "GRANT SELECT ON mysql.* TO rekey_admin")
	for name, text := range map[string]string{
		"job.env": "DB_PASSWORD=first\n", "secrets.yaml": "db:\n  user: shop\n  password: first\n",
		"rekey.yaml": fmt.Sprintf(`rekey: 1
vendors:
  db: {vendor: mysql, host: 127.0.0.1, port: %d, user: rekey_admin, password: env:DB_ADMIN, sslmode: disable}
  file: {}
credentials:
  SHOP_DB:
    cadence: 30d
    issuer: {vendor: db, kind: dual, name: shop-<date>, user: shop, grace: 1h}
    store: {vendor: file, path: %[2]s/secrets.yaml, keep: %[2]s/kept, slots: {db.user: "{username}", db.password: "{password}"}}
    consumers:
      - {vendor: file, path: %[2]s/job.env, grace: 100ms, slots: {DB_PASSWORD: "{password}"}}
    timing: {poll: 50ms, quiet: 100ms, watch: 100ms}
`, db.Port, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "rekey")); err != nil {
		t.Fatal(err)
	}
	hash := func() string { return db.SQL(t, "SHOW CREATE USER shop")[0][0] }
	before := hash()
	for n := range 2 {
		cmd := exec.Command(filepath.Join(dir, "rekey"), "run", "SHOP_DB", "--confirm", "SHOP_DB")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "DB_ADMIN=of-the-admin")
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("rotation %d: %v\n%s", n+1, err, said)
		}
		now := hash()
		if now == before || strings.Contains(now, " OR ") || strings.Contains(string(said), "0001-01-01") {
			t.Fatalf("rotation %d: %s, then %s\n%s", n+1, before, now, said)
		}
		job, err := os.ReadFile(filepath.Join(dir, "job.env"))
		if err != nil || strings.Contains(string(job), "first") {
			t.Errorf("rotation %d: the job still has the old one (%v)", n+1, err)
		}
		before = now
	}
}

// end stops the service and waits until it has written down what it did.
func end(t *testing.T, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dir, "pid"))
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for range 1000 {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(b), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the service does not end")
}
