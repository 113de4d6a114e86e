package heroku

import (
	"context"
	"slices"
	"sync"
	"time"

	"rekey/internal/secret"
)

const (
	// kept is how long config vars are remembered for the looks who else holds a
	// credential, of one process and all its runs.
	kept = 30 * time.Minute
	// underWay is how long a release may be on its way, during which the old config vars
	// are read: a release command is ended after an hour
	// [devcenter.heroku.com/articles/release-phase], and some minutes are for clocks.
	underWay = 70 * time.Minute
	// sameSecond: times are told to the second, so what was changed in the second in which
	// it was read may not show.
	sameSecond = 3 * time.Second
)

// looks remember what apps held at a look, so that the next one asks only what has
// changed since. Every change of config vars is a release, and the list of apps tells
// when an app was last released. That list is believed only where it has proven itself:
// of each app that we have written it has to tell a later date than before the write.
type looks struct {
	mu      sync.Mutex
	dates   map[string]dates // by path, as they were last listed
	written map[string]write // what we wrote or may have written, by path
	proven  bool             // a list told of a write of ours
	seen    map[string]sight // by id
}

// write is one of ours, or an attempt.
type write struct {
	at     time.Time
	before dates // the dates that were listed before it; zero: none
}

// sight is what an app held when it was looked at.
type sight struct {
	at    time.Time
	dates dates // in the list before it was read
	vars  map[string]secret.Value
}

func newLooks() *looks {
	return &looks{dates: map[string]dates{}, written: map[string]write{}, seen: map[string]sight{}}
}

// dates are those of an app by which a change of it shows, to be compared; zero: it
// tells none.
type dates struct{ released, updated int64 }

func (a listed) dates() dates {
	if a.ReleasedAt.IsZero() {
		return dates{}
	}
	return dates{a.ReleasedAt.UnixNano(), a.UpdatedAt.UnixNano()}
}

// writes notes, before an app is written, that its dates have to change.
func (l *looks) writes(path string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[path] = write{now, l.dates[path]}
}

// listed takes a list in. It reports whether the list may be believed when it says that
// an app has not changed: it tells of every write of ours, and of one at least.
func (l *looks) listed(apps []listed, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	believed := true
	for _, a := range apps {
		for _, path := range a.paths() {
			if w, ok := l.written[path]; ok {
				switch {
				case w.before == (dates{}): // nothing to compare with: it proves nothing
					delete(l.written, path)
				case w.before == a.dates() && now.Sub(w.at) > underWay: // it has not happened
					delete(l.written, path)
				case w.before == a.dates():
					believed = false // it is late, or its dates do not tell of config vars
				default:
					l.proven = true
					delete(l.written, path)
				}
			}
			l.dates[path] = a.dates()
		}
	}
	for id, s := range l.seen {
		gone := !slices.ContainsFunc(apps, func(a listed) bool { return a.ID == id })
		if gone || now.Sub(s.at) > kept {
			delete(l.seen, id)
		}
	}
	if len(l.written) > 0 {
		believed = false // what we wrote is not in the list at all
	}
	return believed && l.proven
}

// unchanged returns what an app held when it was last read, if it has not changed since.
func (l *looks) unchanged(a listed, now time.Time) (sight, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seen[a.ID]
	return s, ok && s.dates != (dates{}) && s.dates == a.dates() && now.Sub(s.at) <= kept
}

func (l *looks) keep(a listed, s sight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[a.ID] = s
}

// settled reports whether what is read of an app from now on can change only by a
// release with a later date: the one that is listed is not on its way any more.
func (p *Platform) settled(ctx context.Context, a listed) bool {
	ahead, known := p.api.Ahead()
	age := p.env.Now().Add(min(ahead, 0)).Sub(a.ReleasedAt) // by the clock that makes it younger
	switch {
	case a.ReleasedAt.IsZero() || !known || age < sameSecond:
		return false
	case age > underWay:
		return true
	}
	newest, err := (&app{Platform: p, path: a.paths()[1]}).releases(ctx)
	return err == nil && !slices.ContainsFunc(newest, func(r release) bool { return r.Status == "pending" })
}
