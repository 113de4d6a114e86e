package estate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/outside"
	"rekey/internal/sim"
	"rekey/internal/vendorhttp"
)

// network is the real one.
func (e *Estate) network() (http.RoundTripper, func()) {
	if e.here.Network != nil {
		return e.here.Network, func() {}
	}
	value := func(name string) string { v, _ := e.here.Env(name); return v }
	t := vendorhttp.NewTransport(vendorhttp.Proxies(value))
	return t, t.CloseIdleConnections
}

// surroundings are the network and the environment: the real ones, or a
// simulated world, which gets neither a real address nor a real variable.
func (w *work) surroundings() (http.RoundTripper, func(string) (string, bool), error) {
	t, idle := w.network()
	w.closes = append(w.closes, idle)
	where := w.config.Simulate
	switch {
	case where == "":
		return t, w.here.Env, nil
	case strings.HasPrefix(where, "http://"):
		base, err := url.Parse(where)
		if err != nil {
			return nil, nil, fmt.Errorf("simulate: this is not an address")
		}
		remote := sim.Remote{Base: base, Transport: t}
		known, err := remote.Env()
		if err != nil {
			return nil, nil, fmt.Errorf("simulate: no simulated vendors answer at %s\n  next  start them in another terminal: rekey sim --listen %s", where, base.Host)
		}
		return ownAddresses(w.config.Vendors, remote), lookup(known), nil
	}
	path := where
	if !filepath.IsAbs(path) {
		path = filepath.Join(w.config.Dir, path)
	}
	world, unlock, err := sim.Load(path, w.now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("simulate: there is no simulated world in %s: rekey demo lays one out in a folder of its own, with a rekey.yaml that fits it", w.config.Simulate)
	}
	if err != nil {
		return nil, nil, err
	}
	w.closes = append(w.closes, unlock)
	return ownAddresses(w.config.Vendors, world), lookup(world.Env()), nil
}

// ways are the ways out that are not HTTP: closed in a simulated world, which has no
// doubles of servers, files and commands.
func (w *work) ways() outside.Ways {
	if w.simulated() {
		return outside.Closed{}
	}
	return outside.Real{}
}

func lookup(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// sameWorld refuses a journal of the other kind: what was practised does not prove
// what was done, and the other way round.
func (e *Estate) sameWorld(ctx context.Context, book history.Book) error {
	was, known, err := book.Simulated(ctx)
	if err != nil {
		return failed(err)
	}
	if !known || was == e.simulated() {
		return nil
	}
	out := &Error{Code: OtherWorld, Dir: e.place().Name(), Simulated: was, Advice: []string{"name another folder under journal, or move this one away"}}
	switch {
	case e.config.Database != "":
		out.Advice = []string{"name another database under database, or another schema in its address: search_path=NAME"}
	case !was:
		out.Advice = []string{"name another folder under journal, or leave journal out: a simulation then has its own"}
	}
	return out
}

// withJournal reads the journal, which has to be there.
func (e *Estate) withJournal(ctx context.Context, f func(history.Book) error) error {
	j, closing, err := e.existing()
	if errors.Is(err, journal.ErrNone) {
		return &Error{Code: NoJournal, Dir: e.place().Name()}
	}
	if err != nil {
		return failed(err)
	}
	defer func() { _ = closing() }()
	book := history.Book{J: j}
	if err := e.sameWorld(ctx, book); err != nil {
		return err
	}
	return failed(f(book))
}

// existing opens the journal for reading, and makes none.
func (e *Estate) existing() (j *journal.Journal, closing func() error, err error) {
	if e.here.Journal != nil {
		return e.here.Journal, func() error { return nil }, nil
	}
	if j, err = e.place().Read(context.Background()); err != nil {
		return nil, nil, err
	}
	return j, j.Close, nil
}

// ifJournal reads the journal; where there is none yet, it does nothing.
func (e *Estate) ifJournal(ctx context.Context, f func(history.Book) error) error {
	err := e.withJournal(ctx, f)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == NoJournal {
		return nil
	}
	return err
}
