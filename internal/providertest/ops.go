package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// op is one call of a role.
type op struct {
	role   string // an issuer's kind, "store", "consumer", "survey", "refer"
	name   string // with its role: "store: write"
	effect bool   // it changes something
	again  bool   // doing it twice is as doing it once
	probe  bool   // it asks with a bundle of its own, and what it is answered is a verdict
	idle   bool   // it may have nothing to ask
	// prep gets ready, once, what it needs of the world; nil: nothing.
	prep func(T)
	// do carries it out and returns what came of it, to be compared with another try.
	do func(context.Context, cast) (string, error)
}

// The roles that are no issuer's.
const (
	inStore    = "store"
	inConsumer = "consumer"
	inSurvey   = "survey"
	inRefer    = "refer"
)

// wholly is an op whose result needs no comparison.
func wholly(do func(context.Context, cast) error) func(context.Context, cast) (string, error) {
	return func(ctx context.Context, c cast) (string, error) { return "", do(ctx, c) }
}

// ops are all calls of all roles that the vendor plays, with what they need
// taken from the world as it is now.
func (b *bench) ops(t T) []op {
	t.Helper()
	out := b.every(t)
	return slices.DeleteFunc(out, func(o op) bool { return slices.Contains(b.s.Lacks, o.name) })
}

func (b *bench) every(t T) []op {
	t.Helper()
	good := b.on(t, b.tap())
	var out []op
	for _, sheet := range b.s.Vendor.Issuers {
		if i := good.issuers[sheet.Kind]; i != nil {
			out = append(out, b.issuerOps(t, sheet, i)...)
		}
	}
	if good.store != nil {
		out = append(out, b.storeOps(t, good.store)...)
	}
	if good.consumer != nil {
		out = append(out, b.consumerOps(t, good.consumer)...)
	}
	if good.surveys != nil {
		out = append(out, op{role: inSurvey, name: "survey", again: true, do: survey})
	}
	if good.refers != nil && b.s.Refer != "" {
		out = append(out, op{role: inRefer, name: "refer", again: true, do: func(ctx context.Context, c cast) (string, error) {
			v, err := c.refers.Refer(ctx, string(b.fill(b.s.Refer)))
			if err == nil && !v.Present() {
				return "", errors.New("the reference leads to nothing, without an error")
			}
			return mark(v), err
		}})
	}
	if len(out) == 0 {
		t.Fatalf("the vendor plays no role: there is nothing to try")
	}
	return out
}

// find returns an operation by its name, on a world of its own.
func (b *bench) find(t T, name string) op {
	t.Helper()
	for _, o := range b.ops(t) {
		if o.name == name {
			o.ready(t)
			return o
		}
	}
	t.Fatalf("no call %s", name)
	return op{}
}

func (o op) ready(t T) {
	t.Helper()
	if o.prep != nil {
		o.prep(t)
	}
}

// mark stands for a value in what is compared.
func mark(v secret.Value) string { return string(secret.NewKeyer(secret.New("of the suite")).Of(v)) }

// handles as they are compared: what changes by being looked at is left out.
func handles(list []cred.Handle) string {
	var out []string
	for _, h := range list {
		out = append(out, fmt.Sprintf("%s %q disabled=%v version=%d", h.ID, h.Name, h.Disabled, h.Version))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func held(slots map[string]provider.Held) string {
	var out []string
	for name, h := range slots {
		out = append(out, fmt.Sprintf("%s present=%v version=%s %s hidden=%v %v", name, h.Present, h.Version, mark(h.Value), h.Hidden, h.Stamp))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// state is what a role's part of the world looks like through an undisturbed driver.
func (b *bench) state(t T, c cast, role string) string {
	t.Helper()
	ctx := t.Context()
	var out string
	var err error
	switch role {
	case inStore:
		var h map[string]provider.Held
		h, err = c.store.Read(ctx, b.s.Slots)
		out = held(h)
	case inConsumer:
		var s provider.Snapshot
		s, err = c.consumer.Snapshot(ctx, b.s.Slots)
		out = held(s.Slots)
	case inSurvey, inRefer:
	default:
		var list []cred.Handle
		list, err = c.issuers[role].List(ctx)
		out = handles(list)
		if a, ok := c.issuers[role].(provider.Admitter); ok && err == nil {
			var in provider.Admission
			if in, err = a.Places(ctx); err == nil {
				out += "\n" + places(in)
			}
		}
	}
	if err != nil {
		t.Fatalf("the world cannot be looked at: %v", err)
	}
	return out
}

func places(in provider.Admission) string {
	var out []string
	for _, p := range in.Places {
		out = append(out, fmt.Sprintf("%s %v", p.Key(), slices.Sorted(slices.Values(p.Names))))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// survey lists everything and reads each place; together they hold something, and
// each tells by its own settings that it is meant.
func survey(ctx context.Context, c cast) (string, error) {
	all, err := c.surveys.Survey(ctx, false)
	n, keys := 0, []string{}
	for _, p := range all {
		spots, readErr := p.Read(ctx)
		err = errors.Join(err, readErr)
		for _, s := range spots {
			if n += len(s.Slots) + len(s.Hidden); s.Key == "" || !s.Is(s.Settings) {
				err = errors.Join(err, fmt.Errorf("%q does not know itself", s.Key))
			}
			keys = append(keys, fmt.Sprintf("%s %d", s.Key, len(s.Slots)))
		}
	}
	if err == nil && n == 0 {
		return "", errors.New("it found nothing, and there is something")
	}
	slices.Sort(keys)
	return strings.Join(keys, "\n"), err
}
