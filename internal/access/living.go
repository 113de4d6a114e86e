package access

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"rekey/internal/identity"
	"rekey/internal/sop"
)

// lookedAgain is how often it is looked whether whoever is still being answered may be:
// what another process has ended is seen then.
const lookedAgain = 5 * time.Second

// errOver is why an answer ends before it is whole. Who may go on asks again, and goes on
// after what he has.
var errOver = errors.New("whoever requested this no longer has the right to, or has to sign in again")

// living are the looks that are being answered. Most are over at once; a run that is
// followed is not, and must not outlive the session, the token or the role of whoever
// looks.
type living struct {
	mu  sync.Mutex
	all map[*look]struct{}
}

// look is one of them.
type look struct {
	a   *Access
	c   *caller
	ctx context.Context
	end context.CancelCauseFunc

	mu    sync.Mutex
	again *time.Timer // nil: it is over
}

// during is a context that ends once whoever looks may not any more. over is called when
// he was answered.
//
// A token of a platform's, or what a proxy says, is good until it expires: nobody can revoke
// it before, and nothing says afterwards that he still is who it said.
func (a *Access) during(ctx context.Context, c *caller) (_ context.Context, over func()) {
	ctx, end := context.WithCancelCause(ctx)
	l := &look{a: a, c: c, ctx: ctx, end: end}
	l.mu.Lock()
	l.again = time.AfterFunc(a.Again, l.still)
	l.mu.Unlock()
	a.living.mu.Lock()
	a.living.all[l] = struct{}{}
	a.living.mu.Unlock()
	return ctx, func() {
		a.living.mu.Lock()
		delete(a.living.all, l)
		a.living.mu.Unlock()
		l.mu.Lock()
		l.again.Stop()
		l.again = nil
		l.mu.Unlock()
		end(nil)
	}
}

// still ends it where that is so.
func (l *look) still() {
	if l.ctx.Err() != nil {
		return
	}
	if !l.a.stands(l.ctx, l.c) {
		l.end(errOver)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.again != nil {
		l.again.Reset(l.a.Again)
	}
}

// stands reports whether somebody is who he was when he asked. Where the database does
// not answer, he is taken for that.
func (a *Access) stands(ctx context.Context, c *caller) bool {
	rules := a.rules()
	if c.epoch != rules.epoch {
		return false // he may be, or may look as before: it is asked anew
	}
	switch {
	case !c.until.IsZero() && !a.Now().Before(c.until):
		return false
	case c.session != "":
		idle := defaultIdle
		if rules.id.SignIn != nil {
			idle = rules.id.SignIn.Idle.Or(idle)
		}
		there, err := a.store.hasSession(ctx, c.session, idle)
		return there || err != nil
	case c.token != nil:
		live, err := a.store.isLive(ctx, c.token.ID)
		return live || err != nil
	}
	return true
}

// untilOf is when claims are taken no longer, as who made them says; zero: he does not.
func untilOf(claims identity.Claims) time.Time {
	seconds, err := strconv.ParseFloat(claims.Text("exp"), 64)
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).Add(identity.Skew)
}

// lookAgain has it looked at once, for something has ended.
func (a *Access) lookAgain() {
	a.living.mu.Lock()
	defer a.living.mu.Unlock()
	for l := range a.living.all {
		go l.still()
	}
}

// sameAccess reports whether two versions of rekey.yaml say the same of who may what.
func sameAccess(a, b *sop.Config) bool {
	return reflect.DeepEqual(a.Identity, b.Identity) && slices.EqualFunc(a.Specs, b.Specs, func(x, y sop.Spec) bool {
		return x.Name == y.Name && x.Role == y.Role && reflect.DeepEqual(x.Approvals, y.Approvals)
	})
}

// hasSession is session, of one that nobody uses by that.
func (s *store) hasSession(ctx context.Context, hash string, idle time.Duration) (there bool, err error) {
	now := s.now()
	err = s.db.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM access_sessions WHERE hash = $1 AND expires > $2 AND seen >= $3`, hash, ms(now), ms(now.Add(-idle))).Scan(&there)
	return there, err
}

// isLive reports whether a token is worth something.
func (s *store) isLive(ctx context.Context, id string) (live bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM access_tokens WHERE id = $1 AND revoked = 0 AND expires > $2`, id, ms(s.now())).Scan(&live)
	return live, err
}
