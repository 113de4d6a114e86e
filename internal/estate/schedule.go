package estate

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/lease"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sop"
)

// Schedule is when what is due, what the service begins now, and of everything else why
// not.
type Schedule struct {
	schedule.Decided
	Settings sop.Scheduling `json:"settings"`
}

// Scheduled is how one credential stands with the schedule.
type Scheduled = schedule.Standing

// Schedule tells of every credential when it is due and whether it may begin now.
func (e *Estate) Schedule(ctx context.Context) (Schedule, error) {
	known, err := e.known(ctx)
	if err != nil {
		return Schedule{}, err
	}
	now := e.now()
	return e.schedule(ctx, known, report.Rows(e.config.Specs, known, now), now)
}

// schedule is Schedule by what is known, and the rows that this makes.
func (e *Estate) schedule(ctx context.Context, known report.Known, of []report.Row, now time.Time) (Schedule, error) {
	k := schedule.Known{Now: now, Settings: e.config.Schedule, Waiting: map[string]bool{}, Agreed: map[string]bool{}, Lapsed: map[string]bool{}}
	states, refusals := map[string]Approval{}, map[string]schedule.Refusal{}
	requested := map[string]bool{}
	retires := func(o history.Going) bool {
		spec, err := e.config.Spec(o.Credential)
		spec.Purpose = o.Purpose
		return err == nil && approvals.Wanted(spec, approvals.Retiring)
	}
	err := e.ifJournal(ctx, func(book history.Book) (err error) {
		asks, err := e.going(ctx, book, &k)
		if err != nil {
			return err
		}
		live, err := e.liveApprovals(ctx, book)
		if err != nil {
			return err
		}
		for _, s := range live {
			switch {
			case s.Request.Gate == approvals.Start:
				states[s.Request.Credential] = s
			case s.Standing == approvals.Agreed:
				k.Agreed[s.Request.Run] = true
			}
			requested[s.Request.Run] = true
		}
		if refusals, err = newest[schedule.Refusal](ctx, e, book, schedule.CannotBe); err != nil {
			return err
		}
		leased, err := lease.Standings(ctx, book.J)
		if err != nil {
			return err
		}
		for _, o := range k.Open {
			switch {
			case asks[o.Run]:
				k.Waiting[o.Run] = true
				// Nobody has answered in time, so that nobody can: it asks again when it is taken up.
				k.Lapsed[o.Run] = retires(o) && !requested[o.Run]
			case o.Stuck == "":
				delete(k.Agreed, o.Run) // it does not ask any more
				k.Waiting[o.Run] = leased[o.Run].ByHand != ""
			}
		}
		if err := paused(ctx, book, &k); err != nil {
			return err
		}
		since := k.Now.Add(-schedule.Horizon(e.config.Schedule))
		k.Runs, err = e.past().Begun(ctx, book, known.Runs, func(r Summary) bool {
			// The budget stays used up until somebody says so, however long ago that was.
			return r.Open() || r.Closed.After(since) || schedule.Badly(r) && r.Closed.After(k.Continued)
		})
		return err
	})
	if err != nil {
		return Schedule{}, failed(err)
	}
	rows := make(map[string]*report.Row, len(of)) // one is large
	for i := range of {
		rows[of[i].Credential] = &of[i]
	}
	going := map[string]bool{}
	for _, o := range k.Open {
		going[o.Run] = true
	}
	k.Credentials = make([]schedule.Credential, 0, len(e.config.Specs))
	for _, s := range e.config.Specs {
		row := rows[s.Name]
		if row == nil {
			row = &report.Row{}
		}
		// The rows were read before the open runs were. A run that has ended in between is why
		// the credential is not due any more, which its row does not know: as long as either
		// reading calls a run open, it is.
		if row.Open != nil && !going[row.Open.Run] {
			k.Open = append(k.Open, history.Going{Summary: *row.Open, Spec: s})
		}
		c := schedule.Credential{Spec: s, Made: row.Made, Expires: row.Expires, Approval: states[s.Name]}
		for _, last := range []*Summary{row.Last, row.Open} {
			if last != nil {
				c.Last = last.Run
			}
		}
		if r, ok := refusals[s.Name]; ok {
			c.Refusal = &r
		}
		if d := row.Due; d.Why == "incident" {
			c.Revoked = d.At
		}
		k.Credentials = append(k.Credentials, c)
	}
	return Schedule{Decided: schedule.Decide(k), Settings: e.config.Schedule}, nil
}

// going reads the open runs, and tells which of them wait for a person.
func (e *Estate) going(ctx context.Context, book history.Book, k *schedule.Known) (asks map[string]bool, err error) {
	asks = map[string]bool{}
	return asks, e.open(ctx, book, func(r Summary, st *rotation.State) error {
		k.Open = append(k.Open, history.Going{Summary: r, Spec: st.Opened.Spec})
		// Nothing is in hand that no journal tells of: what asks a person has all been done.
		asks[r.Run] = r.Stuck == "" && st.Plan != nil && rotation.Next(st, k.Now, true).Ask != nil
		return nil
	})
}

// paused reads what people have said to the schedule.
func paused(ctx context.Context, book history.Book, k *schedule.Known) error {
	notes, err := book.Notes(ctx, "", schedule.Paused, schedule.Continued)
	if err != nil {
		return err
	}
	for _, n := range notes {
		var p schedule.Pause
		if err := json.Unmarshal(n.Body, &p); err != nil {
			return failedf("a note about the schedule cannot be read: %w", err)
		}
		if k.Paused = &p; n.Kind == schedule.Continued {
			k.Paused, k.Continued = nil, p.At
		}
	}
	return nil
}

// Pause has the service begin nothing by itself. What goes on goes on.
func (e *Estate) Pause(ctx context.Context, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return &Error{Code: NoReason}
	}
	return e.tellSchedule(ctx, schedule.Paused, reason)
}

// Continue lets the service begin again what is due: after Pause, and after too many
// runs failed.
func (e *Estate) Continue(ctx context.Context, reason string) error {
	return e.tellSchedule(ctx, schedule.Continued, reason)
}

func (e *Estate) tellSchedule(ctx context.Context, kind, reason string) error {
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.named(ctx); err != nil {
		return err
	}
	// Whoever may rotate one of them may do so.
	if err := w.mayOne(ctx, sop.OpRotate); err != nil {
		return err
	}
	note, err := history.NoteOf(e.now().UTC(), "", kind, schedule.Pause{At: e.now().UTC(), By: w.by, Reason: reason})
	if err != nil {
		return failed(err)
	}
	return w.keepAnswered(ctx, Noted{Noted: true}, note)
}
