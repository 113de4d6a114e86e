package runner

import (
	"context"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

func (r *Runner) madeHandle() *cred.Handle {
	if r.state.Made == nil {
		return nil
	}
	return r.state.Made.Handle
}

// discarded: this run itself has deleted it, or may have.
func (r *Runner) discarded(h *cred.Handle) bool {
	made := r.madeHandle()
	p := r.state.Step(string(rotation.Discard))
	return made != nil && h.ID == made.ID && p.Status != rotation.Idle
}

// unknown are the generations that bear a label of this run and are neither the one
// under way nor one that this run has made and not yet ended.
func (r *Runner) unknown(listed []cred.Handle) (out []cred.Handle, generation map[string]int) {
	known := map[string]bool{}
	for _, made := range append(r.state.Earlier, r.state.Made) {
		if made != nil {
			known[made.Handle.ID] = true
		}
	}
	generation = map[string]int{}
	for g := 1; g <= rotation.MaxAttempts; g++ {
		for _, h := range r.ours(listed, g) {
			if !known[h.ID] {
				out, generation[h.ID] = append(out, h), g
			}
		}
	}
	return out, generation
}

// holder is a generation that a place holds.
type holder struct {
	key    string
	handle cred.Handle
	bundle secret.Bundle
}

// heldAnywhere returns that of the generations which the first store holds, or else
// another one or a consumer; nil if nobody holds one.
func (r *Runner) heldAnywhere(ctx context.Context, among []cred.Handle) (*holder, error) {
	spec := r.state.Plan.Spec
	owned := func(where string, b secret.Bundle) (*holder, error) {
		if b == nil {
			return nil, nil
		}
		id, err := r.Roles.Issuer.Owner(ctx, b, among)
		for _, h := range among {
			if h.ID == id && id != "" && err == nil {
				return &holder{where, h, b}, nil
			}
		}
		return nil, err
	}
	stored, err := r.Roles.Store.Read(ctx, spec.Store.SlotNames())
	if err != nil {
		return nil, err
	}
	if found, err := owned(spec.Store.Key, r.inUse(spec, stored)); found != nil || err != nil {
		return found, err
	}
	for _, c := range append(slices.Clone(spec.Further), spec.Consumers...) {
		held, err := r.read(ctx, c)
		if err != nil {
			return nil, err
		}
		if found, err := owned(c.Key, r.heldBy(spec, c, held)); found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

func names(hs []cred.Handle) string {
	var out []string
	for _, h := range hs {
		out = append(out, h.Name)
	}
	return strings.Join(out, ", ")
}
