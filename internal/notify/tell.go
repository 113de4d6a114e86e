package notify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
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

// Pauses between two tries: longer each time, and as long as the receiver wants at least,
// up to an hour. Who is called is not kept waiting so long.
const (
	firstPause    = time.Minute
	longestPause  = time.Hour
	longestToPage = 5 * time.Minute
)

// again is for how long a matter has to be over for it to be told again when it comes up
// again. Whoever was called is called again in any case.
const again = time.Hour

// telling is one Tell under way.
type telling struct {
	s      *Senders
	st     store
	config *sop.Notices
	now    time.Time
	was    map[[2]string]told

	mu  sync.Mutex
	out Told
}

// Tell sends what holds now and was not told, and notes what arrived. It notes before that
// it is about to: of several processes one sends. What may have arrived is sent again,
// under the same id: at least once. unsure are beginnings of the ids of matters of which it
// is not known whether they are over. It is called again and again.
func (s *Senders) Tell(ctx context.Context, j *journal.Journal, config *sop.Notices, notices []Notice, unsure ...string) (Told, error) {
	if err := j.Tables(ctx, "notices", tables()...); err != nil {
		return Told{}, err
	}
	db, _ := j.DB()
	t := &telling{s: s, st: store{db}, config: config, now: s.Now(), out: Told{Trouble: map[string]string{}}}
	var err error
	if t.was, err = t.st.load(ctx); err != nil {
		return t.out, err
	}
	wanted, over := t.sort(notices, unsure)
	var all sync.WaitGroup
	errs := make(chan error, len(config.Channels)+1)
	for name := range config.Channels {
		// Each by itself: one that hangs must not keep back whoever is called by another.
		all.Go(func() { errs <- t.channel(ctx, name, wanted[name], over[name]) })
	}
	all.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	for name, list := range over {
		if _, there := config.Channels[name]; there {
			continue
		}
		for _, was := range list { // nobody is there to be told
			was.Over = t.now.UnixMilli()
			err = errors.Join(err, t.st.save(ctx, was))
		}
	}
	if err != nil {
		return t.out, err
	}
	return t.out, t.st.forget(ctx, t.now)
}

// sort tells for each channel what was not sent to it yet, and which of what was sent is over.
func (t *telling) sort(notices []Notice, unsure []string) (wanted map[string][]Notice, over map[string][]told) {
	wanted, over = map[string][]Notice{}, map[string][]told{}
	holds := map[[2]string]bool{}
	add := func(n Notice, channels []string) {
		for _, channel := range channels {
			key := [2]string{n.ID, channel}
			was, known := t.was[key]
			reopened := was.Over > 0 && (n.Page || t.now.UnixMilli()-was.Over >= again.Milliseconds())
			if holds[key] = true; !known || was.Sent == 0 || reopened {
				wanted[channel] = append(wanted[channel], n)
			}
		}
	}
	for _, n := range notices {
		add(n, To(t.config, n))
	}
	for _, n := range t.undelivered(holds) {
		others := slices.DeleteFunc(slices.Sorted(maps.Keys(t.config.Channels)), func(c string) bool { return c == n.Credential })
		n.Credential = ""
		add(n, others)
	}
	for key, was := range t.was {
		if was.Over == 0 && !holds[key] && !slices.ContainsFunc(unsure, func(p string) bool { return strings.HasPrefix(was.ID, p) }) {
			over[was.Channel] = append(over[was.Channel], was)
		}
	}
	return wanted, over
}

// channel sends to one channel what was not sent to it yet, whoever is called first, and then what
// is over.
func (t *telling) channel(ctx context.Context, name string, list []Notice, over []told) error {
	if len(list) == 0 && len(over) == 0 {
		return nil
	}
	to, err := t.s.sender(ctx, name, t.config)
	var due [][]Notice
	var rest []Notice
	for _, n := range list {
		switch was := t.was[[2]string{n.ID, name}]; {
		case Waits(t.config, n, t.now), was.Due > t.now.UnixMilli() && was.Over == 0:
			t.count(func(o *Told) { o.Waiting++ })
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
		said, kept := t.send(ctx, to, name, group, err)
		switch {
		case kept != nil:
			return kept
		case ctx.Err() != nil:
			return nil // what was interrupted is sent again
		case said != nil:
			// It takes nothing now: the others wait with it, without being counted as tried.
			t.count(func(o *Told) {
				o.Trouble[name] = said.Error()
				for _, group := range due[i+1:] {
					o.Waiting += len(group)
				}
			})
			return nil
		}
	}
	for _, was := range over {
		if said, kept := t.end(ctx, to, was, err); kept != nil || said != nil {
			return kept
		}
	}
	return nil
}

// send sends a group in one. said is why it was not taken; err, why nothing could be noted.
func (t *telling) send(ctx context.Context, to sender, channel string, group []Notice, unset error) (said, err error) {
	var mine []Notice
	for _, n := range group {
		ours, err := t.st.claim(ctx, n.ID, channel, t.was[[2]string{n.ID, channel}], t.now)
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil
			}
			return nil, err
		}
		if ours {
			mine = append(mine, n)
		}
	}
	if len(mine) == 0 {
		return nil, nil // another process is at it
	}
	if said = unset; said == nil {
		n := mine[0]
		if len(mine) > 1 {
			n = Summary(mine, t.now, t.config.Console)
		}
		said = to.send(ctx, n)
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	for _, n := range mine {
		was := t.was[[2]string{n.ID, channel}]
		if was.Over > 0 {
			was.Tries = 0
		}
		is := told{ID: n.ID, Channel: channel, Sent: t.now.UnixMilli(), Tries: was.Tries}
		if said != nil {
			is.Tries, is.Sent, is.Problem = was.Tries+1, 0, said.Error()
			is.Due = t.now.Add(pause(is.Tries, said, n.Page)).UnixMilli()
		}
		if err := t.st.save(ctx, is); err != nil {
			return said, err
		}
		t.count(func(o *Told) {
			if said != nil {
				o.Waiting++
			} else {
				o.Sent++
			}
		})
	}
	return said, nil
}

// end tells whoever was called that it is over, as far as the channel can.
func (t *telling) end(ctx context.Context, to sender, was told, unset error) (said, err error) {
	if was.Sent > 0 {
		if was.Due > t.now.UnixMilli() {
			return nil, nil // it is tried again
		}
		if said = unset; said == nil {
			said = to.over(ctx, Notice{ID: was.ID, At: t.now})
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if said != nil {
			was.Tries, was.Problem = was.Tries+1, said.Error()
			was.Due = t.now.Add(pause(was.Tries, said, false)).UnixMilli()
			return said, t.st.save(ctx, was)
		}
	}
	was.Over = t.now.UnixMilli()
	return nil, t.st.save(ctx, was)
}

func (t *telling) count(f func(*Told)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.out)
}

func pause(tries int, err error, page bool) time.Duration {
	longest := longestPause
	if page {
		longest = longestToPage
	}
	p := longest
	if tries < 7 {
		p = min(longest, firstPause<<(tries-1))
	}
	return min(max(p, cred.RetryAfter(err)), longestPause)
}

// Test sends a notice that says that it is one, to one channel, now.
func (s *Senders) Test(ctx context.Context, config *sop.Notices, channel string) error {
	to, err := s.sender(ctx, channel, config)
	if err != nil {
		return err
	}
	now := s.Now().UTC()
	n := Notice{ID: "test/" + channel + "/" + now.Format(time.RFC3339Nano), Kind: Try, At: now, Title: "Test of this channel by Rekey", Text: "nothing has to be done", Link: config.Console}
	if err := to.send(ctx, n); err != nil {
		return err
	}
	return to.over(ctx, n)
}
