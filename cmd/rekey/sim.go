package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/sim"
)

type simFlags struct {
	listen, world string
	latency       time.Duration
	seed          int64
	limits        bool
}

func (a *app) simCommand() *cobra.Command {
	var f simFlags
	c := &cobra.Command{
		Use: "sim", Short: "Serve the simulated vendors on this machine",
		Long: `Serve the simulated vendors on this machine, for Rekey (simulate: http://ADDRESS
in rekey.yaml) and for any other client:

  /cloudflare/client/v4   /infisical   /heroku   /edge/<host>/<path>

GET /_world shows the state, GET /_env the credentials that are let in, and
POST /_faults makes things go wrong: {"faults":[{"vendor":"heroku","endpoint":
"PATCH","status":503,"applied":true}],"world":{"edge_delay":"3s"}}.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.sim(c.Context(), f) },
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:7777", "loopback address; port 0 picks one")
	c.Flags().StringVar(&f.world, "world", "", "keep the world in this file")
	c.Flags().DurationVar(&f.latency, "latency", 0, "of every request")
	c.Flags().Int64Var(&f.seed, "seed", 1, "the same seed gives the same world")
	c.Flags().BoolVar(&f.limits, "rate-limits", false, "enforce the vendors' documented rate limits")
	return c
}

func (a *app) sim(ctx context.Context, f simFlags) error {
	host, _, err := net.SplitHostPort(f.listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usage("--listen wants a loopback address such as 127.0.0.1:7777: the world gives its credentials to anybody who asks")
	}
	knobs := demoKnobs(f.latency)
	knobs.RateLimits = f.limits
	world := sim.Open(sim.New(sim.Options{Seed: f.seed, Now: a.now(), Knobs: knobs}), a.now)
	if f.world != "" {
		w, unlock, err := sim.Load(a.path(f.world), a.now)
		if err != nil {
			return exit{exitFailed, err}
		}
		defer unlock()
		w.Turn(func(k *sim.Knobs) { k.Latency, k.RateLimits = knobs.Latency, knobs.RateLimits })
		world = w
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return exit{exitFailed, fmt.Errorf("serve the simulated world: %w", err)}
	}
	base := "http://" + l.Addr().String()
	if a.json {
		_ = a.printJSON(map[string]any{"base": base, "env": world.Env()})
	} else {
		a.print("serving the simulated world at %s\n\n  cloudflare  %[1]s/cloudflare/client/v4\n  infisical   %[1]s/infisical\n  heroku      %[1]s/heroku\n  sites       %[1]s/edge/console.raxx.app/health\n\n", base)
		a.print("  in rekey.yaml   simulate: %s\n  for others      curl %[1]s/_env\n\n", base)
	}
	server := &http.Server{Handler: world, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		shut, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(shut)
	}()
	if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return exit{exitFailed, err}
	}
	return nil
}
