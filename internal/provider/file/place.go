package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"syscall"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// largest file that is edited, in bytes.
const largest = 4 << 20

// place is one file.
type place struct {
	*machine
	s      Settings
	format format
	mode   uint32 // that it shall have; 0: as it has

	mu    sync.Mutex
	known map[string]secret.Value // by slot, as last read; zero: it held nothing
}

func (p *place) wrong(op string, class cred.Class, format string, args ...any) error {
	return &cred.Error{Vendor: p.name, Op: op, Class: class, Why: fmt.Sprintf(format, args...)}
}

// told turns an error of the file system into one of ours. Of a replacement each says
// that the old file is still there, but for one.
func (p *place) told(op, path string, err error) error {
	switch {
	case err == nil, errors.Is(err, outside.ErrClosed):
		return err
	case errors.Is(err, outside.ErrUnsure):
		return p.wrong(op, cred.Unknown, "%s: %v", path, outside.ErrUnsure)
	case errors.Is(err, fs.ErrNotExist):
		return p.wrong(op, cred.Absent, "there is no %s, or a folder or link on the way to it leads nowhere", path)
	case errors.Is(err, fs.ErrPermission):
		return p.wrong(op, cred.Denied, "%s: this user may not: the file itself has to be readable, and its folder writable; another owner needs root", path)
	case errors.Is(err, syscall.ENOSPC):
		return p.wrong(op, cred.Refused, "%s: no space is left there; the old file is unchanged", path)
	case errors.Is(err, syscall.EROFS):
		return p.wrong(op, cred.Refused, "%s: the file system is read-only; the old file is unchanged", path)
	case errors.Is(err, syscall.EBUSY):
		return p.wrong(op, cred.Refused, "%s: it is mounted by itself, so it cannot be replaced as a whole; mount its folder", path)
	case errors.Is(err, outside.ErrNotRegular), errors.Is(err, outside.ErrTooLarge):
		return p.wrong(op, cred.Unsent, "%v", err)
	}
	return p.wrong(op, cred.Unsent, "%s: the file system failed; the old file is unchanged", path)
}

// load reads the file once.
func (p *place) load(ctx context.Context, op string) (f outside.File, err error) {
	err = p.env.Look(ctx, p.name, op, func(context.Context) error {
		f, err = p.env.Ways().Files().Read(p.s.Path, largest)
		return p.told(op, p.s.Path, err)
	})
	return f, err
}

// slot is the name under which the format knows a slot.
func (p *place) slot(name string) string {
	if _, alone := p.format.(raw); alone {
		return rawName
	}
	return name
}

// held is what the slots hold in a text; it is remembered.
func (p *place) held(op string, f outside.File, slots []string) (map[string]provider.Held, error) {
	if _, alone := p.format.(raw); alone && len(slots) > 1 {
		return nil, p.wrong(op, cred.Refused, "a raw file holds one value, and %d slots are named", len(slots))
	}
	all, err := read(p.format, f.Content.Reveal())
	if err != nil {
		return nil, p.wrong(op, cred.Refused, "%s: %v", p.s.Path, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]secret.Value{}
	}
	out := make(map[string]provider.Held, len(slots))
	for _, name := range slots {
		h := provider.Held{}
		e := find(all, p.slot(name))
		if e == nil && find(all, groupName(name)) != nil {
			h.Problem = isGroup
		} else if e == nil {
			h.Problem = p.cannotAdd(f.Content.Reveal(), name)
		}
		if e != nil {
			h = provider.Held{Present: !e.none, Problem: e.problem}
			if h.Present {
				h.Value = secret.New(e.value)
			}
		}
		out[name], p.known[name] = h, h.Value
	}
	return out, nil
}

// cannotAdd says why a slot that is not there cannot be made in this text; "": it can.
// The first write would say so too, but after a credential has been made for it.
func (p *place) cannotAdd(text, slot string) string {
	if _, err := edit(p.format, text, p.slot(slot), "x", false); err != nil {
		return err.Error()
	}
	return ""
}

// edited is the text with all values in their slots.
func (p *place) edited(op, text string, values []provider.SlotValue) (string, error) {
	for _, v := range values {
		var err error
		if text, err = edit(p.format, text, p.slot(v.Slot), v.Value.Reveal(), !v.Value.Present()); err != nil {
			return "", p.wrong(op, cred.Refused, "%s: slot %s: %v", p.s.Path, v.Slot, err)
		}
	}
	return text, nil
}

// write replaces the file by one with these values, in one step that readers see whole
// or not at all. What else is in it stays, edits of others since included; if one of
// the slots was edited since it was read here, or the file while this writes, nothing
// is written. before is called right before, with what is replaced.
func (p *place) write(ctx context.Context, op string, values []provider.SlotValue, before func(outside.File) error) (outside.File, error) {
	was, err := p.load(ctx, op)
	if err != nil {
		return outside.File{}, err
	}
	slots := make([]string, len(values))
	for i, v := range values {
		slots[i] = v.Slot
	}
	p.mu.Lock()
	known := make(map[string]secret.Value, len(p.known))
	for k, v := range p.known {
		known[k] = v
	}
	p.mu.Unlock()
	now, err := p.held(op, was, slots)
	if err != nil {
		return outside.File{}, err
	}
	for _, v := range values {
		if last, read := known[v.Slot]; read && !now[v.Slot].Value.Equal(last) && !now[v.Slot].Value.Equal(v.Value) {
			return outside.File{}, p.wrong(op, cred.Foreign, "%s: slot %s was edited by somebody else since it was read", p.s.Path, v.Slot)
		}
	}
	text, err := p.edited(op, was.Content.Reveal(), values)
	if err != nil {
		return outside.File{}, err
	}
	next := was
	next.Content = secret.New(text)
	if err := p.owned(ctx, &next); err != nil {
		return outside.File{}, err
	}
	if text == was.Content.Reveal() && next.Mode == was.Mode && next.UID == was.UID && next.GID == was.GID {
		return was, nil
	}
	if err := before(was); err != nil {
		return outside.File{}, err
	}
	again, err := p.load(ctx, op)
	switch {
	case err != nil:
		return outside.File{}, err
	case again.ID != was.ID || !again.Content.Equal(was.Content):
		return outside.File{}, p.wrong(op, cred.Conflict, "%s was edited by somebody else at this moment; nothing was written", p.s.Path)
	}
	// That the run is still ours is asked last, so nothing stands between that and this.
	err = p.env.Change(ctx, p.name, op, func(context.Context) error {
		return p.told(op, p.s.Path, p.env.Ways().Files().Replace(p.s.Path, next))
	})
	if err != nil {
		return outside.File{}, err
	}
	after, err := p.load(ctx, "read what was written")
	if err != nil {
		return outside.File{}, unsure(err)
	}
	return after, nil
}

// owned gives a file the owner and the mode that it shall have.
func (p *place) owned(ctx context.Context, f *outside.File) error {
	if p.mode != 0 {
		f.Mode = p.mode
	}
	if p.s.Owner == "" && p.s.Group == "" {
		return nil
	}
	const op = "look up the owner"
	return p.env.Look(ctx, p.name, op, func(context.Context) error {
		uid, gid, err := p.env.Ways().Files().Owner(p.s.Owner, p.s.Group)
		switch {
		case errors.Is(err, outside.ErrClosed):
			return err
		case err != nil:
			return p.wrong(op, cred.Refused, "this machine has no user or group that %s is to belong to", p.s.Path)
		}
		if uid >= 0 {
			f.UID = uid
		}
		if gid >= 0 {
			f.GID = gid
		}
		return nil
	})
}

// unsure is an error after something was written.
func unsure(err error) error {
	c, ok := errors.AsType[*cred.Error](err)
	if !ok {
		return err
	}
	out := *c
	out.Class, out.Maybe, out.Why = cred.Unknown, true, "it was written, and then: "+c.Why
	return &out
}

// since is a mark of the present content, which grows with every write.
func since(f outside.File) string { return strconv.FormatInt(f.Changed.UnixNano(), 10) }
