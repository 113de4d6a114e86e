package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/refs"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/screen"
	"rekey/internal/secret"
	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/wire"
)

// work is everything that a command about one credential works with.
type work struct {
	app        *app
	config     *sop.Config
	spec       sop.Spec
	finder     *refs.Finder
	env        provider.Env
	crew       *wire.Crew
	keyer      secret.Keyer
	book       history.Book
	screen     screen.Screen
	recorder   *history.Recorder // of the run that is carried out; nil: none
	by         rotation.Who      // who does this; set before anything is changed
	behind     error             // why the journal is not what has left the machine; nil: nothing says so
	unattended bool              // nobody is asked to do anything by hand
	closes     []func()

	verbose bool // show again what earlier processes of the run did

	mu    sync.Mutex
	calls map[string]int // by vendor
}

func (w *work) close() {
	for i := len(w.closes) - 1; i >= 0; i-- {
		w.closes[i]()
	}
}

// prepare opens everything for one credential. Nothing of it touches a vendor.
func (a *app) prepare(config *sop.Config, spec sop.Spec) (*work, error) {
	w, err := a.surround(config, spec)
	if err != nil {
		return nil, err
	}
	if w.crew, err = wire.Open(spec, config.Vendors, w.env); err != nil {
		err = w.allMissing(err)
		w.close()
		return nil, exit{exitUsage, err}
	}
	w.closes = append(w.closes, func() { w.crew.Close(context.Background()) })
	return w, nil
}

// allMissing tells, with one reference that is not set, all others of this
// credential: they are set in one go.
func (w *work) allMissing(err error) error {
	var missing []string
	for _, f := range variables(w.config, []sop.Spec{w.spec}, w.finder) {
		if !f.OK {
			missing = append(missing, "\n  missing  "+f.What)
		}
	}
	if len(missing) == 0 {
		return err
	}
	return fmt.Errorf("%w%s\n  next  set them, and look at everything else that is missing: rekey doctor %s", err, strings.Join(missing, ""), w.spec.Name)
}

// ours returns why the run that is carried out is not this process's any more.
func (w *work) ours(ctx context.Context) error {
	if w.recorder == nil {
		return nil // nothing is carried out
	}
	return w.recorder.Ours(ctx)
}

// keep writes notes, all or none.
func (w *work) keep(ctx context.Context, notes ...history.Note) error {
	if err := w.book.Add(context.WithoutCancel(ctx), notes...); err != nil {
		return exit{exitFailed, fmt.Errorf("the journal cannot be written: %w", err)}
	}
	return nil
}

// bare opens what is not a vendor, for commands about the journal.
func (a *app) bare() (*work, error) {
	config, err := a.load()
	if err != nil {
		return nil, err
	}
	return a.surround(config, sop.Spec{})
}

// surround opens what is not a vendor: network, references, journal, key.
func (a *app) surround(config *sop.Config, spec sop.Spec) (*work, error) {
	w := &work{app: a, config: config, spec: spec, calls: map[string]int{}}
	transport, lookup, err := w.surroundings()
	if err != nil {
		w.close()
		return nil, exit{exitFailed, err}
	}
	w.finder = &refs.Finder{Dir: config.Dir, Env: lookup, Asked: &a.asked}
	w.env = provider.Env{
		Transport: vendorhttp.Fence{Next: transport, Ours: w.ours}, Now: a.now, Together: wire.Together,
		Resolve: w.finder.Secret, Text: w.finder.Text, Observe: w.observe,
		Outside: w.ways(), Ours: w.ours,
		Person: w.person, Urgent: spec.Purpose == sop.ToRevoke || spec.Purpose == sop.ToDelete,
	}
	w.finder.Store = w.stored
	dir := a.journalDir(config)
	j, err := journal.Open(dir)
	if err != nil {
		w.close()
		return nil, exit{exitFailed, err}
	}
	w.closes = append(w.closes, func() { _ = j.Close() })
	if err := private(dir); err != nil {
		w.close()
		return nil, exit{exitFailed, err}
	}
	w.book = history.Book{J: j}
	if err := sameWorld(context.Background(), config, w.book, dir); err != nil {
		w.close()
		return nil, err
	}
	if w.keyer, err = fingerprints(dir); err != nil {
		w.close()
		return nil, exit{exitFailed, err}
	}
	w.env.Marks = marks{dir: filepath.Join(dir, "refused"), keyer: w.keyer}
	return w, nil
}

// transport is the real network.
func transport() *http.Transport {
	return vendorhttp.NewTransport(vendorhttp.Proxies(os.Getenv), os.Getenv("GODEBUG"))
}

// surroundings are the network and the environment: the real ones, or a
// simulated world, which gets neither a real address nor a real variable.
func (w *work) surroundings() (http.RoundTripper, func(string) (string, bool), error) {
	t := transport()
	w.closes = append(w.closes, t.CloseIdleConnections)
	where := w.config.Simulate
	switch {
	case where == "":
		return t, os.LookupEnv, nil
	case strings.HasPrefix(where, "http://"):
		base, err := url.Parse(where)
		if err != nil {
			return nil, nil, fmt.Errorf("simulate: this is not an address")
		}
		remote := sim.Remote{Base: base, Transport: t}
		known, err := remote.Env()
		if err != nil {
			return nil, nil, fmt.Errorf("simulate: no world answers at %s: is `rekey sim` running?", where)
		}
		return ownAddresses(w.config.Vendors, remote), lookup(known), nil
	}
	path := where
	if !filepath.IsAbs(path) {
		path = filepath.Join(w.config.Dir, path)
	}
	world, unlock, err := sim.Load(path, w.app.now)
	if err != nil {
		return nil, nil, err
	}
	w.closes = append(w.closes, unlock)
	return ownAddresses(w.config.Vendors, world), lookup(world.Env()), nil
}

// ways are the ways out that are not HTTP: closed in a simulated world, which has no
// doubles of servers, files and commands.
func (w *work) ways() outside.Ways {
	if simulated(w.config) {
		return outside.Closed{}
	}
	return outside.Real{}
}

func lookup(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// observe counts calls and shows them.
func (w *work) observe(c vendorhttp.Call) {
	w.mu.Lock()
	w.calls[c.Vendor]++
	w.mu.Unlock()
	if w.screen != nil {
		w.screen.Call(c)
	}
}

func (w *work) callCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		n += c
	}
	return n
}

// stored reads an infisical: reference through the vendor that it names, or the only
// one of that type; where neither is so, rekey.yaml was not taken.
func (w *work) stored(ctx context.Context, s sop.Stored) (secret.Value, error) {
	for name, v := range w.config.Vendors {
		if v.Type == "infisical" && (s.Vendor == "" || s.Vendor == name) {
			return wire.ReadOne(ctx, name, w.config.Vendors, w.env, s.Environment, s.Path, s.Key)
		}
	}
	return secret.Value{}, errors.New("there is no such vendor of type infisical under vendors")
}

// runner returns a runner over all this.
func (w *work) runner(s screen.Screen) *runner.Runner {
	w.screen = s
	return &runner.Runner{
		Journal: &history.Recorder{Book: w.book, Credential: w.spec.Name}, Hold: w.book.J.Hold,
		Roles: w.crew.Roles, Can: w.crew.Can, Keyer: w.keyer, Clock: clock{}, Together: wire.Together,
		Past:  func(ctx context.Context) ([]rotation.Generation, error) { return w.book.Generations(ctx, w.spec.Name) },
		Calls: w.callCount, Watch: s.Event, Starts: s.Starts, Waits: s.Waits, Sources: w.finder.Used, Actor: w.by.Name, By: &w.by,
	}
}

// clock is real time.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// osUser is who runs this, as far as the system knows.
func osUser() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// private keeps the journal's folder out of Git: its key and its history belong to
// this installation.
func private(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("keep the journal out of Git: %w", err)
	}
	_, err = f.WriteString("# Made by Rekey: this folder is never committed. Keep it, and back it up.\n*\n")
	return errors.Join(err, f.Close())
}

const keyFile = "fingerprint.key"

// fingerprints reads the installation's fingerprint key, or makes one. It is not
// a credential: who has it and the journal can test guesses of a value.
func fingerprints(dir string) (secret.Keyer, error) {
	path := filepath.Join(dir, keyFile)
	k, err := secret.ReadKeyer(path)
	if errors.Is(err, os.ErrNotExist) {
		// Somebody else may be faster; then that one's is taken.
		if err := secret.KeepNewKeyer(path); err != nil && !errors.Is(err, os.ErrExist) {
			return secret.Keyer{}, fmt.Errorf("make the fingerprint key: %w", err)
		}
		k, err = secret.ReadKeyer(path)
	}
	if errors.Is(err, secret.ErrNoKey) {
		return k, fmt.Errorf("%s is damaged: %w\n  next  put it back from a backup\n  or    move it away: another one is made, and earlier fingerprints in the journal match nothing any more", path, err)
	}
	if err != nil {
		return k, fmt.Errorf("read the fingerprint key: %w", err)
	}
	return k, nil
}

// runID is short enough to be read out: 30 random bits without look-alikes.
func runID() string {
	const letters = "23456789abcdefghjkmnpqrstuvwxyz"
	var b [6]byte
	_, _ = rand.Read(b[:])
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:])
}
