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
// is the name of one; "": all of them, or none. One that is not there may be asked for
// by whoever may ask for all: the operation says that it is not there.
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
	}
	return Can(r.id, who, op, nil)
}

// Opening is what opening a run asks for: one operation more where it goes without the
// credential's role.
func Opening(o estate.Opening) []Op {
	if o.Without {
		return []Op{sop.OpWithoutRole}
	}
	return []Op{sop.OpOf(o.Purpose)}
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

// Stale means that somebody signed in too long ago for what cannot be undone.
type Stale struct {
	At     time.Time     // when; zero: nobody knows
	Within time.Duration // how long ago it may have been
}

func (s *Stale) Error() string {
	if s.At.IsZero() {
		return fmt.Sprintf("what cannot be undone wants a sign-in within %s, and it is not known when this one was", s.Within)
	}
	return fmt.Sprintf("what cannot be undone wants a sign-in within %s: sign in again", s.Within)
}

// Fresh returns nil where whoever asks has signed in recently enough for what cannot be
// undone, and *Stale otherwise: he is to sign in again, at AgainURL. Machines are not
// asked, for a token says itself what it is for, nor is whoever is only declared.
func (a *Access) Fresh(ctx context.Context) error {
	c := from(ctx)
	if c == nil {
		return errors.New("nobody has signed in")
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
		return &Stale{At: c.at, Within: within}
	}
	return nil
}
