package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"rekey/internal/discover"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
)

func (a *app) discoverCommand() *cobra.Command {
	return &cobra.Command{
		Use: "discover [NAME...]", Short: "Find who holds a credential without being registered, changing nothing",
		Long: `Find what nobody registered: consumers, folders and environments that hold a
credential (by keyed fingerprint; values never leave memory), live ones at the
issuer that no credential of rekey.yaml claims, what a run left behind, and which rules accept each
credential. A consumer that is found is printed as lines for rekey.yaml.

One list for each account, one read of each app, stage and environment, however
many credentials. What was found is noted in the journal.

Exit codes: 0 nothing, 6 something was found, 1 something could not be seen.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.discover(c.Context(), args) },
	}
}

func (a *app) discover(ctx context.Context, only []string) error {
	e, err := a.estate(nil) // of all: what another credential claims is not unclaimed
	if err != nil {
		return err
	}
	defer e.close()
	for _, n := range only {
		if _, err := e.config.Spec(n); err != nil {
			return notThere(err)
		}
	}
	findings, all, err := e.discover(ctx)
	if err != nil {
		return err
	}
	if err := e.note(ctx, all); err != nil {
		return err
	}
	signed := e.attest(ctx, nil)
	findings, all = about(only, findings, all)
	if a.json {
		err = a.printJSON(map[string]any{"at": a.now().UTC(), "findings": findings, "credentials": all, "calls": e.calls, "evidence": signed})
	} else {
		a.print("%s%s", report.Discover(all, findings, a.style(a.out)), e.countedCalls())
	}
	if err != nil {
		return err
	}
	code := exitDone
	for _, f := range findings {
		switch {
		case f.Counts():
			return exit{exitNeeds, nil}
		case f.Kind == discover.NotSeen:
			code = exitFailed
		}
	}
	if code == exitDone {
		return nil
	}
	return exit{code, nil}
}

// discover looks at everything once and puts together what was found.
func (e *estate) discover(ctx context.Context) ([]discover.Finding, []report.Discovered, error) {
	accounts, errs := e.shared.Surveys()
	var looker *runner.Runner
	var known []runner.Known
	var seen []discover.Seen
	for _, spec := range e.specs {
		if ctx.Err() != nil {
			return nil, nil, exit{exitFailed, fmt.Errorf("interrupted; nothing was touched")}
		}
		past, err := e.book.Generations(ctx, spec.Name)
		if err != nil {
			return nil, nil, exit{exitFailed, err}
		}
		if looker, err = e.looker(spec); err != nil {
			return nil, nil, exit{exitUsage, err}
		}
		k := looker.Know(ctx, spec, past)
		known = append(known, k)
		seen = append(seen, discover.Seen{Spec: spec, Issuer: k.Issuer, Rules: k.Rules, Unseen: k.Unseen})
	}
	found := looker.Everywhere(ctx, accounts, known)
	for i := range seen {
		seen[i].Copies = found.Copies[i]
	}
	for _, err := range errs {
		found.Blind = append(found.Blind, rotation.Blind{Key: "a vendor", Why: err.Error()})
	}
	runs, err := e.pastRuns(ctx)
	if err != nil {
		return nil, nil, err
	}
	at := e.app.now().UTC()
	findings := discover.Findings(seen, found.Blind, runs, at)
	all := make([]report.Discovered, len(seen))
	for i, s := range seen {
		all[i] = report.Discovered{Credential: s.Spec.Name, At: at, Findings: []discover.Finding{}, Rules: discover.RulesOf(s)}
		for _, f := range findings {
			if f.Credential == s.Spec.Name {
				all[i].Findings = append(all[i].Findings, f)
			}
		}
	}
	return findings, all, nil
}

// pastRuns are the runs of the journal, by whose labels orphans are known.
func (e *estate) pastRuns(ctx context.Context) ([]discover.Run, error) {
	runs, err := e.book.Overview(ctx)
	if err != nil {
		return nil, exit{exitFailed, err}
	}
	out := make([]discover.Run, 0, len(runs))
	for _, r := range runs {
		d := discover.Run{ID: r.Run, Credential: r.Credential, Open: r.Open()}
		if r.Current != nil {
			d.Current = r.Current.ID
		}
		out = append(out, d)
	}
	return out, nil
}

// note writes what was found about each credential into the journal, for status.
func (e *estate) note(ctx context.Context, all []report.Discovered) error {
	var notes []history.Note
	for _, d := range all {
		n, err := history.NoteOf(d.At, d.Credential, history.Discovered, d)
		if err != nil {
			return exit{exitFailed, err}
		}
		notes = append(notes, n)
	}
	return e.keep(ctx, notes...)
}

// about keeps what concerns the named credentials, and what could not be seen.
func about(only []string, findings []discover.Finding, all []report.Discovered) ([]discover.Finding, []report.Discovered) {
	if len(only) == 0 {
		return findings, all
	}
	wanted := map[string]bool{}
	for _, n := range only {
		wanted[n] = true
	}
	kept := []discover.Finding{}
	for _, f := range findings {
		if wanted[f.Credential] || f.Credential == "" && f.Kind == discover.NotSeen {
			kept = append(kept, f)
		}
	}
	var some []report.Discovered
	for _, d := range all {
		if wanted[d.Credential] {
			some = append(some, d)
		}
	}
	return kept, some
}
