package providertest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// written is what the suite writes: a secret like any other.
const written = Canary + "-written"

func (b *bench) values() []provider.SlotValue {
	var out []provider.SlotValue
	for _, s := range b.s.Slots {
		out = append(out, provider.SlotValue{Slot: s, Value: secret.New(written), Stamp: map[string]string{"run": "conformance"}})
	}
	return out
}

// took tells what is wrong with slots after values were written to them.
func took(values []provider.SlotValue, got map[string]provider.Held, as provider.Holding) error {
	for _, v := range values {
		h := got[v.Slot]
		switch {
		case h.Hidden != (as.WriteOnly && h.Present):
			return fmt.Errorf("%s: hidden is %v, and the sheet says %v", v.Slot, h.Hidden, as.WriteOnly)
		case h.Present != v.Value.Present():
			return fmt.Errorf("%s: present is %v after it was written", v.Slot, h.Present)
		case as.WriteOnly && h.Present && (h.Written.IsZero() || h.Value.Present()):
			return fmt.Errorf("%s: a value that cannot be read back has no date, or is there to be read", v.Slot)
		case !as.WriteOnly && !h.Value.Equal(v.Value):
			return fmt.Errorf("%s: written, and it holds something else", v.Slot)
		}
	}
	return nil
}

func (b *bench) storeOps(t T, good provider.Store) []op {
	t.Helper()
	if len(b.s.Slots) == 0 {
		t.Fatalf("the harness names no slots")
	}
	first := b.s.Slots[0]
	var now map[string]provider.Held
	look := sync.OnceFunc(func() {
		var err error
		if now, err = good.Read(t.Context(), b.s.Slots); err != nil || !now[first].Present {
			t.Fatalf("the world's store does not hold %s: %v", first, err)
		}
	})
	if b.s.counts == nil {
		look()
		counts := now[first].Version != "" && !b.s.Vendor.Keeps.WriteOnly
		b.s.counts = &counts
	}
	out := asked(good, b.s.Slots)
	out = append(out, op{role: inStore, name: "store: read", again: true, do: func(ctx context.Context, c cast) (string, error) {
		h, err := c.store.Read(ctx, b.s.Slots)
		return held(h), err
	}})
	if *b.s.counts {
		out = append(out,
			op{role: inStore, name: "store: read version", again: true, do: func(ctx context.Context, c cast) (string, error) {
				v, err := c.store.ReadVersion(ctx, first, b.early(now[first].Version))
				return mark(v), err
			}},
			op{role: inStore, name: "store: history", again: true, do: wholly(func(ctx context.Context, c cast) error { return c.store.History(ctx, now) })})
		for i := range out[len(out)-2:] {
			out[len(out)-2+i].prep = func(T) { look() }
		}
	}
	out = append(out, op{role: inStore, name: "store: write", effect: true, again: true, do: wholly(func(ctx context.Context, c cast) error {
		got, err := c.store.Write(ctx, b.values())
		if err != nil {
			return err
		}
		return took(b.values(), got, b.s.Vendor.Keeps)
	})})
	if _, ok := good.(provider.Applier); ok {
		out = append(out, apply(inStore, b.s.Slots, func(c cast) provider.Applier { return c.store.(provider.Applier) }))
	}
	return append(out, op{role: inStore, name: "store: remove", effect: true, again: true, do: wholly(func(ctx context.Context, c cast) error { return c.store.Remove(ctx, []string{first}) })})
}

// early is the version that is read back: the first one where they are counted.
func (b *bench) early(now string) string {
	for _, r := range now {
		if r < '0' || r > '9' {
			return now
		}
	}
	return "1"
}

// asked are what a store may be asked besides.
func asked(good provider.Store, slots []string) []op {
	var out []op
	if _, ok := good.(provider.Foresight); ok {
		out = append(out, op{role: inStore, name: "store: foresee", again: true, do: wholly(func(ctx context.Context, c cast) error {
			var writes []provider.Intended
			for _, s := range slots {
				writes = append(writes, provider.Intended{Slot: s, Like: s})
			}
			_, err := c.store.(provider.Foresight).Foresee(ctx, writes)
			return err
		})})
	}
	if _, ok := good.(provider.Adviser); ok {
		out = append(out, op{role: inStore, name: "store: advise", again: true, do: wholly(func(ctx context.Context, c cast) error {
			_, err := c.store.(provider.Adviser).Advise(ctx, cred.Handle{})
			return err
		})})
	}
	return out
}

func (b *bench) consumerOps(t T, good provider.Consumer) []op {
	t.Helper()
	if len(b.s.Slots) == 0 {
		t.Fatalf("the harness names no slots")
	}
	out := []op{
		{role: inConsumer, name: "consumer: snapshot", again: true, do: func(ctx context.Context, c cast) (string, error) {
			s, err := c.consumer.Snapshot(ctx, b.s.Slots)
			return held(s.Slots), err
		}},
		{role: inConsumer, name: "consumer: progress", again: true, do: func(ctx context.Context, c cast) (string, error) {
			p, err := c.consumer.Progress(ctx, provider.Followed{}, b.s.Slots)
			if err == nil && p.Class != cred.Done && p.Class != cred.Waiting && p.Class != cred.Failed {
				return "", errors.New("progress has the class " + string(p.Class))
			}
			return held(p.Slots), err
		}},
		{role: inConsumer, name: "consumer: write", effect: true, again: true, do: wholly(func(ctx context.Context, c cast) error { return c.consumer.Write(ctx, b.values()) })},
	}
	if _, ok := good.(provider.Holder); ok {
		out = append(out, op{role: inConsumer, name: "consumer: held", again: true, do: func(ctx context.Context, c cast) (string, error) {
			h, err := c.consumer.(provider.Holder).Held(ctx, b.s.Slots)
			return held(h), err
		}})
	}
	if _, ok := good.(provider.Applier); ok {
		out = append(out, apply(inConsumer, b.s.Slots, func(c cast) provider.Applier { return c.consumer.(provider.Applier) }))
	}
	return out
}

func apply(role string, slots []string, of func(cast) provider.Applier) op {
	return op{role: role, name: role + ": apply", effect: true, again: true, do: wholly(func(ctx context.Context, c cast) error { return of(c).Apply(ctx, slots) })}
}
