//go:build !windows

package postgres

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/realserver"
	"rekey/internal/secret"
)

var zero time.Time

func (b *bench) foreseen(i provider.EndForesight, h cred.Handle, refused, told string) {
	b.t.Helper()
	f, err := i.ForeseeEnd(b.t.Context(), h)
	if err != nil {
		b.t.Fatal(err)
	}
	for what, pair := range map[string][2]string{"refused": {strings.Join(f.Refused, "\n"), refused}, "told": {strings.Join(f.Told, "\n"), told}} {
		if got, want := pair[0], pair[1]; want != "*" && !strings.Contains(got, want) || want == "" && got != "" {
			b.t.Errorf("%s %q, want %q", what, got, want)
		}
	}
}

func TestOwnedObjectsAreForeseenAndReassigned(t *testing.T) {
	b := setUp(t)
	s := b.open()
	refuse, reassign := b.login(s, ""), b.login(s, `,"owned":"reassign"`)
	h, _ := b.Made(refuse, "app-"+b.id)
	b.foreseen(refuse, h, "", "")
	for _, db := range []string{"app", "postgres"} {
		b.SQL(t, db, "CREATE TABLE t_"+b.id+"(); ALTER TABLE t_"+b.id+" OWNER TO "+ident(h.ID)+"; CREATE TABLE g_"+b.id+"(); GRANT SELECT ON g_"+b.id+" TO "+ident(h.ID))
	}
	b.foreseen(refuse, h, "owns 1 objects in database app, so it cannot be dropped: REASSIGN OWNED BY \"app-"+b.id+"\"", "")
	b.foreseen(refuse, h, "has 1 rights of its own in database postgres", "*")
	b.Class(refuse.Revoke(t.Context(), h), cred.Refused)
	b.foreseen(reassign, h, "may not give what app-"+b.id+" owns", "")
	b.foreseen(reassign, h, "has 1 rights of its own in database app", "")
	b.Class(reassign.Revoke(t.Context(), h), cred.Denied)
	for _, db := range []string{"app", "postgres"} {
		b.SQL(t, db, "REVOKE ALL ON g_"+b.id+" FROM "+ident(h.ID))
	}
	b.SQL(t, "postgres", "GRANT "+b.group+", "+ident(h.ID)+" TO "+b.admin+"; GRANT CREATE ON SCHEMA public TO "+b.group)
	b.SQL(t, "app", "GRANT CREATE ON SCHEMA public TO "+b.group)
	b.foreseen(reassign, h, "", "1 objects in database app that app-"+b.id+" owns will be given to "+b.group)
	b.Class(reassign.Revoke(t.Context(), h), cred.Done)
	for _, db := range []string{"app", "postgres"} {
		if owner := b.SQL(t, db, "SELECT tableowner FROM pg_tables WHERE tablename = 't_"+b.id+"'")[0][0]; owner != b.group {
			t.Errorf("in %s it belongs to %s", db, owner)
		}
		b.SQL(t, db, "DROP TABLE t_"+b.id+", g_"+b.id)
	}
}

// TestAsGroupOwnsNothing: with as_group nothing has to be reassigned.
func TestAsGroupOwnsNothing(t *testing.T) {
	b := setUp(t)
	i := b.login(b.open(), `,"as_group":true,"database":"app"`)
	b.SQL(t, "app", "GRANT CREATE ON SCHEMA public TO "+b.group)
	h, made := b.Made(i, "app-"+b.id)
	conn, err := i.connect(t.Context(), h.ID, made[logins.FieldPassword].Reveal(), "app", true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), "CREATE TABLE t_"+b.id+"()").ReadAll()
	_ = conn.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.foreseen(i, h, "", "")
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	b.SQL(t, "app", "DROP TABLE t_"+b.id)
}

func TestRightsAreForeseen(t *testing.T) {
	b := setUp(t)
	s := b.open()
	login, pair, in := b.login(s, ""), b.pair(s, ""), b.inPlace(s)
	h, _ := b.Made(login, "app-"+b.id)
	one, role := cred.Handle{ID: b.one, Public: b.one}, cred.Handle{ID: b.role, Public: b.role}
	b.foreseen(pair, one, "", "")
	b.foreseen(in, role, "", "")
	b.foreseen(b.pair(s, `,"sessions":"terminate"`), one, "may not terminate sessions of "+b.one, "")
	b.foreseen(b.pair(s, `,"sessions":"leave"`), one, "", "live on")
	b.SQL(t, "postgres", "ALTER ROLE "+b.two+" LOGIN")
	b.foreseen(pair, one, "none of the two is idle", "")
	b.SQL(t, "postgres", "ALTER ROLE "+ident(h.ID)+" SET work_mem = '1MB'; ALTER ROLE "+ident(h.ID)+" CONNECTION LIMIT 3")
	b.foreseen(login, h, "", "settings of its own")
	b.foreseen(login, h, "", "may have 3 sessions at once")
	b.SQL(t, "postgres", "ALTER ROLE "+b.admin+" NOCREATEROLE")
	for _, i := range []provider.EndForesight{login, pair, in} {
		b.foreseen(i, map[bool]cred.Handle{true: h, false: one}[i == provider.EndForesight(login)], "lacks CREATEROLE: ALTER ROLE \""+b.admin+"\" CREATEROLE", "*")
	}
	// Taken away in the middle of a run: nothing happens, and it is known.
	b.Class(login.Revoke(t.Context(), h), cred.Denied)
	_, _, err := login.Create(t.Context(), "more-"+b.id)
	b.Class(err, cred.Denied)
	if cred.MayHaveHappened(err) {
		t.Error("what was denied may have happened")
	}
	_, _, err = in.Roll(t.Context(), role, zero)
	b.Class(err, cred.Denied)
	b.Verdict(in, secret.Bundle{logins.FieldUsername: secret.New(b.role), logins.FieldPassword: secret.New("first")}, cred.Accepted)
	b.SQL(t, "postgres", "ALTER ROLE "+b.admin+" PASSWORD 'another'")
	_, err = login.List(t.Context())
	b.Class(err, cred.Denied)
}

// TestScopedRights is by what version 16 has changed, which need not be the one here.
func TestScopedRights(t *testing.T) {
	r := rights{version: 160004, createrole: true}
	if why := r.may("adm", "app"); !strings.Contains(why, `GRANT "app" TO "adm" WITH ADMIN OPTION`) {
		t.Error(why)
	}
	r.admin = true
	if why := r.may("adm", "app"); why != "" {
		t.Error(why)
	}
	r.theySuper = true
	if why := r.may("adm", "app"); !strings.Contains(why, "superuser") {
		t.Error(why)
	}
	r.super = true
	if why := r.may("adm", "app"); why != "" {
		t.Error(why)
	}
	r.standby = true
	if why := r.may("adm", "app"); !strings.Contains(why, "standby") {
		t.Error(why)
	}
}

func TestWhatIsNotThereIsAbsent(t *testing.T) {
	b := setUp(t)
	s := b.open()
	_, err := realserver.IssuerOf[*login](t, s, KindLogin, `{"group":"no_such"}`).List(t.Context())
	b.Class(err, cred.Absent)
	_, err = realserver.IssuerOf[*pair](t, s, KindPair, `{"roles":["`+b.one+`","no_such"]}`).List(t.Context())
	b.Class(err, cred.Absent)
	_, err = realserver.IssuerOf[*inPlace](t, s, KindPassword, `{"role":"no_such"}`).List(t.Context())
	b.Class(err, cred.Absent)
}
