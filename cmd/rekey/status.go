package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
)

func (a *app) statusCommand() *cobra.Command {
	var live bool
	var failIf []string
	c := &cobra.Command{
		Use: "status", Short: "Every credential: what it needs, when it is due, what is open",
		Long: `Every credential, what needs a person first: its age, when it is due and why, when
the procedure was last seen to work, whether it has drifted, which run is open.

It reads the journal and asks nobody. --live asks each issuer for one list and each
store for one folder, and sets age and expiry right; rekey drift compares consumers.

With --fail-if it ends with 6 where a credential is due, or has drifted, or where
that is not known: never compared, not everything seen, stuck, revoked, lost, or a
run that is open although no process is at it. One that is at work is in order.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.status(c.Context(), live, failIf) },
	}
	c.Flags().BoolVar(&live, "live", false, "ask the issuers what they list now")
	c.Flags().StringSliceVar(&failIf, "fail-if", nil, "exit with 6 unless each credential is known not to be due, not to have drifted: due, drift, or both")
	return c
}

func (a *app) status(ctx context.Context, live bool, failIf []string) error {
	for _, f := range failIf {
		if f != "due" && f != "drift" {
			return usage("--fail-if wants due, drift, or due,drift")
		}
	}
	// Everything is read once and shown: with thousands of credentials a quarter of
	// the time went into looking for what could be thrown away.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	config, err := a.load()
	if err != nil {
		return err
	}
	known, err := a.known(ctx, config)
	if err == nil && len(failIf) > 0 {
		known.Working, err = a.working(config, known.Runs)
	}
	if err != nil {
		return err
	}
	calls := ""
	if live {
		if known.Live, calls, err = a.live(ctx); err != nil {
			return err
		}
	}
	rows := report.Rows(config.Specs, known, a.now())
	for i := range rows {
		rows[i].Next = a.pasteable(rows[i].Next)
	}
	if a.json {
		err = a.printJSON(map[string]any{"at": a.now().UTC(), "live": live, "simulated": simulated(config), "credentials": rows, "evidence": known.Evidence})
	} else {
		if simulated(config) {
			a.print("%s\n", a.style(a.out).Mind("Simulated credentials, by "+config.Simulate+"; none of this is real."))
		}
		a.print("%s%s%s", report.Status(rows, a.style(a.out), a.now()), report.EvidenceLine(known.Evidence, a.style(a.out), a.now()), calls)
	}
	if err != nil {
		return err
	}
	return a.fails(rows, failIf)
}

// fails is exit 6 where a credential is not shown to be in order: what is not known,
// never compared, stuck or lost is not.
func (a *app) fails(rows []report.Row, failIf []string) error {
	if len(failIf) == 0 {
		return nil
	}
	var why []string
	for _, r := range rows {
		if w, next := r.Against(slices.Contains(failIf, "due"), slices.Contains(failIf, "drift"), a.now()); w != "" {
			why = append(why, fmt.Sprintf("%s: %s\n  next  %s", r.Credential, w, next))
		}
	}
	switch {
	case len(why) == 0:
		return nil
	case a.json:
		return exit{exitNeeds, nil} // the rows say it
	}
	return exit{exitNeeds, errors.New("not shown to be in order (--fail-if):\n" + strings.Join(why, "\n"))}
}

// working are the credentials whose open run a process on this machine is at: the
// system frees a lock when its process dies, however it dies.
func (a *app) working(config *sop.Config, runs []history.Summary) (map[string]bool, error) {
	out := map[string]bool{}
	if !slices.ContainsFunc(runs, history.Summary.Open) {
		return out, nil
	}
	return out, a.withJournal(config, func(j *journal.Journal) error {
		for _, r := range runs {
			if !r.Open() {
				continue
			}
			unlock, err := j.Lock(r.Credential)
			switch {
			case errors.Is(err, journal.ErrLocked):
				out[r.Credential] = true
			case err != nil:
				return exit{exitFailed, err}
			default:
				unlock()
			}
		}
		return nil
	})
}

// newest reads the newest note of a kind about each credential; what says, with the
// credential's name, what cannot be read.
func newest[T any](ctx context.Context, book history.Book, kind, what string) (map[string]T, error) {
	notes, err := book.Latest(ctx, kind)
	if err != nil {
		return nil, exit{exitFailed, err}
	}
	out := make(map[string]T, len(notes))
	for name, n := range notes {
		var v T
		if err := json.Unmarshal(n.Body, &v); err != nil {
			return nil, exit{exitFailed, fmt.Errorf(what+" cannot be read: %w", name, err)}
		}
		out[name] = v
	}
	return out, nil
}

// found is what discover noted.
func found(ctx context.Context, book history.Book) (map[string]report.Discovered, error) {
	return newest[report.Discovered](ctx, book, history.Discovered, "what the journal notes about others that hold %s")
}

// known reads what the journal tells; there may be none yet.
func (a *app) known(ctx context.Context, config *sop.Config) (report.Known, error) {
	var known report.Known
	j, err := journal.OpenExisting(a.journalDir(config))
	if errors.Is(err, journal.ErrNone) {
		return known, nil
	}
	if err != nil {
		return known, exit{exitFailed, err}
	}
	defer func() { _ = j.Close() }()
	book := history.Book{J: j}
	if err := sameWorld(ctx, config, book, a.journalDir(config)); err != nil {
		return known, err
	}
	if known.Runs, err = book.Overview(ctx); err != nil {
		return known, exit{exitFailed, err}
	}
	sinks := []string{}
	for _, s := range config.Evidence.Sinks {
		sinks = append(sinks, s.Name)
	}
	if known.Evidence, err = evidence.Stand(ctx, j, sinks); err != nil {
		return known, exit{exitFailed, err}
	}
	checks, err := book.Latest(ctx, history.Checked)
	if err != nil {
		return known, exit{exitFailed, err}
	}
	known.Checked = make(map[string]report.Checked, len(checks))
	for name, n := range checks {
		c := report.Checked{At: n.At}
		if err := json.Unmarshal(n.Body, &c.Check); err != nil {
			return known, exit{exitFailed, fmt.Errorf("the journal's check of %s cannot be read: %w", name, err)}
		}
		known.Checked[name] = c
	}
	if known.Compared, err = newest[report.Compared](ctx, book, history.Compared, "the journal's comparison of %s"); err != nil {
		return known, err
	}
	known.Discovered, err = found(ctx, book)
	return known, err
}

// live asks each issuer for its list, and each store for its folder.
func (a *app) live(ctx context.Context) (map[string]report.Live, string, error) {
	e, err := a.estate(nil)
	if err != nil {
		return nil, "", err
	}
	defer e.close()
	open, err := e.openRuns(ctx)
	if err != nil {
		return nil, "", exit{exitFailed, err}
	}
	out := map[string]report.Live{}
	for _, spec := range e.specs {
		r, err := e.looker(spec)
		if err != nil {
			return nil, "", exit{exitUsage, err}
		}
		h, listed, err := r.InUse(ctx, spec)
		past, unread := e.book.Generations(ctx, spec.Name)
		if unread != nil {
			return nil, "", exit{exitFailed, unread}
		}
		strangers := rotation.Strangers(spec, rotation.IssuerSeen{Live: listed, Owner: h.ID}, past, open)
		switch {
		case err != nil:
			out[spec.Name] = report.Live{Problem: runner.Problems(err)[0]}
		case h.ID == "":
			out[spec.Name] = report.Live{Strangers: strangers, Problem: fmt.Sprintf("%s lists no live %s to which the stored credential belongs", spec.Issuer.Vendor, spec.Issuer.Kind)}
		case h.Disabled:
			out[spec.Name] = report.Live{Strangers: strangers, Handle: &h, Problem: fmt.Sprintf("%s is switched off at %s", h.Name, spec.Issuer.Vendor)}
		default:
			out[spec.Name] = report.Live{Strangers: strangers, Handle: &h}
		}
	}
	return out, e.countedCalls(), nil
}

// outside refuses to begin a run while none of its windows is open.
func (a *app) outside(spec sop.Spec, anyway bool) error {
	now := a.now()
	switch spec.Purpose {
	case "", sop.ToForget:
	default:
		return nil // an emergency, a repair and a rehearsal do not wait
	}
	if anyway || sop.Open(spec.Windows, now) {
		return nil
	}
	opens := sop.NextOpen(spec.Windows, now)
	return exit{exitFailed, fmt.Errorf("%s\n  next  wait until then\n  or    %s", report.Closed(spec, opens, now), a.again("--outside-window"))}
}
