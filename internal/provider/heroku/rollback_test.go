package heroku_test

import (
	"bytes"
	"maps"
	"net/http"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sim"
)

const (
	prod   = `{"app":"raxx-console-prod"}`
	former = "CF_ACCESS_SERVICE_TOKEN_CONSOLE"
)

// write sets config vars as anybody might.
func write(t *testing.T, c provider.Consumer, values map[string]string) {
	t.Helper()
	var list []provider.SlotValue
	for k, v := range values {
		list = append(list, provider.SlotValue{Slot: k, Value: secret.New(v)})
	}
	if err := c.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

// rollBack rolls the app back to its first release by Heroku's own endpoint.
func rollBack(t *testing.T, b *bench) {
	t.Helper()
	first := ""
	b.Look(func(s *sim.State) { first = s.Heroku.Apps[0].Releases[0].ID })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.heroku.com/apps/raxx-console-prod/releases", bytes.NewBufferString(`{"release":"`+first+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.Env()["HEROKU_API_KEY"])
	req.Header.Set("Accept", "application/vnd.heroku+json; version=3")
	resp, err := b.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%v %v", resp, err)
	}
}

const whose = "release v43 (Rollback to v41 by ops@example.com)"

// TestRollbackIsNamed: a value that a rollback brought back says so (T46), whatever
// was set since beside it.
func TestRollbackIsNamed(t *testing.T) {
	b, v := open(t)
	c := consumer(t, v, prod)
	write(t, c, map[string]string{slot: "new"})
	rollBack(t, b)
	write(t, c, map[string]string{slot + "__CLIENT_ID": "beside it"})
	s := snapshot(t, c, slot, former)
	if s.Slots[slot].From != whose || s.Slots[former].From != "" {
		t.Errorf("%q, and of what did not change %q", s.Slots[slot].From, s.Slots[former].From)
	}
	if !said(s.Notes, whose, "brought back an earlier value of "+slot) {
		t.Errorf("%q", s.Notes)
	}
}

// TestNoRollbackIsBlamed where the value was set since, where the rollback changed
// nothing of ours, where it failed, and where there was none.
func TestNoRollbackIsBlamed(t *testing.T) {
	for name, do := range map[string]func(*bench, provider.Consumer){
		"none": func(_ *bench, c provider.Consumer) { write(t, c, map[string]string{slot: "new"}) },
		"set since": func(b *bench, c provider.Consumer) {
			write(t, c, map[string]string{slot: "new"})
			rollBack(t, b)
			write(t, c, map[string]string{slot: "newer"})
		},
		"another value": func(b *bench, c provider.Consumer) { write(t, c, map[string]string{"X": "new"}); rollBack(t, b) },
		"it failed": func(b *bench, c provider.Consumer) {
			write(t, c, map[string]string{slot: "new"})
			b.Turn(func(k *sim.Knobs) { k.Release = "failed" })
			rollBack(t, b)
		},
	} {
		b, v := open(t)
		c := consumer(t, v, prod)
		do(b, c)
		s := snapshot(t, c, slot)
		if s.Slots[slot].From != "" || said(s.Notes, "brought") {
			t.Errorf("%s: %q, %q", name, s.Slots[slot].From, s.Notes)
		}
	}
}

// TestRollbackThatCannotBeCompared is told as a possibility, and stops nothing:
// going back looks at the app the same way.
func TestRollbackThatCannotBeCompared(t *testing.T) {
	for status, class := range map[int]cred.Class{404: cred.Absent, 503: cred.Unknown, 403: cred.Denied} {
		b, v := open(t)
		c := consumer(t, v, prod)
		write(t, c, map[string]string{slot: "new"})
		rollBack(t, b)
		b.Inject(sim.Fault{Vendor: "heroku", Endpoint: "releases/{release}/config-vars", Status: status})
		s, err := c.Snapshot(t.Context(), []string{slot})
		if err != nil || !said(s.Notes, whose, "may have brought earlier values back", string(class)) || s.Slots[slot].From != "" {
			t.Errorf("%d: %q, %v", status, s.Notes, err)
		}
	}
}

// TestRollbackOverManyReleases: the release before is the one that ran, not one
// that failed in between.
func TestRollbackOverManyReleases(t *testing.T) {
	b, v := open(t)
	c := consumer(t, v, prod)
	write(t, c, map[string]string{slot: "new"})
	b.Look(func(s *sim.State) {
		a := s.Heroku.Apps[0]
		last := a.Releases[len(a.Releases)-1]
		vars := maps.Clone(a.Releases[0].Vars)
		a.Releases = append(a.Releases, &sim.Release{ID: "failed", Version: last.Version + 1, Status: "failed", Description: "Deploy 1", Vars: vars})
	})
	rollBack(t, b)
	if got := snapshot(t, c, slot).Slots[slot].From; got != "release v44 (Rollback to v41 by ops@example.com)" {
		t.Errorf("%q", got)
	}
}
