package history

import (
	"context"

	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// folded is an open run as far as it was read.
type folded struct {
	state *rotation.State
	seq   int64 // of the newest entry in it

	planned bool
}

// Open tells f of every open run and its state, oldest first. Of a run that was asked for
// before, only what was written since is read. f may keep nothing of the state and change
// nothing of it, and may not ask the Past. Its error is returned as it is.
func (p *Past) Open(ctx context.Context, b Book, f func(Summary, *rotation.State) error) error {
	seen, err := p.Read(ctx, b)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fold(ctx, b.read(), seen.Runs); err != nil {
		p.folds, p.foldedTo = map[string]*folded{}, 0 // half of it may have been applied
		return err
	}
	for _, r := range seen.Runs {
		if one := p.folds[r.Run]; one != nil && r.Open() {
			if err := f(r, one.state); err != nil {
				return err
			}
		}
	}
	return nil
}

// fold brings the states of the runs that are open up to date.
func (p *Past) fold(ctx context.Context, v journal.View, runs []Summary) error {
	folds := map[string]*folded{}
	to := p.last.Seq
	var known, fresh []string
	for _, r := range runs {
		if !r.Open() {
			continue
		}
		one := p.folds[r.Run]
		if one == nil {
			one = &folded{state: rotation.NewState()}
			fresh = append(fresh, r.Run)
		} else {
			known = append(known, r.Run)
		}
		folds[r.Run] = one
	}
	p.folds = folds
	apply := func(e journal.Entry) error {
		one := folds[e.Run]
		if e.Seq <= one.seq {
			return nil
		}
		if err := asWritten([]journal.Entry{e}); err != nil {
			return err
		}
		events, err := Decode([]journal.Entry{e})
		if err != nil {
			return err
		}
		one.planned = one.planned || events[0].Planned != nil
		if err := placed(events[0], one.seq == 0, one.planned); err != nil {
			return err
		}
		one.state.Apply(events[0])
		one.seq = e.Seq
		return nil
	}
	if p.foldedTo < to {
		if err := v.EachOfRunsAfter(ctx, p.foldedTo, known, apply); err != nil {
			return err
		}
	}
	p.foldedTo = to
	return v.EachOfRunsAfter(ctx, 0, fresh, apply)
}
