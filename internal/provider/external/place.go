package external

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// held is what a slot holds, in an answer.
type held struct {
	Present bool
	Version string
	Problem string
	Hidden  bool
	Written time.Time
	Stamp   map[string]string
	Value   Secret
}

// all makes what a driver answered whole: every slot that was asked for, and no other.
func (p *driver) all(op string, slots []string, in map[string]held) (map[string]provider.Held, error) {
	out := map[string]provider.Held{}
	for _, n := range slots {
		h, told := in[n]
		if !told {
			return nil, &cred.Error{Vendor: p.name, Op: op, Class: cred.Unknown, Why: "the driver's answer does not cover every slot"}
		}
		out[n] = provider.Held{Present: h.Present, Version: h.Version, Problem: h.Problem, Hidden: h.Hidden, Written: h.Written, Stamp: h.Stamp, Value: h.Value.Value}
	}
	return out, nil
}

func sent(values []provider.SlotValue) (out []value, slots []string) {
	for _, v := range values {
		out, slots = append(out, value{v.Slot, v.Value, v.Stamp}), append(slots, v.Slot)
	}
	return out, slots
}

// applies are places that make effective what was written as a step of its own.
type applies struct {
	p        *driver
	role     string
	settings map[string]any
}

// Apply makes it effective.
func (a applies) Apply(ctx context.Context, slots []string) error {
	return a.p.change(ctx, request{Op: "apply", Role: a.role, Settings: a.settings, Slots: slots}, &struct{}{})
}

type store struct {
	p        *driver
	settings map[string]any
}

func (s *store) ask(op string) request {
	return request{Op: op, Role: "store", Settings: s.settings}
}

// Read returns what slots hold.
func (s *store) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	r := s.ask("read")
	r.Slots = slots
	var out struct{ Slots map[string]held }
	if err := s.p.look(ctx, r, &out); err != nil {
		return nil, err
	}
	return s.p.all("read", slots, out.Slots)
}

// ReadVersion returns an earlier value.
func (s *store) ReadVersion(ctx context.Context, slot, version string) (secret.Value, error) {
	if !s.p.d.Store.Versions {
		return secret.Value{}, &cred.Error{Vendor: s.p.name, Op: "read version", Class: cred.Refused, Why: "this store keeps no earlier values"}
	}
	r := s.ask("read_version")
	r.Slot, r.At = slot, version
	var out struct {
		Version string
		Value   Secret
	}
	if err := s.p.look(ctx, r, &out); err != nil {
		return secret.Value{}, err
	}
	if out.Version != version {
		return secret.Value{}, &cred.Error{Vendor: s.p.name, Op: "read version", Class: cred.Unknown, Why: "the driver answered another version than the one asked for"}
	}
	return out.Value.Value, nil
}

// History proves that an earlier value can be read back, by reading the present version.
func (s *store) History(ctx context.Context, now map[string]provider.Held) error {
	for slot, h := range now {
		if h.Present {
			_, err := s.ReadVersion(ctx, slot, h.Version)
			return err
		}
	}
	_, err := s.ReadVersion(ctx, "", "")
	return err
}

// Write puts all values.
func (s *store) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	r := s.ask("write")
	var slots []string
	r.Values, slots = sent(values)
	var out struct{ Slots map[string]held }
	if err := s.p.change(ctx, r, &out); err != nil {
		return nil, err
	}
	return s.p.all("write", slots, out.Slots)
}

// Remove deletes slots.
func (s *store) Remove(ctx context.Context, slots []string) error {
	r := s.ask("remove")
	r.Slots = slots
	return s.p.change(ctx, r, &struct{}{})
}

type consumer struct {
	p        *driver
	settings map[string]any
}

func (c *consumer) ask(op string) request {
	return request{Op: op, Role: "consumer", Settings: c.settings}
}

// Snapshot returns what it holds and how it is.
func (c *consumer) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	r := c.ask("snapshot")
	r.Slots = slots
	var out struct {
		Slots    map[string]held
		Mark     string
		Pending  bool
		Grace    float64 // seconds
		Units    int
		Notes    []string
		Problems []string
	}
	if err := c.p.look(ctx, r, &out); err != nil {
		return provider.Snapshot{}, err
	}
	all, err := c.p.all("snapshot", slots, out.Slots)
	return provider.Snapshot{Slots: all, Mark: out.Mark, Pending: out.Pending, Grace: time.Duration(out.Grace * float64(time.Second)),
		Units: out.Units, Notes: out.Notes, Problems: out.Problems}, err
}

// Write puts all values.
func (c *consumer) Write(ctx context.Context, values []provider.SlotValue) error {
	r := c.ask("write")
	r.Values, _ = sent(values)
	return c.p.change(ctx, r, &struct{}{})
}

// Progress tells how far everything it runs has come.
func (c *consumer) Progress(ctx context.Context, w provider.Followed, slots []string) (provider.Progress, error) {
	r := c.ask("progress")
	r.Slots, r.Follow = slots, map[string]string{"since": w.Since, "same": w.Same, "own": w.Own}
	var out struct {
		Class    cred.Class
		Unwell   bool
		Behind   bool
		Detail   string
		Mark     string
		Slots    map[string]held
		Evidence []string
	}
	if err := c.p.look(ctx, r, &out); err != nil {
		return provider.Progress{}, err
	}
	if out.Class != cred.Done && out.Class != cred.Waiting && out.Class != cred.Failed {
		return provider.Progress{}, &cred.Error{Vendor: c.p.name, Op: "progress", Class: cred.Unknown, Why: "the driver's answer is neither done, nor waiting, nor failed"}
	}
	all, err := c.p.all("progress", slots, out.Slots)
	return provider.Progress{Class: out.Class, Unwell: out.Unwell, Behind: out.Behind, Detail: out.Detail, Mark: out.Mark, Slots: all, Evidence: out.Evidence}, err
}
