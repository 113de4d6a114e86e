package wire

import (
	"context"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Estate opens the vendors of many credentials, each once, and asks each thing
// once: one list for an account, one read of a folder, one look at an app, however
// many credentials are there. It is for looking; a run opens its own crew.
type Estate struct {
	opener  opener
	lists   map[string]*once[[]cred.Handle]
	places  map[string]*once[provider.Admission]
	selves  map[string]*once[string]
	stores  map[string]*sharedStore
	holders map[string]*sharedConsumer
}

// OpenEstate prepares for specs; nothing is asked yet.
func OpenEstate(specs []sop.Spec, vendors map[string]sop.Vendor, env provider.Env) *Estate {
	e := &Estate{
		opener:  opener{vendors: vendors, env: env, byName: map[string]provider.Vendor{}, crew: &Crew{}},
		lists:   map[string]*once[[]cred.Handle]{},
		places:  map[string]*once[provider.Admission]{},
		selves:  map[string]*once[string]{},
		stores:  map[string]*sharedStore{},
		holders: map[string]*sharedConsumer{},
	}
	for _, spec := range specs {
		for _, p := range spec.Stores() {
			s := e.stores[identity(p)]
			if s == nil {
				s = &sharedStore{}
				e.stores[identity(p)] = s
			}
			s.slots = append(s.slots, p.SlotNames()...)
		}
		for _, c := range spec.Consumers {
			k := e.holders[identity(c)]
			if k == nil {
				k = &sharedConsumer{}
				e.holders[identity(c)] = k
			}
			k.slots = append(k.slots, c.SlotNames()...)
		}
	}
	return e
}

// identity tells places apart that are asked apart.
func identity(p sop.Place) string { return p.Vendor + "\x00" + string(p.Settings) }

// Close closes every vendor.
func (e *Estate) Close(ctx context.Context) { e.opener.crew.Close(ctx) }

// Crew returns what plays the roles of one credential. Its issuer, store and
// consumers remember what they were asked.
func (e *Estate) Crew(spec sop.Spec) (*Crew, error) {
	o := e.opener
	o.crew = &Crew{}
	c, err := o.open(spec)
	e.opener.crew.opened = append(e.opener.crew.opened, o.crew.opened...)
	if err != nil {
		return nil, err
	}
	c.opened = nil // they are the estate's
	key := spec.Issuer.Vendor + "\x00" + spec.Issuer.Kind + "\x00" + string(spec.Issuer.Settings)
	if e.lists[key] == nil {
		e.lists[key], e.places[key], e.selves[key] = &once[[]cred.Handle]{}, &once[provider.Admission]{}, &once[string]{}
	}
	listed := listedOnce{c.Roles.Issuer, e.lists[key]}
	if self, ok := c.Roles.Issuer.(provider.Self); ok {
		c.Roles.Issuer = listedSelf{listed, self, e.selves[key]}
	} else {
		c.Roles.Issuer = listed
	}
	if c.Roles.Admitter != nil {
		c.Roles.Admitter = placesOnce{c.Roles.Admitter, e.places[key]}
	}
	shared := func(p sop.Place, store provider.Store) provider.Store {
		s := e.stores[identity(p)]
		if s.Store == nil {
			s.Store = store
		}
		return s
	}
	c.Roles.Store = shared(spec.Store, c.Roles.Store)
	for _, p := range spec.Further {
		c.Roles.Further[p.Key] = shared(p, c.Roles.Further[p.Key])
	}
	for _, p := range spec.Consumers {
		k := e.holders[identity(p)]
		if k.Consumer == nil {
			k.Consumer = c.Roles.Consumers[p.Key]
		}
		c.Roles.Consumers[p.Key] = k
	}
	return c, nil
}

// once remembers the first answer, an error included.
type once[T any] struct {
	sync.Once
	v   T
	err error
}

func (o *once[T]) get(ask func() (T, error)) (T, error) {
	o.Do(func() { o.v, o.err = ask() })
	return o.v, o.err
}

type listedOnce struct {
	provider.Issuer
	list *once[[]cred.Handle]
}

func (l listedOnce) List(ctx context.Context) ([]cred.Handle, error) {
	return l.list.get(func() ([]cred.Handle, error) { return l.Issuer.List(ctx) })
}

// Find asks each time: it is the second look where the list is not believed.
func (l listedOnce) Find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	if f, ok := l.Issuer.(provider.Finder); ok {
		return f.Find(ctx, h)
	}
	return cred.Handle{}, &cred.Error{Op: "look at " + h.Name, Class: cred.Unknown, Why: "this issuer cannot look up a single credential"}
}

// Ahead is the clock of the issuer, if it tells.
func (l listedOnce) Ahead() (time.Duration, bool) {
	if c, ok := l.Issuer.(provider.Clocked); ok {
		return c.Ahead()
	}
	return 0, false
}

// listedSelf is one of which an issuer knows that we reach it by it.
type listedSelf struct {
	listedOnce
	self provider.Self
	id   *once[string]
}

func (l listedSelf) Self(ctx context.Context) (string, error) {
	return l.id.get(func() (string, error) { return l.self.Self(ctx) })
}

func (l listedSelf) Adopt(b secret.Bundle) { l.self.Adopt(b) }

type placesOnce struct {
	provider.Admitter
	seen *once[provider.Admission]
}

func (p placesOnce) Places(ctx context.Context) (provider.Admission, error) {
	return p.seen.get(func() (provider.Admission, error) { return p.Admitter.Places(ctx) })
}

// Surveys returns every vendor of rekey.yaml that can list all there is, by name,
// used by a credential or not. What could not be opened is told.
func (e *Estate) Surveys() (map[string]provider.Surveys, []error) {
	out := map[string]provider.Surveys{}
	var errs []error
	for name := range e.opener.vendors {
		v, err := e.opener.vendor(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s, ok := v.(provider.Surveys); ok {
			out[name] = s
		}
	}
	return out, errs
}

// sharedStore reads the slots of all credentials of a folder at once.
type sharedStore struct {
	provider.Store
	slots []string
	read  once[map[string]provider.Held]
}

func (s *sharedStore) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	all, err := s.read.get(func() (map[string]provider.Held, error) { return s.Store.Read(ctx, s.slots) })
	return only(all, slots), err
}

// sharedConsumer looks at an app for all credentials that it uses at once.
type sharedConsumer struct {
	provider.Consumer
	slots []string
	look  once[provider.Snapshot]
}

func (k *sharedConsumer) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	s, err := k.look.get(func() (provider.Snapshot, error) { return k.Consumer.Snapshot(ctx, k.slots) })
	s.Slots = only(s.Slots, slots)
	return s, err
}

func only(all map[string]provider.Held, slots []string) map[string]provider.Held {
	if all == nil {
		return nil
	}
	out := make(map[string]provider.Held, len(slots))
	for _, n := range slots {
		out[n] = all[n]
	}
	return out
}
