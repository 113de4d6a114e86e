// Package refs finds secrets by the references that name them.
package refs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"

	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// commandTimeout bounds cmd: references; a password manager may ask a person.
const commandTimeout = 2 * time.Minute

// Finder finds secrets. What was found stays in memory, so a password manager
// is asked once.
type Finder struct {
	Dir string                           // relative file: paths start here
	Env func(name string) (string, bool) // os.LookupEnv outside of simulations
	// Store reads infisical: references; nil: there is none.
	Store func(ctx context.Context, environment, path, key string) (secret.Value, error)

	mu    sync.Mutex
	found map[sop.Ref]secret.Value
	used  []string
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
	return secret.Value{}, provider.Source{}, fmt.Errorf("%s is not set", list(refs))
}

func list(refs sop.Refs) string {
	words := make([]string, len(refs))
	for i, r := range refs {
		words[i] = string(r)
	}
	return strings.Join(words, ", nor ")
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
			f.note(provider.Source{Ref: sop.Ref(x), Fallback: i > 0}.String())
			return v, nil
		}
	}
	return "", fmt.Errorf("%s is not set", strings.Join(t, ", nor "))
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
		return err == nil
	}
	return true
}

func (f *Finder) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(f.Dir, p)
}

func (f *Finder) one(ctx context.Context, r sop.Ref) (secret.Value, bool, error) {
	if err := r.Check(); err != nil {
		return secret.Value{}, false, err
	}
	f.mu.Lock()
	v, ok := f.found[r]
	f.mu.Unlock()
	if ok {
		return v, true, nil
	}
	v, set, err := f.read(ctx, r)
	if err != nil || !set {
		return secret.Value{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found == nil {
		f.found = map[sop.Ref]secret.Value{}
	}
	f.found[r] = v
	return v, true, nil
}

func (f *Finder) read(ctx context.Context, r sop.Ref) (secret.Value, bool, error) {
	scheme, rest := r.Split()
	switch scheme {
	case "env":
		v, ok := f.Env(rest)
		return secret.New(v), ok && v != "", nil
	case "file":
		b, err := os.ReadFile(f.path(rest))
		if os.IsNotExist(err) {
			return secret.Value{}, false, nil
		}
		if err != nil {
			return secret.Value{}, false, fmt.Errorf("the file cannot be read")
		}
		return clean(b)
	case "cmd":
		b, err := run(ctx, rest)
		if err != nil {
			return secret.Value{}, false, err
		}
		return clean(b)
	case "infisical":
		return f.stored(ctx, rest)
	}
	return secret.Value{}, false, fmt.Errorf("unknown kind of reference")
}

// clean drops the newline at the end, which files and commands add.
func clean(b []byte) (secret.Value, bool, error) {
	v := strings.TrimRight(string(b), "\r\n")
	clear(b)
	if v == "" {
		return secret.Value{}, false, fmt.Errorf("it is empty")
	}
	return secret.New(v), true, nil
}

// run runs a command through the shell. Its standard error and input stay the
// person's, for password managers that ask; what it prints is the secret and is
// not shown, even if it fails.
func run(ctx context.Context, command string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	shell, flag := "sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = "cmd", "/C"
	}
	c := exec.CommandContext(ctx, shell, flag, command)
	var out bytes.Buffer
	c.Stdout, c.Stderr, c.Stdin = &out, os.Stderr, os.Stdin
	c.WaitDelay = time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("the command did not end within %s", commandTimeout)
		}
		return nil, fmt.Errorf("the command failed: %w", err)
	}
	return out.Bytes(), nil
}

// stored reads infisical:ENV/path/KEY.
func (f *Finder) stored(ctx context.Context, rest string) (secret.Value, bool, error) {
	environment, where, ok := strings.Cut(rest, "/")
	slash := strings.LastIndex(where, "/")
	key := where[slash+1:]
	if !ok || environment == "" || key == "" {
		return secret.Value{}, false, fmt.Errorf("want infisical:ENV/path/KEY")
	}
	if f.Store == nil {
		return secret.Value{}, false, fmt.Errorf("there is no vendor of type infisical under vendors")
	}
	path := "/"
	if slash > 0 {
		path = "/" + where[:slash]
	}
	v, err := f.Store(ctx, environment, path, key)
	return v, err == nil && v.Present(), err
}
