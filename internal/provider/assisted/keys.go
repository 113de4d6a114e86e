package assisted

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// certainty is what is known of one generation.
type certainty int

const (
	sure   certainty = iota // a person saw it there
	unsure                  // a person meant to make or to end it: to be looked at again
)

// keys are the generations of one credential. Their ids are their names: no
// other thing of theirs is known to a person and to us.
type keys struct {
	*Portal
	settings Settings
	fields   []string
	headers  map[string]cred.Template

	mu     sync.Mutex
	looked bool
	live   map[string]certainty
	owner  []owned
}

// owned is a bundle whose name is known.
type owned struct {
	bundle secret.Bundle
	name   string
}

// ask asks the person, or says that nobody is there.
func (k *keys) ask(ctx context.Context, op string, t provider.Task) (provider.Answer, error) {
	if k.env.Person == nil {
		return provider.Answer{}, &cred.Error{Vendor: k.name, Op: op, Class: cred.Unsent, Why: "only a person can do this: run it on a terminal"}
	}
	t.Link = k.link
	a, err := k.env.Person(ctx, t)
	if err == nil {
		return a, nil
	}
	if e, ok := errors.AsType[*cred.Error](err); ok {
		return a, e
	}
	return a, &cred.Error{Vendor: k.name, Op: op, Class: cred.Unknown, Why: "the person did not answer", Err: err}
}

// List asks once which are live, and looks again at what somebody meant to make
// or to end since.
func (k *keys) List(ctx context.Context) ([]cred.Handle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	const op = "look which are live"
	if !k.looked {
		a, err := k.ask(ctx, op, provider.Task{Want: provider.WantLook, Steps: []string{"Look which credentials of this kind " + k.title + " lists as live."}})
		if err != nil {
			return nil, err
		}
		clear(k.live)
		for _, name := range a.Names {
			k.live[name] = sure
		}
		k.looked = true
	}
	var out []cred.Handle
	for _, name := range sorted(k.live) {
		if k.live[name] == unsure {
			there, err := k.listed(ctx, op, name)
			if err != nil {
				return nil, err
			}
			if !there {
				continue
			}
		}
		out = append(out, cred.Handle{ID: name, Name: name})
	}
	return out, nil
}

func sorted(m map[string]certainty) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// listed tells whether one is there.
func (k *keys) listed(ctx context.Context, op, name string) (bool, error) {
	a, err := k.ask(ctx, op, provider.Task{Want: provider.WantListed, Name: name, Steps: []string{"Reload the list and look for " + name + "."}})
	if err != nil {
		return false, err
	}
	if a.Yes {
		k.live[name] = sure
	} else {
		delete(k.live, name)
	}
	return a.Yes, nil
}

// Owner: by what this process was handed; else the only one that is live; else the person
// says. Nothing secret is shown for it. Whoever asks may ask about some of them only, as
// about what an interrupted run made: that it is the only one he asks about does not make
// it the one that is stored.
func (k *keys) Owner(ctx context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !b.Complete(k.fields) || len(listed) == 0 {
		return "", nil
	}
	const op = "tell which is in use"
	among := sorted(k.live)
	for _, h := range listed {
		if !slices.Contains(among, h.ID) {
			among = append(among, h.ID)
		}
	}
	name, known := "", false
	for _, o := range k.owner {
		if same(o.bundle, b, k.fields) {
			name, known = o.name, true
		}
	}
	switch {
	case known:
	case len(among) == 1:
		name = among[0]
	default:
		a, err := k.ask(ctx, op, provider.Task{Want: provider.WantWhich, Among: among,
			Steps: []string{"Find out which of them is stored and in use now: by its date, its last use, or the shown end of its value."}})
		if err != nil {
			return "", err
		}
		if len(a.Names) != 1 || !slices.Contains(among, a.Names[0]) {
			return "", &cred.Error{Vendor: k.name, Op: op, Class: cred.Unknown, Why: "the person could not tell which of " + strings.Join(among, ", ") + " is stored"}
		}
		name = a.Names[0]
	}
	if !known {
		k.owner = append(k.owner, owned{b, name})
	}
	if slices.ContainsFunc(listed, func(h cred.Handle) bool { return h.ID == name }) {
		return name, nil
	}
	return "", nil
}

func same(a, b secret.Bundle, fields []string) bool {
	for _, f := range fields {
		if !a[f].Equal(b[f]) {
			return false
		}
	}
	return true
}
