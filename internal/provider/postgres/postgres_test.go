//go:build !windows

package postgres

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/outside"
	"rekey/internal/secret"
)

func TestLoginRoleFromBeginningToEnd(t *testing.T) {
	b := setUp(t)
	i := b.login(b.open(), `,"database":"app","expires_in":"30d","connection_limit":7,"as_group":true`)
	if ids := b.IDs(i); len(ids) != 0 {
		t.Fatalf("a group without members lists %v", ids)
	}
	h, made := b.Made(i, "app-2026-11-27-abc-1-"+b.id)
	if !made.Complete([]string{logins.FieldUsername, logins.FieldPassword, logins.FieldHost, logins.FieldPort, logins.FieldDatabase}) {
		t.Errorf("the bundle lacks fields: %v", made.Fields())
	}
	listed, err := i.List(t.Context())
	if err != nil || len(listed) != 1 || listed[0] != h {
		t.Errorf("created %+v, listed %+v (%v)", h, listed, err)
	}
	if d := time.Until(h.Expires); d < 29*24*time.Hour || d > 31*24*time.Hour {
		t.Errorf("it expires in %s", d)
	}
	if ok, err := i.Works(t.Context(), h, made); !ok || err != nil {
		t.Errorf("it does not work: %v", err)
	}
	b.Verdict(i, made, cred.Accepted)
	b.Verdict(i, nil, cred.Rejected)
	b.Verdict(i, i.Wrong(), cred.Rejected)
	wrong := secret.Bundle{logins.FieldUsername: made[logins.FieldUsername], logins.FieldPassword: secret.New("wrong")}
	b.Verdict(i, wrong, cred.Rejected)
	if ok, err := i.Works(t.Context(), h, wrong); ok || err != nil {
		t.Errorf("a wrong password works: %v, %v", ok, err)
	}
	if got := b.SQL(t, "postgres", "SELECT rolconnlimit, rolsuper, rolcreaterole, pg_has_role(oid, "+literal(b.group)+", 'USAGE') FROM pg_roles WHERE rolname = "+literal(h.ID))[0]; strings.Join(got, " ") != "7 f f t" {
		t.Errorf("limit, superuser, createrole, in the group: %v", got)
	}
	if owner, err := i.Owner(t.Context(), made, listed); owner != h.ID || err != nil {
		t.Errorf("the owner is %q (%v)", owner, err)
	}

	leave := b.session(made, "worker")
	b.settleUsers(i, h, 1)
	if users, _ := i.Users(t.Context(), h); users[0].Name != "worker" || users[0].From != "" || users[0].Count != 1 {
		t.Errorf("users, as somebody sees them who may not see everything: %+v", users)
	}
	b.SQL(t, "postgres", "GRANT pg_read_all_stats TO "+b.admin)
	if users, _ := i.Users(t.Context(), h); users[0].Name != "worker" || users[0].From != "127.0.0.1" || users[0].Count != 1 || users[0].Since.IsZero() {
		t.Errorf("users %+v", users)
	}
	if now, _ := i.Find(t.Context(), h); time.Since(now.LastSeen).Abs() > time.Minute {
		t.Errorf("a session is open, and it was last seen %s", now.LastSeen)
	}
	err = i.Revoke(t.Context(), h)
	if b.Class(err, cred.Refused); !strings.Contains(err.Error(), "1 of worker from 127.0.0.1") {
		t.Errorf("who is in the way is not named: %v", err)
	}
	leave()
	b.settle(h.ID)
	for range 2 { // idempotent
		if now, err := i.Switch(t.Context(), h, false); err != nil || !now.Disabled {
			t.Errorf("switched off: %+v, %v", now, err)
		}
	}
	b.Verdict(i, made, cred.Rejected)
	if ids := b.IDs(i); len(ids) != 1 {
		t.Errorf("switched off, it is listed as %v", ids)
	}
	if now, err := i.Switch(t.Context(), h, true); err != nil || now.Disabled {
		t.Errorf("switched on: %+v, %v", now, err)
	}
	b.Verdict(i, made, cred.Accepted)
	b.settle(h.ID)
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	b.Verdict(i, made, cred.Rejected)
	b.Class(i.Revoke(t.Context(), h), cred.Absent)
	if _, err := i.Find(t.Context(), h); cred.ClassOf(err) != cred.Absent {
		t.Errorf("found after the end: %v", err)
	}

	log := b.Log(t)
	if !strings.Contains(log, "SCRAM-SHA-256$4096:") || strings.Contains(log, made[logins.FieldPassword].Reveal()) {
		t.Error("the server's log holds the password, or nothing of its creation")
	}
}

func TestPairTakesTurns(t *testing.T) {
	b := setUp(t)
	i := b.pair(b.open(), "")
	first := secret.Bundle{logins.FieldUsername: secret.New(b.one), logins.FieldPassword: secret.New("first")}
	if ids := b.IDs(i); len(ids) != 1 || ids[0] != b.one {
		t.Fatalf("listed %v", ids)
	}
	h2, second := b.Made(i, "app-x-1")
	if h2.ID != b.two+"#1" || h2.Name != "app-x-1" || h2.Public != b.two {
		t.Errorf("made %+v", h2)
	}
	b.Verdict(i, first, cred.Accepted)
	b.Verdict(i, second, cred.Accepted)
	if _, _, err := i.Create(t.Context(), "app-x-2"); cred.ClassOf(err) != cred.Refused {
		t.Errorf("a third one: %v", err)
	}
	listed, _ := i.List(t.Context())
	if owner, err := i.Owner(t.Context(), second, listed); owner != h2.ID || err != nil {
		t.Errorf("the owner is %q (%v)", owner, err)
	}
	b.settle(b.one)
	old := cred.Handle{ID: b.one, Public: b.one}
	if _, err := i.Switch(t.Context(), old, false); err != nil {
		t.Fatal(err)
	}
	if ids := b.IDs(i); len(ids) != 2 {
		t.Errorf("one that is only switched off counts as ended: %v", ids)
	}
	b.Class(i.Revoke(t.Context(), old), cred.Done)
	b.Verdict(i, first, cred.Rejected)
	if ids := b.IDs(i); len(ids) != 1 || ids[0] != h2.ID {
		t.Errorf("listed %v", ids)
	}
	h3, third := b.Made(i, "app-y-1")
	if h3.ID != b.one+"#1" {
		t.Errorf("made %+v", h3)
	}
	b.Class(i.Revoke(t.Context(), old), cred.Absent) // the generation before, not this one
	b.Verdict(i, third, cred.Accepted)
	b.settle(b.two)
	b.Class(i.Revoke(t.Context(), h2), cred.Done)
	if h, _ := b.Made(i, "app-z-1"); h.ID != b.two+"#2" {
		t.Errorf("made %+v", h)
	}
	comment := b.SQL(t, "postgres", "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = "+literal(b.one))[0][0]
	if !strings.HasPrefix(comment, "of the app [rekey {") {
		t.Errorf("somebody's comment became %q", comment)
	}
}

// TestPairIsNotTakenFromWhoUsesIt: a role that somebody lets log in between the look and
// the change keeps its password.
func TestPairIsNotTakenFromWhoUsesIt(t *testing.T) {
	b := setUp(t)
	i := b.pair(b.open(), "")
	b.IDs(i)
	made, err := i.Make("x-1")
	if err != nil {
		t.Fatal(err)
	}
	b.SQL(t, "postgres", "ALTER ROLE "+b.two+" LOGIN PASSWORD 'theirs'")
	_, err = i.CreateWith(t.Context(), "x-1", made)
	b.Class(err, cred.Conflict)
	scope := i.scope // the look says what was true before
	r, _ := scope(t.Context(), "look")
	r[1].login = false
	i.scope = func(t2 ctx, _ string) ([]role, error) { return r, nil }
	_, err = i.CreateWith(t.Context(), "x-1", made)
	b.Class(err, cred.Conflict)
	b.Verdict(i, secret.Bundle{logins.FieldUsername: secret.New(b.two), logins.FieldPassword: secret.New("theirs")}, cred.Accepted)
}

func TestPasswordInPlace(t *testing.T) {
	b := setUp(t)
	i := b.inPlace(b.open())
	listed, err := i.List(t.Context())
	if err != nil || len(listed) != 1 || listed[0].Version != 0 {
		t.Fatalf("listed %+v, %v", listed, err)
	}
	old := listed[0]
	h, made, err := i.Roll(t.Context(), old, time.Time{})
	if err != nil || h.Version != 1 || h.ID != old.ID {
		t.Fatalf("rolled %+v, %v", h, err)
	}
	b.Verdict(i, made, cred.Accepted)
	b.Verdict(i, secret.Bundle{logins.FieldUsername: secret.New(b.role), logins.FieldPassword: secret.New("first")}, cred.Rejected)
	_, _, err = i.Roll(t.Context(), old, time.Time{})
	b.Class(err, cred.Conflict) // by what was observed before
	_, _, err = i.Roll(t.Context(), h, time.Now().Add(time.Hour))
	b.Class(err, cred.Refused)
	_, _, err = i.Create(t.Context(), "x")
	b.Class(err, cred.Refused)
	b.settle(b.role)
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	b.Verdict(i, made, cred.Rejected)
	if ids := b.IDs(i); len(ids) != 0 {
		t.Errorf("locked, it is listed as %v", ids)
	}
}

func TestSessionsAreTerminatedWhereAskedFor(t *testing.T) {
	b := setUp(t)
	s := b.open()
	b.SQL(t, "postgres", "GRANT pg_signal_backend TO "+b.admin)
	i := b.login(s, `,"sessions":"terminate"`)
	h, made := b.Made(i, "app-"+b.id)
	b.session(made, "worker")
	b.settleUsers(i, h, 1)
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	b.settle(h.ID)
	if n := b.SQL(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'worker'")[0][0]; n != "0" {
		t.Errorf("%s sessions live on", n)
	}
}

func TestOwnRoleIsNotRotated(t *testing.T) {
	b := setUp(t)
	s := b.open()
	for kind, settings := range map[string]string{
		KindPassword: `{"role":"` + b.admin + `"}`, KindPair: `{"roles":["` + b.one + `","` + b.admin + `"]}`, KindLogin: `{"group":"` + b.admin + `"}`,
	} {
		if _, err := s.Issuer(kind, []byte(settings)); err == nil || !strings.Contains(err.Error(), "itself uses") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	_, err := b.login(s, "").Owner(t.Context(), secret.Bundle{logins.FieldUsername: secret.New(b.admin)}, nil)
	b.Class(err, cred.Refused)
}

func TestClosedWaysReachNothing(t *testing.T) {
	b := setUp(t)
	b.Ways = outside.Closed{}
	i := b.login(b.open(), "")
	_, err := i.List(t.Context())
	b.Class(err, cred.Unsent)
	_, _, err = i.Create(t.Context(), "x")
	b.Class(err, cred.Unsent)
	_, _, err = i.Probe(t.Context(), itself, i.Wrong())
	b.Class(err, cred.Unsent)
}

// TestNothingIsTakenFromTheEnvironment: variables of libpq that lead elsewhere.
func TestNothingIsTakenFromTheEnvironment(t *testing.T) {
	b := setUp(t)
	for name, value := range map[string]string{"PGHOST": "elsewhere.invalid", "PGPORT": "1", "PGUSER": "x", "PGPASSWORD": "y", "PGSSLMODE": "verify-full", "PGOPTIONS": "-c role=nobody", "PGAPPNAME": "z", "PGTARGETSESSIONATTRS": "standby", "PGCONNECT_TIMEOUT": "1", "PGSSLROOTCERT": "/nonexistent"} {
		t.Setenv(name, value)
	}
	if _, err := b.login(b.open(), "").List(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestEveryCallIsTold: looks as looks, changes as changes.
func TestEveryCallIsTold(t *testing.T) {
	b := setUp(t)
	i := b.login(b.open(), "")
	b.IDs(i)
	h, _ := b.Made(i, "app-"+b.id)
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	looks, changes := 0, 0
	calls := b.Calls()
	for _, c := range calls {
		if c.Vendor != "pg" || c.Op == "" {
			t.Errorf("told %+v", c)
		}
		if c.Changes {
			changes++
		} else {
			looks++
		}
	}
	if changes != 2 || looks != 3 {
		t.Errorf("%d looks and %d changes: %+v", looks, changes, calls)
	}
}
