package access

import (
	"context"
	"errors"
	"slices"

	"rekey/internal/estate"
	"rekey/internal/sop"
)

// Operations are what is guarded: all operations, and those of a service that return
// while a run goes on (internal/engine).
type Operations interface {
	estate.Operations
	Begin(ctx context.Context, o estate.Opening) (run string, err error)
	TakeUp(ctx context.Context, a estate.Advancing) (run string, err error)
	TurnBack(ctx context.Context, b estate.Backing) (run string, err error)
	Answered(ctx context.Context) error
	Follow(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error)
}

// Guarded are operations that are refused to whoever may not ask for them, by Can, and
// lists without what he may not see. Every face of a server is given these.
//
// Each method stands here by itself, so that an operation that is new does not compile
// until somebody has said who may ask for it. Besides what the operations refuse, each
// refuses NotIdentified, NoRole and, before what cannot be undone, NotFresh. What waits
// and works by itself (the workers, the schedule) asks the operations beneath.
type Guarded struct {
	a     *Access
	inner Operations
}

var _ Operations = (*Guarded)(nil)

// Guard guards operations.
func (a *Access) Guard(inner Operations) *Guarded { return &Guarded{a: a, inner: inner} }

// may is Can for one credential, "" for all, with a fresh sign-in where final says so.
func (g *Guarded) may(ctx context.Context, op Op, credential string, final bool) error {
	if err := g.a.Can(ctx, op, credential); err != nil {
		return err
	}
	if final || Final(op) {
		return g.a.Fresh(ctx)
	}
	return nil
}

// sees reports whether a credential's lines in a list are for whoever asks.
func (g *Guarded) sees(ctx context.Context, op Op) (func(credential string) bool, error) {
	all := g.a.Can(ctx, op, "")
	if all == nil {
		return func(string) bool { return true }, nil
	}
	if estate.CodeOf(all) != estate.NoRole {
		return nil, all
	}
	mine := g.mine(ctx, op)
	if len(mine) == 0 {
		return nil, all
	}
	of := make(map[string]bool, len(mine)) // it is asked for every line of a list
	for _, name := range mine {
		of[name] = true
	}
	return func(name string) bool { return of[name] }, nil
}

// mine are the credentials on which whoever asks may ask for an operation.
func (g *Guarded) mine(ctx context.Context, op Op) (out []string) {
	for _, s := range g.a.rules().config.Specs {
		if g.a.Can(ctx, op, s.Name) == nil {
			out = append(out, s.Name)
		}
	}
	return out
}

// these are the credentials that somebody names, each of which he has to have; all that
// he may where he names none.
func (g *Guarded) these(ctx context.Context, op Op, names []string) ([]string, error) {
	for _, n := range names {
		if err := g.a.Can(ctx, op, n); err != nil {
			return nil, err
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	all := g.a.Can(ctx, op, "")
	if all == nil {
		return nil, nil
	}
	if names = g.mine(ctx, op); len(names) == 0 {
		return nil, all
	}
	return names, nil
}

// run is may for the credential of a run; "" is the only one that is open. It returns
// which run is meant, so that the operations mean no other.
func (g *Guarded) run(ctx context.Context, op Op, run string, final bool) (string, error) {
	if right := sop.RightOf(op); !right.Changes && g.may(ctx, op, "", final) == nil {
		return run, nil // whatever it is of
	}
	run, credential, err := g.of(ctx, op, run)
	if err != nil {
		return "", err
	}
	return run, g.may(ctx, op, credential, final)
}

// known reports which credentials' runs and requests whoever asks may name: those that he
// may look at, and those to which he may do what he asks for.
func (g *Guarded) known(ctx context.Context, look, op Op) (func(credential string) bool, error) {
	sees, none := g.sees(ctx, look)
	if none != nil && (estate.CodeOf(none) != estate.NoRole || len(g.mine(ctx, op)) == 0) {
		return nil, none
	}
	return func(name string) bool { return none == nil && sees(name) || g.a.Can(ctx, op, name) == nil }, nil
}

// of is the credential of a run. Who may not know of it is told what he would be told of
// one that there is not.
func (g *Guarded) of(ctx context.Context, op Op, run string) (id, credential string, err error) {
	known, err := g.known(ctx, sop.OpLog, op)
	if err != nil {
		return "", "", err
	}
	if run == "" {
		open, err := g.inner.OpenRuns(ctx)
		open = kept(open, func(o estate.OpenRun) bool { return known(o.Credential) })
		switch {
		case err != nil:
			return "", "", err
		case len(open) == 0:
			return "", "", &estate.Error{Code: estate.NoneOpen}
		case len(open) == 1:
			return open[0].Run, open[0].Credential, nil
		}
		out := &estate.Error{Code: estate.SeveralOpen}
		for _, o := range open {
			out.Open = append(out.Open, o.Summary)
		}
		return "", "", out
	}
	one, err := g.inner.OneRun(ctx, run)
	if err == nil && !known(one.Credential) {
		err = &estate.Error{Code: estate.NoRun, Run: run}
	}
	if err != nil {
		return "", "", err
	}
	return run, one.Credential, nil
}

// meant is the credential that a wish is about: to retire a name it is the one that has
// the name, whatever else the wish says.
func (g *Guarded) meant(w estate.Wish) string {
	if w.Purpose != sop.ToForget {
		return w.Credential
	}
	for _, s := range g.a.rules().config.Specs {
		if slices.Contains(s.Former, w.Target) {
			return s.Name
		}
	}
	return ""
}

// opening is may for everything that opening a run asks for.
func (g *Guarded) opening(ctx context.Context, o estate.Opening) error {
	credential := g.meant(o.Wish)
	op := Opening(o)
	if o.Reviewed != nil && o.Reviewed.Spec.Name != credential {
		if err := g.may(ctx, op, o.Reviewed.Spec.Name, false); err != nil {
			return err
		}
	}
	return g.may(ctx, op, credential, o.Confirm != "")
}

// onward is may for taking a run up, or turning it back.
func (g *Guarded) onward(ctx context.Context, op Op, run string, without, final bool) (string, error) {
	if without {
		op = sop.OpWithoutRole
	}
	return g.run(ctx, op, run, final)
}

// Some refuses whoever may not ask for an operation on any credential.
func (g *Guarded) Some(ctx context.Context, op Op) error {
	_, err := g.sees(ctx, op)
	return err
}

// about is the request that somebody answers, by its id, so that the operations mean no
// other, and its credential.
func (g *Guarded) about(ctx context.Context, op Op, what string) (id, credential string, err error) {
	known, err := g.known(ctx, sop.OpDue, op)
	if err != nil {
		return "", "", err
	}
	asked, err := g.inner.Approvals(ctx)
	if err != nil {
		return "", "", err
	}
	for _, s := range asked {
		if s.Request != nil && known(s.Request.Credential) && what != "" && (what == s.Request.ID || what == s.Request.Run || what == s.Request.Credential) {
			return s.Request.ID, s.Request.Credential, nil
		}
	}
	return "", "", &estate.Error{Code: estate.NothingAsked, Name: what}
}

// errNobody is NotIdentified.
func errNobody() error {
	return &estate.Error{Code: estate.NotIdentified, Err: errors.New("nobody has signed in")}
}
