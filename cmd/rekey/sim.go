package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/sim"
	"rekey/internal/sop"
)

type simFlags struct {
	listen, world string
	apart         map[string]*string // by vendor: an address of its own
	latency       time.Duration
	seed          int64
	limits        bool
}

func (a *app) simCommand() *cobra.Command {
	f := simFlags{apart: map[string]*string{}}
	c := &cobra.Command{
		Use: "sim", Short: "Serve the simulated vendors on this machine",
		Long: `Serve the simulated vendors on this machine, for Rekey (simulate: http://ADDRESS
in rekey.yaml) and for any other client:

  /cloudflare/client/v4   /infisical   /heroku   /edge/<host>/<path>

A client that takes a host without a path needs a vendor at an address of its own.
GET /_env/<vendor> tells the environment in which the vendor's own tools work here:

  rekey sim --heroku 127.0.0.1:7778 &
  eval "$(curl -s http://127.0.0.1:7777/_env/heroku)"
  heroku releases -a raxx-console-prod

GET /_world shows the state, GET /_env the credentials that are accepted, and
POST /_faults makes things go wrong: {"faults":[{"vendor":"heroku","endpoint":
"PATCH","status":503,"applied":true}],"world":{"edge_delay":"3s"}}. GET /_faults lists
them, and DELETE /_faults takes all of them back.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.sim(c.Context(), f) },
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:7777", "loopback address; port 0 picks one")
	for _, vendor := range sim.Apart {
		f.apart[vendor] = c.Flags().String(vendor, "", "serve "+vendor+" at this loopback address as well, at the root; port 0 picks one")
	}
	c.Flags().StringVar(&f.world, "world", "", "keep the world in this file")
	c.Flags().DurationVar(&f.latency, "latency", 0, "of every request")
	c.Flags().Int64Var(&f.seed, "seed", 1, "the same seed gives the same world")
	c.Flags().BoolVar(&f.limits, "rate-limits", false, "enforce the vendors' documented rate limits")
	return c
}

// loopback refuses every other address: it hands its credentials to anybody who
// can reach it.
func loopback(flag, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !sop.Loopback(host) {
		return usage("--%s wants a loopback address such as 127.0.0.1:7777: it hands its credentials to anybody who can reach it", flag)
	}
	if flag == "heroku" && host != "127.0.0.1" {
		// @heroku-cli/command 13.2.0, lib/vars.js, isValidHerokuHost.
		return usage("--heroku wants 127.0.0.1 and a port: with another loopback address Heroku's CLI warns, and goes to the real Heroku")
	}
	return nil
}

// listeners opens all addresses, or none.
func (f simFlags) listeners() (main net.Listener, apart map[string]net.Listener, err error) {
	wanted := map[string]string{"listen": f.listen}
	for _, vendor := range sim.Apart {
		if *f.apart[vendor] != "" {
			wanted[vendor] = *f.apart[vendor]
		}
	}
	var wrong []error
	for _, flag := range append([]string{"listen"}, sim.Apart...) {
		if address, ok := wanted[flag]; ok {
			wrong = append(wrong, loopback(flag, address))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, nil, usage("%w", err)
	}
	apart = map[string]net.Listener{}
	defer func() {
		if err != nil {
			for _, l := range apart {
				_ = l.Close()
			}
		}
	}()
	for flag, address := range wanted {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, nil, exit{exitFailed, fmt.Errorf("serve the simulated world: --%s: %w", flag, err)}
		}
		apart[flag] = l
	}
	main = apart["listen"]
	delete(apart, "listen")
	return main, apart, nil
}

func (a *app) sim(ctx context.Context, f simFlags) error {
	l, apart, err := f.listeners()
	if err != nil {
		return err
	}
	knobs := demoKnobs(f.latency)
	knobs.RateLimits = f.limits
	world := sim.Open(sim.New(sim.Options{Seed: f.seed, Now: a.now(), Knobs: knobs}), a.now)
	if f.world != "" {
		w, unlock, err := sim.Load(a.path(f.world), a.now)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w\n  next  make one: rekey demo, which leaves rekey-demo/world.json\n  or    serve one that is not kept: rekey sim", err)
		}
		if err != nil {
			return exit{exitFailed, err}
		}
		defer unlock()
		w.Turn(func(k *sim.Knobs) { k.Latency, k.RateLimits = knobs.Latency, knobs.RateLimits })
		world = w
	}
	world.Addresses = map[string]string{}
	for vendor, l := range apart {
		world.Addresses[vendor] = "http://" + l.Addr().String()
	}
	a.introduce("http://"+l.Addr().String(), world)
	return serveAll(ctx, world, l, apart)
}

// introduce tells where everything is.
func (a *app) introduce(base string, world *sim.World) {
	env, at := world.Env(), world.Addresses
	if a.json {
		clients := map[string]map[string]string{}
		for _, vendor := range sim.Apart {
			switch own := at[vendor]; {
			case own != "":
				clients[vendor] = sim.ClientEnv(vendor, own, env)
			case vendor != "heroku": // its tools take no path
				clients[vendor] = sim.ClientEnv(vendor, base+"/"+vendor, env)
			}
		}
		_ = a.printJSON(map[string]any{"base": base, "env": env, "clients": clients})
		return
	}
	a.print("serving the simulated world at %s\n\n", base)
	for _, line := range [][2]string{{"cloudflare", "/client/v4"}, {"infisical", ""}, {"heroku", ""}} {
		vendor, path := line[0], line[1]
		a.print("  %-11s %s/%[1]s%[3]s\n", vendor, base, path)
		if own := at[vendor]; own != "" {
			a.print("  %-11s %s%s\n", "", own, path)
		}
	}
	a.print("  %-11s %s/edge/console.raxx.app/health\n\n", "sites", base)
	a.print("  in rekey.yaml    simulate: %s\n  for others       curl %[1]s/_env\n", base)
	a.print("  vendors' tools   eval \"$(curl -s %s/_env/VENDOR)\"", base)
	if at["heroku"] == "" {
		a.print("   (heroku: with --heroku 127.0.0.1:7778)")
	}
	a.print("\n\n")
}

// serveAll serves until the context ends.
func serveAll(ctx context.Context, world *sim.World, main net.Listener, apart map[string]net.Listener) error {
	servers := []*http.Server{}
	ended := make(chan error, 1+len(apart))
	begin := func(l net.Listener, h http.Handler) {
		s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, s)
		go func() { ended <- s.Serve(l) }()
	}
	begin(main, world)
	for vendor, l := range apart {
		begin(l, world.Alone(vendor))
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended: // none ends by itself
	}
	shut, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, s := range servers {
		_ = s.Shutdown(shut)
	}
	if err != nil {
		return exit{exitFailed, fmt.Errorf("serve the simulated world: %w", err)}
	}
	return nil
}
