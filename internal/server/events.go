package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// followRun tells of a run as it happens.
func (s *Server) followRun(w http.ResponseWriter, r *http.Request) error {
	run := r.PathValue("run")
	after, again, err := lastSeen(r)
	if err != nil {
		return err
	}
	logged, err := s.o.Engine.Log(r.Context(), run)
	if err != nil {
		return err
	}
	state := rotation.Fold(logged.Events)
	if last := logged.Events[len(logged.Events)-1].Seq; again && state.Closed != nil && after >= last {
		// A browser that has seen the end of the stream asks again until it is told to stop.
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := &stream{s: s, w: w, cancel: cancel}
	defer out.stop()
	w.Header().Set("Content-Type", api.Events)
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that collects would hold back what happens
	w.WriteHeader(http.StatusOK)
	out.part("retry: 2000\n\n")
	go out.beat(ctx)
	ended, err := s.o.Engine.Follow(ctx, run, after, out)
	if err != nil && r.Context().Err() != nil {
		// Whoever follows may not any more, or has gone: the run itself was not interrupted.
		ended, err = estate.Ended{Detached: true}, nil
	}
	if err != nil {
		of(r).failed = err
		problem := refusal(err, of(r).id)
		out.send("problem", 0, api.Told{Problem: &problem})
		return nil
	}
	out.send("ended", 0, api.Told{Ended: endedOf(run, ended)})
	return nil
}

// lastSeen is the number of the last event that the caller knows. again: he is a browser
// that was cut off.
func lastSeen(r *http.Request) (after int64, again bool, err error) {
	text, at := r.URL.Query().Get("after"), "after"
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		text, at, again = last, "Last-Event-ID", true
	}
	if text == "" {
		return 0, false, nil
	}
	after, err = strconv.ParseInt(text, 10, 64)
	if err != nil || after < 0 {
		return 0, again, &wrong{mistakes: []api.Mistake{{At: at, What: "want the number of an event"}}}
	}
	return after, again, nil
}

func endedOf(run string, e estate.Ended) *api.Ended {
	out := &api.Ended{Run: run, Waiting: e.Waiting, Detached: e.Detached, Others: e.Others, Calls: e.Calls}
	if e.State != nil {
		out.Over, out.Stuck = e.State.Closed != nil, e.State.Stuck != nil
	}
	if ev := e.Evidence; ev.Checkpoint != nil || ev.Problem != "" || len(ev.Sinks) > 0 || ev.Made {
		out.Evidence = &ev
	}
	return out
}

// stream is a face that sends what it is told. Nothing is kept for a reader: who does not
// read within the limit is cut off, and goes on after the last event that he has.
type stream struct {
	s      *Server
	w      http.ResponseWriter
	cancel context.CancelFunc

	mu   sync.Mutex
	gone bool
}

var _ estate.Face = (*stream)(nil)

// part sends some text, or ends the stream.
func (t *stream) part(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return
	}
	c := http.NewResponseController(t.w)
	_ = c.SetWriteDeadline(time.Now().Add(t.s.o.Limits.Write))
	_, err := t.w.Write([]byte(text))
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		t.gone = true
		t.cancel()
	}
}

// stop sees to it that nothing is written once the request is over.
func (t *stream) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone = true
}

// send sends one event. JSON has no line breaks, so that its data is one line.
func (t *stream) send(kind string, seq int64, v api.Told) {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte("{}")
	}
	id := ""
	if seq > 0 {
		id = fmt.Sprintf("id: %d\n", seq)
	}
	t.part(id + "event: " + kind + "\ndata: " + string(b) + "\n\n")
}

// beat sends a comment now and then, so that nobody in between takes the stream for dead,
// and ends it where the server is stopping.
func (t *stream) beat(ctx context.Context) {
	tick := time.NewTicker(t.s.o.Limits.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.s.drained:
			t.cancel()
			return
		case <-tick.C:
			t.part(": still here\n\n")
		}
	}
}

func (t *stream) Behind(why error) { t.send("behind", 0, api.Told{Behind: why.Error()}) }

// Past is what the caller knows.
func (t *stream) Past([]rotation.Event) {}

func (t *stream) Event(e rotation.Event)     { t.send("event", e.Seq, api.Told{Event: &e}) }
func (t *stream) Starts(a []rotation.Action) { t.send("starts", 0, api.Told{Starts: a}) }
func (t *stream) Waits(w rotation.Wait)      { t.send("waits", 0, api.Told{Waits: &w}) }
func (t *stream) Call(c estate.Call)         { t.send("call", 0, api.Told{Call: &c}) }
func (t *stream) End()                       {}

// Confirm tells what is asked. It is answered by another request.
func (t *stream) Confirm(_ context.Context, ask rotation.Ask) (string, error) {
	t.send("ask", 0, api.Told{Ask: &ask})
	return "", estate.ErrNotConfirmed
}

// Drain ends all streams: their readers go on elsewhere, or here once it is up again.
func (s *Server) Drain() { s.drain() }
