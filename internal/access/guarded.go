package access

import (
	"context"
	"maps"
	"slices"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
)

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

// Findings are those of what whoever asks may see; what is not a credential's is for who may
// look at all.
func (g *Guarded) Findings(ctx context.Context) (estate.Findings, error) {
	sees, err := g.sees(ctx, sop.OpStatus)
	if err != nil {
		return estate.Findings{}, err
	}
	f, err := g.inner.Findings(ctx)
	f.Findings = kept(f.Findings, func(f report.Finding) bool { return sees(f.Credential) })
	return f, err
}

// Acknowledge is of the finding's credential, or of all where it is none's. Who may not
// know of it is told what he would be told of one that there is not.
func (g *Guarded) Acknowledge(ctx context.Context, a estate.Acknowledging) (estate.Acknowledged, error) {
	known, err := g.known(ctx, sop.OpStatus, sop.OpAcknowledge)
	if err != nil {
		return estate.Acknowledged{}, err
	}
	all, err := g.inner.Findings(ctx)
	if err != nil {
		return estate.Acknowledged{}, err
	}
	i := slices.IndexFunc(all.Findings, func(f report.Finding) bool { return f.ID == a.Finding && known(f.Credential) })
	if i < 0 {
		return estate.Acknowledged{}, &estate.Error{Code: estate.NoFinding, Name: a.Finding}
	}
	if err := g.may(ctx, sop.OpAcknowledge, all.Findings[i].Credential, false); err != nil {
		return estate.Acknowledged{}, err
	}
	return g.inner.Acknowledge(ctx, a)
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

// Whoami names no credential that whoever asks may neither see nor do anything to.
func (g *Guarded) Whoami(ctx context.Context) (estate.Whoami, error) {
	if _, ok := From(ctx); !ok {
		return estate.Whoami{}, errNobody()
	}
	me, err := g.inner.Whoami(ctx)
	sees, refused := g.sees(ctx, sop.OpStatus)
	if refused != nil {
		sees = func(string) bool { return false }
	}
	if g.a.Can(ctx, sop.OpStatus, "") != nil {
		me.Of = len(g.mine(ctx, sop.OpStatus)) // of these he is told which he may change
	}
	maps.DeleteFunc(me.Refused, func(name, _ string) bool { return !sees(name) })
	for i := range me.May {
		if op := me.May[i].Op; op != sop.OpTokens { // of which these are names
			me.May[i].On = kept(me.May[i].On, func(name string) bool { return sees(name) || g.a.Can(ctx, op, name) == nil })
		}
	}
	return me, err
}

// kept is a list without what is not meant for somebody; the given one is not changed.
func kept[T any](all []T, is func(T) bool) []T {
	if all == nil {
		return nil
	}
	out := slices.Clone(all)
	return slices.DeleteFunc(out, func(v T) bool { return !is(v) })
}
