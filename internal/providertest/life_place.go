package providertest

import (
	"context"
	"fmt"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// store: written in one go, versions count up, an earlier value can be had, what
// was made can be removed, and a missing slot is not present. Its slots are new ones:
// of a name that was there before a store may keep versions of an earlier life.
func (l life) store(t T) {
	s, ctx := l.c.store, t.Context()
	l.slots = slices.Clone(l.slots)
	for i := range l.slots {
		l.slots[i] = fmt.Sprintf("REKEY_CONFORMANCE_%d_%d", l.now().Unix(), i)
	}
	if err := s.Remove(ctx, l.slots); err != nil {
		t.Fatalf("what is not there is removed: %v", err)
	}
	defer func() { _ = s.Remove(context.WithoutCancel(ctx), l.slots) }()
	held, err := s.Read(ctx, l.slots)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for name, h := range held {
		if h.Present {
			t.Errorf("%s is there after it was removed", name)
		}
	}
	as := l.s.Vendor.Keeps
	var first map[string]provider.Held
	for _, v := range []string{"first: a=b \"${prod.X}\" ä", "second"} {
		values := l.values(v)
		wrote, err := s.Write(ctx, values)
		if err != nil {
			t.Fatalf("write: %v", err)
		}
		if err := applied(ctx, s, l.slots); err != nil {
			t.Fatalf("apply: %v", err)
		}
		now, err := s.Read(ctx, l.slots)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for who, got := range map[string]map[string]provider.Held{"what the write returned": wrote, "what is read": now} {
			if err := took(values, got, as); err != nil {
				t.Errorf("%q: %s: %v", v, who, err)
			}
		}
		for _, name := range l.slots {
			if now[name].Version != wrote[name].Version {
				t.Errorf("%s: written as version %q, and read as %q", name, wrote[name].Version, now[name].Version)
			}
			if as.WriteOnly && now[name].Stamp["run"] != "conformance" {
				t.Errorf("%s: its stamp is not kept, and nothing else tells what it holds", name)
			}
		}
		if first == nil {
			first = wrote
		} else if counted := now[l.slots[0]].Version != "" && !as.WriteOnly; counted {
			if err := s.History(ctx, now); err != nil {
				t.Errorf("its history: %v", err)
			}
			l.versions(t, first)
		} else if s.History(ctx, now) == nil {
			t.Errorf("it counts no versions, or does not show values, and says that an earlier one can be read back")
		}
	}
	if _, err := s.ReadVersion(ctx, l.slots[0], "4711"); err == nil {
		t.Errorf("a version that never was can be read")
	}
}

// versions: an earlier one is the value that was written then.
func (l life) versions(t T, first map[string]provider.Held) {
	slot := l.slots[0]
	was, err := l.c.store.ReadVersion(t.Context(), slot, first[slot].Version)
	if err != nil || !was.Equal(first[slot].Value) {
		t.Errorf("version %s is something else now: %v", first[slot].Version, err)
	}
}

// consumer: written in one go, followed to its end, and written back.
func (l life) consumer(t T) {
	c, ctx := l.c.consumer, t.Context()
	before, err := c.Snapshot(ctx, l.slots)
	if err != nil {
		t.Fatalf("%v", err)
	}
	rounds := [][]provider.SlotValue{l.values("new")}
	if !l.s.Vendor.Holds.WriteOnly {
		var back []provider.SlotValue
		for _, s := range l.slots {
			back = append(back, provider.SlotValue{Slot: s, Value: before.Slots[s].Value})
		}
		rounds = append(rounds, back)
	}
	for _, values := range rounds {
		mark, err := c.Snapshot(ctx, l.slots)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if err := c.Write(ctx, values); err != nil {
			t.Fatalf("write: %v", err)
		}
		if err := applied(ctx, c, l.slots); err != nil {
			t.Fatalf("apply: %v", err)
		}
		p := provider.Progress{Class: cred.Waiting}
		l.until(t, 300, "taken up", func() bool {
			if p, err = c.Progress(ctx, provider.Followed{Since: mark.Mark}, l.slots); err != nil {
				t.Fatalf("progress: %v", err)
			}
			return p.Class != cred.Waiting
		})
		if p.Class != cred.Done {
			t.Fatalf("%s: %s", p.Class, p.Detail)
		}
		if err := took(values, p.Slots, l.s.Vendor.Holds); err != nil {
			t.Errorf("it comes to rest on something else: %v", err)
		}
	}
}
