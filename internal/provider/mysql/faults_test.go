//go:build !windows

package mysql

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"
	"time"

	my "github.com/go-sql-driver/mysql"

	"rekey/internal/cred"
	"rekey/internal/realserver"
)

func (b *bench) deeds() []realserver.Deed {
	return []realserver.Deed{
		{Name: "create", Do: func(port int, tag string) error {
			s := b.open("port", port)
			i := b.users(s, "")
			made, err := i.Make("c-" + tag)
			if err != nil {
				b.t.Fatal(err)
			}
			_, err = i.CreateWith(b.t.Context(), "c-"+tag, made)
			b.Await(b.t)
			// Whatever the answer: one that works is whole, and the secret tells.
			works, asked := b.users(b.open(), "").Works(b.t.Context(), cred.Handle{}, made)
			if whole := b.whole("c-" + tag); asked != nil || works != whole {
				b.t.Errorf("the user is there and whole: %v; its password works: %v (%v)", whole, works, asked)
			}
			return err
		}, Did: func(tag string) bool { return b.has("c-" + tag) }},
		{Name: "drop", Do: func(port int, tag string) error {
			s := b.open("port", port)
			h, _ := b.Made(b.users(b.open(), ""), "d-"+tag)
			return b.users(s, "").Revoke(b.t.Context(), h)
		}, Did: func(tag string) bool { return !b.has("d-" + tag) }},
		{Name: "roll", Do: func(port int, tag string) error {
			s := b.open("port", port)
			b.SQL(b.t, "ALTER USER "+b.user+" IDENTIFIED BY 'first'")
			i := b.dual(s, "")
			made, _ := i.Make("")
			_, err := i.RollWith(b.t.Context(), cred.Handle{ID: b.user + "@%"}, time.Now().Add(time.Hour), made)
			b.Await(b.t)
			good := b.dual(b.open(), "")
			works, asked := good.Works(b.t.Context(), cred.Handle{}, made)
			before, asked2 := good.Works(b.t.Context(), cred.Handle{}, first(b.user))
			if asked != nil || asked2 != nil || works != b.twice() || !before {
				b.t.Errorf("the new one works: %v, the one before: %v (%v, %v)", works, before, asked, asked2)
			}
			return err
		}, Did: func(string) bool { return b.twice() }},
		{Name: "end the old one", Do: func(port int, tag string) error {
			s := b.open("port", port)
			b.SQL(b.t, "ALTER USER "+b.user+" IDENTIFIED VIA mysql_native_password USING PASSWORD('second') OR mysql_native_password USING PASSWORD('first')")
			_, err := b.dual(s, "").Keep(b.t.Context(), cred.Handle{ID: b.user + "@%"}, time.Now().Add(-time.Second))
			return err
		}, Did: func(string) bool { return !b.twice() }},
	}
}

func (b *bench) twice() bool {
	return strings.Contains(b.SQL(b.t, "SHOW CREATE USER "+b.user)[0][0], " OR ")
}

// whole: it may log in, and its role is active from then on.
func (b *bench) whole(user string) bool {
	rows := b.SQL(b.t, `SELECT JSON_VALUE(Priv, '$.default_role'), COALESCE(JSON_VALUE(Priv, '$.account_locked'), 'false') FROM mysql.global_priv WHERE User = `+literal(user))
	return len(rows) == 1 && rows[0][0] == b.role && (rows[0][1] == "false" || rows[0][1] == "0")
}

// TestCutAtEveryPiece cuts the connection at each thing that the client sends: before it
// arrives, and after its effect; and spoils the answer.
func TestCutAtEveryPiece(t *testing.T) {
	b := setUp(t)
	b.CutAtEveryPiece(b.Port, b.id, b.deeds(), map[realserver.Fault]int{realserver.After: 1, realserver.Before: 2, realserver.Garbage: 3})
}

// TestServerKilled kills the server while a statement is on its way.
func TestServerKilled(t *testing.T) {
	b := setUp(t)
	proxy := realserver.NewProxy(t, b.Port)
	for n, d := range []realserver.Deed{b.deeds()[0], b.deeds()[2]} {
		proxy.Set(realserver.None, 0, nil)
		if err := d.Do(proxy.Port, fmt.Sprintf("%s-well-%d", b.id, n)); err != nil { // how many pieces there are
			t.Fatal(err)
		}
		_, pieces := proxy.Struck()
		for _, at := range []int{pieces / 2, pieces - 1} {
			tag := fmt.Sprintf("%s-k-%d-%d", b.id, n, at)
			proxy.Set(realserver.Before, at, func() { b.Crash(t) })
			err := d.Do(proxy.Port, tag)
			// The connection is lost while the server is still being killed and started.
			if struck, _ := proxy.Struck(); !struck {
				t.Errorf("%s: nothing was killed at %d of %d pieces", d.Name, at, pieces)
			}
			b.Await(t)
			b.Judge(d, tag, err)
		}
	}
}

func TestLimits(t *testing.T) {
	b := setUp(t)
	s := b.open()
	i := b.users(s, `,"max_user_connections":1`)
	h, made := b.Made(i, "app-"+b.id)
	leave := b.session(s, made)
	if ok, err := i.Works(t.Context(), h, made); !ok || err != nil {
		t.Errorf("its sessions are all taken, so its password is right: %v, %v", ok, err)
	}
	v, detail, err := i.Probe(t.Context(), itself, made)
	if v != cred.Unclear || err != nil || !strings.Contains(detail, "all sessions that the user may have are taken") {
		t.Errorf("%s, %s, %v", v, detail, err)
	}
	leave()
	// Who has it gets one more. Said while there is room: that one may be taken, by a
	// session that is being closed.
	b.SQL(t, "REVOKE CONNECTION ADMIN ON *.* FROM "+b.admin)
	var all []driver.Conn
	for len(all) < 2*realserver.MaxConnections {
		c := my.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.Logger = b.user, "first", "unix", b.Socket, &my.NopLogger{}
		connector, _ := my.NewConnector(c)
		conn, err := connector.Connect(t.Context())
		if err != nil {
			break
		}
		all = append(all, conn)
	}
	_, _, err = i.Create(t.Context(), "more-"+b.id)
	b.Class(err, cred.Limited)
	_, err = i.Works(t.Context(), h, made)
	b.Class(err, cred.Limited)
	for _, c := range all {
		_ = c.Close()
	}
	b.settle(b.user)
}

func TestNobodyListens(t *testing.T) {
	b := setUp(t)
	_, _, err := b.users(b.open("port", 1), "").Create(t.Context(), "x")
	if b.Class(err, cred.Limited); err == nil || !strings.Contains(err.Error(), "connection refused by 127.0.0.1:1") {
		t.Error(err)
	}
}

func TestTLSModes(t *testing.T) {
	b := setUp(t)
	b.TLSModes(b.Certificate, b.Socket, func(settings ...any) error {
		_, err := b.users(b.open(settings...), "").List(t.Context())
		return err
	})
}

// TestAnonymousUserIsAnOpenDoor: whoever comes is let in, so a login proves nothing.
func TestAnonymousUserIsAnOpenDoor(t *testing.T) {
	b := setUp(t)
	b.SQL(t, "CREATE USER ''@'127.0.0.1'")
	t.Cleanup(func() { b.SQL(t, "DROP USER ''@'127.0.0.1'") })
	b.Verdict(b.users(b.open(), ""), nil, cred.Open)
}
