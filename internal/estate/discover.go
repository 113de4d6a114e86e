package estate

import (
	"context"
	"slices"

	"rekey/internal/discover"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
)

// Discover finds who holds a credential without being registered, and notes it.
func (e *Estate) Discover(ctx context.Context, only []string) (Discovered, error) {
	m, err := e.many(nil) // of all: what another credential claims is not unclaimed
	if err != nil {
		return Discovered{}, err
	}
	defer m.close()
	if _, err := e.specs(only); err != nil {
		return Discovered{}, err
	}
	findings, all, err := m.discover(ctx)
	if err != nil {
		return Discovered{}, err
	}
	none := report.Discovered{At: m.now().UTC(), Findings: []discover.Finding{}, Rules: []discover.Rule{}}
	for _, f := range findings {
		if f.Credential == "" {
			none.Findings = append(none.Findings, f)
		}
	}
	if err := m.note(ctx, append(slices.Clone(all), none)); err != nil {
		return Discovered{}, err
	}
	signed := m.attest(ctx)
	findings, all = about(only, findings, all)
	return Discovered{At: e.now().UTC(), Findings: findings, Credentials: all, Calls: m.called(), Evidence: signed}, nil
}

// discover looks at everything once and puts together what was found.
func (m *many) discover(ctx context.Context) ([]discover.Finding, []report.Discovered, error) {
	accounts, errs := m.shared.Surveys()
	var looker *runner.Runner
	var known []runner.Known
	var seen []discover.Seen
	for _, spec := range m.specs {
		if ctx.Err() != nil {
			return nil, nil, &Error{Code: Interrupted}
		}
		past, err := m.book.Generations(ctx, spec.Name)
		if err != nil {
			return nil, nil, failed(err)
		}
		if looker, err = m.looker(spec); err != nil {
			return nil, nil, err
		}
		k := looker.Know(ctx, spec, past)
		known = append(known, k)
		seen = append(seen, discover.Seen{Spec: spec, Issuer: k.Issuer, Rules: k.Rules, Unseen: k.Unseen})
	}
	found := looker.Everywhere(ctx, accounts, known)
	for i := range seen {
		seen[i].Copies = found.Copies[i]
	}
	for _, err := range errs {
		found.Blind = append(found.Blind, rotation.Blind{Key: "a vendor", Why: err.Error()})
	}
	runs, err := m.pastRuns(ctx)
	if err != nil {
		return nil, nil, err
	}
	at := m.now().UTC()
	findings := discover.Findings(seen, found.Blind, runs, at)
	of := map[string][]discover.Finding{}
	for _, f := range findings {
		of[f.Credential] = append(of[f.Credential], f)
	}
	all := make([]report.Discovered, len(seen))
	for i, s := range seen {
		all[i] = report.Discovered{Credential: s.Spec.Name, At: at, Findings: []discover.Finding{}, Rules: discover.RulesOf(s)}
		all[i].Findings = append(all[i].Findings, of[s.Spec.Name]...)
	}
	return findings, all, nil
}

// pastRuns are the runs of the journal, by whose labels orphans are known.
func (m *many) pastRuns(ctx context.Context) ([]discover.Run, error) {
	runs, err := m.book.Overview(ctx)
	if err != nil {
		return nil, failed(err)
	}
	out := make([]discover.Run, 0, len(runs))
	for _, r := range runs {
		d := discover.Run{ID: r.Run, Credential: r.Credential, Open: r.Open()}
		if r.Current != nil {
			d.Current = r.Current.ID
		}
		if r.Open() {
			st, err := m.book.State(ctx, r.Run)
			if err != nil {
				return nil, failed(err)
			}
			if st.Plan != nil {
				d.Old = st.Plan.Old.ID
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// note writes what was found about each credential into the journal, for status.
func (m *many) note(ctx context.Context, all []report.Discovered) error {
	going, err := m.book.Going(ctx)
	if err != nil {
		return failed(err)
	}
	var notes []history.Note
	for _, d := range all {
		n, err := history.NoteOf(d.At, d.Credential, history.Discovered, d)
		if err != nil {
			return failed(err)
		}
		notes = append(notes, n)
	}
	open := map[string]bool{}
	for _, r := range going {
		open[r.Credential] = true
	}
	return m.keepSeen(ctx, report.SightingsOf(all, open), notes...)
}

// about keeps what concerns the named credentials, and what could not be seen.
func about(only []string, findings []discover.Finding, all []report.Discovered) ([]discover.Finding, []report.Discovered) {
	if len(only) == 0 {
		return findings, all
	}
	wanted := map[string]bool{}
	for _, n := range only {
		wanted[n] = true
	}
	kept := []discover.Finding{}
	for _, f := range findings {
		if wanted[f.Credential] || f.Credential == "" && f.Kind == discover.NotSeen {
			kept = append(kept, f)
		}
	}
	var some []report.Discovered
	for _, d := range all {
		if wanted[d.Credential] {
			some = append(some, d)
		}
	}
	return kept, some
}
