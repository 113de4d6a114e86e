package assisted

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// Create has the person make one. What is not handed over may have been made
// nevertheless: the person is asked, and only a clear no is a refusal.
func (k *keys) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	const op = "make a credential by hand"
	k.live[name] = unsure
	a, err := k.ask(ctx, op, provider.Task{Want: provider.WantMake, Name: name, Steps: filled(k.settings.Create, name), Fields: k.fields})
	if err != nil {
		if e, ok := errors.AsType[*cred.Error](err); ok && e.Class.NotApplied() {
			delete(k.live, name)
		}
		return cred.Handle{}, nil, err
	}
	if !a.Bundle.Complete(k.fields) {
		there, err := k.listed(ctx, op, name)
		switch {
		case err != nil:
			return cred.Handle{}, nil, err
		case there:
			return cred.Handle{}, nil, &cred.Error{Vendor: k.name, Op: op, Class: cred.Unknown, Why: name + " was made, but its value was not handed over"}
		}
		return cred.Handle{}, nil, &cred.Error{Vendor: k.name, Op: op, Class: cred.Refused, Why: "the person gave up; nothing was created"}
	}
	for _, o := range k.owner {
		if same(o.bundle, a.Bundle, k.fields) {
			return cred.Handle{}, nil, &cred.Error{Vendor: k.name, Op: op, Class: cred.Unknown, Why: "what was handed over is " + o.name + ", the one in use"}
		}
	}
	k.live[name] = sure
	k.owner = append(k.owner, owned{a.Bundle, name})
	return cred.Handle{ID: name, Name: name}, a.Bundle, nil
}

// Revoke has the person end one. That it is done is looked at once more by List
// and by whoever it opened the door to; a person's word is not proof.
func (k *keys) Revoke(ctx context.Context, h cred.Handle) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	const op = "end a credential by hand"
	if h.ID == "" {
		return &cred.Error{Vendor: k.name, Op: op, Class: cred.Refused, Why: "no name"}
	}
	if _, known := k.live[h.ID]; k.looked && !known {
		return &cred.Error{Vendor: k.name, Op: op, Class: cred.Absent, Why: h.ID + " is not listed"}
	}
	k.live[h.ID] = unsure
	a, err := k.ask(ctx, op, provider.Task{Want: provider.WantEnd, Name: h.ID, Steps: filled(k.settings.Revoke, h.ID)})
	if err != nil {
		return err
	}
	if !a.Yes {
		return &cred.Error{Vendor: k.name, Op: op, Class: cred.Unknown, Why: fmt.Sprintf("the person did not say that %s is gone", h.ID)}
	}
	return nil
}

// filled puts the name into instructions.
func filled(lines []string, name string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.ReplaceAll(l, "{name}", name)
	}
	return out
}
