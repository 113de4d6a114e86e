package estate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
)

// Status tells of every credential what the journal knows, or the issuers list.
func (e *Estate) Status(ctx context.Context, a StatusAsked) (Status, error) {
	known, err := e.known(ctx)
	if err == nil && a.Working {
		known.Working, err = e.working(ctx, known.Runs)
	}
	if err != nil {
		return Status{}, err
	}
	out := Status{}
	if a.Live {
		if known.Live, out.Calls, err = e.live(ctx); err != nil {
			return Status{}, err
		}
	}
	out.At, out.Evidence = e.now().UTC(), known.Evidence
	out.Rows = report.Rows(e.config.Specs, known, e.now())
	return out, nil
}

// working are the credentials whose open run a process is at, or a worker will be by
// itself. The system frees the lock of a process on this machine when it dies, however
// it dies; a lease lapses.
func (e *Estate) working(ctx context.Context, runs []Summary) (map[string]bool, error) {
	out := map[string]bool{}
	if !slices.ContainsFunc(runs, Summary.Open) {
		return out, nil
	}
	return out, e.withJournal(ctx, func(book history.Book) error {
		leased, err := lease.AtWork(ctx, book.J)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if !r.Open() {
				continue
			}
			if leased[r.Run] {
				out[r.Credential] = true
				continue
			}
			unlock, err := book.J.Lock(r.Credential)
			switch {
			case errors.Is(err, journal.ErrLocked):
				out[r.Credential] = true
			case err != nil:
				return err
			default:
				unlock()
			}
		}
		return nil
	})
}

// newest reads the newest note of a kind about each credential; what says, with the
// credential's name, what cannot be read.
func newest[T any](ctx context.Context, book history.Book, kind, what string) (map[string]T, error) {
	notes, err := book.Latest(ctx, kind)
	if err != nil {
		return nil, failed(err)
	}
	out := make(map[string]T, len(notes))
	for name, n := range notes {
		var v T
		if err := json.Unmarshal(n.Body, &v); err != nil {
			return nil, failedf(what+" cannot be read: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

// found is what a look for others noted.
func found(ctx context.Context, book history.Book) (map[string]report.Discovered, error) {
	return newest[report.Discovered](ctx, book, history.Discovered, "what the journal notes about others that hold %s")
}

// known reads what the journal tells; there may be none yet.
func (e *Estate) known(ctx context.Context) (known report.Known, err error) {
	err = e.ifJournal(ctx, func(book history.Book) (err error) {
		if known.Runs, err = book.Overview(ctx); err != nil {
			return err
		}
		sinks := []string{}
		for _, s := range e.config.Evidence.Sinks {
			sinks = append(sinks, s.Name)
		}
		if known.Evidence, err = evidence.Stand(ctx, book.J, sinks); err != nil {
			return err
		}
		checks, err := book.Latest(ctx, history.Checked)
		if err != nil {
			return err
		}
		known.Checked = make(map[string]report.Checked, len(checks))
		for name, n := range checks {
			c := report.Checked{At: n.At}
			if err := json.Unmarshal(n.Body, &c.Check); err != nil {
				return failedf("the journal's check of %s cannot be read: %w", name, err)
			}
			known.Checked[name] = c
		}
		if known.Compared, err = newest[report.Compared](ctx, book, history.Compared, "the journal's comparison of %s"); err != nil {
			return err
		}
		known.Discovered, err = found(ctx, book)
		return err
	})
	return known, err
}

// live asks each issuer for its list, and each store for its folder.
func (e *Estate) live(ctx context.Context) (map[string]report.Live, map[string]int, error) {
	m, err := e.many(nil)
	if err != nil {
		return nil, nil, err
	}
	defer m.close()
	open, err := m.openRuns(ctx)
	if err != nil {
		return nil, nil, failed(err)
	}
	out := map[string]report.Live{}
	for _, spec := range m.specs {
		r, err := m.looker(spec)
		if err != nil {
			return nil, nil, err
		}
		h, listed, err := r.InUse(ctx, spec)
		past, unread := m.book.Generations(ctx, spec.Name)
		if unread != nil {
			return nil, nil, failed(unread)
		}
		strangers := rotation.Strangers(spec, rotation.IssuerSeen{Live: listed, Owner: h.ID}, past, open)
		switch {
		case err != nil:
			out[spec.Name] = report.Live{Problem: runner.Problems(err)[0]}
		case h.ID == "":
			out[spec.Name] = report.Live{Strangers: strangers, Problem: fmt.Sprintf("%s lists no live %s to which the stored credential belongs", spec.Issuer.Vendor, spec.Issuer.Kind)}
		case h.Disabled:
			out[spec.Name] = report.Live{Strangers: strangers, Handle: &h, Problem: fmt.Sprintf("%s is switched off at %s", h.Name, spec.Issuer.Vendor)}
		default:
			out[spec.Name] = report.Live{Strangers: strangers, Handle: &h}
		}
	}
	return out, m.called(), nil
}
