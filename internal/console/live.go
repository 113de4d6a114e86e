package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"rekey/internal/estate"
)

// heartbeat keeps what stands between from closing a stream that has nothing to tell.
const heartbeat = 15 * time.Second

// looksAgain is how often the journal is looked at where nothing was told.
const looksAgain = 2 * time.Second

// atMostEvery is how often a run is read and rendered, however fast it changes and however
// many watch: nobody reads faster.
const atMostEvery = 250 * time.Millisecond

// live are the runs that somebody looks at right now. Each is read and rendered once for
// all who do.
type live struct {
	mu   sync.Mutex
	runs map[string]*watched
}

// watched is one of them.
type watched struct {
	watchers int // guarded by live.mu
	stop     context.CancelFunc

	mu   sync.Mutex
	now  shown
	next chan struct{} // closed when now is another
}

// shown is a run as it was rendered last.
type shown struct {
	seq    int64  // of the newest entry in it; 0: nothing was rendered yet
	event  string // as it is sent
	logged estate.Logged
	own    bool // it tells each who looks what he himself may do: it is rendered for each
	over   bool // nothing more will happen
	err    error
}

// runEvents sends the run anew whenever it has changed, as server-sent events whose id
// is the journal's number: who comes back with one gets what is newer.
func (c *Console) runEvents(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("run")
	if _, err := c.o.Ops.OneRun(r.Context(), id); err != nil {
		return err
	}
	who := ""
	if c.o.Who != nil {
		known, _ := c.o.Who(r)
		who = known.How + "\x00" + known.Name
	}
	goes, ok := c.streams.take(who)
	if !ok {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many people are watching; this page updates only when you reload it", http.StatusServiceUnavailable)
		return nil
	}
	defer goes()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	out := stream{w: w, control: http.NewResponseController(w)}
	seen, _ := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	watching, leave := c.watch(r, id)
	defer leave()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	_ = out.send(": hello\n\n")
	for {
		now, next := watching.look()
		if now.err != nil {
			return nil // the stream has begun: the page asks again, and gets the error then
		}
		if now.seq != 0 && now.seq != seen {
			seen = now.seq
			if now.own {
				var err error
				if now, err = c.rendered(r, now.logged); err != nil {
					return nil
				}
			}
			if err := out.send(now.event); err != nil {
				return nil
			}
		}
		if now.over {
			_ = out.send("event: over\ndata: over\n\n")
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-next:
		case <-beat.C:
			// He may have been told meanwhile that he may not look any more.
			if _, err := c.o.Ops.OneRun(r.Context(), id); err != nil {
				return nil
			}
			if err := out.send(": still here\n\n"); err != nil {
				return nil
			}
		}
	}
}

// watch has a run read for as long as somebody looks at it.
func (c *Console) watch(r *http.Request, id string) (run *watched, leave func()) {
	c.live.mu.Lock()
	defer c.live.mu.Unlock()
	run = c.live.runs[id]
	if run == nil {
		// Whoever came first may look at it; everybody else is asked before he joins.
		ctx, stop := context.WithCancel(context.WithoutCancel(r.Context()))
		run = &watched{stop: stop, next: make(chan struct{})}
		c.live.runs[id] = run
		go c.keep(r.Clone(ctx), id, run)
	}
	run.watchers++
	return run, func() {
		c.live.mu.Lock()
		defer c.live.mu.Unlock()
		if run.watchers--; run.watchers == 0 {
			run.stop()
			c.live.forget(id, run)
		}
	}
}

// forget has the next who looks begin anew; live.mu is held.
func (l *live) forget(id string, run *watched) {
	if l.runs[id] == run {
		delete(l.runs, id)
	}
}

// keep reads and renders a run whenever it has changed, until it is over or nobody looks.
func (c *Console) keep(r *http.Request, id string, run *watched) {
	changed := make(watcher, 1)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		// It returns when the run is over, stuck or waits; the looks go on after that.
		_, _ = c.o.Ops.Follow(r.Context(), id, 0, changed)
		changed.tell()
	}()
	defer func() { <-followed }()
	defer run.stop()
	again := time.NewTicker(looksAgain)
	defer again.Stop()
	for {
		now := c.readRun(r, id, run)
		if now.err != nil || now.over {
			c.live.mu.Lock()
			c.live.forget(id, run)
			c.live.mu.Unlock()
		}
		run.tell(now)
		if now.err != nil || now.over {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(atMostEvery):
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-again.C:
		}
	}
}

// readRun is the run as it is now, rendered where that is another than before.
func (c *Console) readRun(r *http.Request, id string, run *watched) shown {
	logged, err := c.o.Ops.Log(r.Context(), id)
	if err != nil {
		return shown{err: err}
	}
	if now, _ := run.look(); len(logged.Entries) == 0 || logged.Entries[len(logged.Entries)-1].Seq == now.seq {
		return now
	}
	now, err := c.rendered(r, logged)
	now.err = err
	return now
}

// rendered is what stands in the page under "run".
func (c *Console) rendered(r *http.Request, logged estate.Logged) (shown, error) {
	body, err := c.runBody(r, logged)
	if err != nil {
		return shown{}, err
	}
	var b bytes.Buffer
	if err := c.pages["run"].ExecuteTemplate(&b, "live", frame(c, r, "", "/runs", body)); err != nil {
		return shown{}, err
	}
	var e bytes.Buffer
	_, _ = fmt.Fprintf(&e, "id: %d\n", body.Seq)
	for line := range bytes.Lines(b.Bytes()) {
		_, _ = fmt.Fprintf(&e, "data: %s\n", bytes.TrimRight(line, "\r\n"))
	}
	e.WriteString("\n")
	out := shown{seq: body.Seq, event: e.String(), own: body.Approval != nil, over: body.Over}
	if out.own {
		out.logged = logged
	}
	return out, nil
}

// look returns the run as it is, and what is closed when it is another.
func (w *watched) look() (shown, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.next
}

// tell has everybody look who watches.
func (w *watched) tell(now shown) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.seq == w.now.seq && now.err == nil {
		return
	}
	w.now = now
	close(w.next)
	w.next = make(chan struct{})
}
