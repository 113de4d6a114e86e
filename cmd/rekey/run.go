package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// version is set by the linker; releases only.
var version = "dev"

type runFlags struct {
	confirm, reason, ticket, strategy string
	afterRevoke, outside, alongside   bool
	without                           bool // the required role
	despite                           []string
	verbose                           bool // resume: what was done before, too
}

func (f *runFlags) add(c *cobra.Command, full bool) {
	c.Flags().StringVar(&f.confirm, "confirm", "", "the credential's name: confirms what cannot be undone, for scripts")
	if full {
		c.Flags().StringVar(&f.reason, "reason", "", "why, for the record: scheduled, compromise, offboarding")
		c.Flags().StringVar(&f.ticket, "ticket", "", "where it was decided, for the record")
		strategyFlag(c, &f.strategy)
	}
}

// when adds what overrides the rules about when a run may begin.
func (f *runFlags) when(c *cobra.Command) {
	c.Flags().BoolVar(&f.outside, "outside-window", false, "begin although none of its maintenance windows is open")
	c.Flags().BoolVar(&f.alongside, "alongside", false, "begin although another run that changes one of its consumers is open")
}

// overrides are the rules that this run sets aside, for the record.
func (f *runFlags) overrides() []string {
	var out []string
	for _, o := range []struct {
		said bool
		word string
	}{{f.outside, "--outside-window"}, {f.alongside, "--alongside"}, {f.afterRevoke, "--after-revoke"}, {f.without, "--without-role"}, {f.strategy != "", "--strategy " + f.strategy}} {
		if o.said {
			out = append(out, o.word)
		}
	}
	for _, d := range f.despite {
		out = append(out, "--despite "+d)
	}
	return out
}

// despiteFlag names who may be left with a dead credential.
func despiteFlag(c *cobra.Command, despite *[]string) {
	c.Flags().StringArrayVar(despite, "despite", nil, "go on although this place holds the old one and is not registered: it is left with a dead one (heroku:other-app; may be repeated)")
}

// strategyFlag overrides the strategy for once.
func strategyFlag(c *cobra.Command, strategy *string) {
	c.Flags().StringVar(strategy, "strategy", "", "replace or roll, instead of what rekey.yaml says")
}

// withStrategy applies the flag to a spec.
func (a *app) withStrategy(spec *sop.Spec, strategy string) error {
	switch strategy {
	case "":
	case "replace", "roll":
		spec.Issuer.Strategy = strategy
	case "refresh":
		return usage("refresh extends the expiry and keeps the secret, so it is no rotation and is never used as one\n  next  %s\n  or    %s", a.again("--strategy", "replace"), a.again("--strategy", "roll"))
	default:
		return usage("--strategy wants replace or roll, and not %s\n  next  %s\n  or    %s", report.Quote(strategy), a.again("--strategy", "replace"), a.again("--strategy", "roll"))
	}
	return nil
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use: "run NAME|PLANFILE", Short: "Rotate a credential",
		Long: `Rotate a credential: look, create, add to policies, validate,
store, deploy, check, revoke the old one. Before what cannot be undone it asks for the credential's name.

A plan file (rekey plan NAME --out FILE) is carried out exactly, or refused if
anything has changed since.

Ctrl-C stops safely at the next step; rekey resume goes on.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error { return a.run(c.Context(), args[0], f) },
	}
	f.add(c, true)
	f.when(c)
	despiteFlag(c, &f.despite)
	c.Flags().BoolVar(&f.afterRevoke, "after-revoke", false, "the old one is switched off already, and its consumers have none that works: do not demand that they work before")
	return c
}

func (a *app) run(ctx context.Context, what string, f runFlags) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	name, reviewed := what, (*rotation.Plan)(nil)
	if strings.HasSuffix(what, ".json") {
		if reviewed, err = a.readPlan(what); err != nil {
			return err
		}
		name = reviewed.Spec.Name
	}
	spec, err := config.Spec(name)
	if err != nil {
		return notThere(err)
	}
	if reviewed != nil {
		spec.Issuer.Strategy = reviewed.Spec.Issuer.Strategy
		spec.Despite = reviewed.Spec.Despite
		if len(f.despite) > 0 {
			return usage("a reviewed plan already says who is left without one\n  next  rekey plan %s --out %s%s", report.Quote(spec.Name), report.Quote(a.another(what)), flagged("--despite", f.despite))
		}
	} else {
		spec.Despite = f.despite
	}
	if err := errors.Join(a.withStrategy(&spec, f.strategy), a.canConfirm(spec.Name, f.confirm)); err != nil {
		return err
	}
	if f.afterRevoke {
		spec.Purpose = sop.AfterRevoke
	}
	if err := placesKnown(config, f.despite); err != nil {
		return err
	}
	if err := a.outside(spec, f.outside); err != nil {
		return err
	}
	return a.open(ctx, config, spec, f, reviewed)
}

// placesKnown refuses a place of a vendor that rekey.yaml does not have.
func placesKnown(config *sop.Config, despite []string) error {
	for _, key := range despite {
		vendor, place, said := strings.Cut(key, ":")
		if _, there := config.Vendors[vendor]; !there || !said || place == "" {
			return usage("--despite %s: a place is written as rekey discover writes it: a vendor of rekey.yaml (%s), a colon, a name", key, strings.Join(sortedKeys(config.Vendors), ", "))
		}
	}
	return nil
}

// open opens a run of whatever purpose and carries it out.
func (a *app) open(ctx context.Context, config *sop.Config, spec sop.Spec, f runFlags, reviewed *rotation.Plan) error {
	w, err := a.prepare(config, spec)
	if err != nil {
		return err
	}
	defer w.close()
	unlock, err := w.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.may(ctx, f.without); err != nil {
		return err
	}
	w.lookBack(ctx)
	opened := &rotation.Opened{Credential: spec.Name, Spec: spec, Actor: w.by.Name, By: &w.by, Reason: f.reason, Ticket: f.ticket, Tool: version, Overrides: f.overrides(), Simulated: simulated(config)}
	if reviewed != nil {
		opened.Expect, opened.Plan = reviewed.Digest(), reviewed.Run
	}
	// The id is made here, whatever a plan file says: what bears it may be taken away.
	first := rotation.Event{At: a.now().UTC(), Run: runID(), Kind: rotation.KindOpened, Opened: opened}
	recorder := &history.Recorder{Book: w.book, Credential: spec.Name}
	// Looked at and written in one transaction: of several that begin together, those
	// that must not go on beside each other do not.
	err = recorder.Begin(context.WithoutCancel(ctx), func(ctx context.Context, book history.Book) error {
		return w.mayBegin(ctx, book, opened.Plan, f.alongside)
	}, first)
	if refused := (exit{}); errors.As(err, &refused) {
		return refused
	}
	if err != nil {
		return exit{exitFailed, fmt.Errorf("the journal cannot be written, so nothing was done: %w", err)}
	}
	return w.carryOut(ctx, rotation.NewState(), recorder, []rotation.Event{first}, f.confirm, reviewed)
}

// mayBegin refuses a run beside others that are open: of the same credential, of the
// same plan, or of the same consumers.
func (w *work) mayBegin(ctx context.Context, book history.Book, plan string, alongside bool) error {
	open, err := book.Going(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.Credential == w.spec.Name {
			back := "\n  or    rekey rollback " + r.Run
			if st, err := book.State(ctx, r.Run); err == nil && st.Final {
				back = ""
			}
			return exit{exitLocked, fmt.Errorf("a run of %s is open\n  next  rekey resume %s%s", w.spec.Name, r.Run, back)}
		}
	}
	if plan != "" {
		run, err := book.CarriedOut(ctx, plan)
		if err != nil {
			return err
		}
		if run != "" {
			return exit{exitUsage, fmt.Errorf("this plan was carried out already\n  next  rekey log %s", run)}
		}
	}
	if alongside {
		return nil
	}
	return w.alone(open)
}

// alone refuses to change a consumer while another open run changes it: two
// restarts at once, and if one breaks nobody knows which.
func (w *work) alone(open []history.Going) error {
	if !writesConsumers(w.spec.Purpose) {
		return nil
	}
	for _, r := range open {
		if !writesConsumers(r.Purpose) {
			continue
		}
		for _, c := range w.spec.Consumers {
			// As it was opened: rekey.yaml may have changed, or be another one.
			if slices.ContainsFunc(r.Spec.Consumers, func(o sop.Place) bool { return o.Key == c.Key }) {
				return exit{exitLocked, fmt.Errorf("a run of %s is open, and it changes %s too\n  next  rekey resume %s\n  or    %s", r.Credential, c.Key, r.Run, w.app.again("--alongside"))}
			}
		}
	}
	return nil
}

func writesConsumers(p sop.Purpose) bool {
	return p != sop.ToRevoke && p != sop.ToDelete && p != sop.ToRehearse
}

// lock makes sure that only one process works on the credential.
func (w *work) lock() (func(), error) {
	unlock, err := w.book.J.Lock(w.spec.Name)
	if errors.Is(err, journal.ErrLocked) {
		return nil, exit{exitLocked, fmt.Errorf("another process is working on %s right now; look with: rekey status", w.spec.Name)}
	}
	if err != nil {
		return nil, exit{exitFailed, err}
	}
	return unlock, nil
}

// carryOut goes on from the events that were journalled just now until the run ends
// in this process, showing it.
func (w *work) carryOut(ctx context.Context, state *rotation.State, recorder *history.Recorder, first []rotation.Event, confirm string, reviewed *rotation.Plan) error {
	a := w.app
	w.recorder = recorder
	s, asJSON := a.screen()
	if asJSON != nil && w.behind != nil {
		asJSON.Write(map[string]any{"type": "warning", "code": "journal-set-back", "text": w.behind.Error()})
	}
	r := w.runner(s)
	r.Reviewed = reviewed
	r.Confirm = w.confirm(s, confirm)
	r.Journal = recorder
	if w.verbose {
		for _, e := range state.Past {
			s.Event(e)
		}
	} else {
		s.Past(state.Past)
	}
	for _, e := range first {
		state.Apply(e)
		s.Event(e)
	}
	result, err := r.Run(ctx, state)
	s.End()
	if a.drawn != nil {
		a.drawn.Store(false)
	}
	if err != nil {
		return w.stopped(ctx, err, state)
	}
	others := w.meanwhile(ctx, r, result.State)
	w.attest(ctx, asJSON)
	return w.tell(result, others, asJSON)
}

// another is a file like that one, and not there yet.
func (a *app) another(name string) string {
	base := strings.TrimSuffix(name, ".json")
	for n := 2; ; n++ {
		if _, err := os.Lstat(a.path(name)); err != nil {
			return name
		}
		name = fmt.Sprintf("%s-%d.json", base, n)
	}
}

// flagged gives a flag once for each value.
func flagged(flag string, values []string) (out string) {
	for _, v := range values {
		out += " " + flag + " " + report.Quote(v)
	}
	return out
}

// maxPlan bounds a plan's file. A plan of a thousand consumers has some megabytes.
const maxPlan = 64 << 20

func (a *app) readPlan(name string) (*rotation.Plan, error) {
	path := a.path(name)
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, usage("read the plan: %v\n  next  rekey plan --out %s", err, report.Quote(a.another(name)))
	case !st.Mode().IsRegular() || st.Size() > maxPlan:
		return nil, usage("%s is no plan: it is no file, or too large for one\n  next  rekey plan --out %s", path, report.Quote(a.another(name)))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("read the plan: %v", err)
	}
	p, err := rotation.ParsePlan(path, b)
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	return p, nil
}
