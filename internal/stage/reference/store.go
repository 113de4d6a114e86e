package reference

import (
	"context"
	"maps"
	"strconv"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// keeping is how a store keeps what it holds.
type keeping struct {
	vendor                                                  string
	Piecewise, NoHistory, Foresees, Hidden, Stamps, Applied bool
}

// folder is a store.
type folder struct {
	*Double
	env  provider.Env
	path string
	how  keeping
}

func (f folder) held(slot string) provider.Held {
	all := f.M.Folders[f.path+"/"+slot]
	if len(all) == 0 || all[len(all)-1].Gone {
		return provider.Held{}
	}
	last := all[len(all)-1]
	if f.how.Hidden {
		return provider.Held{Present: true, Hidden: true, Written: last.Written, Stamp: maps.Clone(last.Stamp)}
	}
	h := provider.Held{Present: true, Value: secret.New(last.Value), Stamp: maps.Clone(last.Stamp)}
	if !f.how.NoHistory {
		h.Version = strconv.Itoa(len(all))
	}
	return h
}

func (f folder) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	out := map[string]provider.Held{}
	err := f.look(ctx, f.env, f.how.vendor, "read", func() error {
		for _, s := range slots {
			out[s] = f.held(s)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (f folder) ReadVersion(ctx context.Context, slot, version string) (v secret.Value, err error) {
	err = f.look(ctx, f.env, f.how.vendor, "read version", func() error {
		all := f.M.Folders[f.path+"/"+slot]
		n, err := strconv.Atoi(version)
		if f.how.NoHistory || err != nil || n < 1 || n > len(all) || all[n-1].Gone {
			return refused(cred.Absent, "there is no such version", false)
		}
		v = secret.New(all[n-1].Value)
		return nil
	})
	return v, err
}

// History reads back an earlier value, if there is any.
func (f folder) History(ctx context.Context, now map[string]provider.Held) error {
	return f.look(ctx, f.env, f.how.vendor, "read history", func() error {
		if f.how.NoHistory {
			return refused(cred.Refused, "it keeps no history", false)
		}
		return nil
	})
}

// foreseeing is a store with rules of its own.
type foreseeing struct{ folder }

// Foresee tells of a rule that stands against nothing.
func (f foreseeing) Foresee(ctx context.Context, _ []provider.Intended) (out provider.Foreseen, err error) {
	err = f.look(ctx, f.env, f.how.vendor, "foresee", func() error {
		out.Told = []string{"a value that was used before is refused"}
		return nil
	})
	return out, err
}

// Write is one call, or one for each slot.
func (f folder) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	out := map[string]provider.Held{}
	put := func(values []provider.SlotValue) error {
		return f.change(ctx, f.env, f.how.vendor, "write", func() error {
			for _, v := range values {
				set := Version{Value: v.Value.Reveal(), Gone: !v.Value.Present(), Written: f.At}
				if f.how.Stamps {
					set.Stamp = maps.Clone(v.Stamp)
				}
				f.put(v.Slot, set)
				out[v.Slot] = f.held(v.Slot)
			}
			return nil
		})
	}
	if !f.how.Piecewise {
		if err := put(values); err != nil {
			return nil, err
		}
		return out, nil
	}
	for i := range values {
		if err := put(values[i : i+1]); err != nil {
			return nil, partly(err, i > 0)
		}
	}
	return out, nil
}

// partly: of several calls some were applied before one was not.
func partly(err error, some bool) error {
	e, ok := err.(*cred.Error)
	if !some || !ok {
		return err
	}
	out := *e
	out.Maybe = true
	return &out
}

func (f folder) Remove(ctx context.Context, slots []string) error {
	return f.change(ctx, f.env, f.how.vendor, "remove", func() error {
		for _, s := range slots {
			if f.held(s).Present {
				f.put(s, Version{Gone: true, Written: f.At})
			}
		}
		return nil
	})
}

// put keeps one more version of a slot.
func (f folder) put(slot string, v Version) {
	key := f.path + "/" + slot
	f.M.Folders[key] = append(f.M.Folders[key], v)
	if !f.how.Applied {
		f.effect(key)
	}
}

// effect lets readers of a store have what a slot holds.
func (d *Double) effect(key string) {
	all := d.M.Folders[key]
	d.M.Effect[key] = all[len(all)-1].Value
	d.ahead()
}

// appliedFolder is a store of which a write takes effect by a step of its own.
type appliedFolder struct{ folder }

// Apply lets readers have what the slots hold.
func (a appliedFolder) Apply(ctx context.Context, slots []string) error {
	return a.change(ctx, a.env, a.how.vendor, "apply", func() error {
		for _, s := range slots {
			if key := a.path + "/" + s; len(a.M.Folders[key]) > 0 {
				a.effect(key)
			}
		}
		return nil
	})
}

// ahead notes that the app holds another generation than at first while a store does not
// give its readers the same one: stores are written before consumers, and given back
// after them.
func (d *Double) ahead() {
	for _, n := range []string{Credential, Former} {
		v := d.M.Vars[n].Value
		if !d.Followed || v == "" || v == d.given {
			continue
		}
		id, secret, _ := strings.Cut(v, ":")
		for _, path := range []string{"folder", "second", mirrorKey} {
			if d.M.Effect[path+"/"+n] != secret || d.M.Effect[path+"/"+n+"__ID"] != id {
				d.Ahead = append(d.Ahead, "the app holds "+id+" under "+n+", and "+path+" does not")
			}
		}
	}
}
