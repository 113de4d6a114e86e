package access

import (
	"context"
	"maps"
	"slices"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
)

// Open is for whoever may open a run of this purpose.
func (g *Guarded) Open(ctx context.Context, o estate.Opening, f estate.Face) (estate.Ended, error) {
	if err := g.opening(ctx, o); err != nil {
		return estate.Ended{}, err
	}
	return g.inner.Open(ctx, o, f)
}

// Begin is for whoever may open a run of this purpose.
func (g *Guarded) Begin(ctx context.Context, o estate.Opening) (string, error) {
	if err := g.opening(ctx, o); err != nil {
		return "", err
	}
	return g.inner.Begin(ctx, o)
}

// Answered is for whoever has asked before: the key of a request is the caller's own.
func (g *Guarded) Answered(ctx context.Context) error {
	if _, ok := From(ctx); !ok {
		return errNobody()
	}
	return g.inner.Answered(ctx)
}

// Advance wants a fresh sign-in where it confirms what cannot be undone.
func (g *Guarded) Advance(ctx context.Context, a estate.Advancing, f estate.Face) (estate.Ended, error) {
	var err error
	if a.Run, err = g.onward(ctx, sop.OpResume, a.Run, a.Without, a.Confirm != ""); err != nil {
		return estate.Ended{}, err
	}
	return g.inner.Advance(ctx, a, f)
}

// TakeUp wants a fresh sign-in where it confirms what cannot be undone.
func (g *Guarded) TakeUp(ctx context.Context, a estate.Advancing) (string, error) {
	var err error
	if a.Run, err = g.onward(ctx, sop.OpResume, a.Run, a.Without, a.Confirm != ""); err != nil {
		return "", err
	}
	return g.inner.TakeUp(ctx, a)
}

// MayHandOver is for whoever may resume this run, with a fresh sign-in: what he hands over
// becomes the credential, or ends it.
func (g *Guarded) MayHandOver(ctx context.Context, run string) error {
	_, err := g.onward(ctx, sop.OpResume, run, false, true)
	return err
}

// GoBack is for whoever may roll this credential back.
func (g *Guarded) GoBack(ctx context.Context, b estate.Backing, f estate.Face) (estate.Ended, error) {
	var err error
	if b.Run, err = g.onward(ctx, sop.OpRollback, b.Run, b.Without, false); err != nil {
		return estate.Ended{}, err
	}
	return g.inner.GoBack(ctx, b, f)
}

// TurnBack is for whoever may roll this credential back.
func (g *Guarded) TurnBack(ctx context.Context, b estate.Backing) (string, error) {
	var err error
	if b.Run, err = g.onward(ctx, sop.OpRollback, b.Run, b.Without, false); err != nil {
		return "", err
	}
	return g.inner.TurnBack(ctx, b)
}

// Follow is for whoever may read the run's log.
func (g *Guarded) Follow(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.Ended{}, err
	}
	return g.inner.Follow(ctx, run, after, f)
}

// Check is of one credential.
func (g *Guarded) Check(ctx context.Context, w estate.Wish) (estate.Checked, error) {
	if err := g.may(ctx, sop.OpCheck, g.meant(w), false); err != nil {
		return estate.Checked{}, err
	}
	return g.inner.Check(ctx, w)
}

// Plan is of one credential.
func (g *Guarded) Plan(ctx context.Context, w estate.Wish) (estate.Planned, error) {
	if err := g.may(ctx, sop.OpPlan, g.meant(w), false); err != nil {
		return estate.Planned{}, err
	}
	return g.inner.Plan(ctx, w)
}

// PlanBack asks no vendor: it is a look at a run.
func (g *Guarded) PlanBack(ctx context.Context, run string) (estate.BackPlan, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.BackPlan{}, err
	}
	return g.inner.PlanBack(ctx, run)
}

// Compare is of those that whoever asks may compare.
func (g *Guarded) Compare(ctx context.Context, credentials []string) (estate.Compared, error) {
	these, err := g.these(ctx, sop.OpDrift, credentials)
	if err != nil {
		return estate.Compared{}, err
	}
	return g.inner.Compare(ctx, these)
}

// Discover is of those that whoever asks may look for.
func (g *Guarded) Discover(ctx context.Context, credentials []string) (estate.Discovered, error) {
	these, err := g.these(ctx, sop.OpDiscover, credentials)
	if err != nil {
		return estate.Discovered{}, err
	}
	return g.inner.Discover(ctx, these)
}

// FormerNames is of those that whoever asks may look for.
func (g *Guarded) FormerNames(ctx context.Context, credentials []string) (estate.FormerNames, error) {
	these, err := g.these(ctx, sop.OpNames, credentials)
	if err != nil {
		return estate.FormerNames{}, err
	}
	return g.inner.FormerNames(ctx, these)
}

// Status has the rows that whoever asks may see; live, it asks vendors, about all.
func (g *Guarded) Status(ctx context.Context, a estate.StatusAsked) (estate.Status, error) {
	sees, err := g.sees(ctx, sop.OpStatus)
	if err == nil && a.Live {
		err = g.may(ctx, sop.OpDrift, "", false)
	}
	if err != nil {
		return estate.Status{}, err
	}
	s, err := g.inner.Status(ctx, a)
	s.Rows = kept(s.Rows, func(r report.Row) bool { return sees(r.Credential) })
	return s, err
}

// Doctor is of those that whoever asks may look at.
func (g *Guarded) Doctor(ctx context.Context, credentials []string) ([]estate.Finding, error) {
	these, err := g.these(ctx, sop.OpDoctor, credentials)
	if err != nil {
		return nil, err
	}
	return g.inner.Doctor(ctx, these)
}

// Document is of those that whoever asks may read.
func (g *Guarded) Document(ctx context.Context, d estate.Documenting, each func(estate.Page) error) error {
	these, err := g.these(ctx, sop.OpSop, d.Credentials)
	if err != nil {
		return err
	}
	d.Credentials = these
	return g.inner.Document(ctx, d, each)
}

// Evidence is of one credential, or of all.
func (g *Guarded) Evidence(ctx context.Context, p estate.Period, lines func([]byte) error) (estate.Evidence, error) {
	if err := g.may(ctx, sop.OpEvidence, p.Credential, false); err != nil {
		return estate.Evidence{}, err
	}
	return g.inner.Evidence(ctx, p, lines)
}

// Verify is of the whole journal.
func (g *Guarded) Verify(ctx context.Context, v estate.Verifying) (estate.Verified, error) {
	if err := g.may(ctx, sop.OpVerify, "", false); err != nil {
		return estate.Verified{}, err
	}
	return g.inner.Verify(ctx, v)
}

// Sign signs the whole journal.
func (g *Guarded) Sign(ctx context.Context) (estate.Signed, error) {
	if err := g.may(ctx, sop.OpCheckpoint, "", false); err != nil {
		return estate.Signed{}, err
	}
	return g.inner.Sign(ctx)
}

// Key makes a key where there never was one, which is the only way to have one.
func (g *Guarded) Key(ctx context.Context) (string, error) {
	if err := g.may(ctx, sop.OpVerify, "", false); err != nil {
		return "", err
	}
	return g.inner.Key(ctx)
}

// NewKey wants a fresh sign-in.
func (g *Guarded) NewKey(ctx context.Context, n estate.NewKey) (estate.HandedOver, error) {
	if err := g.may(ctx, sop.OpNewKey, "", true); err != nil {
		return estate.HandedOver{}, err
	}
	if n.Without {
		if err := g.may(ctx, sop.OpWithoutRole, "", true); err != nil {
			return estate.HandedOver{}, err
		}
	}
	return g.inner.NewKey(ctx, n)
}

// Schedule has the credentials that whoever asks may see.
func (g *Guarded) Schedule(ctx context.Context) (estate.Schedule, error) {
	sees, err := g.sees(ctx, sop.OpDue)
	if err != nil {
		return estate.Schedule{}, err
	}
	s, err := g.inner.Schedule(ctx)
	if g.a.Can(ctx, sop.OpDue, "") != nil {
		s.Credentials = kept(s.Credentials, func(c estate.Scheduled) bool { return sees(c.Credential) })
		s.Begin, s.Ask = kept(s.Begin, sees), kept(s.Ask, sees)
		s.TakeUp, s.Failed = nil, nil // runs of whichever credential
	}
	return s, err
}

// Pause is for whoever may pause one credential: it is the brake.
func (g *Guarded) Pause(ctx context.Context, reason string) error {
	if err := g.some(ctx, sop.OpPause); err != nil {
		return err
	}
	return g.inner.Pause(ctx, reason)
}

// Continue is for whoever may pause one credential.
func (g *Guarded) Continue(ctx context.Context, reason string) error {
	if err := g.some(ctx, sop.OpPause); err != nil {
		return err
	}
	return g.inner.Continue(ctx, reason)
}

// Approvals are those about what whoever asks may see.
func (g *Guarded) Approvals(ctx context.Context) ([]estate.Approval, error) {
	sees, err := g.sees(ctx, sop.OpDue)
	if err != nil {
		return nil, err
	}
	all, err := g.inner.Approvals(ctx)
	return kept(all, func(s estate.Approval) bool { return s.Request != nil && sees(s.Request.Credential) }), err
}

// Approve is for whoever may approve for this credential. Whether this one wants a fresh
// sign-in is a matter of its rule.
func (g *Guarded) Approve(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	a, err := g.answers(ctx, a)
	if err != nil {
		return estate.Approval{}, err
	}
	return g.inner.Approve(ctx, a)
}

// Refuse is for whoever may approve for this credential.
func (g *Guarded) Refuse(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	a, err := g.answers(ctx, a)
	if err != nil {
		return estate.Approval{}, err
	}
	return g.inner.Refuse(ctx, a)
}

// TakeBack is of one's own: who may see it may ask.
func (g *Guarded) TakeBack(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	var err error
	if a.About, _, err = g.about(ctx, a.About); err != nil {
		return estate.Approval{}, err
	}
	return g.inner.TakeBack(ctx, a)
}

func (g *Guarded) answers(ctx context.Context, a estate.Answering) (estate.Answering, error) {
	id, credential, err := g.about(ctx, a.About)
	if err != nil {
		return a, err
	}
	a.About = id
	return a, g.a.Can(ctx, sop.OpApprove, credential)
}

// Whoami names no credential that whoever asks may not see.
func (g *Guarded) Whoami(ctx context.Context) (estate.Whoami, error) {
	if _, ok := From(ctx); !ok {
		return estate.Whoami{}, errNobody()
	}
	me, err := g.inner.Whoami(ctx)
	sees, refused := g.sees(ctx, sop.OpStatus)
	if refused != nil {
		sees = func(string) bool { return false }
	}
	maps.DeleteFunc(me.Refused, func(name, _ string) bool { return !sees(name) })
	for i := range me.May {
		me.May[i].On = kept(me.May[i].On, sees)
	}
	return me, err
}

// Runs are those that whoever asks may read the log of.
func (g *Guarded) Runs(ctx context.Context) ([]estate.Summary, error) {
	sees, err := g.sees(ctx, sop.OpLog)
	if err != nil {
		return nil, err
	}
	all, err := g.inner.Runs(ctx)
	return kept(all, func(s estate.Summary) bool { return sees(s.Credential) }), err
}

// RunsOf are the runs of a credential that whoever asks may read the log of.
func (g *Guarded) RunsOf(ctx context.Context, credential string) ([]estate.Summary, error) {
	sees, err := g.sees(ctx, sop.OpLog)
	if err != nil || !sees(credential) {
		return nil, err
	}
	return g.inner.RunsOf(ctx, credential)
}

// OneRun is of one run.
func (g *Guarded) OneRun(ctx context.Context, run string) (estate.Summary, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.Summary{}, err
	}
	return g.inner.OneRun(ctx, run)
}

// OpenRuns are those that whoever asks may read the log of.
func (g *Guarded) OpenRuns(ctx context.Context) ([]estate.OpenRun, error) {
	sees, err := g.sees(ctx, sop.OpLog)
	if err != nil {
		return nil, err
	}
	all, err := g.inner.OpenRuns(ctx)
	return kept(all, func(o estate.OpenRun) bool { return sees(o.Credential) }), err
}

// Log is of one run.
func (g *Guarded) Log(ctx context.Context, run string) (estate.Logged, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.Logged{}, err
	}
	return g.inner.Log(ctx, run)
}

// kept is a list without what is not meant for somebody; the given one is not changed.
func kept[T any](all []T, is func(T) bool) []T {
	if all == nil {
		return nil
	}
	out := slices.Clone(all)
	return slices.DeleteFunc(out, func(v T) bool { return !is(v) })
}
