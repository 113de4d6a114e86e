//go:build !windows

package engine_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// TestAnEmergencyWaitsForNobody: every hand is at something else, and more is due.
func TestAnEmergencyWaitsForNobody(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		busy, goOn := b.firstWaits()
		one := b.engine("one", oneAtATime)
		first, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}, Confirm: vault})
		if err != nil {
			b.Fatal(err)
		}
		b.wait("its hand is at the first", busy.Load)
		ended, err := one.Open(b.Context(), estate.Opening{
			Wish: estate.Wish{Credential: console, Purpose: sop.ToRevoke}, Confirm: console, Alongside: true, Reason: "it was in a log"}, &told{})
		if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Revoked {
			b.Fatalf("it ended as %+v (%v)", ended.State, err)
		}
		close(goOn)
		if ended, err := one.Follow(b.Context(), first, 0, &told{}); err != nil || ended.State.Closed == nil {
			b.Errorf("the first ended as %+v (%v)", ended.State, err)
		}
	})
}

// TestWhoAskedComesBeforeWhatIsDue, and what has begun before what has not; what is to go
// back has hands of its own. A run that is handed on keeps its turn.
func TestWhoAskedComesBeforeWhatIsDue(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db := b.database()
		in := b.idle("one")
		begin := func(name string, by rotation.Who) string {
			b.mu.Lock()
			who := b.who
			b.who = by
			b.mu.Unlock()
			run, err := in.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: name}, Confirm: name, Alongside: true})
			if err != nil {
				b.Fatal(err)
			}
			b.mu.Lock()
			b.who = who
			b.mu.Unlock()
			return run
		}
		stands := func(run string) (line string) {
			var queue string
			var priority int
			err := db.QueryRowContext(b.Context(), `SELECT queue, priority FROM river_job WHERE CAST(args AS TEXT) LIKE '%`+run+`%' ORDER BY id DESC LIMIT 1`).Scan(&queue, &priority)
			if err != nil {
				b.Fatal(err)
			}
			return fmt.Sprint(queue, " ", priority)
		}
		due := begin(console, rotation.Who{Name: schedule.Actor})
		wanted := begin(vault, rotation.Who{Name: "alice"})
		if stands(due) != "default 3" || stands(wanted) != "default 1" {
			b.Errorf("what is due stands in line as %s, what a person asked for as %s", stands(due), stands(wanted))
		}
		if _, err := in.TakeUp(b.Context(), estate.Advancing{Run: due}); err != nil {
			b.Fatal(err)
		}
		if stands(due) != "default 1" {
			b.Errorf("a person wants it to go on, and it stands as %s", stands(due))
		}
		if _, err := in.TurnBack(b.Context(), estate.Backing{Run: wanted, Reason: "the app is down"}); err != nil {
			b.Fatal(err)
		}
		if stands(wanted) != "urgent 1" {
			b.Errorf("what is to go back stands as %s", stands(wanted))
		}
	})
}

// TestARunThatWaitsForAPersonLeavesItsHand to others, who may be due while he sleeps.
func TestARunThatWaitsForAPersonLeavesItsHand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		text := sop.Example()
		for _, add := range []struct{ after, more string }{
			{"\nvendors:\n", "  portal: {vendor: assisted, link: \"https://portal.example.com/keys\"}\n"}, {"\ncredentials:\n", sim.PortalCredential},
		} {
			text = strings.Replace(text, add.after, add.after+add.more, 1)
		}
		if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		b.world.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
		var desk *estate.Desk
		one := b.engine("one", oneAtATime, func(o *engine.Options) {
			desk = estate.NewDesk(o.Estate, b.clock.Now)
			o.Desk = desk
		})
		byHand, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: "PORTAL_KEY"}})
		if err != nil {
			b.Fatal(err)
		}
		waits := func() string {
			rows, err := one.Leases(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range rows {
				if r.Run == byHand && r.Holder == "one" && strings.HasPrefix(r.Says(time.Now()), "asks a person: somebody has to ") {
					return r.Waits
				}
			}
			return ""
		}
		b.wait("somebody is asked", func() bool { return waits() != "" })
		ended, err := one.Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console, Alongside: true}, &told{})
		if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
			b.Fatalf("it ended as %+v (%v)", ended.State, err)
		}
		if waits() == "" {
			b.Error("the one that waits for somebody does not wait any more")
		}
	})
}

// TestARunThatCannotBeLetGoOfTakesNoHand: a vendor wants to be left alone for long, and the
// new secret is in this process's memory only. The other run is at another account: those at
// the same one would leave it alone, too.
func TestARunThatCannotBeLetGoOfTakesNoHand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		text := strings.Replace(sop.Example(), "vendors:\n", "vendors:\n  other: {vendor: cloudflare, token: env:CF_ACCESS_MGMT, account: env:CF_ACCOUNT_ID}\n", 1)
		text = strings.Replace(text, "  CF_ACCESS_SVC_VAULT:\n", "  CF_ACCESS_SVC_VAULT:\n    issuer: {vendor: other}\n", 1)
		if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		var made, limited atomic.Bool
		b.tamper(func(_ string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if made.Load() && strings.Contains(req.URL.Host, "cloudflare") && limited.CompareAndSwap(false, true) {
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3600"}}, Body: http.NoBody, Request: req}, nil
			}
			resp, err := send()
			if err == nil && req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/service_tokens") {
				made.Store(true)
			}
			return resp, err
		})
		var sleeps atomic.Bool
		wake := make(chan struct{})
		b.mu.Lock()
		b.slept = func(d time.Duration) {
			if d > 10*time.Minute && sleeps.CompareAndSwap(false, true) {
				<-wake
			}
		}
		b.mu.Unlock()
		e := b.engine("one", oneAtATime, func(o *engine.Options) { o.Park = 10 * time.Minute })
		run, err := e.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		b.wait("it waits", sleeps.Load)
		rows, err := e.Leases(b.Context())
		if err != nil || len(rows) != 1 || rows[0].Holder != "one" || rows[0].Says(time.Now()) != "waits, and is held: the new secret is in this process's memory only" {
			b.Errorf("it stands as %+v (%v)", rows, err)
		}
		if ended, err := e.Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}, Confirm: vault, Alongside: true}, &told{}); err != nil || ended.State.Closed == nil {
			b.Errorf("another run ended as %+v (%v)", ended.State, err)
		}
		// The account's limit is counted by the database's clock, for which no hour has passed.
		if _, err := b.database().ExecContext(b.Context(), `DELETE FROM lease_limits`); err != nil {
			b.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // what was read of it counts for a second
		close(wake)
		f := &told{}
		ended, err := e.Follow(b.Context(), run, 0, f)
		if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated || len(holdersOf(f)) != 1 {
			b.Errorf("it ended as %+v in the hands of %v (%v)", ended.State.Closed, holdersOf(f), err)
		}
		b.agreed(console)
	})
}
