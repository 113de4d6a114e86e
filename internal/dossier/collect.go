package dossier

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Ask is what an export is to be about.
type Ask struct {
	From, To   time.Time // from included, to not
	Credential string    // "": all
	Now        time.Time
	By, Tool   string
	File       string
	Simulated  bool // the runs were
	Specs      []sop.Spec
}

// wants reports whether a credential is in scope.
func (a Ask) wants(name string) bool { return a.Credential == "" || a.Credential == name }

// Collect reads what the journal holds about a period: all entries between the first
// and the last of it, all entries of every run that was open in it, and the entries
// just before and after, which show that nothing of it is left out. With one
// credential only its own entries are taken. Entries are counted and not kept; proofs,
// checkpoint and signature are added by Prove and Write.
func Collect(ctx context.Context, j *journal.Journal, ask Ask) (*Dossier, error) {
	d := &Dossier{Header: Header{
		Type: "header", Format: Format, Tool: ask.Tool, By: ask.By, Generated: ask.Now.UTC(), From: ask.From.UTC(), To: ask.To.UTC(),
		Credential: ask.Credential, File: ask.File, Whole: ask.Credential == "", Approvals: true, Simulated: ask.Simulated, Statement: Statement,
	}}
	var err error
	if d.scope, err = survey(ctx, j, ask); err != nil {
		return nil, err
	}
	d.Header.Entries, d.Header.First, d.Header.Last = d.scope.entries, d.scope.first, d.scope.last
	if err := d.readApprovals(ctx, j); err != nil {
		return nil, err
	}
	err = d.scope.each(ctx, j, func(e journal.Entry, boundary bool) error {
		d.Summary.Entries++
		if e.Kind == history.Compared && d.scope.inside(e) {
			return d.compared(e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.readRuns(ctx, j); err != nil {
		return nil, err
	}
	if err := d.population(ctx, j, ask); err != nil {
		return nil, err
	}
	d.sum()
	return d, nil
}

func (d *Dossier) compared(e journal.Entry) error {
	var c report.Compared
	if err := json.Unmarshal(e.Body, &c); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	d.Drifts = append(d.Drifts, Drift{Type: "drift", Credential: e.Subject, At: e.At.UTC(), Consumers: c.Consumers, Findings: c.Findings, Entry: e.Seq})
	return nil
}

// readRuns reads every run by itself. Of all others it keeps only what a run has to
// know of those that were open beside it.
func (d *Dossier) readRuns(ctx context.Context, j *journal.Journal) error {
	type begun struct {
		run   string
		first int64
		slim  *rotation.State
	}
	var all []begun
	of := func(run string) ([]journal.Entry, []rotation.Event, error) {
		entries, err := j.Run(ctx, run)
		if err != nil {
			return nil, nil, err
		}
		entries = slices.DeleteFunc(entries, func(e journal.Entry) bool { return e.Seq > d.scope.entries })
		events, err := history.Decode(entries)
		if err == nil && (len(events) == 0 || events[0].Opened == nil) {
			err = fmt.Errorf("run %s does not begin with its opening", run)
		}
		return entries, events, err
	}
	known := map[string]*rotation.State{}
	err := j.EachOf(ctx, func(e journal.Entry) error {
		if !d.scope.runs[e.Run] || e.Seq > d.scope.entries {
			return nil
		}
		switch st := known[e.Run]; {
		case st == nil && e.Kind == string(rotation.KindOpened):
			st, err := slim(e)
			known[e.Run] = st
			all = append(all, begun{e.Run, e.Seq, st})
			return err
		case st != nil && e.Kind == string(rotation.KindClosed):
			st.Closed, st.ClosedAt = &rotation.Closed{}, e.At
		}
		return nil
	}, string(rotation.KindOpened), string(rotation.KindClosed))
	if err != nil {
		return err
	}
	for run := range d.scope.runs {
		if known[run] == nil {
			return fmt.Errorf("run %s does not begin with its opening", run)
		}
	}
	slices.SortFunc(all, func(a, b begun) int { return cmp.Compare(a.first, b.first) })
	states := make([]*rotation.State, len(all))
	for i, x := range all {
		states[i] = x.slim
	}
	beside := overlaps(states)
	for i, x := range all {
		entries, events, err := of(x.run)
		if err != nil {
			return err
		}
		var others []*rotation.State
		for _, k := range beside[i] {
			others = append(others, states[k])
		}
		r := runOf(events, others)
		r.First, r.Last, r.Entries = entries[0].Seq, entries[len(entries)-1].Seq, len(entries)
		r.Approvals = d.agreed[x.run]
		d.Runs = append(d.Runs, r)
	}
	return nil
}

// slim is what another run has to know of one from how it was opened: when, and what it
// changes.
func slim(opened journal.Entry) (*rotation.State, error) {
	events, err := history.Decode([]journal.Entry{opened})
	if err != nil {
		return nil, err
	}
	o := events[0].Opened
	spec := sop.Spec{Purpose: o.Spec.Purpose}
	for _, c := range o.Spec.Consumers {
		spec.Consumers = append(spec.Consumers, sop.Place{Key: c.Key})
	}
	return &rotation.State{Run: opened.Run, OpenedAt: opened.At, Opened: &rotation.Opened{Credential: o.Credential, Spec: spec}}, nil
}

// overlaps tells of every run, by its place, which others were open at one time with
// it, in order. It goes by when they were opened, so that each is held only against
// those that had not ended by then.
func overlaps(all []*rotation.State) [][]int {
	out := make([][]int, len(all))
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return all[a].OpenedAt.Compare(all[b].OpenedAt) })
	var open []int
	for _, i := range order {
		open = slices.DeleteFunc(open, func(k int) bool { return all[k].Closed != nil && !all[k].ClosedAt.After(all[i].OpenedAt) })
		for _, k := range open {
			if overlap(all[i], all[k]) {
				out[i], out[k] = append(out[i], k), append(out[k], i)
			}
		}
		open = append(open, i)
	}
	for i := range out {
		slices.Sort(out[i])
	}
	return out
}

// overlap reports whether two runs were open at one time.
func overlap(a, b *rotation.State) bool {
	ends := func(x *rotation.State, before time.Time) bool { return x.Closed != nil && !x.ClosedAt.After(before) }
	return !ends(a, b.OpenedAt) && !ends(b, a.OpenedAt)
}

// sum counts.
func (d *Dossier) sum() {
	s := Summary{Type: "summary", Credentials: len(d.Credentials), Without: []string{}, Overdue: []string{}, Unknown: []string{}, Unproven: []string{}, Runs: map[string]int{}, Drift: len(d.Drifts), Entries: d.Summary.Entries}
	for _, c := range d.Credentials {
		if len(c.Runs) > 0 {
			s.WithRuns++
		} else {
			s.Without = append(s.Without, c.Name)
		}
		if c.Due.Why == "unknown" {
			s.Unknown = append(s.Unknown, c.Name)
		}
		if c.Overdue {
			s.Overdue = append(s.Overdue, c.Name)
		}
	}
	for _, r := range d.Runs {
		s.Runs[r.Ending]++
		if r.Ending == string(rotation.Rotated) && (!r.Consumers || !r.Denied) {
			s.Unproven = append(s.Unproven, r.Run)
		}
	}
	for _, x := range d.Drifts {
		s.Findings += serious(x)
	}
	s.Lines = 2 + len(d.Credentials) + len(d.Runs) + len(d.Drifts) + len(d.Approvals) + d.Summary.Entries
	d.Summary = s
}
