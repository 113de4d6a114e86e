package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"rekey/internal/drift"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// estate is everything with which a command looks at many credentials.
type estate struct {
	*work
	specs  []sop.Spec
	shared *wire.Estate
	open   []string // runs, as they were when everything was compared
	// retired tells where rekey.yaml still has a name that a run has taken away, by
	// credential and name.
	retired map[string]map[string]string
}

// estate opens all credentials, or those named. Nothing of it touches a vendor.
func (a *app) estate(names []string) (*estate, error) {
	config, err := a.load()
	if err != nil {
		return nil, err
	}
	specs := config.Specs
	if len(names) > 0 {
		specs = nil
		for _, n := range names {
			spec, err := config.Spec(n)
			if err != nil {
				return nil, notThere(err)
			}
			specs = append(specs, spec)
		}
	}
	if len(specs) == 0 {
		return nil, usage("rekey.yaml names no credentials yet\n  next  rekey init")
	}
	w, err := a.surround(config, sop.Spec{})
	if err != nil {
		return nil, err
	}
	e := &estate{work: w, specs: specs, shared: wire.OpenEstate(specs, config.Vendors, w.env), retired: map[string]map[string]string{}}
	w.closes = append(w.closes, func() { e.shared.Close(context.Background()) })
	return e, nil
}

// looker is a runner that only looks, for one credential of the estate.
func (e *estate) looker(spec sop.Spec) (*runner.Runner, error) {
	crew, err := e.shared.Crew(spec)
	if err != nil {
		return nil, err
	}
	return &runner.Runner{Roles: crew.Roles, Can: crew.Can, Keyer: e.keyer, Clock: clock{}, Together: wire.Together}, nil
}

func (a *app) driftCommand() *cobra.Command {
	return &cobra.Command{
		Use: "drift [NAME...]", Short: "Compare issuer, store and every consumer, changing nothing",
		Long: `Compare what the issuer lists, what the store holds and what every consumer holds,
by keyed fingerprint, and name the command that fixes each disagreement. What was
found is noted in the journal, for rekey status.

Exit codes: 0 all agree, 6 something has drifted, 1 something could not be seen.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.drift(c.Context(), args) },
	}
}

func (a *app) drift(ctx context.Context, names []string) error {
	e, err := a.estate(names)
	if err != nil {
		return err
	}
	defer e.close()
	all, err := e.compare(ctx)
	if err != nil {
		return err
	}
	signed := e.attest(ctx, nil)
	if a.json {
		err = a.printJSON(map[string]any{"at": a.now().UTC(), "credentials": all, "calls": e.calls, "evidence": signed})
	} else {
		a.print("%s%s", report.Drift(all, a.style(a.out)), e.countedCalls())
	}
	if err != nil {
		return err
	}
	return needs(all)
}

// needs is the exit code for what was compared.
func needs(all []report.Compared) error {
	code := exitDone
	for _, c := range all {
		switch {
		case c.Drifted():
			return exit{exitNeeds, nil}
		case c.Unseen():
			code = exitFailed
		}
	}
	if code == exitDone {
		return nil
	}
	return exit{code, nil}
}

// compare looks at every credential of the estate and notes what was found.
func (e *estate) compare(ctx context.Context) ([]report.Compared, error) {
	runs, err := e.book.Overview(ctx)
	if err != nil {
		return nil, exit{exitFailed, err}
	}
	for _, r := range runs {
		if _, line, ok := e.config.Formerly(r.Why); ok && r.Ending == rotation.NameGone {
			if e.retired[r.Credential] == nil {
				e.retired[r.Credential] = map[string]string{}
			}
			e.retired[r.Credential][r.Why] = fmt.Sprintf("%s:%d", filepath.Base(e.config.File), line)
		}
	}
	if e.open, err = e.openRuns(ctx); err != nil {
		return nil, exit{exitFailed, err}
	}
	var all []report.Compared
	var notes []history.Note
	for _, spec := range e.specs {
		if ctx.Err() != nil {
			return nil, exit{exitFailed, fmt.Errorf("interrupted; nothing was touched")}
		}
		c, err := e.compareOne(ctx, spec)
		if err != nil {
			return nil, err
		}
		n, err := history.NoteOf(c.At, spec.Name, history.Compared, c)
		if err != nil {
			return nil, exit{exitFailed, err}
		}
		all, notes = append(all, c), append(notes, n)
	}
	return all, e.keep(ctx, notes...)
}

func (e *estate) compareOne(ctx context.Context, spec sop.Spec) (report.Compared, error) {
	c := report.Compared{Credential: spec.Name, At: e.app.now().UTC(), Consumers: len(spec.Consumers), Findings: []drift.Finding{}}
	past, err := e.book.Generations(ctx, spec.Name)
	if err != nil {
		return c, exit{exitFailed, err}
	}
	r, err := e.looker(spec)
	if err != nil {
		return c, exit{exitUsage, err}
	}
	seen := r.Compare(ctx, spec)
	c.Current = seen.Issuer.InUse()
	for _, h := range rotation.Strangers(spec, seen.Issuer, past, e.open) {
		c.Strangers = append(c.Strangers, rotation.Stranger(spec, h))
	}
	c.Findings = append(c.Findings, drift.Retired(spec, drift.Compare(spec, seen, past), e.retired[spec.Name])...)
	return c, nil
}
