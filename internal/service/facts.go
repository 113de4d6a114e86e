package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rekey/internal/console"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/notify"
	"rekey/internal/report"
	"rekey/internal/scheduler"
)

// scheduleWithin is how long ago the schedule must have been gone through at least.
const scheduleWithin = 5 * time.Minute

// facts are what the health page tells beside the journal and the workers.
func (s *Service) facts(ctx context.Context) (out []console.Fact, err error) {
	kind := "SQLite, in a file of this machine: one process of the service uses it"
	if _, dialect := s.journal.DB(); dialect == journal.Postgres {
		kind = "PostgreSQL: any number of processes share it"
	}
	out = append(out, console.Fact{What: "Database", Says: kind, OK: true})
	out = append(out, console.Fact{What: "This process", Says: s.o.Name + ", " + strings.Join(s.o.Roles, ", ") + ", version " + s.o.Tool, OK: true})
	at, err := scheduler.LastTick(ctx, s.journal)
	if err != nil {
		return nil, err
	}
	tick := console.Fact{What: "Schedule", Says: "it has not been processed yet: nothing starts automatically"}
	if !at.IsZero() {
		tick.OK = s.o.Now().Sub(at) < scheduleWithin
		tick.Says = "last processed at " + moment(at)
		if !tick.OK {
			tick.Says += ": no process with the role scheduler is running, so nothing starts automatically"
		}
	}
	limited, err := lease.LimitedNow(ctx, s.journal)
	if err != nil {
		return nil, err
	}
	budget := console.Fact{What: "Rate limits", Says: "no vendor's is nearly used up", OK: true}
	if len(limited) > 0 {
		var of []string
		for _, l := range limited {
			of = append(of, fmt.Sprintf("%s for %s more", l.Vendor, report.Span(l.Left.Round(time.Second))))
		}
		budget.OK, budget.Says = false, "nearly used up, so reads wait, and the rest is reserved for changes: "+strings.Join(of, "; ")
	}
	n, err := notify.Undelivered(ctx, s.journal)
	if err != nil {
		return nil, err
	}
	notices := console.Fact{What: "Notices", Says: "every channel has accepted what it was sent", OK: true}
	if n > 0 {
		notices.OK, notices.Says = false, fmt.Sprintf("%d not accepted by a channel yet; they are sent again", n)
	}
	verified, why, err := estate.LastVerified(ctx, s.journal)
	if err != nil {
		return nil, err
	}
	proof := console.Fact{What: "Evidence", Says: "not verified automatically yet", OK: true}
	switch {
	case why != "":
		proof.OK, proof.Says = false, "it did not verify at "+moment(verified)+": "+why
	case !verified.IsZero():
		proof.Says = "verified automatically at " + moment(verified)
	}
	return append(out, tick, budget, notices, proof), nil
}

// moment is a time in a sentence, as the pages know it again.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
