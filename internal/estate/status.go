package estate

import (
	"context"
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

// known reads what the journal tells; there may be none yet.
func (e *Estate) known(ctx context.Context) (known report.Known, err error) {
	err = e.ifJournal(ctx, func(book history.Book) (err error) {
		seen, err := e.past().Read(ctx, book)
		if err != nil {
			return err
		}
		known.Runs = seen.Runs
		known.Checked = notesOf[report.Checked](seen, history.Checked)
		known.Compared = notesOf[report.Compared](seen, history.Compared)
		known.Discovered = notesOf[report.Discovered](seen, history.Discovered)
		sinks := []string{}
		for _, s := range e.config.Evidence.Sinks {
			sinks = append(sinks, s.Name)
		}
		known.Evidence, err = evidence.Stand(ctx, book.J, sinks)
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
