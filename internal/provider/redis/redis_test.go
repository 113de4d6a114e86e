//go:build !windows

package redis

import (
	"net"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

var itself = sop.Probe{URL: sop.IssuerItself}

func proves(t *testing.T, p provider.Prober, b secret.Bundle, want cred.Verdict) {
	t.Helper()
	if got, detail, err := p.Probe(t.Context(), itself, b); err != nil || got != want {
		t.Errorf("%s (%s) %v, want %s", got, detail, err, want)
	}
}

// TestAUserIsReplacedByAnother: a whole rotation, with the rules of the pattern and a
// restart in between; the password itself is sent by logins only.
func TestAUserIsReplacedByAnother(t *testing.T) {
	for _, keeps := range []string{byFile, byConfig} {
		t.Run(keeps, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, keeps)
			var sent strings.Builder
			u := mustUsers(t, openAt(t, s.port, way{sent: &sent}, ""))
			old := secret.Bundle{FieldUsername: secret.New("app"), FieldPassword: secret.New("old-password")}
			listed, err := u.List(t.Context())
			if err != nil || len(listed) != 1 || listed[0].ID != "app" {
				t.Fatalf("%v %v", listed, err)
			}
			h, b, err := u.Create(t.Context(), "app-k7f3q2-1")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(sent.String(), b[FieldPassword].Reveal()) {
				t.Error("the password was sent to make it")
			}
			pattern, made := "", ""
			for line := range strings.Lines(s.acl() + "\n") {
				if rest, is := strings.CutPrefix(line, "user pattern off "); is {
					pattern = rest
				}
				if rest, is := strings.CutPrefix(line, "user app-k7f3q2-1 on "); is {
					// That payloads are looked at is what every user has unless it says otherwise.
					made = strings.TrimPrefix(strings.Replace(rest, "#"+hash(b[FieldPassword])+" ", "", 1), "sanitize-payload ")
				}
			}
			if pattern == "" || made != pattern {
				t.Errorf("it may %q, and the pattern %q", made, pattern)
			}
			s.restart()
			proves(t, u, b, cred.Accepted)
			proves(t, u, old, cred.Accepted)
			proves(t, u, u.Wrong(), cred.Rejected)
			proves(t, u, nil, cred.Rejected)
			listed, err = u.List(t.Context())
			if err != nil || len(listed) != 2 {
				t.Errorf("%v %v", listed, err)
			}
			for _, x := range []struct {
				b    secret.Bundle
				want string
			}{{b, h.ID}, {old, "app"}, {u.Wrong(), ""}, {secret.Bundle{}, ""}} {
				if got, err := u.Owner(t.Context(), x.b, listed); err != nil || got != x.want {
					t.Errorf("owner %q %v, want %q", got, err, x.want)
				}
			}
			_, err = u.Owner(t.Context(), secret.Bundle{FieldUsername: secret.New("app"), FieldPassword: secret.New("canary-stale")}, listed)
			wants(t, err, cred.Refused)

			raw, err := net.Dial("tcp", s.address())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = raw.Close() }()
			session := newConn(raw)
			if err := session.login("app", secret.New("old-password")); err != nil {
				t.Fatal(err)
			}
			if _, err := session.do("CLIENT", "SETNAME", "web.1"); err != nil {
				t.Fatal(err)
			}
			who, err := u.Users(t.Context(), cred.Handle{ID: "app"})
			if err != nil || len(who) != 1 || who[0].Name != "web.1" || who[0].From != "127.0.0.1" || who[0].Count != 1 || who[0].Since.IsZero() {
				t.Errorf("%+v %v", who, err)
			}
			if who, err := u.Users(t.Context(), h); err != nil || who == nil || len(who) != 0 {
				t.Errorf("%+v %v", who, err)
			}
			for _, on := range []bool{false, true, false} {
				now, err := u.Switch(t.Context(), cred.Handle{ID: "app"}, on)
				if err != nil || now.Disabled == on || s.lets("app", "old-password") != on {
					t.Errorf("%+v %v", now, err)
				}
			}
			wants(t, u.Revoke(t.Context(), cred.Handle{ID: "app"}), cred.Done)
			wants(t, u.Revoke(t.Context(), cred.Handle{ID: "app"}), cred.Absent)
			if _, err := session.do("GET", "app:x"); err == nil {
				t.Error("a session of the user outlives it")
			}
			_, err = u.Switch(t.Context(), cred.Handle{ID: "app"}, true) // it must not be made by this
			wants(t, err, cred.Absent)
			s.restart()
			proves(t, u, old, cred.Rejected)
			proves(t, u, b, cred.Accepted)
			if told, err := u.Advise(t.Context(), cred.Handle{ID: "app"}); err != nil || len(told) != 1 || !strings.Contains(told[0], "127.0.0.1") {
				t.Errorf("%v %v", told, err)
			}
		})
	}
}

// TestTwoPasswordsOverlap: both are taken until the old one is taken away.
func TestTwoPasswordsOverlap(t *testing.T) {
	for _, keeps := range []string{byFile, byConfig} {
		t.Run(keeps, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, keeps)
			i := mustPassword(t, s.open(""))
			old := secret.Bundle{FieldPassword: secret.New("old-password")}
			listed, err := i.List(t.Context())
			if err != nil || len(listed) != 1 || listed[0].Version != 1 {
				t.Fatalf("%v %v", listed, err)
			}
			h, b, err := i.Roll(t.Context(), listed[0], time.Now().Add(time.Hour))
			if err != nil || !h.Previous.IsZero() || h.Version != 2 {
				t.Fatal(h, err)
			}
			s.restart()
			proves(t, i, b, cred.Accepted)
			proves(t, i, old, cred.Accepted)
			proves(t, i, i.Wrong(), cred.Rejected)
			proves(t, i, nil, cred.Rejected)
			if id, err := i.Owner(t.Context(), old, nil); err != nil || id != "app" {
				t.Errorf("%q %v", id, err)
			}
			_, _, err = i.Roll(t.Context(), h, time.Now().Add(time.Hour)) // a third would make it unknown which is in use
			wants(t, err, cred.Refused)
			if now, err := i.Keep(t.Context(), listed[0], time.Now().Add(time.Hour)); err != nil || !now.Previous.IsZero() || !s.lets("app", "old-password") {
				t.Errorf("%+v %v", now, err)
			}
			for range 2 {
				if now, err := i.Keep(t.Context(), listed[0], time.Now()); err != nil || now.Previous.After(time.Now()) || s.lets("app", "old-password") {
					t.Errorf("%+v %v", now, err)
				}
			}
			s.restart()
			proves(t, i, b, cred.Accepted)
			proves(t, i, old, cred.Rejected)
			if _, b, err = i.Roll(t.Context(), h, time.Time{}); err != nil { // at once
				t.Fatal(err)
			}
			proves(t, i, b, cred.Accepted)
			if now, err := i.Find(t.Context(), h); err != nil || now.Version != 1 {
				t.Errorf("%+v %v", now, err)
			}
			wants(t, i.Revoke(t.Context(), h), cred.Done)
			proves(t, i, b, cred.Rejected)
			if listed, err := i.List(t.Context()); err != nil || len(listed) != 0 {
				t.Errorf("%v %v", listed, err)
			}
			wants(t, i.Revoke(t.Context(), h), cred.Absent)
		})
	}
}

// TestAPasswordOfSomebodyElseIsNotTakenAway: who has added or replaced one meanwhile
// keeps it, and the run says that it does not know.
func TestAPasswordOfSomebodyElseIsNotTakenAway(t *testing.T) {
	for name, theirs := range map[string][]string{"added": {">theirs"}, "replaced the old one": {"<old-password", ">theirs"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, byFile)
			i := mustPassword(t, s.open(""))
			_, b, err := i.Roll(t.Context(), cred.Handle{ID: "app"}, time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			s.do(append([]string{"ACL", "SETUSER", "app"}, theirs...)...)
			_, err = i.Keep(t.Context(), cred.Handle{ID: "app"}, time.Now())
			wants(t, err, cred.Refused)
			if !s.lets("app", "theirs") || !s.lets("app", b[FieldPassword].Reveal()) {
				t.Error("somebody was shut out")
			}
		})
	}
}

// TestAnotherProcessTakesNobodysPasswordAway: a process that takes a run up knows which
// passwords the run is about, and none of somebody else's, who has replaced one of them
// while nobody was there. By their order alone it would take away the one that is in use.
func TestAnotherProcessTakesNobodysPasswordAway(t *testing.T) {
	old := secret.Bundle{FieldPassword: secret.New("old-password")}
	for name, c := range map[string]struct {
		theirs []string
		back   bool // it goes back to the old one
		class  cred.Class
		left   []bool // of the old one, the new one and theirs
	}{
		"nobody":                               {nil, false, cred.Done, []bool{false, true, false}},
		"nobody, back":                         {nil, true, cred.Done, []bool{true, false, false}},
		"one was added":                        {[]string{">theirs"}, false, cred.Done, []bool{false, true, true}},
		"the old one was replaced":             {[]string{"<old-password", ">theirs"}, false, cred.Done, []bool{false, true, true}},
		"the new one was replaced":             {[]string{"<NEW", ">theirs"}, false, cred.Refused, []bool{true, false, true}},
		"the new one was replaced, going back": {[]string{"<NEW", ">theirs"}, true, cred.Done, []bool{true, false, true}},
		"the old one was replaced, going back": {[]string{"<old-password", ">theirs"}, true, cred.Refused, []bool{false, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, byFile)
			_, fresh, err := mustPassword(t, s.open("")).Roll(t.Context(), cred.Handle{ID: "app"}, time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.theirs) > 0 {
				rules := []string{"ACL", "SETUSER", "app"}
				for _, r := range c.theirs {
					rules = append(rules, strings.ReplaceAll(r, "NEW", fresh[FieldPassword].Reveal()))
				}
				s.do(rules...)
			}
			i := mustPassword(t, s.open("")) // another process
			goes, stays := old, fresh
			if c.back {
				goes, stays = fresh, old
			}
			for range 2 { // idempotent
				_, err = i.EndNamed(t.Context(), cred.Handle{ID: "app"}, goes, stays)
				wants(t, err, c.class)
			}
			if !c.back && len(c.theirs) > 0 { // by their order it does nothing, or nothing wrong
				_, _ = i.Keep(t.Context(), cred.Handle{ID: "app"}, time.Now())
			}
			for n, password := range []string{"old-password", fresh[FieldPassword].Reveal(), "theirs"} {
				if s.lets("app", password) != c.left[n] {
					t.Errorf("password %d works: %v, want %v", n, !c.left[n], c.left[n])
				}
			}
		})
	}
}

// TestARefusedLoginIsNotTheUserDefault: who goes on after it may do anything here.
func TestARefusedLoginIsNotTheUserDefault(t *testing.T) {
	s := startServer(t, byFile)
	before := s.acl()
	v := openAt(t, s.port, way{}, `,"password":"env:WRONG"`)
	_, _, err := mustUsers(t, v).Create(t.Context(), "app-2")
	wants(t, err, cred.Denied)
	wants(t, mustUsers(t, v).Revoke(t.Context(), cred.Handle{ID: "app"}), cred.Denied)
	_, err = mustUsers(t, v).List(t.Context())
	wants(t, err, cred.Denied)
	if !strings.Contains(err.Error(), "env:WRONG") {
		t.Errorf("it does not say what was used: %v", err)
	}
	if s.acl() != before {
		t.Error("something was changed")
	}
}

// TestNamesAreNoRules: what stands in a name stays in it.
func TestNamesAreNoRules(t *testing.T) {
	s := startServer(t, byFile)
	u := mustUsers(t, s.open(""))
	for _, name := range []string{"+@all", "nopass", "~*", "user", "a\"b'c;d#e$f(g)", "*3", strings.Repeat("x", 500)} {
		h, b, err := u.Create(t.Context(), name)
		if err != nil || h.ID != name {
			t.Errorf("%q: %v", name, err)
			continue
		}
		s.restart()
		proves(t, u, b, cred.Accepted)
		if now, err := u.Find(t.Context(), h); err != nil || now.Name != name {
			t.Errorf("%q: %+v %v", name, now, err)
		}
		wants(t, u.Revoke(t.Context(), h), cred.Done)
	}
	before := s.acl()
	for _, name := range []string{"", "a b", "a\nb", "a\x00b", "é", "rekey", "default", "pattern"} {
		_, _, err := u.Create(t.Context(), name)
		if !cred.ClassOf(err).NotApplied() {
			t.Errorf("%q: %v", name, err)
		}
		if name != "default" {
			if wants(t, u.Revoke(t.Context(), cred.Handle{ID: name}), cred.Refused); t.Failed() {
				t.Errorf("of %q", name)
			}
		}
	}
	_, _, err := u.Create(t.Context(), "app")
	wants(t, err, cred.Conflict)
	if s.acl() != before {
		t.Error("something was changed")
	}
}

// TestWhatARestartOrAnotherNodeWouldUndoIsForeseen, and what Rekey may not do.
func TestWhatARestartOrAnotherNodeWouldUndoIsForeseen(t *testing.T) {
	refused := func(t *testing.T, i provider.EndForesight, want string) {
		t.Helper()
		f, err := i.ForeseeEnd(t.Context(), cred.Handle{ID: "app"})
		if all := strings.Join(f.Refused, "\n"); err != nil || (want == "") != (all == "") || !strings.Contains(all, want) {
			t.Errorf("want %q, got %q %v", want, all, err)
		}
		if !strings.Contains(strings.Join(f.Told, "\n"), "default is on") {
			t.Errorf("the open door is not told: %v", f.Told)
		}
	}
	t.Run("nothing keeps it", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, byNobody)
		refused(t, mustUsers(t, s.open("")), "neither an ACL file nor a configuration")
		refused(t, mustPassword(t, s.open(`,"saved":"by-others"`)), "")
		// What could not be saved is not called done.
		_, _, err := mustUsers(t, s.open("")).Create(t.Context(), "app-2")
		if cred.ClassOf(err) != cred.Unknown || !cred.MayHaveHappened(err) || !strings.Contains(s.acl(), "user app-2 on") {
			t.Error(err)
		}
	})
	t.Run("replicas", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, byFile)
		refused(t, mustUsers(t, s.open("")), "")
		replica := startServer(t, byFile, "--replicaof", "127.0.0.1 "+strings.TrimPrefix(s.address(), "127.0.0.1:"))
		for !strings.Contains(s.do("INFO", "replication").text, "connected_slaves:1") {
			time.Sleep(10 * time.Millisecond)
		}
		refused(t, mustUsers(t, s.open("")), "1 replicas")
		refused(t, mustUsers(t, s.open(`,"other_nodes_by_others":true`)), "")
		refused(t, mustUsers(t, replica.open("")), "this is a replica")
	})
	t.Run("rights", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, byFile)
		s.do("ACL", "SETUSER", "rekey", "-acl|deluser")
		refused(t, mustUsers(t, s.open("")), "may not do ACL DELUSER")
		refused(t, mustPassword(t, s.open("")), "")
		s.do("ACL", "SETUSER", "app", ">another")
		refused(t, mustPassword(t, s.open("")), "2 passwords")
		s.do("ACL", "SETUSER", "app", "nopass")
		refused(t, mustPassword(t, s.open("")), "nopass")
		proves(t, mustPassword(t, s.open("")), nil, cred.Open)
		s.do("ACL", "DELUSER", "pattern")
		s.do("ACL", "SETUSER", "rekey", "+acl|deluser")
		refused(t, mustUsers(t, s.open("")), "no user pattern")
	})
}

// TestGoingBackLeavesOnePassword: the one that everybody has again; one that somebody
// else has added meanwhile stays.
func TestGoingBackLeavesOnePassword(t *testing.T) {
	s := startServer(t, byFile)
	old := secret.Bundle{FieldPassword: secret.New("old-password")}
	_, b, err := mustPassword(t, s.open("")).Roll(t.Context(), cred.Handle{ID: "app"}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	i := mustPassword(t, s.open(""))                            // another process
	_, err = i.Unroll(t.Context(), cred.Handle{ID: "app"}, old) // whose the other one is it cannot know
	wants(t, err, cred.Refused)
	_, err = i.EndNamed(t.Context(), cred.Handle{ID: "app"}, b, i.Wrong())
	wants(t, err, cred.Refused)
	proves(t, i, b, cred.Accepted)
	for range 2 { // idempotent
		if now, err := i.EndNamed(t.Context(), cred.Handle{ID: "app"}, b, old); err != nil || now.Version != 1 {
			t.Errorf("%+v %v", now, err)
		}
	}
	s.restart()
	proves(t, i, old, cred.Accepted)
	proves(t, i, b, cred.Rejected)
	if _, _, err = i.Roll(t.Context(), cred.Handle{ID: "app"}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.do("ACL", "SETUSER", "app", ">theirs")
	_, err = mustPassword(t, s.open("")).Unroll(t.Context(), cred.Handle{ID: "app"}, old)
	wants(t, err, cred.Refused)
	if !s.lets("app", "theirs") || !s.lets("app", "old-password") {
		t.Error("somebody was shut out")
	}
}
