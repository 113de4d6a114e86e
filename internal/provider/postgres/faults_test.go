//go:build !windows

package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/realserver"
	"rekey/internal/secret"
)

// deeds. Each readies what it needs by the way that no fault is on, then does one thing
// by the way that has one.
func (b *bench) deeds() []realserver.Deed {
	return []realserver.Deed{
		{Name: "create", Do: func(port int, tag string) error {
			s := b.open("port", port)
			i := b.login(s, "")
			made, err := i.Make("c-" + tag)
			if err != nil {
				b.t.Fatal(err)
			}
			_, err = i.CreateWith(b.t.Context(), "c-"+tag, made)
			b.calmly()
			// Whatever the answer: the secret tells.
			works, asked := b.login(b.open(), "").Works(b.t.Context(), cred.Handle{}, made)
			if asked != nil || works != b.has("c-"+tag) {
				b.t.Errorf("the role is there: %v; its password works: %v (%v)", b.has("c-"+tag), works, asked)
			}
			return err
		}, Did: func(tag string) bool { return b.has("c-" + tag) }},
		{Name: "drop", Do: func(port int, tag string) error {
			s := b.open("port", port)
			h, _ := b.Made(b.login(b.open(), ""), "d-"+tag)
			return b.login(s, "").Revoke(b.t.Context(), h)
		}, Did: func(tag string) bool { return !b.has("d-" + tag) }},
		{Name: "roll", Do: func(port int, tag string) error {
			s := b.open("port", port)
			b.SQL(b.t, "postgres", "ALTER ROLE "+b.role+" PASSWORD 'first'; COMMENT ON ROLE "+b.role+" IS NULL")
			i := b.inPlace(s)
			made, _ := i.Make("")
			_, err := i.RollWith(b.t.Context(), cred.Handle{ID: b.role}, zero, made)
			b.calmly()
			good := b.inPlace(b.open())
			works, asked := good.Works(b.t.Context(), cred.Handle{}, made)
			before, asked2 := good.Works(b.t.Context(), cred.Handle{}, secret.Bundle{logins.FieldUsername: made[logins.FieldUsername], logins.FieldPassword: secret.New("first")})
			if asked != nil || asked2 != nil || works == before {
				b.t.Errorf("the new one works: %v, the one before: %v (%v, %v)", works, before, asked, asked2)
			}
			return err
		}, Did: func(string) bool {
			return strings.Contains(b.SQL(b.t, "postgres", "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = "+literal(b.role))[0][0], `"count":1`)
		}},
		{Name: "lock", Do: func(port int, tag string) error {
			s := b.open("port", port)
			b.SQL(b.t, "postgres", "ALTER ROLE "+b.one+" LOGIN; COMMENT ON ROLE "+b.one+" IS NULL")
			b.settle(b.one)
			return b.pair(s, "").Revoke(b.t.Context(), cred.Handle{ID: b.one, Public: b.one})
		}, Did: func(string) bool {
			return b.SQL(b.t, "postgres", "SELECT rolcanlogin FROM pg_roles WHERE rolname = "+literal(b.one))[0][0] == "f"
		}},
	}
}

func (b *bench) has(role string) bool {
	return b.SQL(b.t, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname = "+literal(role))[0][0] == "1"
}

// calmly waits until the server is up, after it was made to fall.
func (b *bench) calmly() {
	if b.calm != nil {
		b.calm()
	}
}

// TestCutAtEveryPiece cuts the connection at each thing that the client sends: before it
// arrives, and after its effect; and spoils the answer.
func TestCutAtEveryPiece(t *testing.T) {
	b := setUp(t)
	b.CutAtEveryPiece(b.Port, b.id, b.deeds(), map[realserver.Fault]int{realserver.After: 1, realserver.Before: 3, realserver.Garbage: 4})
}

// TestServerKilledAtEveryPiece kills the process that serves a session while it is at
// work: the whole server goes down with it, as it always does, and comes up again.
func TestServerKilledAtEveryPiece(t *testing.T) {
	b := setUp(t)
	proxy := realserver.NewProxy(t, b.Port)
	kills := 0
	for _, d := range []realserver.Deed{b.deeds()[0], b.deeds()[2]} {
		for at := 3; ; at += 2 {
			tag := fmt.Sprintf("%s-kill-%d", b.id, at)
			var killed atomic.Bool
			before := b.ups()
			proxy.Set(realserver.Pass, at, func() {
				if killed.Store(b.killBackend()); killed.Load() {
					kills++
				}
			})
			b.calm = func() {
				for killed.Load() && b.ups() == before {
					time.Sleep(10 * time.Millisecond)
				}
				b.Await(t)
			}
			err := d.Do(proxy.Port, tag)
			b.Judge(d, tag, err)
			if struck, _ := proxy.Struck(); !struck {
				break
			}
		}
	}
	if kills < 6 {
		t.Errorf("only %d times something was killed", kills)
	}
}

// ups is how often the server has come up.
func (b *bench) ups() int {
	return strings.Count(b.Log(b.t), "database system is ready to accept connections")
}

// killBackend ends the process of one session of the admin.
func (b *bench) killBackend() bool {
	titles, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range titles {
		title, _ := os.ReadFile(c)
		if strings.HasPrefix(string(title), "postgres: "+b.admin+" ") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(c)))
			return syscall.Kill(pid, syscall.SIGKILL) == nil
		}
	}
	return false
}

func TestLimits(t *testing.T) {
	b := setUp(t)
	s := b.open()
	i := b.login(s, `,"connection_limit":1,"database":"app"`)
	h, made := b.Made(i, "app-"+b.id)
	leave := b.session(made, "worker")
	if ok, err := i.Works(t.Context(), h, made); !ok || err != nil {
		t.Errorf("its sessions are all taken, so its password is right: %v, %v", ok, err)
	}
	v, detail, err := i.Probe(t.Context(), itself, made)
	if v != cred.Unclear || err != nil || !strings.Contains(detail, "all sessions that the role may have are taken") {
		t.Errorf("%s, %s, %v", v, detail, err)
	}
	leave()

	var all []*pgconn.PgConn
	for len(all) < 2*realserver.MaxConnections {
		c, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=disable", b.Socket, b.Port, b.role))
		if err != nil {
			break
		}
		all = append(all, c)
	}
	_, err = i.List(t.Context())
	b.Class(err, cred.Limited)
	_, _, err = i.Create(t.Context(), "more-"+b.id)
	b.Class(err, cred.Limited)
	_, err = i.Works(t.Context(), h, made)
	b.Class(err, cred.Limited)
	for _, c := range all {
		_ = c.Close(t.Context())
	}
	b.settle(b.role)
	if b.has("more-" + b.id) {
		t.Error("a role was made all the same")
	}
}

func TestNobodyListens(t *testing.T) {
	b := setUp(t)
	for what, s := range map[string]*Server{
		"connection refused by 127.0.0.1:1": b.open("port", 1),
		"there is no host":                  b.open("host", "no-such-host.invalid"),
	} {
		_, _, err := b.login(s, "").Create(t.Context(), "x")
		if b.Class(err, cred.Limited); err == nil || !strings.Contains(err.Error(), what) && !strings.Contains(err.Error(), "could not be looked up") {
			t.Errorf("%v, want %s", err, what)
		}
	}
}

// TestWhoAsksForNoPasswordProvesNothing: a gate that is open, and one that wants the
// password in clear.
func TestWhoAsksForNoPasswordProvesNothing(t *testing.T) {
	b := setUp(t)
	i := b.login(b.open(), `,"database":"trusting"`)
	h, made := b.Made(i, "app-"+b.id)
	b.Verdict(i, nil, cred.Open)
	b.Verdict(i, made, cred.Open)
	_, err := i.Works(t.Context(), h, made)
	b.Class(err, cred.Refused)
	i = b.login(b.open(), `,"database":"cleartext"`)
	_, _, err = i.Probe(t.Context(), itself, made)
	if b.Class(err, cred.Refused); !strings.Contains(err.Error(), "in clear") {
		t.Error(err)
	}
	i = b.login(b.open("sslmode", "require"), `,"database":"cleartext"`)
	b.Verdict(i, made, cred.Accepted)
	i = b.login(b.open(), `,"database":"no_such"`)
	b.Verdict(i, made, cred.Unclear)
	b.Verdict(i, i.Wrong(), cred.Rejected)
}

func TestTLSModes(t *testing.T) {
	b := setUp(t)
	b.TLSModes(b.Certificate, b.Socket, func(settings ...any) error {
		_, err := b.login(b.open(settings...), "").List(t.Context())
		return err
	}, realserver.TLSMode{Mode: "require", Host: "127.0.0.1", Root: b.Certificate, Want: ""})
}
