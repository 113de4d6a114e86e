package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/sim"
	"rekey/internal/sop"
)

func (a *app) demoCommand() *cobra.Command {
	var dir string
	var latency time.Duration
	c := &cobra.Command{
		Use: "demo", Short: "Watch a whole rotation on simulated vendors; nothing to set up", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), dir, latency) },
	}
	c.Flags().StringVar(&dir, "folder", "rekey-demo", "folder to leave behind; never overwritten")
	c.Flags().DurationVar(&latency, "latency", 100*time.Millisecond, "of every simulated request")
	return c
}

// demoKnobs are a world in which nothing takes longer than one wants to watch.
func demoKnobs(latency time.Duration) sim.Knobs {
	return sim.Knobs{Latency: sim.Duration(latency), Shutdown: sim.Duration(time.Second), PrebootDelay: sim.Duration(5 * time.Second)}
}

func (a *app) demo(ctx context.Context, dir string, latency time.Duration) error {
	path, err := freshFolder(a.path(dir))
	if err != nil {
		return exit{exitFailed, err}
	}
	state := sim.New(sim.Options{Seed: time.Now().UnixNano(), Now: a.now(), Knobs: demoKnobs(latency)})
	err = errors.Join(
		sim.Save(filepath.Join(path, "world.json"), &state),
		os.WriteFile(filepath.Join(path, "rekey.yaml"), []byte(demoConfig()), 0o644),
	)
	if err != nil {
		return exit{exitFailed, err}
	}
	const name = "CF_ACCESS_SVC_CONSOLE"
	s := a.style(a.out)
	if !a.json {
		a.print("%s\n", s.Bold("Cloudflare, Infisical and Heroku, simulated on this machine."))
		a.print("  %s\n", s.Dim(filepath.Join(path, "rekey.yaml")+"   the SOP's two credentials"))
		a.print("  %s\n\n", s.Dim(filepath.Join(path, "world.json")+"   the vendors' own disk"))
	}
	inside := &app{streams: a.streams, called: a.called, dir: path, file: defaultFile, json: a.json, noColor: a.noColor}
	err = inside.run(ctx, name, runFlags{confirm: name, reason: "demo"})
	if err != nil || a.json {
		return err
	}
	inside.print("\n%s\n", s.Bold("Go on playing"))
	for _, line := range [][2]string{
		{"status", "what is due"},
		{"plan CF_ACCESS_SVC_VAULT", "what rotating the other one would do"},
		{"run CF_ACCESS_SVC_VAULT", "do it; kill it with kill -9 halfway, and then:"},
		{"resume", "it continues, and no consumer noticed"},
		{"discover", "who holds it without being registered"},
		{"sop CF_ACCESS_SVC_VAULT", "the same by hand, with bash, curl and jq"},
		{"log", "every run; with an id everything about it"},
	} {
		inside.print("  %s\n    rekey %s\n", s.Dim(line[1]), line[0])
	}
	return nil
}

// demoConfig is the example, on a simulated world, with short waits.
func demoConfig() string {
	text := strings.Replace(sop.Example(), "rekey: 1\n", "rekey: 1\n\n# Practise: without these two lines the same file works on the real vendors.\nsimulate: world.json\njournal: .rekey                           # of this simulation alone: a real run here is refused\n", 1)
	text = strings.Replace(text, "    before_expiry: 14d\n", `    before_expiry: 14d
    timing:                               # short, to be watched; the defaults fit the real vendors
      poll: 200ms
      quiet: 1s
      watch: 1s
`, 1)
	return strings.Replace(text, "      vendor: heroku\n      slots:", "      vendor: heroku\n      grace: 1s                           # Heroku gives old processes 30s\n      slots:", 1)
}

// freshFolder makes a folder that was not there before.
func freshFolder(base string) (string, error) {
	for i := 1; i < 1000; i++ {
		path := base
		if i > 1 {
			path = fmt.Sprintf("%s-%d", base, i)
		}
		err := os.Mkdir(path, 0o755)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s is there already", base)
}
