package dossier

import (
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
// credential only its own entries are taken. Proofs, checkpoint and signature are
// added by Prove and Write.
func Collect(ctx context.Context, j *journal.Journal, ask Ask) (*Dossier, error) {
	d := &Dossier{Header: Header{
		Type: "header", Format: Format, Tool: ask.Tool, By: ask.By, Generated: ask.Now.UTC(), From: ask.From.UTC(), To: ask.To.UTC(),
		Credential: ask.Credential, File: ask.File, Whole: ask.Credential == "", Simulated: ask.Simulated, Statement: Statement,
	}}
	seen, err := survey(ctx, j, ask)
	if err != nil {
		return nil, err
	}
	d.Header.Entries, d.Header.First, d.Header.Last = seen.entries, seen.first, seen.last
	byRun := map[string][]journal.Entry{}
	err = j.Each(ctx, func(e journal.Entry) error {
		inside := seen.first > 0 && e.Seq >= seen.first && e.Seq <= seen.last && ask.wants(e.Subject)
		edge := d.Header.Whole && seen.first > 0 && (e.Seq == seen.first-1 || e.Seq == seen.last+1)
		if !inside && !edge && !seen.runs[e.Run] {
			return nil
		}
		d.Entries = append(d.Entries, Entry{Type: "entry", Entry: e, Boundary: edge && !inside})
		if seen.runs[e.Run] {
			byRun[e.Run] = append(byRun[e.Run], e)
		}
		if inside && e.Kind == history.Compared {
			return d.compared(e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	if err := d.readRuns(byRun); err != nil {
		return nil, err
	}
	if err := d.population(ctx, j, ask); err != nil {
		return nil, err
	}
	d.sum()
	return d, nil
}

// surveyed is which entries and runs a period holds.
type surveyed struct {
	entries, first, last int64
	runs                 map[string]bool
}

// survey goes over all entries once, without keeping them. A run is of the period
// if it was open in it, with or without an entry there.
func survey(ctx context.Context, j *journal.Journal, ask Ask) (surveyed, error) {
	s := surveyed{runs: map[string]bool{}}
	open := map[string]time.Time{} // runs that are not closed yet, and when they were opened
	err := j.Each(ctx, func(e journal.Entry) error {
		s.entries = e.Seq
		inside := !e.At.Before(ask.From) && e.At.Before(ask.To)
		if inside {
			s.last = e.Seq
			if s.first == 0 {
				s.first = e.Seq
			}
		}
		if e.Run == "" || !ask.wants(e.Subject) {
			return nil
		}
		if inside {
			s.runs[e.Run] = true
		}
		switch rotation.Kind(e.Kind) {
		case rotation.KindOpened:
			open[e.Run] = e.At
		case rotation.KindClosed:
			if open[e.Run].Before(ask.To) && e.At.After(ask.From) {
				s.runs[e.Run] = true
			}
			delete(open, e.Run)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("read journal: %w", err)
	}
	for run, at := range open {
		if at.Before(ask.To) {
			s.runs[run] = true
		}
	}
	return s, nil
}

func (d *Dossier) compared(e journal.Entry) error {
	var c report.Compared
	if err := json.Unmarshal(e.Body, &c); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	d.Drifts = append(d.Drifts, Drift{Type: "drift", Credential: e.Subject, At: e.At.UTC(), Consumers: c.Consumers, Findings: c.Findings, Entry: e.Seq})
	return nil
}

func (d *Dossier) readRuns(byRun map[string][]journal.Entry) error {
	type read struct {
		st      *rotation.State
		events  []rotation.Event
		entries []journal.Entry
	}
	var all []read
	for _, entries := range byRun {
		events, err := history.Decode(entries)
		if err != nil {
			return err
		}
		if events[0].Opened == nil {
			return fmt.Errorf("run %s does not begin with its opening", events[0].Run)
		}
		all = append(all, read{rotation.Fold(events), events, entries})
	}
	slices.SortFunc(all, func(a, b read) int { return int(a.entries[0].Seq - b.entries[0].Seq) })
	for i, x := range all {
		var others []*rotation.State
		for k, o := range all {
			if i != k && overlap(x.st, o.st) {
				others = append(others, o.st)
			}
		}
		r := runOf(x.events, others)
		r.First, r.Last, r.Entries = x.entries[0].Seq, x.entries[len(x.entries)-1].Seq, len(x.entries)
		d.Runs = append(d.Runs, r)
	}
	return nil
}

// overlap reports whether two runs were open at one time.
func overlap(a, b *rotation.State) bool {
	ends := func(x *rotation.State, before time.Time) bool { return x.Closed != nil && !x.ClosedAt.After(before) }
	return !ends(a, b.OpenedAt) && !ends(b, a.OpenedAt)
}

// sum counts.
func (d *Dossier) sum() {
	s := Summary{Type: "summary", Credentials: len(d.Credentials), Without: []string{}, Overdue: []string{}, Unknown: []string{}, Unproven: []string{}, Runs: map[string]int{}, Drift: len(d.Drifts), Entries: len(d.Entries)}
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
	s.Lines = 2 + len(d.Credentials) + len(d.Runs) + len(d.Drifts) + len(d.Entries)
	d.Summary = s
}
