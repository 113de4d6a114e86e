package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Together runs independent calls side by side, waits for all, and joins their
// errors in the order of the calls. A panic in one of them is its error: on a
// goroutine of its own nothing else would stop it from ending the process.
func Together(calls ...func() error) error {
	if len(calls) == 1 {
		return surviving(calls[0])
	}
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() { errs[i] = surviving(c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func surviving(call func() error) (err error) {
	defer provider.Survive("one of several calls", &err)
	return call()
}

// Refer returns the value that a reference names at a vendor, in that vendor's words.
func Refer(ctx context.Context, vendor string, vendors map[string]sop.Vendor, env provider.Env, rest string) (secret.Value, error) {
	o := opener{vendors: vendors, env: env, byName: map[string]provider.Vendor{}, crew: &Crew{}}
	v, err := o.vendor(vendor)
	if err != nil {
		return secret.Value{}, err
	}
	defer v.Close(ctx)
	refers, ok := v.(provider.Refers)
	if !ok {
		return secret.Value{}, fmt.Errorf("vendor %s cannot be asked for a secret by a reference", vendor)
	}
	value, err := refers.Refer(ctx, rest)
	return value, unreadable(err)
}

// unreadable is the error of a reference, for the request that it was wanted for: that
// was not sent. What one vendor says of the place where a secret is kept, that it is
// absent or denied, must not be taken for what another says of its own.
func unreadable(err error) error {
	e, ok := errors.AsType[*cred.Error](err)
	if !ok {
		return err
	}
	out := *e
	out.Why, out.Maybe, out.Status, out.Code, out.Where, out.Err = e.Error(), false, 0, "", "", nil
	out.Op, out.Class = "read the reference", cred.Unsent
	if !e.Class.NotApplied() || e.Class == cred.Limited || e.Class == cred.Conflict {
		out.Class = cred.Limited // it may be readable later
	}
	return &out
}

// ReadSlot reads one slot of a store.
func ReadSlot(ctx context.Context, vendors map[string]sop.Vendor, env provider.Env, place sop.Place, slot string) (secret.Value, error) {
	s, done, err := storeOf(ctx, vendors, env, place)
	if err != nil {
		return secret.Value{}, err
	}
	defer done()
	held, err := s.Read(ctx, []string{slot})
	return held[slot].Value, err
}

// WriteOne writes one value into a slot of a store.
func WriteOne(ctx context.Context, vendors map[string]sop.Vendor, env provider.Env, place sop.Place, slot string, v secret.Value) error {
	s, done, err := storeOf(ctx, vendors, env, place)
	if err != nil {
		return err
	}
	defer done()
	_, err = s.Write(ctx, []provider.SlotValue{{Slot: slot, Value: v}})
	return err
}

// storeOf opens the vendor of a place as a store.
func storeOf(ctx context.Context, vendors map[string]sop.Vendor, env provider.Env, place sop.Place) (provider.Store, func(), error) {
	o := opener{vendors: vendors, env: env, byName: map[string]provider.Vendor{}, crew: &Crew{}}
	opened, err := o.vendor(place.Vendor)
	if err != nil {
		return nil, nil, err
	}
	done := func() { opened.Close(ctx) }
	stores, ok := opened.(provider.Stores)
	if !ok {
		done()
		return nil, nil, fmt.Errorf("vendor %s cannot be a store", place.Vendor)
	}
	s, err := stores.Store(place.Settings)
	if err != nil {
		done()
		return nil, nil, err
	}
	return s, done, nil
}
