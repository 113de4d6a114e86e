//go:build !windows

package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/realserver"
	"rekey/internal/secret"
)

type ctx = context.Context

// settleUsers waits until so many sessions are seen.
func (b *bench) settleUsers(i provider.Users, h cred.Handle, want int) {
	b.t.Helper()
	for range 200 {
		if users, err := i.Users(b.t.Context(), h); err != nil {
			b.t.Fatal(err)
		} else if len(users) == want {
			return
		}
	}
	b.t.Fatalf("there are never %d users", want)
}

func TestHostileNames(t *testing.T) {
	b := setUp(t)
	b.SQL(t, "postgres", "CREATE ROLE canary_"+b.id)
	group := `g"; DROP ROLE canary_` + b.id + `; --'`
	b.SQL(t, "postgres", "CREATE ROLE "+ident(group))
	s := b.open()
	i := realserver.IssuerOf[*login](t, s, KindLogin, fmt.Sprintf(`{"group":%q,"as_group":true,"owned":"reassign","sessions":"leave"}`, group))
	for n, name := range []string{
		`a"b` + b.id, `'; DROP ROLE canary_` + b.id + `; --`, `$1 %s \' ` + b.id, "line\nbreak " + b.id, `ünïcödé ` + b.id, `{"json":"]"} [rekey {]` + b.id, strings.Repeat("x", nameMax-8) + b.id, `select ` + b.id,
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
		if f, err := i.ForeseeEnd(t.Context(), h); err != nil || len(f.Refused) == 0 { // not a member of it
			_ = f
		}
		if _, err := i.Switch(t.Context(), h, false); err != nil {
			t.Errorf("%d: %v", n, err)
		}
	}
	if n := b.SQL(t, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'canary_"+b.id+"'")[0][0]; n != "1" {
		t.Error("a name was taken for a statement")
	}
	for _, name := range []string{"", strings.Repeat("x", nameMax+1), strings.Repeat("ü", 32), "pg_x", "a\x00b", "\xff"} {
		if _, err := i.Make(name); err == nil {
			t.Errorf("%q is taken", name)
		}
		_, _, err := i.Create(t.Context(), name)
		b.Class(err, cred.Refused)
	}
}

// TestHostileComments: what others wrote on a role is neither lost nor believed.
func TestHostileComments(t *testing.T) {
	for comment, want := range map[string]string{
		"":                             "",
		"theirs":                       "theirs",
		"[rekey {":                     "[rekey {",
		"[rekey {}]":                   "",
		`x [rekey {"count":3}]`:        "x",
		`[rekey {"a":1}] [rekey {"n]`:  `[rekey {"a":1}] [rekey {"n]`,
		`a [rekey {"count":"no"}]`:     `a [rekey {"count":"no"}]`,
		"quote ' and \\ and\nline end": "quote ' and \\ and\nline end",
	} {
		if got, _ := readComment(comment); got != want {
			t.Errorf("%q: %q", comment, got)
		}
	}
	b := setUp(t)
	theirs := `it's "theirs" \ [rekey {"count":9}`
	b.SQL(t, "postgres", "COMMENT ON ROLE "+b.role+" IS "+literal(theirs))
	i := b.inPlace(b.open())
	for n := 1; n <= 2; n++ {
		listed, _ := i.List(t.Context())
		if h, _, err := i.Roll(t.Context(), listed[0], zero); err != nil || h.Version != n {
			t.Fatalf("rolled %+v, %v", h, err)
		}
	}
	got := b.SQL(t, "postgres", "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = "+literal(b.role))[0][0]
	if !strings.HasPrefix(got, theirs+" [rekey {") {
		t.Errorf("the comment became %q", got)
	}
}

// TestPasswordsOfOthersArriveWhole: a store may hold one that we did not make.
func TestPasswordsOfOthersArriveWhole(t *testing.T) {
	b := setUp(t)
	i := b.inPlace(b.open())
	for _, p := range []string{`'`, `"`, `\`, `a b`, `%s$1`, `p@ss:w/rd?#&`, `'; DROP ROLE x; --`} {
		b.SQL(t, "postgres", "ALTER ROLE "+b.role+" PASSWORD "+literal(p))
		b.Verdict(i, secret.Bundle{logins.FieldUsername: secret.New(b.role), logins.FieldPassword: secret.New(p)}, cred.Accepted)
	}
}
