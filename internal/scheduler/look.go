package scheduler

import (
	"cmp"
	"context"
	"slices"
	"time"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
)

// How many credentials are looked at in one tick: few calls at a time, so that runs find
// something of the vendors' limits left.
const (
	comparedAtOnce = 20
	checkedAtOnce  = 5
)

// fruitless is how long a look is left alone that came to nothing, as a part of the time
// between two looks.
const fruitless = 4

// Look looks at what was not looked at for as long as rekey.yaml says. The journal knows
// when that was, whoever did it; each look notes what it came to.
func (s *Scheduler) Look(ctx context.Context) error {
	every := s.o.Config().Schedule
	status, err := s.o.Operations.Status(ctx, estate.StatusAsked{})
	if err != nil {
		return err
	}
	ctx = As(ctx, rotation.Who{Name: schedule.Actor, How: "schedule.looks"})
	due := func(what string, every time.Duration, most int, at func(report.Row) time.Time) (names []string) {
		type look struct {
			credential string
			at         time.Time
		}
		var looks []look // and not rows, each of which is large
		now := s.o.Now()
		for _, r := range status.Rows {
			if at := at(r); every > 0 && r.Open == nil && now.Sub(at) >= every {
				looks = append(looks, look{r.Credential, at})
			}
		}
		slices.SortFunc(looks, func(a, b look) int {
			return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.credential, b.credential))
		})
		for _, l := range looks {
			if len(names) < most && s.dueFor(what+" "+l.credential, every, l.at) {
				names = append(names, l.credential)
			}
		}
		return names
	}
	if names := due("drift", every.Drift, comparedAtOnce, compared); len(names) > 0 {
		_, err := s.o.Operations.Compare(ctx, names)
		s.came(ctx, "drift", err)
	}
	for _, name := range due("check", every.Check, checkedAtOnce, checked) {
		if ctx.Err() != nil {
			return nil
		}
		_, err := s.o.Operations.Check(ctx, estate.Wish{Credential: name})
		s.came(ctx, "check "+name, err)
	}
	// It looks at everything at once, and tells of these.
	if names := due("discover", every.Discover, len(status.Rows), searched); len(names) > 0 && ctx.Err() == nil {
		_, err := s.o.Operations.Discover(ctx, names)
		s.came(ctx, "discover", err)
	}
	return nil
}

// dueFor tells whether something is to be looked at again, and notes that it is tried.
func (s *Scheduler) dueFor(what string, every time.Duration, at time.Time) bool {
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(at) < every || now.Sub(s.looked[what]) < every/fruitless {
		return false
	}
	s.looked[what] = now
	return true
}

func (s *Scheduler) came(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.o.Log.Warn("a scheduled check failed", "look", what, "why", err)
	}
}

func compared(r report.Row) time.Time {
	if r.Drift == nil {
		return time.Time{}
	}
	return r.Drift.At
}

func checked(r report.Row) time.Time {
	if r.Checked == nil {
		return time.Time{}
	}
	return r.Checked.At
}

func searched(r report.Row) time.Time {
	if r.Others == nil {
		return time.Time{}
	}
	return r.Others.At
}
