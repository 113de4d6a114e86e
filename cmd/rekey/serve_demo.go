package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rekey/internal/client"
	"rekey/internal/estate"
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
	world := sim.Open(sim.New(sim.Options{Seed: time.Now().UnixNano(), Now: a.now(), Knobs: demoKnobs(100 * time.Millisecond)}), a.now)
	vendors := &http.Server{Handler: world, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = vendors.Serve(l) }()
	defer func() { _ = vendors.Close() }()
	file := filepath.Join(dir, "rekey.yaml")
	text := strings.Replace(demoConfig(), "simulate: world.json", "simulate: http://"+l.Addr().String(), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return exit{exitFailed, err}
	}
	inside := &app{streams: a.streams, called: a.called, dir: dir, file: defaultFile, json: a.json, noColor: a.noColor}
	return inside.serving(ctx, f, file, func(address string) error { return a.play(ctx, address, world) })
}

// play fills the demo: one run that is over, one that is stuck, and one that waits for a
// person; and whoever holds a credential without being registered is found.
func (a *app) play(ctx context.Context, address string, world *sim.World) error {
	ops, err := client.Dial(address, client.Here{Env: func(string) (string, bool) { return "", false }, Version: version})
	if err != nil {
		return err
	}
	open := func(credential, confirm, ticket string) {
		if err == nil {
			_, err = ops.Open(ctx, estate.Opening{Wish: estate.Wish{Credential: credential}, Confirm: confirm, Reason: "scheduled", Ticket: ticket, Alongside: true}, estate.Silent{})
		}
	}
	const first, second = "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SVC_VAULT"
	open(first, first, "DEMO-1")
	if err == nil {
		_, err = ops.Discover(ctx, nil)
	}
	// The issuer refuses to delete the old one, and does not once the run is stuck: rekey
	// resume, or the button on its page, ends it well.
	world.Inject(sim.Fault{Endpoint: "DELETE ", Status: http.StatusForbidden, Times: -1})
	open(first, first, "DEMO-2")
	world.Look(func(s *sim.State) { s.Faults = nil })
	open(second, "", "DEMO-3") // not confirmed: it waits for a person
	if err != nil {
		return fmt.Errorf("fill it with runs: %w", err)
	}
	return nil
}
