package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/report"
	"rekey/internal/service"
	"rekey/internal/sop"
)

type serveFlags struct {
	listen, url string
	roles       []string
	behind      []string
	lease       time.Duration
	demo        bool
	// Of the demo: how often the schedule decides, and what the console proposes to try.
	tick  time.Duration
	guide func() []service.Hint
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use: "serve", Short: "Run as a service: API, console, schedule and worker in one process",
		Long: `Run as a service: the API, the console, the schedule and a worker that carries runs
out, in one process on the journal that rekey.yaml names. On this machine it wants
nothing more:

  rekey serve
  rekey --server http://127.0.0.1:8420 status

Without identity in rekey.yaml it listens on loopback only, and whoever is on this
machine acts as you. rekey.yaml is read again when it changes; while it is wrong, the
version before stays in use, and the log, the console and every command that asks the
server say so.

Ctrl-C or SIGTERM: no more requests are taken, what has begun is finished, and the runs
are handed on. docs/service.md tells how it is run for a team.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.demo {
				return a.serveDemo(c.Context(), f)
			}
			return a.serve(c.Context(), f)
		},
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8420", "address to serve at; port 0 picks one")
	c.Flags().StringVar(&f.url, "url", "", "how browsers reach it, where that is not by loopback: https://rekey.example.com")
	c.Flags().StringSliceVar(&f.behind, "behind", nil, "proxies in front, whose X-Forwarded-For tells where a request came from: 10.0.0.0/8,127.0.0.1")
	c.Flags().StringSliceVar(&f.roles, "role", service.Roles(), "what this process does: "+strings.Join(service.Roles(), ", ")+"; others share the journal's database")
	c.Flags().DurationVar(&f.lease, "lease", 0, "how long a run stays with a worker that was killed, 2s at least (default 12s)")
	c.Flags().BoolVar(&f.demo, "demo", false, "serve a simulated world with runs, in a temporary folder; nothing to set up")
	return c
}

// wrongly says everything that is wrong with the flags at once.
func (f serveFlags) wrongly() error {
	var wrong []error
	for _, r := range f.roles {
		if !slices.Contains(service.Roles(), r) {
			wrong = append(wrong, usage("--role wants %s, and not %s", strings.Join(service.Roles(), ", "), r))
		}
	}
	if len(f.roles) == 0 {
		wrong = append(wrong, usage("--role needs at least one of: %s", strings.Join(service.Roles(), ", ")))
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		wrong = append(wrong, usage("--listen wants an address and a port: 127.0.0.1:8420"))
	}
	if _, err := f.proxies(); err != nil {
		wrong = append(wrong, err)
	}
	if f.lease != 0 && f.lease < service.ShortestLease {
		wrong = append(wrong, usage("--lease wants %s at least, and not %s: with a shorter one, a database that is briefly busy would lose its runs", service.ShortestLease, f.lease))
	}
	return errors.Join(wrong...)
}

// proxies are those of --behind: networks, or single addresses.
func (f serveFlags) proxies() (out []netip.Prefix, err error) {
	for _, text := range f.behind {
		p, err := netip.ParsePrefix(text)
		if a, alone := netip.ParseAddr(text); alone == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, usage("--behind wants addresses or networks, as 10.0.0.0/8, and not %s", report.Quote(text))
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func (a *app) serve(ctx context.Context, f serveFlags) error {
	if err := f.wrongly(); err != nil {
		return exit{exitUsage, err}
	}
	config, err := a.load()
	if err != nil {
		return err
	}
	// The service reads it again, and each time that it changes: thousands of credentials
	// are not kept twice.
	a.config = &sop.Config{File: config.File, Vendors: config.Vendors}
	return a.serving(ctx, f, a.configuration(), nil)
}

// serving serves what a file says. began is called once it can be asked, with where.
func (a *app) serving(ctx context.Context, f serveFlags, file string, began func(address string) error) error {
	log := a.logger()
	behind, err := f.proxies()
	if err != nil {
		return exit{exitUsage, err}
	}
	s, err := service.Open(ctx, service.Options{
		File: file, Load: a.read, Listen: f.listen, URL: f.url, Roles: f.roles, Behind: behind, Lease: f.lease, Name: service.NameOf(os.Hostname), Tool: version,
		Env: os.LookupEnv, User: osUser, Log: log, Tick: f.tick, Guide: f.guide,
	})
	if _, wrong := errors.AsType[sop.Problems](err); wrong {
		return exit{exitUsage, err}
	}
	if err != nil {
		return exit{exitFailed, a.told(err)}
	}
	defer func() {
		if err := s.Close(); err != nil {
			log.Error("closing", "why", err)
		}
	}()
	var l net.Listener
	address := ""
	if slices.Contains(f.roles, service.API) {
		if l, err = net.Listen("tcp", f.listen); err != nil {
			return exit{exitFailed, fmt.Errorf("serve: --listen: %w", err)}
		}
		address = "http://" + l.Addr().String()
		a.served(address, f.url)
	}
	log.Info("serving", "listen", address, "url", f.url, "roles", f.roles, "file", file, "version", version)
	if began != nil {
		go func() {
			if err := began(address); err != nil {
				log.Error("the demo", "why", err)
			}
		}()
	}
	if err := s.Serve(ctx, l); err != nil {
		return exit{exitFailed, err}
	}
	log.Info("stopped", "version", version)
	return nil
}

// read reads rekey.yaml, with what the flags say besides.
func (a *app) read(file string) (*sop.Config, error) {
	c, err := sop.Load(file)
	if err == nil && a.database != "" {
		c.Database = a.database
	}
	return c, err
}

// served says where, to whoever is there to read it.
func (a *app) served(address, url string) {
	if a.json {
		_ = a.printJSON(map[string]string{"type": "serving", "address": address, "url": url})
		return
	}
	shown := address
	if url != "" {
		shown = url
	}
	a.print("%s %s\n  api   %s/api/v1\n  next  rekey --server %s status\n", a.style(a.out).Good("serving"), shown, shown, shown)
}

// logger writes one JSON object a line to standard error, for whatever collects it; to a
// person at a terminal it writes words.
func (a *app) logger() *slog.Logger {
	if terminal(a.err) {
		return slog.New(slog.NewTextHandler(a.err, nil))
	}
	return slog.New(slog.NewJSONHandler(a.err, nil))
}
