package history

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Past is what one process has read of a journal: every run in one line, and the newest
// note of some kinds about each credential. A journal only grows, so each further Read
// reads what was written since; where the newest entry that was read no longer
// exists, it reads everything anew. It may be used by several goroutines.
type Past struct {
	notes map[string]func(Note) (any, error)

	turn sync.Mutex // of those who wait for the next reading
	next *reading   // that nobody has begun yet

	mu    sync.Mutex
	last  journal.Entry // up to which everything was read; the zero Entry: nothing was
	seen  Seen
	place map[string]int     // of a run among those that were seen
	began map[string]Summary // who began a run, and for what, of those that somebody wanted to know it of
	folds map[string]*folded // open runs that somebody wanted to know the state of

	foldedTo int64 // up to which entry they are
}

// reading is one that several wait for: whoever comes while one is under way shares the
// one after it.
type reading struct {
	once sync.Once
	done chan struct{}
	seen Seen
	err  error
}

// Seen is what a Past has read. Others read the same: nothing of it may be changed.
type Seen struct {
	// Runs are all of them, oldest first, as Overview tells them.
	Runs []Summary
	// Notes are, by kind and credential, the newest ones as the function of their kind has
	// read them.
	Notes map[string]map[string]any
}

// NewPast returns one that has read nothing. notes says how the notes of each kind that is
// to be kept are read.
func NewPast(notes map[string]func(Note) (any, error)) *Past { return &Past{notes: notes} }

// ofRuns are the kinds of entries that tell how a run stands. The body of the first is
// large, and read only where it is wanted.
func ofRuns() []string {
	return []string{string(rotation.KindOpened), string(rotation.KindClosed), string(rotation.KindStuck), string(rotation.KindResumed)}
}

// Read returns what the journal tells now, or later. After an error it is read again by the
// next one.
func (p *Past) Read(ctx context.Context, b Book) (Seen, error) {
	p.turn.Lock()
	if p.next == nil {
		p.next = &reading{done: make(chan struct{})}
	}
	r := p.next
	p.turn.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-r.done: // somebody who came before or after this one has read since
		if r.err == nil {
			return r.seen, nil
		}
	default:
	}
	p.turn.Lock()
	if p.next == r {
		p.next = nil // whoever comes from now on wants what is written from now on
	}
	p.turn.Unlock()
	seen, err := p.readNow(ctx, b.read(), b)
	r.once.Do(func() { r.seen, r.err = seen, err; close(r.done) })
	return seen, err
}

func (p *Past) readNow(ctx context.Context, v journal.View, b Book) (Seen, error) {
	newest, err := v.Last(ctx)
	if err != nil {
		return Seen{}, err
	}
	if p.last.Seq > 0 && newest.Hash != p.last.Hash {
		there, err := v.Has(ctx, p.last)
		if err != nil {
			return Seen{}, err
		}
		if !there {
			p.last = journal.Entry{} // it was set back, or is another one
		}
	}
	switch {
	case p.last.Seq == 0:
		err = p.whole(ctx, b)
	case newest.Seq > p.last.Seq:
		err = p.since(ctx, v)
	}
	if err != nil {
		p.last = journal.Entry{} // half of it may have been read
		return Seen{}, err
	}
	p.last = newest
	if err := p.opened(ctx, v); err != nil {
		return Seen{}, err
	}
	return p.seen, nil
}

// whole reads everything.
func (p *Past) whole(ctx context.Context, b Book) error {
	p.began, p.folds, p.foldedTo = map[string]Summary{}, map[string]*folded{}, 0
	p.seen = Seen{Notes: map[string]map[string]any{}}
	var err error
	if p.seen.Runs, err = b.heads(ctx); err != nil {
		return err
	}
	p.placed()
	for kind, read := range p.notes {
		newest, err := b.Latest(ctx, kind)
		if err != nil {
			return err
		}
		of := make(map[string]any, len(newest))
		for name, n := range newest {
			if of[name], err = read(n); err != nil {
				return err
			}
		}
		p.seen.Notes[kind] = of
	}
	return nil
}

// placed notes where each run is, in their order.
func (p *Past) placed() {
	inOrder(p.seen.Runs)
	p.place = make(map[string]int, len(p.seen.Runs))
	for i, r := range p.seen.Runs {
		p.place[r.Run] = i
	}
}

// since reads what was written after what was read. What others have got stays as it is.
func (p *Past) since(ctx context.Context, v journal.View) error {
	runs, notes := p.seen.Runs, maps.Clone(p.seen.Notes)
	cloned, more := map[string]bool{}, false
	err := v.EachAfter(ctx, p.last.Seq, func(e journal.Entry) error {
		if read, kept := p.notes[e.Kind]; kept {
			n, err := read(Note{At: e.At, Credential: e.Subject, Kind: e.Kind, Body: e.Body})
			if err != nil {
				return err
			}
			if !cloned[e.Kind] {
				cloned[e.Kind], notes[e.Kind] = true, maps.Clone(notes[e.Kind])
			}
			notes[e.Kind][e.Subject] = n
			return nil
		}
		if !cloned[""] {
			cloned[""], runs = true, slices.Clone(runs)
		}
		i, known := p.place[e.Run]
		if !known {
			i, more = len(runs), true
			p.place[e.Run] = i
			runs = append(runs, Summary{Run: e.Run, Credential: e.Subject, Opened: e.At})
		}
		if len(e.Body) == 0 {
			return nil
		}
		if err := runs[i].add(e); err != nil {
			return unread(e, err)
		}
		if !runs[i].Open() { // who began it is told of one that is over where it is asked for
			runs[i] = runs[i].overview()
		}
		return nil
	}, string(rotation.KindOpened), slices.Concat(ofRuns(), slices.Collect(maps.Keys(p.notes)))...)
	if err != nil {
		return err
	}
	p.seen = Seen{Runs: runs, Notes: notes}
	if more {
		p.placed()
	}
	return nil
}

// begin reads who began those runs that are wanted, and for what, where that was not read
// yet.
func (p *Past) begin(ctx context.Context, v journal.View, runs []Summary, want func(Summary) bool) error {
	var missing []string
	for _, r := range runs {
		if !want(r) {
			continue
		}
		if _, known := p.began[r.Run]; !known {
			missing = append(missing, r.Run)
		}
	}
	return v.EachOfRuns(ctx, string(rotation.KindOpened), missing, func(e journal.Entry) error {
		s := Summary{Run: e.Run, Credential: e.Subject}
		if err := s.add(e); err != nil {
			return unread(e, err)
		}
		p.began[e.Run] = s
		return nil
	})
}

// opened tells who began those that are open.
func (p *Past) opened(ctx context.Context, v journal.View) error {
	if err := p.begin(ctx, v, p.seen.Runs, Summary.Open); err != nil {
		return err
	}
	cloned := false
	for i, r := range p.seen.Runs {
		if !r.Open() {
			continue
		}
		b, known := p.began[r.Run]
		if !known || r == r.begunAs(b) {
			continue
		}
		if !cloned {
			cloned, p.seen.Runs = true, slices.Clone(p.seen.Runs)
		}
		p.seen.Runs[i] = r.begunAs(b)
	}
	return nil
}

// Begun returns those of the runs that are wanted, oldest first, with who began them, why,
// and for what.
func (p *Past) Begun(ctx context.Context, b Book, runs []Summary, want func(Summary) bool) ([]Summary, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began == nil {
		p.began = map[string]Summary{}
	}
	if err := p.begin(ctx, b.read(), runs, want); err != nil {
		return nil, err
	}
	out := []Summary{}
	for _, r := range runs {
		if want(r) {
			out = append(out, r.begunAs(p.began[r.Run]))
		}
	}
	return out, nil
}

// begunAs is the run with what its beginning tells.
func (s Summary) begunAs(b Summary) Summary {
	s.Actor, s.Reason, s.Purpose, s.Simulated, s.Request = b.Actor, b.Reason, b.Purpose, b.Simulated, b.Request
	return s
}

// overview is the run without that.
func (s Summary) overview() Summary { return s.begunAs(Summary{}) }

// inOrder sorts runs, the oldest first.
func inOrder(runs []Summary) {
	slices.SortFunc(runs, func(a, b Summary) int {
		if c := a.Opened.Compare(b.Opened); c != 0 {
			return c
		}
		return strings.Compare(a.Run, b.Run)
	})
}
