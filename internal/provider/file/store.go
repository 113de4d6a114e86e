package file

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// remembered is how many earlier versions are kept: what a run replaced, what it gave
// back, and what somebody did before.
const remembered = 3

// store is a file whose earlier contents are kept in a folder, NAME.1, NAME.2 and so
// on: the version of what it holds now is one more than the greatest of them.
type store struct {
	*place
	keep string
}

// Calls tells what changes something.
func (s *store) Calls() map[string]string {
	return map[string]string{"write": "replace " + s.s.Path, "remove": "replace " + s.s.Path + " by one without them"}
}

// kept is the path of an earlier version.
func (s *store) kept(n int) string {
	return filepath.Join(s.keep, filepath.Base(s.s.Path)+"."+strconv.Itoa(n))
}

// version returns the number of a content that was read; 0 where nothing is kept. A
// note beside the kept ones names a number and the file that had it: a file that is
// another one since, by our write or by somebody's editor, is one further.
func (s *store) version(ctx context.Context, of outside.File) (n int, err error) {
	if s.keep == "" {
		return 0, nil
	}
	const op = "read which version it is"
	err = s.env.Look(ctx, s.name, op, func(context.Context) error {
		f, err := s.env.Ways().Files().Read(s.note(), 200)
		if errors.Is(err, fs.ErrNotExist) {
			n = 1
			return nil
		}
		if err != nil {
			return s.told(op, s.note(), err)
		}
		number, _, _ := strings.Cut(f.Content.Reveal(), " ")
		if n, err = strconv.Atoi(number); err != nil || n < 1 {
			return s.wrong(op, cred.Refused, "%s is not a note of Rekey's", s.note())
		}
		if f.Content.Reveal() != noted(n, of) {
			n++
		}
		return nil
	})
	return n, err
}

func noted(n int, f outside.File) string {
	return strconv.Itoa(n) + " " + since(f) + " " + f.ID
}

func (s *store) note() string {
	return filepath.Join(s.keep, filepath.Base(s.s.Path)+".version")
}

// Read returns what the slots hold now.
func (s *store) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	const op = "read the file"
	f, err := s.load(ctx, op)
	if err != nil {
		return nil, err
	}
	n, err := s.version(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.versioned(op, f, slots, n)
}

func (s *store) versioned(op string, f outside.File, slots []string, n int) (map[string]provider.Held, error) {
	held, err := s.held(op, f, slots)
	for name, h := range held {
		if h.Written = f.Changed; n > 0 && h.Present {
			h.Version = strconv.Itoa(n)
		}
		held[name] = h
	}
	return held, err
}

// ReadVersion reads a kept version, or the file itself if it is of that version.
func (s *store) ReadVersion(ctx context.Context, slot, version string) (secret.Value, error) {
	const op = "read version"
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || s.keep == "" {
		return secret.Value{}, s.wrong(op, cred.Absent, "no version %s of %s is kept", version, s.s.Path)
	}
	f, err := s.load(ctx, op)
	if err != nil {
		return secret.Value{}, err
	}
	now, err := s.version(ctx, f)
	if err != nil {
		return secret.Value{}, err
	}
	path := s.s.Path
	if n != now {
		path = s.kept(n)
		err = s.env.Look(ctx, s.name, op, func(context.Context) error {
			f, err = s.env.Ways().Files().Read(path, largest)
			return s.told(op, path, err)
		})
		if err != nil {
			return secret.Value{}, err
		}
	}
	all, err := read(s.format, f.Content.Reveal())
	if err != nil {
		return secret.Value{}, s.wrong(op, cred.Refused, "%s: %v", path, err)
	}
	e := find(all, s.slot(slot))
	if e == nil || e.none {
		return secret.Value{}, s.wrong(op, cred.Absent, "version %s of %s has no slot %s", version, s.s.Path, slot)
	}
	return secret.New(e.value), nil
}

// History proves that what a write replaces can be had back: there is a folder to keep
// it, what is kept there already can be read, and the slots hold still what was read.
func (s *store) History(ctx context.Context, now map[string]provider.Held) error {
	const op = "read version"
	if s.keep == "" {
		return s.wrong(op, cred.Refused, "a file has no history of its own: name a folder for it with keep")
	}
	if err := s.room(ctx); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		h := now[name]
		if !h.Present {
			continue
		}
		v, err := s.ReadVersion(ctx, name, h.Version)
		if err != nil {
			return err
		}
		if !v.Equal(h.Value) {
			return s.wrong(op, cred.Foreign, "slot %s was edited by somebody else since it was read", name)
		}
	}
	return nil
}

// room looks whether the folder for earlier versions is there and its owner's alone.
func (s *store) room(ctx context.Context) error {
	const op = "look at the folder for earlier versions"
	return s.env.Look(ctx, s.name, op, func(context.Context) error {
		_, err := s.env.Ways().Files().Read(s.keep, 0)
		if errors.Is(err, outside.ErrNotRegular) {
			return nil // a folder
		}
		if err == nil || errors.Is(err, outside.ErrTooLarge) {
			return s.wrong(op, cred.Unsent, "%s is a file, and has to be a folder", s.keep)
		}
		return s.told(op, s.keep, err)
	})
}

// Write keeps what the file holds, and then replaces it. Killed in between, the file is
// as it was and its content is kept once more, which does no harm.
func (s *store) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	const op = "write the file"
	kept := 0
	f, err := s.write(ctx, op, values, func(was outside.File) (err error) {
		if s.keep == "" {
			return nil
		}
		if kept, err = s.version(ctx, was); err == nil {
			err = s.preserve(ctx, was, kept)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if kept > 0 {
		// Without this note an edit by somebody else would count as ours; the write
		// itself stands, so that it fails is not an error of it.
		_ = s.put(ctx, s.note(), secret.New(noted(kept+1, f)))
	}
	n, err := s.version(ctx, f)
	if err != nil {
		return nil, unsure(err)
	}
	slots := make([]string, len(values))
	for i, v := range values {
		slots[i] = v.Slot
	}
	held, err := s.versioned(op, f, slots, n)
	if err != nil {
		return nil, unsure(err)
	}
	return held, nil
}

// preserve keeps a content as version n, and forgets what is too old.
func (s *store) preserve(ctx context.Context, was outside.File, n int) error {
	if err := s.put(ctx, s.kept(n), was.Content); err != nil {
		return err
	}
	if err := s.put(ctx, s.note(), secret.New(noted(n, was))); err != nil {
		return err
	}
	if n <= remembered {
		return nil
	}
	const op = "forget an old version"
	old := s.kept(n - remembered)
	return s.env.Change(ctx, s.name, op, func(context.Context) error {
		return s.told(op, old, s.env.Ways().Files().Remove(old))
	})
}

// put writes a file that only its owner can read.
func (s *store) put(ctx context.Context, path string, content secret.Value) error {
	const op = "keep what it held"
	return s.env.Change(ctx, s.name, op, func(context.Context) error {
		return s.told(op, path, s.env.Ways().Files().Replace(path, outside.File{Content: content, Mode: 0o600, UID: -1, GID: -1}))
	})
}

// Remove takes slots away.
func (s *store) Remove(ctx context.Context, slots []string) error {
	_, err := s.Write(ctx, provider.Gone(slots))
	return err
}
