package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"rekey/internal/client"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/service"
	"rekey/internal/sim"
)

// fillDemo plays what a visitor finds, and returns what he may try, in order. What waits
// for an agreement was asked by the schedule: nobody agrees to what he has asked for.
func fillDemo(ctx context.Context, address string, world *sim.World) ([]service.Hint, error) {
	ops, err := client.Dial(address, client.Here{Env: func(string) (string, bool) { return "", false }, Version: version})
	if err != nil {
		return nil, err
	}
	const first, second = "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SVC_VAULT"
	d := demoFiller{ctx: ctx, ops: ops, runs: map[string]string{}}
	// The issuer refuses to delete the old one, and does not once the run is stuck. Nothing
	// else deletes until then: what the schedule has begun takes longer.
	world.Inject(sim.Fault{Endpoint: "DELETE ", Status: http.StatusForbidden, Times: -1})
	d.open("MAIL_TOKEN", "MAIL_TOKEN", "DEMO-1", estate.Silent{})
	world.Look(func(s *sim.State) { s.Faults = nil })
	// A check dates a credential; what is due then, the schedule begins or asks for.
	d.atOnce(
		func() { d.check("SHOP_TOKEN", "REPORTS_TOKEN", "BILLING_TOKEN", "ARCHIVE_TOKEN") },
		func() { d.open(first, first, "DEMO-2", estate.Silent{}) },
		func() { d.turnedBack("SEARCH_TOKEN") },
	)
	d.open(second, "", "DEMO-4", estate.Silent{}) // not confirmed: it waits for a person
	d.byHand("PARTNER_KEY")
	_, err = ops.Discover(ctx, nil)
	d.failed(err)
	d.scheduled("SHOP_TOKEN", "REPORTS_TOKEN", "BILLING_TOKEN")
	run := func(credential string) string { return "/runs/" + d.runs[credential] }
	return []service.Hint{
		{Title: "Approve a request", Says: "The schedule has begun to rotate SHOP_TOKEN, and takes the old one away only when somebody agrees. See it go on.", To: run("SHOP_TOKEN"), Command: "rekey approve SHOP_TOKEN"},
		{Title: "Fix a stuck run", Says: "Cloudflare refused to delete the old MAIL_TOKEN, and would not now. Resume the run.", To: run("MAIL_TOKEN"), Command: "rekey resume " + d.runs["MAIL_TOKEN"]},
		{Title: "Confirm by typing a name", Says: "The run of " + second + " waits before the point of no return.", To: run(second), Command: "rekey resume " + d.runs[second]},
		{Title: "Do something by hand", Says: "The keys of PARTNER_KEY only a person can make, in the vendor's web page. The run asks for it step by step, and takes the value by a hidden form.", To: run("PARTNER_KEY")},
		{Title: "Watch one run", Says: "REPORTS_TOKEN takes a few minutes, and moves by itself; send it back at any time before the end.", To: run("REPORTS_TOKEN")},
		{Title: "Watch a rollback", Says: "SEARCH_TOKEN gets its old value again, and the new one stays until every process has let go of it.", To: run("SEARCH_TOKEN")},
		{Title: "Read a plan before it begins", Says: "BILLING_TOKEN is due, and begins exactly as planned once somebody agrees.", To: "/approvals", Command: "rekey approvals"},
		{Title: "See what is due, and what waits for its window", Says: "For everything that does not start, the calendar says why.", To: "/calendar", Command: "rekey schedule"},
		{Title: "See who else holds a credential", Says: "The app mail-token holds ARCHIVE_TOKEN, and nobody has registered it.", To: "/findings", Command: "rekey discover"},
		{Title: "Begin one yourself", Says: "Plan " + first + " once more, read what it would do, and start it.", To: "/credentials/" + first + "/plan", Command: "rekey plan " + first},
		{Title: "Verify the record", Says: "Everything above is in a signed journal that anybody can check.", To: "/evidence", Command: "rekey verify"},
	}, d.err
}

// demoFiller fills the demo; what goes wrong first ends it.
type demoFiller struct {
	ctx context.Context
	ops *client.Client

	mu   sync.Mutex
	runs map[string]string // by credential
	err  error
}

func (d *demoFiller) failed(err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
	return d.err != nil
}

func (d *demoFiller) atOnce(do ...func()) {
	var all sync.WaitGroup
	for _, f := range do {
		all.Go(f)
	}
	all.Wait()
}

func (d *demoFiller) check(credentials ...string) {
	for _, name := range credentials {
		_, err := d.ops.Check(d.ctx, estate.Wish{Credential: name})
		d.failed(err)
	}
}

// open opens a run, and follows it until it is over, or waits.
func (d *demoFiller) open(credential, confirm, ticket string, f estate.Face) {
	if d.failed(nil) {
		return
	}
	ended, err := d.ops.Open(d.ctx, estate.Opening{Wish: estate.Wish{Credential: credential}, Confirm: confirm, Reason: "every 90 days", Ticket: ticket, Alongside: true}, f)
	if d.failed(err) || ended.State == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs[credential] = ended.State.Run
}

// byHand opens a run, and leaves it as soon as it asks for something that is done by hand.
func (d *demoFiller) byHand(credential string) {
	ctx, stop := context.WithCancel(d.ctx)
	defer stop()
	inner := demoFiller{ctx: ctx, ops: d.ops, runs: map[string]string{}}
	var followed sync.WaitGroup
	followed.Go(func() { inner.open(credential, "", "DEMO-5", estate.Silent{}) })
	asks := false
	for range 120 {
		status, err := d.ops.Status(d.ctx, estate.StatusAsked{})
		if d.failed(err) {
			break
		}
		if asks = slices.ContainsFunc(status.Rows, func(r report.Row) bool { return r.Credential == credential && r.ByHand != "" }); asks {
			break
		}
		select {
		case <-d.ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
	stop()
	followed.Wait()
	if d.failed(inner.err) || d.failed(d.ctx.Err()) {
		return
	}
	if !asks {
		d.failed(errors.New("nobody is asked to do anything by hand"))
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs[credential] = inner.runs[credential]
}

// turnedBack opens a run, and turns it back as soon as its consumer has the new credential
// and old processes are waited for: until they are gone the way back waits as well.
func (d *demoFiller) turnedBack(credential string) {
	ctx, stop := context.WithCancel(d.ctx)
	defer stop()
	inner := demoFiller{ctx: ctx, ops: d.ops, runs: map[string]string{}}
	inner.open(credential, "", "DEMO-3", waitsLong{stop: stop})
	if d.failed(inner.err) || d.failed(d.ctx.Err()) {
		return
	}
	d.mu.Lock()
	run := inner.runs[credential]
	d.runs[credential] = run
	d.mu.Unlock()
	brief, cancel := context.WithTimeout(d.ctx, 2*time.Second)
	defer cancel()
	if _, err := d.ops.GoBack(brief, estate.Backing{Run: run, Reason: "search is slow since the release"}, estate.Silent{}); d.ctx.Err() == nil && brief.Err() == nil {
		d.failed(err)
	}
}

// waitsLong stops following a run that waits for minutes.
type waitsLong struct {
	estate.Silent
	stop func()
}

func (w waitsLong) Waits(for_ rotation.Wait) {
	if time.Until(for_.Until) > time.Minute {
		w.stop()
	}
}

// scheduled waits until the schedule has begun, or has asked for, these.
func (d *demoFiller) scheduled(credentials ...string) {
	for range 120 {
		status, err := d.ops.Status(d.ctx, estate.StatusAsked{})
		if d.failed(err) {
			return
		}
		asked, err := d.ops.Approvals(d.ctx)
		if d.failed(err) {
			return
		}
		d.mu.Lock()
		for _, r := range status.Rows {
			if r.Open != nil {
				d.runs[r.Credential] = r.Open.Run
			}
		}
		left := 0
		for _, name := range credentials {
			if d.runs[name] == "" {
				left++
			}
		}
		d.mu.Unlock()
		if left -= len(asked); left <= 0 { // what is asked for before it begins has no run
			return
		}
		select {
		case <-d.ctx.Done():
			d.failed(d.ctx.Err())
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
	d.failed(errors.New("the schedule has started nothing"))
}
