package notify

import (
	"context"
	"maps"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/journal"
	"rekey/internal/sop"
)

// Told is what one Tell came to.
type Told struct {
	Sent    int               `json:"sent"`    // notices, those of summaries one by one
	Waiting int               `json:"waiting"` // for quiet hours to be over, or for another try
	Trouble map[string]string `json:"trouble"` // channels that took nothing, and why
}

// sender sends to one channel, once.
type sender interface {
	send(ctx context.Context, n Notice) error
	// over tells that a notice is over; nil where nobody wants to know.
	over(ctx context.Context, n Notice) error
	// many: several may be told in a summary.
	many() bool
}

// Pauses between two tries: longer each time, and as long as the receiver wants at least.
const (
	firstPause   = time.Minute
	longestPause = time.Hour
)

// Tell sends what holds now and was not told, and notes what arrived. What may have
// arrived is sent again, under the same id: at least once. It is called again and again,
// by one process at a time.
func (s *Senders) Tell(ctx context.Context, j *journal.Journal, config *sop.Notices, notices []Notice) (Told, error) {
	out := Told{Trouble: map[string]string{}}
	if err := j.Tables(ctx, "notices", tables()...); err != nil {
		return out, err
	}
	db, _ := j.DB()
	st := store{db}
	was, err := st.load(ctx)
	if err != nil {
		return out, err
	}
	now, current := s.Now(), map[[2]string]bool{}
	by := map[string][]Notice{}
	for _, n := range notices {
		for _, channel := range To(config, n) {
			key := [2]string{n.ID, channel}
			current[key] = true
			if t, known := was[key]; known && t.Over > 0 && n.Page {
				// It was over and is so again: whoever was called then is called again.
				t.Sent, t.Over, t.Due, t.Tries = 0, 0, 0, 0
				was[key] = t
			}
			if was[key].Sent == 0 {
				by[channel] = append(by[channel], n)
			}
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(by)) {
		if err := s.channel(ctx, st, config, channel, by[channel], was, now, &out); err != nil {
			return out, err
		}
	}
	for key, t := range was {
		if current[key] || t.Over > 0 {
			continue
		}
		if err := s.isOver(ctx, st, config, t, now); err != nil {
			return out, err
		}
	}
	return out, st.forget(ctx, now)
}

// channel sends to one channel what it has not got.
func (s *Senders) channel(ctx context.Context, st store, config *sop.Notices, channel string, list []Notice, was map[[2]string]told, now time.Time, out *Told) error {
	to, err := s.sender(ctx, channel, config)
	var due [][]Notice
	var rest []Notice
	for _, n := range list {
		t, known := was[[2]string{n.ID, channel}]
		switch {
		case Waits(config, n, now), known && t.Due > now.UnixMilli():
			out.Waiting++
		case n.Page:
			due = append(due, []Notice{n})
		default:
			rest = append(rest, n)
		}
	}
	if to != nil && to.many() && len(rest) > many {
		due = append(due, rest)
	} else {
		for _, n := range rest {
			due = append(due, []Notice{n})
		}
	}
	for i, group := range due {
		said := err
		if said == nil && ctx.Err() == nil {
			n := group[0]
			if len(group) > 1 {
				n = Summary(group, now, config.Console)
			}
			said = to.send(ctx, n)
		}
		if ctx.Err() != nil {
			return nil // what was interrupted is sent again
		}
		for _, n := range group {
			t, known := was[[2]string{n.ID, channel}]
			if !known {
				t = told{ID: n.ID, Channel: channel, First: now.UnixMilli()}
			}
			t.Problem, t.Sent = "", now.UnixMilli()
			if said != nil {
				t.Tries, t.Sent, t.Problem = t.Tries+1, 0, said.Error()
				t.Due = now.Add(pause(t.Tries, said)).UnixMilli()
				out.Waiting++
			} else {
				out.Sent++
			}
			if err := st.save(ctx, t); err != nil {
				return err
			}
		}
		if said != nil {
			// It takes nothing now: the others wait with it, without being counted as tried.
			out.Trouble[channel] = said.Error()
			for _, group := range due[i+1:] {
				out.Waiting += len(group)
			}
			return nil
		}
	}
	return nil
}

func pause(tries int, err error) time.Duration {
	p := longestPause
	if tries < 7 {
		p = min(longestPause, firstPause<<(tries-1))
	}
	return max(p, cred.RetryAfter(err))
}

// isOver ends what was told: whoever was called is told so, as far as the channel can.
func (s *Senders) isOver(ctx context.Context, st store, config *sop.Notices, t told, now time.Time) error {
	if _, there := config.Channels[t.Channel]; there && t.Sent > 0 && t.Due <= now.UnixMilli() {
		to, err := s.sender(ctx, t.Channel, config)
		if err == nil {
			err = to.over(ctx, Notice{ID: t.ID, At: now})
		}
		if err != nil {
			t.Tries, t.Problem = t.Tries+1, err.Error()
			t.Due = now.Add(pause(t.Tries, err)).UnixMilli()
			return st.save(ctx, t)
		}
	} else if there && t.Sent > 0 {
		return nil // it is tried again
	}
	t.Over = now.UnixMilli()
	return st.save(ctx, t)
}

// Test sends a notice that says that it is one, to one channel, now.
func (s *Senders) Test(ctx context.Context, config *sop.Notices, channel string) error {
	to, err := s.sender(ctx, channel, config)
	if err != nil {
		return err
	}
	now := s.Now().UTC()
	n := Notice{ID: "test/" + channel + "/" + now.Format(time.RFC3339Nano), Kind: Try, At: now, Title: "Rekey tries this channel", Text: "nothing has to be done", Link: config.Console}
	if err := to.send(ctx, n); err != nil {
		return err
	}
	return to.over(ctx, n)
}
