// Package refs finds secrets by the references that name them.
package refs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

// patience bounds commands and pipes; a password manager may ask a person.
const patience = 2 * time.Minute

// Finder finds secrets. What was found stays in memory.
type Finder struct {
	Dir string                           // relative file: paths start here
	Env func(name string) (string, bool) // os.LookupEnv outside of simulations
	// Store reads references to a vendor; nil: there is none.
	Store func(ctx context.Context, r sop.Ref) (secret.Value, error)

	Asked    *Asked           // shared by all of a command; nil: its own
	Patience time.Duration    // with commands and pipes; 0: two minutes
	Now      func() time.Time // nil: the real time
	// Simulated: no command is run and no file is read, for either may be real. What a
	// simulated world knows are variables, and what its vendors keep.
	Simulated bool

	mu   sync.Mutex
	used []string
}

// Secret returns the first reference that is set. A reference that is set and
// cannot be read is an error: nothing falls through in silence (T07).
func (f *Finder) Secret(ctx context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
	for i, r := range refs {
		v, set, err := f.one(ctx, r)
		if err != nil {
			return secret.Value{}, provider.Source{}, fmt.Errorf("%s: %w", r, err)
		}
		if !set {
			continue
		}
		src := provider.Source{Ref: r, Fallback: i > 0}
		for _, o := range refs[i+1:] {
			if f.IsSet(o) {
				src.Others = append(src.Others, o)
			}
		}
		f.note(src.String())
		return v, src, nil
	}
	if len(refs) == 1 {
		if scheme, rest := refs[0].Split(); scheme == "file" {
			return secret.Value{}, provider.Source{}, fmt.Errorf("%s: there is no file %s", refs[0], visible.Text(f.absolute(rest)))
		}
	}
	return secret.Value{}, provider.Source{}, errors.New(notSet(refs))
}

// absolute is where a file was looked for: at 3 in the morning nobody remembers to
// which folder a path is relative.
func (f *Finder) absolute(path string) string {
	if whole, err := filepath.Abs(f.path(path)); err == nil {
		return whole
	}
	return f.path(path)
}

// notSet says that none of these is set. As a reference prints itself: the words of a
// command are not told.
func notSet[T ~string](names []T) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = sop.Ref(n).String()
	}
	if len(words) == 1 {
		return words[0] + " is not set"
	}
	return "neither " + strings.Join(words, " nor ") + " is set"
}

// Text resolves a printable setting: the first text that is written down, or
// whose environment variable is set.
func (f *Finder) Text(t sop.Text) (string, error) {
	for i, x := range t {
		name, fromEnv := strings.CutPrefix(x, "env:")
		if !fromEnv {
			return x, nil
		}
		if v, ok := f.Env(name); ok && v != "" {
			v = strings.TrimRight(v, "\r\n")
			if visible.Text(v) != v || v == "" {
				return "", fmt.Errorf("%s is not one line of text that can be seen", sop.Ref(x))
			}
			f.note(provider.Source{Ref: sop.Ref(x), Fallback: i > 0}.String())
			return v, nil
		}
	}
	return "", errors.New(notSet(t))
}

func (f *Finder) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.used {
		if u == s {
			return
		}
	}
	f.used = append(f.used, s)
}

// Used lists which references were used so far.
func (f *Finder) Used() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := append([]string{}, f.used...)
	sort.Strings(out) // they were used side by side, in any order
	return out
}

// IsSet reports whether a reference could be tried, without reading a secret or
// running a command: one that a command or a store answers counts as set.
func (f *Finder) IsSet(r sop.Ref) bool {
	scheme, rest := r.Split()
	switch scheme {
	case "env":
		v, ok := f.Env(rest)
		return ok && v != ""
	case "file":
		_, err := os.Stat(f.path(rest))
		return err == nil && !f.closed(scheme)
	}
	return !f.closed(scheme)
}

// closed reports whether this kind of reference leads out of a simulated world.
func (f *Finder) closed(scheme string) bool {
	return f.Simulated && (scheme == "cmd" || scheme == "file")
}

func (f *Finder) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(f.Dir, p)
}

// regular reports whether a file is one that can be read again and again.
func (f *Finder) regular(p string) bool {
	at, err := os.Stat(f.path(p))
	return err == nil && at.Mode().IsRegular()
}

func (f *Finder) one(ctx context.Context, r sop.Ref) (secret.Value, bool, error) {
	if err := r.Check(); err != nil {
		return secret.Value{}, false, err
	}
	scheme, rest := r.Split()
	if scheme == "env" { // costs nothing, and a simulated world has its own
		v, ok := f.Env(rest)
		if !ok || v == "" {
			return secret.Value{}, false, nil
		}
		return clean([]byte(v))
	}
	if f.closed(scheme) {
		return secret.Value{}, false, errors.New("a simulation runs no command and reads no file of yours: put a variable that the simulated world knows (env:NAME) before it")
	}
	f.mu.Lock()
	if f.Asked == nil {
		f.Asked = &Asked{}
	}
	f.mu.Unlock()
	if scheme == "file" && f.regular(rest) { // nobody is asked, and who reads it next may find what a run has written
		return f.read(ctx, scheme, rest)
	}
	return f.Asked.once(ctx, r, scheme != "file", f.now, func() (secret.Value, bool, error) { return f.read(ctx, scheme, rest) })
}

func (f *Finder) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

func (f *Finder) patience() time.Duration {
	if f.Patience == 0 {
		return patience
	}
	return f.Patience
}

func (f *Finder) read(ctx context.Context, scheme, rest string) (secret.Value, bool, error) {
	switch scheme {
	case "file":
		b, there, err := readFile(ctx, f.path(rest), f.patience())
		if err != nil || !there {
			return secret.Value{}, false, err
		}
		return clean(b)
	case "cmd":
		b, err := run(ctx, rest, f.patience())
		if err != nil {
			return secret.Value{}, false, err
		}
		return clean(b)
	}
	return f.stored(ctx, sop.Ref(scheme+":"+rest))
}

// clean makes one line of what a file or a command gave.
func clean(b []byte) (secret.Value, bool, error) {
	v, err := secret.New(string(b)).Line()
	clear(b)
	return v, err == nil, err
}

// stored reads a secret that a vendor keeps. Which kinds there are is checked before.
func (f *Finder) stored(ctx context.Context, r sop.Ref) (secret.Value, bool, error) {
	if f.Store == nil {
		kind, _ := r.Split()
		return secret.Value{}, false, fmt.Errorf("there is no vendor of type %s under vendors", kind)
	}
	v, err := f.Store(ctx, r)
	if err != nil || !v.Present() {
		return secret.Value{}, false, err
	}
	v, err = v.Line()
	return v, err == nil, err
}
