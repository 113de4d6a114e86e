package access

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/identity"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestWhoMakesSomeTokensMakesNoOthers: a grant, or a token, that is limited to nightly-*
// is for the tokens of these names. Others it neither makes nor sees nor ends.
func TestWhoMakesSomeTokensMakesNoOthers(t *testing.T) {
	config := everything()
	config.Identity.Roles["bot"] = []sop.Who{{Token: "nightly-*"}, {Token: "rotator-*"}}
	config.Identity.Roles["rotator"] = []sop.Who{{Token: "rotator-*"}}
	config.Identity.Grants = append(config.Identity.Grants, sop.Grant{Role: "rotator", May: []string{"tokens"}, Credentials: []string{"nightly-*", "rotator-*"}})
	w := newWorld(t, config)
	_, _ = w.create(t, Wanted{Name: "dashboard"})
	old, _ := w.create(t, Wanted{Name: "nightly-1"})
	other, _ := w.create(t, Wanted{Name: "night"})
	byGrant := identity.Holder(config.Identity, "rotator-1", "r1")
	limited := rotation.Who{Name: "limited", Verified: true, Roles: []string{"admin", "bot"}, On: []string{"nightly-*", "CF_*"}}
	for name, by := range map[string]rotation.Who{"by a grant": byGrant, "by its token": limited} {
		t.Run(name, func(t *testing.T) {
			list, err := w.Tokens().List(t.Context(), by)
			if err != nil || slices.ContainsFunc(list, func(x Token) bool { return !strings.HasPrefix(x.Name, "nightly-") }) || len(list) == 0 || strings.Join(list[0].Roles, ",") != "bot" {
				t.Errorf("it sees %+v (%v)", list, err)
			}
			made, text, err := w.Tokens().Create(t.Context(), by, Wanted{Name: "nightly-2", Credentials: []string{"CF_*"}, Roles: []string{"bot"}})
			if err != nil || made.Fingerprint != hashed(text)[:16] {
				t.Fatalf("%+v %v", made, err)
			}
			for what, want := range map[string]Wanted{
				"a name of others":         {Name: "dashboard-2"},
				"a name that is like it":   {Name: "nightly"},
				"with roles that it lacks": {Name: "nightly-3", Credentials: []string{"CF_*"}, Roles: []string{"bot", "rotator"}},
				"with fewer roles":         {Name: "nightly-3", Credentials: []string{"CF_*"}, Roles: []string{"viewer"}},
				"the same name again":      {Name: "nightly-2", Credentials: []string{"CF_*"}},
			} {
				_, _, err := w.Tokens().Create(t.Context(), by, want)
				wrong, _ := errors.AsType[*Wrong](err)
				if err == nil || (what == "the same name again") != (wrong != nil && wrong.Taken) {
					t.Errorf("%s: %v", what, err)
				}
			}
			for _, which := range []string{"dashboard", other.ID} {
				if ended, err := w.Tokens().Revoke(t.Context(), by, which); err == nil {
					t.Errorf("it ended %+v", ended)
				}
			}
			if _, err := w.Tokens().Revoke(t.Context(), by, made.ID); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := w.Tokens().List(t.Context(), identity.Holder(config.Identity, "nightly-1", old.ID)); err == nil {
		t.Error("who may make none sees them")
	}
	may := map[sop.Op]sop.Ability{}
	for _, a := range identity.Table(config.Identity, byGrant, config.Specs, false) {
		may[a.Op] = a
	}
	if a := may[sop.OpTokens]; a.All || strings.Join(a.On, " ") != "nightly-* rotator-*" {
		t.Errorf("whoami --can says %+v", a)
	}
}

// TestNobodyGivesTheFutureEither: a token for names that nothing has yet could do more
// than its maker once something has.
func TestNobodyGivesTheFutureEither(t *testing.T) {
	w := newWorld(t, everything())
	by := rotation.Who{Name: "some", Verified: true, Roles: []string{"admin", "bot"}, On: []string{"CF_A*", "dash*", "DB_C"}}
	for pattern, allowed := range map[string]bool{"CF_A*": true, "CF_AB*": true, "CF_AX": true, "CF_*": false, "*": false, "DB_C": true, "DB_C*": false, "CF_": false} {
		_, _, err := w.Tokens().Create(t.Context(), by, Wanted{Name: "dashboard", Credentials: []string{pattern}})
		if _, err := w.Tokens().Revoke(t.Context(), root(), "dashboard"); (err == nil) != allowed {
			t.Errorf("%s: %v", pattern, err)
		}
		if e, refused := errors.AsType[*estate.Error](err); !allowed && (!refused || e.Code != estate.NoRole || strings.Contains(e.Error(), "\x00")) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// TestTheUseOfATokenIsNotedSeldom: not each request is a write.
func TestTheUseOfATokenIsNotedSeldom(t *testing.T) {
	w := newWorld(t, everything())
	made, text := w.create(t, Wanted{Name: "nightly"})
	b := w.browser()
	writes, last := 0, time.Time{}
	for range 200 { // a second between two
		_, _ = b.met(bearer(text)...)
		list, err := w.Tokens().List(t.Context(), root())
		if err != nil || list[0].ID != made.ID {
			t.Fatal(err)
		}
		if used := list[0].Used; !used.Equal(last) {
			writes, last = writes+1, used
		}
		if late := w.time.now().Sub(last); late > w.Tokens().Noted() {
			t.Fatalf("the note is %s late", late)
		}
		w.time.pass(time.Second)
	}
	if writes != 4 {
		t.Errorf("%d writes of 200 requests in 200 seconds", writes)
	}
}

// TestAListLeavesOutWhatWasRevoked, where that is not wanted: what is rotated every day
// leaves one behind each day. What expired is no such thing, for it may be in use.
func TestAListLeavesOutWhatWasRevoked(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		w := newWorld(t, everything(), func(o *Options) { o.Journal = open(t) })
		for _, name := range []string{"a", "b", "c"} {
			_, _ = w.create(t, Wanted{Name: name, Lives: time.Hour})
		}
		if _, err := w.Tokens().Revoke(t.Context(), root(), "b"); err != nil {
			t.Fatal(err)
		}
		w.time.pass(2 * time.Hour)
		for revoked, want := range map[bool]string{true: "a b c", false: "a c"} {
			list, err := w.Tokens().list(t.Context(), root(), revoked)
			var names []string
			for _, x := range list {
				names = append(names, x.Name)
			}
			if slices.Sort(names); err != nil || strings.Join(names, " ") != want {
				t.Errorf("%v: %v, want %s (%v)", revoked, names, want, err)
			}
		}
	})
}
