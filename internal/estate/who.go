package estate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rekey/internal/identity"
	"rekey/internal/refs"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// who finds out who asks. People and CI are real in a simulated world too.
func (e *Estate) who(ctx context.Context) (rotation.Who, error) {
	if e.here.Who != nil {
		who, err := e.here.Who(ctx)
		if err != nil {
			return who, &Error{Code: NotIdentified, Err: err}
		}
		return who, nil
	}
	network, idle := e.network()
	defer idle()
	finder := &refs.Finder{Dir: e.config.Dir, Env: e.here.Env, Asked: &e.asked}
	who, err := identity.Find(ctx, e.config.Identity, identity.Surroundings{
		Transport: network, Now: e.now, Env: e.here.Env, User: e.here.User(),
		Resolve: finder.Secret, IsSet: func(r sop.Refs) bool { return slices.ContainsFunc(r, finder.IsSet) }, Text: finder.Text,
	})
	if err != nil {
		return who, &Error{Code: NotIdentified, Err: err}
	}
	return who, nil
}

// Whoami tells who asks, and which credentials he may not change.
func (e *Estate) Whoami(ctx context.Context) (Whoami, error) {
	who, err := e.who(ctx)
	if err != nil {
		return Whoami{}, err
	}
	out := Whoami{Who: who, Enforced: e.config.Identity != nil, Refused: map[string]string{}, Of: len(e.config.Specs)}
	out.May = identity.Table(e.config.Identity, who, e.config.Specs, e.here.Who == nil)
	for _, spec := range e.config.Specs {
		if why, _ := identity.Refusal(e.config.Identity, sop.OpRotate, spec, who); why != "" {
			out.Refused[spec.Name] = spec.Role
		}
	}
	return out, nil
}

// remark adds to a plan by whom it may be carried out, and what that word is worth.
func (e *Estate) remark(ctx context.Context, plan *rotation.Plan) {
	who, err := e.who(ctx)
	note := identity.Remark(e.config.Identity, plan.Spec, who)
	if coded, ok := errors.AsType[*Error](err); ok {
		note = "a run would be refused: " + strings.SplitN(coded.Err.Error(), "\n", 2)[0]
	}
	if note != "" {
		plan.Notes = append([]string{note}, plan.Notes...)
	}
}

// may finds out who does this, and refuses whoever has not the role that these
// credentials want.
func (w *work) may(ctx context.Context, op sop.Op, without bool, specs ...sop.Spec) error {
	var err error
	if w.by, err = w.who(ctx); err != nil {
		return err
	}
	for _, spec := range specs {
		why, those := identity.Refusal(w.config.Identity, op, spec, w.by)
		switch {
		case why == "":
		case without:
			w.by.Without = spec.Role
		default:
			return &Error{Code: NoRole, Err: errors.New(why), Who: &w.by, Known: those, Purpose: spec.Purpose}
		}
	}
	return nil
}

// mayOne is may of what is about no credential in particular: whoever may do it to one of
// them may.
func (w *work) mayOne(ctx context.Context, op sop.Op) (err error) {
	var refused error
	for i, spec := range w.config.Specs {
		if err := w.may(ctx, op, false, spec); err == nil {
			return nil
		} else if i == 0 || CodeOf(err) != NoRole {
			refused = err
		}
	}
	if refused == nil {
		w.by, err = w.who(ctx)
		refused = err
	}
	return refused
}

// reasoned refuses to go without the role for no reason.
func reasoned(without bool, reason string) error {
	if without && strings.TrimSpace(reason) == "" {
		return &Error{Code: NoReason, Without: true}
	}
	return nil
}
