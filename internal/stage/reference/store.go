package reference

import (
	"context"
	"maps"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// folder is the store.
type folder struct {
	*Double
	env  provider.Env
	path string
}

func (f folder) held(slot string) provider.Held {
	all := f.M.Folders[f.path+"/"+slot]
	if len(all) == 0 || all[len(all)-1].Gone {
		return provider.Held{}
	}
	h := provider.Held{Present: true, Value: secret.New(all[len(all)-1].Value), Stamp: maps.Clone(all[len(all)-1].Stamp)}
	if !f.NoHistory {
		h.Version = strconv.Itoa(len(all))
	}
	return h
}

func (f folder) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	out := map[string]provider.Held{}
	err := f.look(ctx, f.env, storeName, "read", func() error {
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
	err = f.look(ctx, f.env, storeName, "read version", func() error {
		all := f.M.Folders[f.path+"/"+slot]
		n, err := strconv.Atoi(version)
		if f.NoHistory || err != nil || n < 1 || n > len(all) || all[n-1].Gone {
			return refused(cred.Absent, "there is no such version", false)
		}
		v = secret.New(all[n-1].Value)
		return nil
	})
	return v, err
}

// History reads back an earlier value, if there is any.
func (f folder) History(ctx context.Context, now map[string]provider.Held) error {
	return f.look(ctx, f.env, storeName, "read history", func() error {
		if f.NoHistory {
			return refused(cred.Refused, "it keeps no history", false)
		}
		return nil
	})
}

// foreseeing is a store with rules of its own.
type foreseeing struct{ folder }

// Foresee tells of a rule that stands against nothing.
func (f foreseeing) Foresee(ctx context.Context, _ []provider.Intended) (out provider.Foreseen, err error) {
	err = f.look(ctx, f.env, storeName, "foresee", func() error {
		out.Told = []string{"a value that was used before is refused"}
		return nil
	})
	return out, err
}

// Write is one call, or one for each slot.
func (f folder) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	out := map[string]provider.Held{}
	put := func(values []provider.SlotValue) error {
		return f.change(ctx, f.env, storeName, "write", func() error {
			for _, v := range values {
				key := f.path + "/" + v.Slot
				set := Version{Value: v.Value.Reveal(), Gone: !v.Value.Present()}
				if f.Notes {
					set.Stamp = maps.Clone(v.Stamp)
				}
				f.M.Folders[key] = append(f.M.Folders[key], set)
				out[v.Slot] = f.held(v.Slot)
			}
			return nil
		})
	}
	if !f.Piecewise {
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
	return f.change(ctx, f.env, storeName, "remove", func() error {
		for _, s := range slots {
			if key := f.path + "/" + s; f.held(s).Present {
				f.M.Folders[key] = append(f.M.Folders[key], Version{Gone: true})
			}
		}
		return nil
	})
}
