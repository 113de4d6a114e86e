package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"rekey/internal/service"
	"rekey/internal/sim"
)

// serveDemo serves a simulated world of its own: nothing to set up, and nothing left.
func (a *app) serveDemo(ctx context.Context, f serveFlags) error {
	if err := f.wrongly(); err != nil {
		return exit{exitUsage, err}
	}
	dir, err := os.MkdirTemp("", "rekey-demo-")
	if err != nil {
		return exit{exitFailed, err}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return exit{exitFailed, fmt.Errorf("serve the simulated world: %w", err)}
	}
	state := sim.New(sim.Options{Seed: time.Now().UnixNano(), Now: a.now(), Knobs: demoKnobs(100 * time.Millisecond)})
	for _, name := range demoServices {
		state.Service(name, strings.ReplaceAll(strings.ToLower(name), "_", "-"))
	}
	state.Lend("ARCHIVE_TOKEN", "archive-token", "mail-token", "ARCHIVE_AUTH")
	state.GivePortalKeyTo("archive-token", "partner-"+a.now().AddDate(0, -3, 0).Format(time.DateOnly), "PARTNER_KEY")
	world := sim.Open(state, a.now)
	vendors := &http.Server{Handler: world, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = vendors.Serve(l) }()
	defer func() { _ = vendors.Close() }()
	file := filepath.Join(dir, "rekey.yaml")
	if err := os.WriteFile(file, []byte(serveDemoConfig("http://"+l.Addr().String())), 0o600); err != nil {
		return exit{exitFailed, err}
	}
	var guide atomic.Pointer[[]service.Hint]
	f.tick, f.guide = time.Second, func() []service.Hint {
		if hints := guide.Load(); hints != nil {
			return *hints
		}
		return nil
	}
	inside := &app{streams: a.streams, called: a.called, dir: dir, file: defaultFile, json: a.json, noColor: a.noColor}
	return inside.serving(ctx, f, file, func(address string) error {
		if !a.json {
			a.print("\n%s\n", a.style(a.out).Dim("Cloudflare, Infisical and Heroku, simulated on this machine; a team's week is being played for you…"))
		}
		hints, err := fillDemo(ctx, address, world)
		if err != nil {
			return fmt.Errorf("fill it with runs: %w", err)
		}
		guide.Store(&hints)
		a.tellGuide(address, hints)
		return nil
	})
}

// tellGuide says at the terminal what can be tried, in order.
func (a *app) tellGuide(address string, hints []service.Hint) {
	if a.json {
		return
	}
	s := a.style(a.out)
	a.print("\n%s in your browser, or in another terminal after  export REKEY_SERVER=%s\n", s.Bold("Try, in order,"), address)
	for i, h := range hints {
		a.print("  %d. %s %s\n     %s\n", i+1, s.Bold(h.Title+"."), h.Says, s.Dim(address+h.To))
		if h.Command != "" {
			a.print("     %s\n", h.Command)
		}
	}
	a.print("\n%s\n", s.Dim("Ctrl-C ends it, and leaves nothing behind."))
}

// demoServices are the credentials of the demo beside the procedure's two; the app of each
// bears its name.
var demoServices = []string{"SHOP_TOKEN", "BILLING_TOKEN", "REPORTS_TOKEN", "MAIL_TOKEN", "SEARCH_TOKEN", "ARCHIVE_TOKEN"}

// serveDemoConfig is the example in the world at an address, with a team's other
// credentials: each is rotated in another way.
func serveDemoConfig(address string) string {
	text := strings.Replace(demoConfig(), "simulate: world.json", "simulate: "+address, 1)
	text = strings.Replace(text, "\nvendors:\n", "\nvendors:\n  partner: {vendor: assisted, link: \""+demoPortal(address)+"\"}   # its keys only a person can make\n", 1)
	text = strings.Replace(text, "\ncredentials:\n", `
  service-token:                          # every one in an app of its own
    applies_to: <SCOPE>_TOKEN
    owner: platform
    cadence: 90d
    before_expiry: 14d
    timing:
      poll: 200ms
      quiet: 1s
      watch: 1s
    issuer: {vendor: cloudflare, kind: access-service-token, name: <scope>-token-<date>, duration: 8760h}
    store: {vendor: infisical, path: /MooseQuest/cloudflare/, environment: prod, slots: {<name>: "{client_secret}", <name>__CLIENT_ID: "{client_id}"}}
    consumer: {vendor: heroku, app: <scope>-token, grace: 1s, slots: {<name>: "{client_id}:{client_secret}"}}
    validate: [{url: "https://<scope>-token.raxx.app/health"}]

schedule:
  at_most: 5
  canary: none

credentials:
  SHOP_TOKEN:                             # begun by the schedule; people agree before the old one goes
    run: automatically
    approvals: {before: retiring}
    timing:
      poll: 200ms
      quiet: 1s
      watch: 20s
    consumers: [{app: shop-token}]
  BILLING_TOKEN:                          # people agree before it begins
    run: after approval
    timing:
      poll: 200ms
      quiet: 5s
      watch: 20s
    consumers: [{app: billing-token}]
  REPORTS_TOKEN:                          # slow enough to be watched
    run: automatically
    timing:
      poll: 1s
      quiet: 45s
      watch: 90s
    consumers: [{app: reports-token, grace: 75s}]
  SEARCH_TOKEN:
    consumers: [{app: search-token, grace: 20m}]
  ARCHIVE_TOKEN:                          # due, and kept for its window
    run: automatically
    windows: [Sun 03:00-03:30 UTC]
    consumers: [{app: archive-token}]
  MAIL_TOKEN:
    consumers: [{app: mail-token}]
  PARTNER_KEY:                            # made and ended by hand, in the portal's page
    cadence: 90d
    issuer:
      vendor: partner
      kind: portal-key
      name: partner-<date>
      create: ["Make a new key named {name}.", "Its value is shown once: put it into the form here."]
      revoke: ["Find {name}, Delete."]
      headers: {Authorization: "Bearer {value}"}
    store: {vendor: infisical, path: /MooseQuest/portal/, environment: prod, slots: {<name>: "{value}"}}
    consumers: [{vendor: heroku, app: archive-token, grace: 1s, slots: {<name>: "{value}"}}]
    validate: [{url: "https://`+sim.PortalHost+`/v1/me"}]
    timing:
      poll: 200ms
      quiet: 1s
      watch: 1s
`, 1)
	return text
}

// demoPortal is the page in which a visitor makes and ends keys.
func demoPortal(address string) string { return address + "/portal/page" }
