package traces

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rekey/internal/vendorhttp"
)

// Held is how many spans of requests wait to be sent, at most. A request after that is
// carried out like any other; only its span is dropped, and counted.
const Held = 2048

// Calls makes spans of the requests that a worker makes, and sends them. They are in
// memory only: those of a process that is killed are lost, and what the requests were for
// stands in the journal.
type Calls struct {
	To    Sender
	Log   *slog.Logger
	Every time.Duration // between two looks; 0: five seconds

	mu      sync.Mutex
	waiting []Span
	count   int64
	sent    atomic.Int64
	dropped atomic.Int64
}

// Called takes note of a request that was just answered, or not. It never waits.
func (c *Calls) Called(run string, call vendorhttp.Call, ended time.Time) {
	s := Span{Trace: TraceOf(run), Parent: rootOf(run), Name: call.Op, Client: true, Start: ended.Add(-call.Duration), End: ended, Status: answered(call.Status), Attributes: []Attribute{
		text("rekey.run", run), text("rekey.vendor", call.Vendor), text("rekey.operation", call.Op), yes("rekey.changes", call.Changes),
	}}
	if call.Method != "" {
		s.Attributes = append(s.Attributes, text("http.request.method", call.Method))
	}
	if call.Status != 0 {
		s.Attributes = append(s.Attributes, number("http.response.status_code", int64(call.Status)))
	}
	if s.Status == Failed {
		s.Why = "the answer was not a success"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= Held {
		c.dropped.Add(1)
		return
	}
	c.count++
	s.ID = spanOf(run, "call "+call.Vendor+" "+ended.String(), c.count)
	c.waiting = append(c.waiting, s)
}

// answered: without an answer, and with one that says that something broke, it is not
// known whether the request was carried out. That is not a failure.
func answered(status int) Status {
	switch {
	case status == 0 || status >= 500:
		return Unset
	case status >= 400:
		return Failed
	}
	return Well
}

// Figures are how many were sent and dropped by this process.
func (c *Calls) Figures() (sent, dropped int64) { return c.sent.Load(), c.dropped.Load() }

// Run sends until ctx is done, and then what is left, for a moment.
func (c *Calls) Run(ctx context.Context) {
	every := c.Every
	if every == 0 {
		every = 5 * time.Second
	}
	told := false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			_, _ = c.flush(last)
			return
		case <-time.After(every):
		}
		wait, err := c.flush(ctx)
		if err != nil && !told && ctx.Err() == nil {
			c.Log.Warn("traces of requests are not sent", "why", err, "dropped", c.dropped.Load())
		}
		told = err != nil
		if wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(min(wait, time.Minute)):
			}
		}
	}
}

func (c *Calls) flush(ctx context.Context) (wait time.Duration, err error) {
	for {
		c.mu.Lock()
		part := c.waiting[:min(len(c.waiting), spansAtOnce)]
		c.mu.Unlock()
		if len(part) == 0 {
			return 0, nil
		}
		dropped, err := c.To.Send(ctx, part)
		again, after := later(err)
		if again || ctx.Err() != nil && err != nil {
			return after, err // they stay
		}
		c.mu.Lock()
		c.waiting = append([]Span(nil), c.waiting[len(part):]...)
		c.mu.Unlock()
		if err != nil {
			c.dropped.Add(int64(len(part)))
			return 0, err
		}
		c.sent.Add(int64(len(part)) - dropped)
		c.dropped.Add(dropped)
	}
}
