package estate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"rekey/internal/approvals"
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
	if err == nil {
		_, err = e.standing(ctx, &known, a.Working)
	}
	if err == nil {
		err = e.requested(ctx, &known)
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

// standing notes whose open run waits for a confirmation or approval, and at whose a worker is or
// will be by itself; where it is wanted, at whose a process of this machine is, too. The
// system frees the lock of a process when it dies, however it dies; a lease lapses. It
// returns how the open runs stand with the workers, where there are any.
func (e *Estate) standing(ctx context.Context, known *report.Known, locks bool) (leased map[string]lease.Standing, err error) {
	known.Working, known.Asks, known.ByHand = map[string]bool{}, map[string]bool{}, map[string]string{}
	if !slices.ContainsFunc(known.Runs, Summary.Open) {
		return nil, nil
	}
	err = e.withJournal(ctx, func(book history.Book) (err error) {
		if leased, err = lease.Standings(ctx, book.J); err != nil {
			return err
		}
		for _, r := range known.Runs {
			if !r.Open() {
				continue
			}
			s := leased[r.Run]
			if s.ByHand != "" {
				if err := unserved(ctx, book.J, known, e.now()); err != nil {
					return err
				}
				known.ByHand[r.Credential] = s.ByHand
				if known.Unserved {
					known.ByHand[r.Credential] += "; " + NobodyServes
				}
			}
			known.Working[r.Credential] = s.AtWork
			switch known.Asks[r.Credential] = (s.Waits != "" || s.ByHand != "") && r.Stuck == ""; {
			case s.AtWork, s.Waits != "":
				continue
			case r.Stuck == "": // no worker has said, so the journal is asked
				st, err := book.State(ctx, r.Run)
				if err != nil {
					return err
				}
				d := rotation.Next(st, e.now(), true)
				known.Asks[r.Credential] = st.Plan != nil && d.Ask != nil && !st.Answered(*d.Ask)
			}
			if !locks {
				continue
			}
			unlock, err := book.J.Lock(r.Credential)
			switch {
			case errors.Is(err, journal.ErrLocked):
				known.Working[r.Credential], known.Asks[r.Credential] = true, false
			case err != nil:
				return err
			default:
				unlock()
			}
		}
		return nil
	})
	return leased, err
}

// requested notes what others are asked to agree to.
func (e *Estate) requested(ctx context.Context, known *report.Known) error {
	known.Requested = map[string]string{}
	list, err := e.Approvals(ctx)
	for _, s := range list {
		if s.Standing == approvals.Waiting {
			known.Requested[s.Request.Credential] = cmp.Or(s.Request.Run, s.Request.Credential)
		}
	}
	return err
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
		known.Acknowledged = notesOf[report.Acknowledged](seen, history.Acknowledged)
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
