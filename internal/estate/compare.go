package estate

import (
	"context"
	"fmt"
	"path/filepath"

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
	open   []string // runs, as they were when everything was compared
	// retired tells where the configuration still has a name that a run has taken away,
	// by credential and name.
	retired map[string]map[string]string
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
	m := &many{work: w, specs: specs, shared: wire.OpenEstate(specs, e.config.Vendors, w.env), retired: map[string]map[string]string{}}
	w.closes = append(w.closes, func() { m.shared.Close(context.Background()) })
	return m, nil
}

// looker is a runner that only looks, for one credential of many.
func (m *many) looker(spec sop.Spec) (*runner.Runner, error) {
	crew, err := m.shared.Crew(spec)
	if err != nil {
		return nil, &Error{Code: Misfit, Credential: spec.Name, Err: err}
	}
	return &runner.Runner{Roles: crew.Roles, Can: crew.Can, Keyer: m.keyer, Clock: m.here.Clock, Together: wire.Together}, nil
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

func (m *many) compare(ctx context.Context) ([]report.Compared, error) {
	runs, err := m.book.Overview(ctx)
	if err != nil {
		return nil, failed(err)
	}
	for _, r := range runs {
		if _, line, ok := m.config.Formerly(r.Why); ok && r.Ending == rotation.NameGone {
			if m.retired[r.Credential] == nil {
				m.retired[r.Credential] = map[string]string{}
			}
			m.retired[r.Credential][r.Why] = fmt.Sprintf("%s:%d", filepath.Base(m.config.File), line)
		}
	}
	if m.open, err = m.openRuns(ctx); err != nil {
		return nil, failed(err)
	}
	var all []report.Compared
	var notes []history.Note
	for _, spec := range m.specs {
		if ctx.Err() != nil {
			return nil, &Error{Code: Interrupted}
		}
		c, err := m.compareOne(ctx, spec)
		if err != nil {
			return nil, err
		}
		n, err := history.NoteOf(c.At, spec.Name, history.Compared, c)
		if err != nil {
			return nil, failed(err)
		}
		all, notes = append(all, c), append(notes, n)
	}
	return all, m.keep(ctx, notes...)
}

func (m *many) compareOne(ctx context.Context, spec sop.Spec) (report.Compared, error) {
	c := report.Compared{Credential: spec.Name, At: m.now().UTC(), Consumers: len(spec.Consumers), Findings: []drift.Finding{}}
	past, err := m.book.Generations(ctx, spec.Name)
	if err != nil {
		return c, failed(err)
	}
	r, err := m.looker(spec)
	if err != nil {
		return c, err
	}
	seen := r.Compare(ctx, spec)
	c.Current = seen.Issuer.InUse()
	for _, h := range rotation.Strangers(spec, seen.Issuer, past, m.open) {
		c.Strangers = append(c.Strangers, rotation.Stranger(spec, h))
	}
	c.Findings = append(c.Findings, drift.Retired(spec, drift.Compare(spec, seen, past), m.retired[spec.Name])...)
	return c, nil
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
