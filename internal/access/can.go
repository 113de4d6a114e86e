package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rekey/internal/estate"
	"rekey/internal/identity"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Op is one thing that somebody may ask for; sop has them all.
type Op = sop.Op

// Can returns nil where who may ask for an operation on a credential (nil: on all of
// them, or on none), and an *estate.Error with NoRole otherwise, which says who may. It
// is identity.Can, the one table of role × operation × credential, in the words of the
// operations.
func Can(id *sop.Identity, who rotation.Who, op Op, spec *sop.Spec) error {
	why, those := identity.Can(id, who, op, spec)
	if why == "" {
		return nil
	}
	out := &estate.Error{Code: estate.NoRole, Err: errors.New(why), Who: &who, Known: those}
	if spec != nil {
		out.Credential, out.Purpose = spec.Name, spec.Purpose
	}
	return out
}

// Can is Can by the rekey.yaml that this server goes by, for whoever asks. credential
// is the name of one; "": all of them, or none. One that is not there is refused as one
// that is.
func (a *Access) Can(ctx context.Context, op Op, credential string) error {
	who, ok := From(ctx)
	if !ok {
		return &estate.Error{Code: estate.NotIdentified, Err: errors.New("nobody has signed in")}
	}
	r := a.rules()
	if credential != "" {
		for i := range r.config.Specs {
			if r.config.Specs[i].Name == credential {
				return Can(r.id, who, op, &r.config.Specs[i])
			}
		}
		return Can(r.id, who, op, &sop.Spec{Name: credential})
	}
	return Can(r.id, who, op, nil)
}

// Opening is what opening a run asks for: another operation where it goes without the
// credential's role.
func Opening(o estate.Opening) Op {
	if o.Without {
		return sop.OpWithoutRole
	}
	return sop.OpOf(o.Purpose)
}

// Final reports whether an operation is, or leads to, what cannot be undone, so that
// whoever asks for it has to have signed in just now. Confirming a run (an Advancing
// with its Confirm) is as well.
func Final(op Op) bool {
	switch op {
	case sop.OpRevoke, sop.OpWithoutRole, sop.OpApprove, sop.OpNewKey, sop.OpTokens:
		return true
	}
	return false
}

// Fresh returns nil where whoever asks has signed in recently enough for what cannot be
// undone, and an *estate.Error with NotFresh otherwise: he is to sign in again, at
// /access/sign-in?fresh=1. Machines are not asked, for a token says itself what it is
// for, nor is whoever is only declared.
func (a *Access) Fresh(ctx context.Context) error {
	c := from(ctx)
	if c == nil {
		return &estate.Error{Code: estate.NotIdentified, Err: errors.New("nobody has signed in")}
	}
	r := a.rules()
	if !c.person || r.id == nil {
		return nil
	}
	within := 10 * time.Minute
	if r.id.SignIn != nil {
		within = r.id.SignIn.Fresh.Or(within)
	}
	if c.at.IsZero() || a.Now().Sub(c.at) > within {
		return &estate.Error{Code: estate.NotFresh, Who: &c.who, Err: fmt.Errorf("an action that cannot be undone needs a sign-in within the last %s", within)}
	}
	return nil
}
