package estate

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"rekey/internal/drift"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// many is everything with which an operation looks at many credentials.
type many struct {
	*work
	specs  []sop.Spec
	shared *wire.Estate
	open   []string          // runs, as they were when everything was compared
	going  map[string]string // the open run of a credential
	from   int64             // number of the newest entry of the journal then
}

// many opens these credentials, or all. Nothing of it touches a vendor.
func (e *Estate) many(names []string) (*many, error) {
	specs, err := e.specs(names)
	if err != nil {
		return nil, err
	}
	if len(specs) == 0 {
		return nil, &Error{Code: NoCredentials}
	}
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return nil, err
	}
	m := &many{work: w, specs: specs, shared: wire.OpenEstate(specs, e.config.Vendors, w.env)}
	w.closes = append(w.closes, func() { m.shared.Close(context.Background()) })
	return m, nil
}

// looker is a runner that only looks, for one credential of many.
func (m *many) looker(spec sop.Spec) (*runner.Runner, error) {
	crew, err := m.shared.Crew(spec)
	if err != nil {
		return nil, m.unwired(spec, err)
	}
	return &runner.Runner{Roles: crew.Roles, Can: crew.Can, Keyer: m.keyer, Clock: m.here.Clock, Together: wire.Together}, nil
}

// unwired is why a credential's vendors cannot be opened, with everything that is not set,
// of all that were to be looked at: it is set in one go.
func (m *many) unwired(spec sop.Spec, err error) error {
	out := &Error{Code: Misfit, Credential: spec.Name, Err: err}
	for _, f := range variables(m.config, m.specs, wantedBy(m.config, m.specs).inputs, m.finder) {
		if !f.OK {
			out.Code, out.Problems = Unwired, append(out.Problems, f.What)
		}
	}
	return out
}

// Compare looks at every credential and notes what was found.
func (e *Estate) Compare(ctx context.Context, names []string) (Compared, error) {
	m, err := e.many(names)
	if err != nil {
		return Compared{}, err
	}
	defer m.close()
	all, err := m.compare(ctx)
	if err != nil {
		return Compared{}, err
	}
	signed := m.attest(ctx)
	return Compared{At: e.now().UTC(), Credentials: all, Calls: m.called(), Evidence: signed}, nil
}

// standing reads what stands in the journal before anything is looked at.
func (m *many) standing(ctx context.Context) (err error) {
	if m.from, err = m.book.Newest(ctx); err != nil {
		return failed(err)
	}
	going, err := m.book.Going(ctx)
	if err != nil {
		return failed(err)
	}
	m.open, m.going = nil, map[string]string{}
	for _, r := range going {
		m.open, m.going[r.Credential] = append(m.open, r.Run), r.Run
	}
	return nil
}

func (m *many) compare(ctx context.Context) ([]report.Compared, error) {
	if err := m.standing(ctx); err != nil {
		return nil, err
	}
	var all []report.Compared
	var notes []history.Note
	var seen []report.Sighting
	for _, spec := range m.specs {
		if ctx.Err() != nil {
			return nil, &Error{Code: Interrupted}
		}
		c, err := m.compareSteady(ctx, spec)
		if err != nil && ctx.Err() != nil {
			return nil, &Error{Code: Interrupted}
		}
		if err != nil {
			return nil, err
		}
		n, err := history.NoteOf(c.At, spec.Name, history.Compared, c)
		if err != nil {
			return nil, failed(err)
		}
		all, notes, seen = append(all, c), append(notes, n), append(seen, report.SightingOf(c, m.going[spec.Name] != ""))
	}
	return all, m.keepSeen(ctx, seen, notes...)
}

// lookedAgain is how often a credential is looked at that is being rotated meanwhile.
const lookedAgain = 3

// compareSteady compares one credential. What was asked once for all may be older than
// what a run has written to it since: then nothing of that is told, and it is looked at
// anew.
func (m *many) compareSteady(ctx context.Context, spec sop.Spec) (report.Compared, error) {
	c, err := m.compareOne(ctx, spec)
	for range lookedAgain {
		if err != nil || len(c.Findings)+len(c.Strangers) == 0 {
			return c, err
		}
		if written, err := m.book.WrittenSince(ctx, spec.Name, m.from); err != nil || !written {
			return c, failed(err)
		}
		alone := &many{work: m.work, specs: m.specs, shared: wire.OpenEstate([]sop.Spec{spec}, m.config.Vendors, m.env)}
		if err := alone.standing(ctx); err != nil {
			return c, err
		}
		c, err = alone.compareOne(ctx, spec)
		alone.shared.Close(context.WithoutCancel(ctx))
		m = alone
	}
	return c, err
}

func (m *many) compareOne(ctx context.Context, spec sop.Spec) (report.Compared, error) {
	c := report.Compared{Credential: spec.Name, At: m.now().UTC(), Consumers: len(spec.Consumers), Findings: []drift.Finding{}}
	r, err := m.looker(spec)
	if err != nil {
		return c, err
	}
	seen := r.Compare(ctx, spec)
	c.Current, c.Names = seen.Issuer.InUse(), namesSeen(seen.Consumers)
	past, whole, err := m.book.Recent(ctx, spec.Name, seen.Issuer.Owner)
	found := drift.Compare(spec, seen, past)
	// Where all agree, what was before the generation in use tells nothing more.
	if err == nil && !whole && (len(found) > 0 || drift.Unlisted(seen) || len(rotation.Strangers(spec, seen.Issuer, past, m.open)) > 0) {
		past, err = m.book.Generations(ctx, spec.Name)
		found = drift.Compare(spec, seen, past)
	}
	if err != nil {
		return c, failed(err)
	}
	retired, err := m.retired(ctx, spec, found)
	if err != nil {
		return c, failed(err)
	}
	for _, h := range rotation.Strangers(spec, seen.Issuer, past, m.open) {
		c.Strangers = append(c.Strangers, rotation.Stranger(spec, h))
	}
	c.Findings = append(c.Findings, drift.During(drift.Retired(spec, found, retired), m.going[spec.Name])...)
	return c, nil
}

// retired tells where the configuration still has a name that a run has taken away, by
// name, if that can be why something is missing.
func (m *many) retired(ctx context.Context, spec sop.Spec, found []drift.Finding) (map[string]string, error) {
	if len(spec.Former) == 0 || !slices.ContainsFunc(found, func(f drift.Finding) bool { return f.Kind == drift.Missing }) {
		return nil, nil
	}
	gone, err := m.book.Retired(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range gone {
		if _, line, ok := m.config.Formerly(name); ok {
			out[name] = fmt.Sprintf("%s:%d", filepath.Base(m.config.File), line)
		}
	}
	return out, nil
}

// FormerNames tells who still has a former name.
func (e *Estate) FormerNames(ctx context.Context, names []string) (FormerNames, error) {
	m, err := e.many(names)
	if err != nil {
		return FormerNames{}, err
	}
	defer m.close()
	runs, err := m.book.Overview(ctx)
	if err != nil {
		return FormerNames{}, failed(err)
	}
	line := func(former string) int {
		_, n, _ := e.config.Formerly(former)
		return n
	}
	out := FormerNames{Names: []report.Former{}}
	for _, spec := range m.specs {
		if len(spec.Former) == 0 {
			continue
		}
		r, err := m.looker(spec)
		if err != nil {
			return FormerNames{}, err
		}
		seen := r.Compare(ctx, spec)
		out.Unseen = out.Unseen || len(seen.Unseen) > 0
		out.Names = append(out.Names, report.FormerNames(spec, line, seen, runs)...)
	}
	out.At, out.Calls = e.now().UTC(), m.called()
	return out, nil
}
