//go:build !windows

package mysql

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

func TestUserFromBeginningToEnd(t *testing.T) {
	b := setUp(t)
	s := b.open()
	i := b.users(s, `,"database":"app","max_user_connections":5`)
	h, made := b.Made(i, "app-2026-11-27-abc-1")
	t.Cleanup(func() { b.SQL(t, "DROP USER IF EXISTS 'app-2026-11-27-abc-1'") })
	if now, err := i.Find(t.Context(), h); err != nil || now != h {
		t.Errorf("created %+v, found %+v (%v)", h, now, err)
	}
	if ok, err := i.Works(t.Context(), h, made); !ok || err != nil {
		t.Errorf("it does not work: %v", err)
	}
	b.Verdict(i, made, cred.Accepted)
	b.Verdict(i, nil, cred.Rejected)
	b.Verdict(i, i.Wrong(), cred.Rejected)
	wrong := secret.Bundle{logins.FieldUsername: made[logins.FieldUsername], logins.FieldPassword: secret.New("wrong")}
	b.Verdict(i, wrong, cred.Rejected)
	conn, err := s.connect(t.Context(), h.Public, made[logins.FieldPassword].Reveal(), "app")
	if err != nil {
		t.Fatal(err)
	}
	if role, err := conn.query(t.Context(), "SELECT CURRENT_ROLE()"); err != nil || role[0][0] != b.role {
		t.Errorf("its role is %v (%v)", role, err)
	}
	users, err := i.Users(t.Context(), h)
	if err != nil || len(users) != 1 || users[0].From != "127.0.0.1" || users[0].Count != 1 || time.Since(users[0].Last).Abs() > time.Minute {
		t.Errorf("users, the tried logins aside: %+v (%v)", users, err)
	}
	if now, _ := i.Find(t.Context(), h); time.Since(now.LastSeen).Abs() > time.Minute {
		t.Errorf("a session is open, and it was last seen %s", now.LastSeen)
	}
	err = i.Revoke(t.Context(), h)
	if b.Class(err, cred.Refused); !strings.Contains(err.Error(), "1 from 127.0.0.1") {
		t.Errorf("who is in the way is not named: %v", err)
	}
	_ = conn.Close()
	b.settle(h.Public)
	for range 2 { // idempotent
		if now, err := i.Switch(t.Context(), h, false); err != nil || !now.Disabled {
			t.Errorf("locked: %+v, %v", now, err)
		}
	}
	b.Verdict(i, made, cred.Rejected)
	if now, err := i.Switch(t.Context(), h, true); err != nil || now.Disabled {
		t.Errorf("unlocked: %+v, %v", now, err)
	}
	b.Verdict(i, made, cred.Accepted)
	b.settle(h.Public)
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	b.Verdict(i, made, cred.Rejected)
	b.Class(i.Revoke(t.Context(), h), cred.Absent)
	if slices.Contains(b.IDs(i), h.ID) {
		t.Error("it is listed after its end")
	}
	if log := b.Log(t); !strings.Contains(log, "app-2026-11-27-abc-1") || strings.Contains(log, made[logins.FieldPassword].Reveal()) {
		t.Error("the server's log holds the password, or nothing of its creation")
	}
}

func TestTwoPasswordsOfOneUser(t *testing.T) {
	b := setUp(t)
	i := b.dual(b.open(), "")
	old, err := i.Find(t.Context(), cred.Handle{ID: b.user + "@%"})
	if err != nil || old.Version != 1 {
		t.Fatalf("found %+v, %v", old, err)
	}
	soon := time.Now().Add(time.Hour)
	h, made, err := i.Roll(t.Context(), old, soon)
	if err != nil || h.ID != old.ID || h.Version != 2 || !h.Previous.IsZero() {
		t.Fatalf("rolled %+v, %v", h, err)
	}
	b.Verdict(i, made, cred.Accepted)
	b.Verdict(i, first(b.user), cred.Accepted)
	b.Verdict(i, secret.Bundle{logins.FieldUsername: secret.New(b.user), logins.FieldPassword: secret.New("neither")}, cred.Rejected)
	if now, err := i.Find(t.Context(), h); err != nil || now.Version != 2 {
		t.Errorf("found %+v, %v", now, err)
	}
	_, _, err = i.Roll(t.Context(), h, soon) // it would end the one that is in use
	b.Class(err, cred.Conflict)
	b.Verdict(i, first(b.user), cred.Accepted)
	if f, err := i.ForeseeEnd(t.Context(), h); err != nil || len(f.Refused) != 1 || !strings.Contains(f.Refused[0], "2 passwords of "+b.user) {
		t.Errorf("foreseen %+v, %v", f, err)
	}
	if h, err = i.Keep(t.Context(), h, soon); err != nil || h.Version != 2 {
		t.Errorf("kept %+v, %v", h, err)
	}
	b.Verdict(i, first(b.user), cred.Accepted)
	for range 2 { // idempotent
		if h, err = i.Keep(t.Context(), h, time.Now().Add(-time.Second)); err != nil || h.Version != 1 {
			t.Errorf("ended %+v, %v", h, err)
		}
	}
	b.Verdict(i, first(b.user), cred.Rejected)
	b.Verdict(i, made, cred.Accepted)
	if f, err := i.ForeseeEnd(t.Context(), h); err != nil || len(f.Refused) != 0 {
		t.Errorf("foreseen %+v, %v", f, err)
	}
	_, again, err := i.Roll(t.Context(), h, soon)
	if err != nil {
		t.Fatal(err)
	}
	b.Verdict(i, made, cred.Accepted)
	b.Verdict(i, again, cred.Accepted)
	_, _, err = i.Roll(t.Context(), h, time.Time{})
	b.Class(err, cred.Refused)
	_, _, err = i.Create(t.Context(), "x")
	b.Class(err, cred.Refused)
	b.settle(b.user)
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	b.Verdict(i, again, cred.Rejected)
	if log := b.Log(t); strings.Contains(log, made[logins.FieldPassword].Reveal()) {
		t.Error("the server's log holds the password")
	}
}

func TestSessionsAreTerminatedWhereAskedFor(t *testing.T) {
	b := setUp(t)
	s := b.open()
	i := b.users(s, `,"sessions":"terminate"`)
	h, made := b.Made(i, "app-"+b.id)
	b.session(s, made)
	b.session(s, made)
	b.Class(i.Revoke(t.Context(), h), cred.Done)
	b.settle(h.Public)
	d := b.dual(s, `,"sessions":"terminate"`)
	b.session(s, first(b.user))
	b.Class(d.Revoke(t.Context(), cred.Handle{ID: b.user + "@%", Public: b.user}), cred.Done)
	b.settle(b.user)
}

func TestRightsAreForeseen(t *testing.T) {
	b := setUp(t)
	i := b.users(b.open(), "")
	h, _ := b.Made(i, "app-"+b.id)
	foreseen := func(want string) {
		t.Helper()
		f, err := i.ForeseeEnd(t.Context(), h)
		got := strings.Join(f.Refused, "\n")
		if err != nil || !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("refused %q (%v), want %q", got, err, want)
		}
	}
	foreseen("")
	b.SQL(t, "GRANT SELECT ON app.* TO 'app-"+b.id+"'")
	foreseen("has rights of its own")
	b.SQL(t, "REVOKE SELECT ON app.* FROM 'app-"+b.id+"'", "GRANT SELECT ON app.* TO "+b.admin,
		"CREATE DEFINER='app-"+b.id+"'@'%' VIEW app.v_"+b.id+" AS SELECT 1", "GRANT SHOW VIEW ON app.* TO "+b.admin)
	foreseen("is the definer of 1 views")
	b.SQL(t, "DROP VIEW app.v_"+b.id, "REVOKE CREATE USER ON *.* FROM "+b.admin)
	foreseen("lacks CREATE USER")
	b.Class(i.Revoke(t.Context(), h), cred.Denied) // taken away in the middle of a run
	_, _, err := i.Create(t.Context(), "more-"+b.id)
	if b.Class(err, cred.Denied); cred.MayHaveHappened(err) {
		t.Error("what was denied may have happened")
	}
	b.SQL(t, "GRANT CREATE USER ON *.* TO "+b.admin, "REVOKE ADMIN OPTION FOR "+b.role+" FROM "+b.admin)
	_, made, err := i.Create(t.Context(), "half-"+b.id) // denied after the user was made
	if !cred.MayHaveHappened(err) {
		t.Errorf("%v: it says that nothing was made", err)
	}
	if !slices.Contains(b.IDs(i), "half-"+b.id+"@%") || made != nil {
		t.Error("what was made by half is not listed")
	}
}

// TestHalfAUserDoesNotWork: one whose creation was cut short is locked.
func TestHalfAUserDoesNotWork(t *testing.T) {
	b := setUp(t)
	b.SQL(t, "REVOKE ADMIN OPTION FOR "+b.role+" FROM "+b.admin)
	i := b.users(b.open(), "")
	made, err := i.Make("half-" + b.id)
	if err != nil {
		t.Fatal(err)
	}
	h, err := i.CreateWith(t.Context(), "half-"+b.id, made)
	if err == nil {
		t.Fatal("made without a right to grant the role")
	}
	if ok, err := i.Works(t.Context(), h, made); ok || err != nil {
		t.Errorf("half a user works: %v, %v", ok, err)
	}
	b.Class(i.Revoke(t.Context(), cred.Handle{ID: "half-" + b.id + "@%", Public: "half-" + b.id}), cred.Done)
}

func TestHostileNames(t *testing.T) {
	b := setUp(t)
	b.SQL(t, "CREATE USER canary_"+b.id)
	i := b.users(b.open(), `,"sessions":"leave"`)
	for n, name := range []string{
		`a"b` + b.id, "a`b" + b.id, `';DROP USER canary_` + b.id + `;--`, `\'` + b.id, "line\nbreak " + b.id, `ünïcödé ` + b.id, `%_` + b.id, `a@b` + b.id, strings.Repeat("x", nameMax-8) + b.id,
	} {
		h, made := b.Made(i, name)
		if ok, err := i.Works(t.Context(), h, made); !ok || err != nil {
			t.Errorf("%d: %q does not work: %v", n, name, err)
		}
		if now, err := i.Find(t.Context(), h); err != nil || now != h {
			t.Errorf("%d: %q: made %+v, found %+v (%v)", n, name, h, now, err)
		}
		if _, err := i.Users(t.Context(), h); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		if f, err := i.ForeseeEnd(t.Context(), h); err != nil || len(f.Refused) > 0 {
			t.Errorf("%d: %q: %+v, %v", n, name, f, err)
		}
		b.Class(i.Revoke(t.Context(), h), cred.Done)
	}
	if !b.has("canary_" + b.id) {
		t.Error("a name was taken for a statement")
	}
	for _, name := range []string{"", strings.Repeat("x", nameMax+1), "a\x00b", "\xff", " x", "x "} {
		_, _, err := i.Create(t.Context(), name)
		b.Class(err, cred.Refused)
	}
}

func TestPasswordsOfOthersArriveWhole(t *testing.T) {
	b := setUp(t)
	i := b.dual(b.open(), "")
	for _, p := range []string{`'`, `"`, `\`, `a b`, `%s?`, `p@ss:w/rd?#&`, `'; DROP USER x; --`} {
		b.SQL(t, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "ALTER USER "+b.user+" IDENTIFIED BY "+literal(p))
		b.Verdict(i, secret.Bundle{logins.FieldUsername: secret.New(b.user), logins.FieldPassword: secret.New(p)}, cred.Accepted)
	}
}

func TestOwnUserIsNotRotated(t *testing.T) {
	b := setUp(t)
	s := b.open()
	if _, err := s.Issuer(KindDual, []byte(`{"user":"`+b.admin+`"}`)); err == nil || !strings.Contains(err.Error(), "itself uses") {
		t.Error(err)
	}
	_, err := b.users(s, "").Owner(t.Context(), secret.Bundle{logins.FieldUsername: secret.New(b.admin)}, nil)
	b.Class(err, cred.Refused)
}

// TestHostPartTellsUsersApart: one name may be several users.
func TestHostPartTellsUsersApart(t *testing.T) {
	b := setUp(t)
	b.SQL(t, "CREATE USER "+b.user+"@'10.%'", "CREATE USER "+b.user+"@'11.%'")
	for from, want := range map[string]string{"%": "%", "10.%": "10.%", "12.%": ""} {
		i := b.users(b.open(), `,"from":"`+from+`"`)
		listed, _ := i.List(t.Context())
		got, err := i.Owner(t.Context(), first(b.user), listed)
		if want != "" && (got != b.user+"@"+want || err != nil) || want == "" && cred.ClassOf(err) != cred.Refused {
			t.Errorf("from %s: %q, %v", from, got, err)
		}
	}
}

func TestClosedWaysReachNothing(t *testing.T) {
	b := setUp(t)
	b.Ways = outside.Closed{}
	i := b.users(b.open(), "")
	_, err := i.List(t.Context())
	b.Class(err, cred.Unsent)
	_, _, err = i.Create(t.Context(), "x")
	b.Class(err, cred.Unsent)
	_, _, err = i.Probe(t.Context(), itself, i.Wrong())
	b.Class(err, cred.Unsent)
}

func TestWhatIsNotThereIsAbsent(t *testing.T) {
	b := setUp(t)
	i, err := b.open().Issuer(KindDual, []byte(`{"user":"no_such"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.List(t.Context())
	b.Class(err, cred.Absent)
}

// TestAnotherProcessTakesNobodysPasswordAway: by their order alone a process that takes a
// run up would end the password that is in use, where somebody has replaced the old one.
func TestAnotherProcessTakesNobodysPasswordAway(t *testing.T) {
	b := setUp(t)
	h := cred.Handle{ID: b.user + "@%"}
	bundle := func(password string) secret.Bundle {
		return secret.Bundle{logins.FieldUsername: secret.New(b.user), logins.FieldPassword: secret.New(password)}
	}
	for _, c := range []struct {
		have        []string // in this order
		goes, stays string
		class       cred.Class
		left        []string
	}{
		{[]string{"second", "first"}, "first", "second", cred.Done, []string{"second"}},
		{[]string{"second", "first"}, "second", "first", cred.Done, []string{"first"}},
		{[]string{"theirs", "second"}, "first", "second", cred.Done, []string{"theirs", "second"}}, // they replaced the old one
		{[]string{"second", "theirs"}, "first", "second", cred.Done, []string{"second", "theirs"}},
		{[]string{"theirs", "first"}, "first", "second", cred.Refused, []string{"theirs", "first"}}, // they replaced the new one
		{[]string{"second", "theirs"}, "second", "first", cred.Refused, []string{"second", "theirs"}},
		{[]string{"second"}, "first", "second", cred.Done, []string{"second"}},
	} {
		var ways []string
		for _, p := range c.have {
			ways = append(ways, "mysql_native_password USING PASSWORD("+literal(p)+")")
		}
		b.SQL(t, "ALTER USER "+b.user+" IDENTIFIED VIA "+strings.Join(ways, " OR "))
		i := b.dual(b.open(), "")
		for range 2 { // idempotent
			_, err := i.EndNamed(t.Context(), h, bundle(c.goes), bundle(c.stays))
			b.Class(err, c.class)
		}
		for _, p := range []string{"first", "second", "theirs"} {
			want := cred.Rejected
			if slices.Contains(c.left, p) {
				want = cred.Accepted
			}
			b.Verdict(i, bundle(p), want)
		}
	}
}

// TestGoingBackLeavesOnePassword: the one that everybody has again; where that is none
// of the two, nothing is changed.
func TestGoingBackLeavesOnePassword(t *testing.T) {
	b := setUp(t)
	i := b.dual(b.open(), "")
	old, err := i.Find(t.Context(), cred.Handle{ID: b.user + "@%"})
	if err != nil {
		t.Fatal(err)
	}
	h, made, err := i.Roll(t.Context(), old, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var u provider.Unroller = i
	_, err = u.Unroll(t.Context(), h, secret.Bundle{logins.FieldUsername: secret.New(b.user), logins.FieldPassword: secret.New("neither")})
	b.Class(err, cred.Refused)
	b.Verdict(i, made, cred.Accepted)
	for range 2 { // idempotent
		if now, err := u.Unroll(t.Context(), h, first(b.user)); err != nil || now.Version != 1 {
			t.Errorf("%+v, %v", now, err)
		}
	}
	b.Verdict(i, first(b.user), cred.Accepted)
	b.Verdict(i, made, cred.Rejected)
	if f, err := i.ForeseeEnd(t.Context(), h); err != nil || len(f.Refused) != 0 {
		t.Errorf("the next run would not start: %+v, %v", f, err)
	}
}
