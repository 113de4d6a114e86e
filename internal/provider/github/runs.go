package github

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// run is one run of a workflow.
type run struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Started time.Time `json:"run_started_at"` // of its latest attempt
	Created time.Time `json:"created_at"`
}

// unended are the states of runs that have not come to their end. Secrets of a
// repository and an organisation are read when a run is queued, those of an environment
// when a job that names it begins
// [docs.github.com/actions/reference/security/secrets]: what is queued holds a value.
var unended = []string{"queued", "in_progress", "waiting", "pending", "requested"}

// runs returns the runs of the repository that have not ended, where it can be asked for
// them: those of Actions.
func (p *place) runs(ctx context.Context) ([]run, error) {
	if !p.waits() {
		return nil, nil
	}
	var all []run
	asks := make([]func() error, len(unended))
	parts := make([][]run, len(unended))
	for i, status := range unended {
		asks[i] = func() (err error) { parts[i], err = p.inState(ctx, status); return err }
	}
	if err := p.env.Together(asks...); err != nil {
		return nil, err
	}
	for _, part := range parts {
		all = append(all, part...)
	}
	return all, nil
}

// waits reports whether runs that began earlier are waited for.
func (p *place) waits() bool {
	return p.repo != "" && p.settings.Of == "actions" && p.settings.EarlierRuns != "ignore"
}

func (p *place) inState(ctx context.Context, status string) ([]run, error) {
	var all []run
	err := p.pages(ctx, "list workflow runs", p.repo+"/actions/runs", url.Values{"status": {status}}, func(resp *vendorhttp.Response) (int, error) {
		var l struct {
			Total *int  `json:"total_count"`
			Runs  []run `json:"workflow_runs"`
		}
		if err := resp.Decode(&l); err != nil {
			return 0, err
		}
		if l.Total == nil || l.Runs == nil {
			return 0, resp.Nonsense(misshapen)
		}
		all = append(all, l.Runs...)
		return len(l.Runs), nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// began is when a run's secrets were read, at the earliest.
func (r run) began() time.Time {
	if r.Started.IsZero() {
		return r.Created
	}
	return r.Started
}

// Snapshot tells when each secret was last written, and which runs have not ended.
func (p *place) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	var all map[string]kept
	var runs []run
	err := p.env.Together(
		func() (err error) { all, err = p.list(ctx); return err },
		func() (err error) { runs, err = p.runs(ctx); return err },
	)
	if err != nil {
		return provider.Snapshot{}, err
	}
	s := provider.Snapshot{Slots: held(all, slots), Units: len(runs)}
	s.Mark = mark(newest(s.Slots))
	if s.Mark == "" {
		s.Mark = mark(time.Unix(0, 0)) // none is there yet: whatever is written comes after it
	}
	if !p.waits() {
		s.Notes = append(s.Notes, "which workflow runs hold the value that they began with is not looked at: they keep it until they end")
	}
	return s, nil
}

func newest(slots map[string]provider.Held) time.Time {
	var at time.Time
	for _, h := range slots {
		if h.Written.After(at) {
			at = h.Written
		}
	}
	return at
}

// Progress waits until every secret was written after the noted write, and every run
// that began before that has ended. What the values are cannot be seen.
func (p *place) Progress(ctx context.Context, w provider.Followed, slots []string) (provider.Progress, error) {
	all, err := p.list(ctx)
	if err != nil {
		return provider.Progress{}, err
	}
	out := provider.Progress{Slots: held(all, slots)}
	for _, s := range slots {
		if h := out.Slots[s]; w.Since != "" && h.Present && h.Version <= w.Since {
			return provider.Progress{Class: cred.Waiting, Detail: s + " was last written at " + h.Version + ", which is before it was written anew", Slots: out.Slots}, nil
		}
	}
	at := newest(out.Slots)
	out.Mark = mark(at)
	runs, err := p.runs(ctx)
	if err != nil {
		return provider.Progress{}, err
	}
	for _, r := range runs {
		if before := r.began(); before.Before(at) && !(w.Same != "" && mark(before) > w.Same) {
			out.Class = cred.Waiting
			out.Detail = fmt.Sprintf("run %d of %s began at %s and holds what it began with", r.ID, r.Name, mark(before))
			return out, nil
		}
	}
	out.Class = cred.Done
	for _, s := range slots {
		if h := out.Slots[s]; h.Present {
			out.Evidence = append(out.Evidence, s+" was written at "+h.Version+" by GitHub's clock; its value cannot be read back")
		}
	}
	if p.waits() {
		out.Evidence = append(out.Evidence, "no workflow run that began earlier goes on")
	}
	return out, nil
}

// Ahead is how far GitHub's clock is ahead of ours.
func (p *place) Ahead() (time.Duration, bool) { return p.api.Ahead() }

var (
	_ provider.Consumer = (*place)(nil)
	_ provider.Holder   = (*place)(nil)
	_ provider.Clocked  = (*place)(nil)
	_ provider.Calls    = (*place)(nil)
)
