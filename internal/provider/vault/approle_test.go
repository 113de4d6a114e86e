package vault_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/vault"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

var itself = sop.Probe{URL: sop.IssuerItself}

// issuer is a role app of a fresh AppRole mount.
func (s *server) issuer(t *testing.T, w *world, settings string) provider.Issuer {
	t.Helper()
	if status, _ := s.ask(t, "GET", "auth/approle/role/app/role-id", ""); status != http.StatusOK {
		s.admin(t, "POST", "sys/auth/approle", `{"type":"approle"}`)
		s.admin(t, "POST", "auth/approle/role/app", settings)
	}
	i, err := s.open(t, w, "").(provider.Issues).Issuer(vault.KindSecretID, json.RawMessage(`{"role":"app"}`))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func proves(t *testing.T, i provider.Issuer, b secret.Bundle, want cred.Verdict) {
	t.Helper()
	got, detail, err := i.(provider.Prober).Probe(t.Context(), itself, b)
	if err != nil || got != want {
		t.Errorf("%s (%s) %v, want %s", got, detail, err, want)
	}
}

// TestTwoSecretIDsLiveAndOneIsDestroyed: a whole rotation, as a run does it.
func TestTwoSecretIDsLiveAndOneIsDestroyed(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		w := &world{}
		i := s.issuer(t, w, `{"token_policies":["default"]}`)
		if none, err := i.List(t.Context()); err != nil || none == nil || len(none) != 0 {
			t.Fatalf("%v %v", none, err)
		}
		// The one in use was made by hand, with metadata that policies go by.
		var byHand struct {
			Data struct {
				ID       string `json:"secret_id"`
				Accessor string `json:"secret_id_accessor"`
			}
		}
		if err := json.Unmarshal([]byte(s.admin(t, "POST", "auth/approle/role/app/secret-id", `{"metadata":"{\"team\":\"platform\"}","cidr_list":["127.0.0.0/8"]}`)), &byHand); err != nil {
			t.Fatal(err)
		}
		old := cred.Handle{ID: byHand.Data.Accessor}
		oldBundle := secret.Bundle{vault.FieldSecretID: secret.New(byHand.Data.ID)}
		proves(t, i, oldBundle, cred.Accepted)
		made, b, err := i.(provider.Copier).CreateLike(t.Context(), `app-2026 "k7f3q2-1", a=b`, old)
		if err != nil || !b.Complete([]string{"secret_id", "role_id", "accessor"}) {
			t.Fatal(err)
		}
		proves(t, i, b, cred.Accepted)
		proves(t, i, oldBundle, cred.Accepted)
		listed, err := i.List(t.Context())
		if err != nil || len(listed) != 2 {
			t.Fatalf("%v %v", listed, err)
		}
		found, err := i.(provider.Finder).Find(t.Context(), made)
		if err != nil || found.Name != made.Name || found.Created.IsZero() || !found.Expires.IsZero() {
			t.Errorf("%+v %v", found, err)
		}
		shown := s.admin(t, "POST", "auth/approle/role/app/secret-id-accessor/lookup", `{"secret_id_accessor":"`+made.ID+`"}`)
		for _, copied := range []string{`"team":"platform"`, `127.0.0.0/8`} {
			if !strings.Contains(shown, copied) {
				t.Errorf("not copied: %s", copied)
			}
		}
		for _, x := range []struct {
			b    secret.Bundle
			want string
		}{{b, made.ID}, {oldBundle, old.ID}, {secret.Bundle{}, ""}, {i.(provider.Prober).Wrong(), ""}} {
			if got, err := i.Owner(t.Context(), x.b, listed); err != nil || got != x.want {
				t.Errorf("owner %q %v, want %q", got, err, x.want)
			}
		}
		if err := i.Revoke(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		for range 8 { // no refused login is among them: five would lock the role
			proves(t, i, oldBundle, cred.Rejected)
			proves(t, i, i.(provider.Prober).Wrong(), cred.Rejected)
			proves(t, i, nil, cred.Rejected)
		}
		proves(t, i, b, cred.Accepted)
		if err := i.Revoke(t.Context(), old); cred.ClassOf(err) != cred.Absent {
			t.Error(err)
		}
		if _, err := i.(provider.Finder).Find(t.Context(), old); cred.ClassOf(err) != cred.Absent || !strings.Contains(err.Error(), "no secret id with this accessor") {
			t.Error(err)
		}
		if listed, err := i.List(t.Context()); err != nil || len(listed) != 1 || listed[0].ID != made.ID {
			t.Errorf("%v %v", listed, err)
		}
	})
}

// TestALockedRoleIsNotTakenForADeadSecretID: five refused logins by somebody lock it.
func TestALockedRoleIsNotTakenForADeadSecretID(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		i := s.issuer(t, &world{}, `{}`)
		_, b, err := i.Create(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			s.ask(t, "POST", "auth/approle/login", fmt.Sprintf(`{"role_id":%q,"secret_id":"guessed"}`, b[vault.FieldRoleID].Reveal()))
		}
		proves(t, i, b, cred.Unclear)
	})
}

// TestASecretIDWhoseAnswerIsLostIsFoundByItsName.
func TestASecretIDWhoseAnswerIsLostIsFoundByItsName(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		cut := true
		w := &world{}
		w.transport = hook{after: func(r *http.Request, resp *http.Response) (*http.Response, error) {
			if cut && strings.HasSuffix(r.URL.Path, "/secret-id") && r.Method == "POST" {
				cut = false
				_ = resp.Body.Close()
				return nil, io.ErrUnexpectedEOF
			}
			return resp, nil
		}}
		i := s.issuer(t, w, `{}`)
		if _, _, err := i.Create(t.Context(), "app-k7f3q2-1"); !cred.MayHaveHappened(err) {
			t.Fatal(err)
		}
		listed, err := i.List(t.Context())
		if err != nil || len(listed) != 1 || !cred.Bears(listed[0].Name, "k7f3q2-1") {
			t.Fatalf("%v %v", listed, err)
		}
		if err := i.Revoke(t.Context(), listed[0]); err != nil {
			t.Error(err)
		}
	})
}

// TestTheEndOfARoleIsForeseen: no right to destroy, uses that proofs would spend, a
// role that is not there.
func TestTheEndOfARoleIsForeseen(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		i := s.issuer(t, &world{}, `{"secret_id_ttl":"48h"}`)
		fore := func(i provider.Issuer) string {
			t.Helper()
			f, err := i.(provider.EndForesight).ForeseeEnd(t.Context(), cred.Handle{})
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(f.Refused, "\n")
		}
		if got := fore(i); got != "" {
			t.Error(got)
		}
		role := "auth/approle/role/app"
		token := s.limited(t, map[string]string{role + "/role-id": "read", role + "/secret-id": "update list", role + "/secret-id/lookup": "update", role + "/secret-id-accessor/lookup": "update", role: "read"})
		few, err := s.open(t, &world{}, token).(provider.Issues).Issuer(vault.KindSecretID, json.RawMessage(`{"role":"app"}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := fore(few); !strings.Contains(got, role+"/secret-id-accessor/destroy") || strings.Contains(got, "lookup") {
			t.Error(got)
		}
		made, _, err := few.Create(t.Context(), "app")
		if err != nil || time.Until(made.Expires).Round(time.Hour) != 48*time.Hour {
			t.Fatal(made, err)
		}
		if err := few.Revoke(t.Context(), made); cred.ClassOf(err) != cred.Denied || cred.MayHaveHappened(err) {
			t.Error(err)
		}
		long, _ := s.open(t, &world{}, "").(provider.Issues).Issuer(vault.KindSecretID, json.RawMessage(`{"role":"app","expires_in":"72h"}`))
		if _, _, err := long.Create(t.Context(), "app"); cred.ClassOf(err) != cred.Refused || cred.MayHaveHappened(err) || !strings.Contains(err.Error(), "expires_in") {
			t.Error(err)
		}
		s.admin(t, "POST", role, `{"secret_id_num_uses":3}`)
		if got := fore(i); !strings.Contains(got, "3 times") {
			t.Error(got)
		}
		_, b, err := i.Create(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			proves(t, i, b, cred.Unclear) // and no use is spent
		}
		gone, _ := s.open(t, &world{}, "").(provider.Issues).Issuer(vault.KindSecretID, json.RawMessage(`{"role":"none"}`))
		if _, err := gone.List(t.Context()); cred.ClassOf(err) != cred.Absent {
			t.Error(err)
		}
		if _, _, err := gone.Create(t.Context(), "app"); cred.ClassOf(err) != cred.Absent || cred.MayHaveHappened(err) {
			t.Error(err)
		}
		if err := gone.Revoke(t.Context(), made); cred.ClassOf(err) != cred.Absent {
			t.Error(err)
		}
	})
}

// TestRekeyReplacesItsOwnSecretID: it logs in by it, knows which it is, goes on with the
// new one, and leaves no token behind.
func TestRekeyReplacesItsOwnSecretID(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.admin(t, "PUT", "sys/policies/acl/rotates", `{"policy":"{\"path\":{\"auth/approle/role/*\":{\"capabilities\":[\"read\",\"create\",\"update\",\"list\"]}}}"}`)
		i := s.issuer(t, &world{}, `{"token_policies":["rotates"]}`)
		own, b, err := i.Create(t.Context(), "rekey itself")
		if err != nil {
			t.Fatal(err)
		}
		w := &world{values: map[string]string{"ROLE": b[vault.FieldRoleID].Reveal(), "KEY": b[vault.FieldSecretID].Reveal()}, marks: &marks{}}
		const login = `"role_id":"env:ROLE","secret_id":"env:KEY"`
		v := s.openWith(t, w, login)
		i, err = v.(provider.Issues).Issuer(vault.KindSecretID, json.RawMessage(`{"role":"app"}`))
		if err != nil {
			t.Fatal(err)
		}
		if id, err := i.(provider.Self).Self(t.Context()); err != nil || id != own.ID {
			t.Fatalf("%q %v", id, err)
		}
		_, fresh, err := i.Create(t.Context(), "rekey itself, new")
		if err != nil {
			t.Fatal(err)
		}
		i.(provider.Self).Adopt(fresh)
		if err := i.Revoke(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		if listed, err := i.List(t.Context()); err != nil || len(listed) != 1 {
			t.Errorf("%v %v", listed, err)
		}
		v.Close(t.Context())
		// A new process has the old one still: its login is refused once and not sent again.
		for n := range 3 {
			w.calls = nil
			again, _ := s.openWith(t, w, login).(provider.Issues).Issuer(vault.KindSecretID, json.RawMessage(`{"role":"app"}`))
			_, err := again.List(t.Context())
			if cred.ClassOf(err) != cred.Denied || len(w.calls) > 0 != (n == 0) {
				t.Errorf("%v after %d calls", err, len(w.calls))
			}
		}
	})
}

// marks keeps what was refused, as a command does for the next.
type marks struct {
	name string
	v    secret.Value
	at   []time.Time
}

func (m *marks) Mark(name string, v secret.Value, at time.Time) {
	m.name, m.v, m.at = name, v, append(m.at, at)
}
func (m *marks) Clear(string) { m.at = nil }
func (m *marks) Marked(name string, v secret.Value) ([]time.Time, bool) {
	return m.at, m.name == name && m.v.Equal(v)
}

// TestTheRealCoreIsKilledAndGoesOn: what was written is there, and what was not
// answered is looked for.
func TestTheRealCoreIsKilledAndGoesOn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, kill := core(t, folder)
	s.admin(t, "POST", "sys/mounts/secret", `{"type":"kv","options":{"version":"2"}}`)
	wait(t, "the engine has been set up", func() bool { status, _ := s.ask(t, "GET", "secret/config", ""); return status == http.StatusOK })
	s.admin(t, "POST", path, `{"data":{"KEY":"old"}}`)
	w := &world{}
	// It is killed once the write has arrived, before anything of the answer is read.
	w.transport = hook{after: func(r *http.Request, resp *http.Response) (*http.Response, error) {
		if r.Method == "POST" {
			kill()
			_ = resp.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return resp, nil
	}}
	_, err := s.store(t, w, "").Write(t.Context(), []provider.SlotValue{slot("KEY", "new")})
	if cred.ClassOf(err) != cred.Unknown || !cred.MayHaveHappened(err) {
		t.Error(err)
	}
	if _, err := s.store(t, &world{}, "").Read(t.Context(), []string{"KEY"}); cred.ClassOf(err) != cred.Unknown {
		t.Errorf("nobody is there, and it said %v", err)
	}
	s, _ = core(t, folder)
	wait(t, "the engine is back", func() bool { status, _ := s.ask(t, "GET", path, ""); return status == http.StatusOK })
	held, err := s.store(t, &world{}, "").Read(t.Context(), []string{"KEY"})
	if err != nil || held["KEY"].Value.Reveal() != "new" || held["KEY"].Version != "2" {
		t.Errorf("%+v %v", held, err)
	}
}
