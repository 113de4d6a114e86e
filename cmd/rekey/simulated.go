package main

import (
	"context"
	"fmt"

	"rekey/internal/history"
	"rekey/internal/sop"
)

// simulated tells whether rekey.yaml leads to a simulated world.
func simulated(config *sop.Config) bool { return config.Simulate != "" }

// banner says it before anything else, on standard error, so that no pipe carries
// it away.
func (a *app) banner(config *sop.Config) {
	if !simulated(config) || a.json || a.told {
		return
	}
	a.told = true
	_, _ = fmt.Fprintln(a.err, a.laid(a.err, a.style(a.err).Mind("SIMULATED")+" by "+config.Simulate+": no vendor is asked, and nothing real is changed"))
}

// sameWorld refuses a journal of the other kind: what was practised is no proof of
// what was done, and the other way round.
func sameWorld(ctx context.Context, config *sop.Config, book history.Book, dir string) error {
	was, known, err := book.Simulated(ctx)
	switch {
	case err != nil:
		return exit{exitFailed, err}
	case !known || was == simulated(config):
		return nil
	case was:
		return usage("the journal in %s is one of simulated runs, and %s has no simulate: what was practised is not mixed with what is real\n  next  name another folder under journal, or move this one away", dir, config.File)
	}
	return usage("the journal in %s is one of real runs, and %s says simulate: %s; what is practised is not mixed with what is real\n  next  name another folder under journal, or leave journal out: a simulation then has its own", dir, config.File, config.Simulate)
}
