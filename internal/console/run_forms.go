package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"rekey/internal/estate"
	"rekey/internal/rotation"
)

type backBody struct {
	estate.BackPlan
	CanDo string // why whoever asks may not; "": he may
}

// backPage tells what going back would do, before anybody asks for it.
func (c *Console) backPage(w http.ResponseWriter, r *http.Request) error {
	plan, err := c.o.Ops.PlanBack(r.Context(), r.PathValue("run"))
	if err != nil {
		return noJournalNoRun(err, r.PathValue("run"))
	}
	return show(c, w, http.StatusOK, "back", frame(c, r, "Go back: run "+plan.Run, "/runs", backBody{BackPlan: plan}))
}

func (c *Console) turnBack(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	run, err := c.o.Ops.TurnBack(r.Context(), estate.Backing{Run: r.PathValue("run"), Reason: r.PostForm.Get("reason"), Without: r.PostForm.Has("without_role")})
	if err != nil {
		return err
	}
	return done(w, r, runAt(run))
}

// takeUp goes on with a run: confirmed by its credential's name, or resumed.
func (c *Console) takeUp(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	a := estate.Advancing{Run: r.PathValue("run"), Confirm: r.PostForm.Get("confirm"), Reason: r.PostForm.Get("reason"), Despite: r.PostForm["despite"], Without: r.PostForm.Has("without_role")}
	if r.PostForm.Has("confirm") && a.Confirm == "" { // an empty field confirms nothing
		logged, err := c.o.Ops.Log(r.Context(), a.Run)
		if err != nil {
			return noJournalNoRun(err, a.Run)
		}
		return &estate.Error{Code: estate.OtherName, Name: "nothing", Credential: logged.Events[0].Opened.Credential}
	}
	run, err := c.o.Ops.TakeUp(r.Context(), a)
	if e, coded := errors.AsType[*estate.Error](err); coded && e.Code == estate.AwaitsApproval {
		return asked(w, r, e)
	}
	if err != nil {
		return err
	}
	return done(w, r, runAt(run))
}

// heartbeat keeps what stands between from closing a stream that has nothing to tell.
const heartbeat = 15 * time.Second

// looksAgain is how often the journal is looked at where nothing was told.
const looksAgain = 2 * time.Second

// runEvents sends the run anew whenever it has changed, as server-sent events whose id
// is the journal's number: who comes back with one gets what is newer.
func (c *Console) runEvents(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("run")
	if _, err := c.o.Ops.Log(r.Context(), id); err != nil {
		return noJournalNoRun(err, id)
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many are watching; this page does not move until you load it again", http.StatusServiceUnavailable)
		return nil
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	out := stream{w: w, control: http.NewResponseController(w)}
	seen, _ := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	changed := c.watch(r, id, seen)
	beat, again := time.NewTicker(heartbeat), time.NewTicker(looksAgain)
	defer beat.Stop()
	defer again.Stop()
	_ = out.send(": hello\n\n")
	for {
		logged, err := c.o.Ops.Log(r.Context(), id)
		if err != nil {
			return nil // the stream has begun: the page asks again, and gets the error then
		}
		if n := len(logged.Entries); n > 0 && logged.Entries[n-1].Seq != seen {
			seen = logged.Entries[n-1].Seq
			over, err := c.sendRun(out, r, logged)
			if err != nil || over {
				return nil
			}
		}
		if last := logged.Events[len(logged.Events)-1]; last.Closed != nil {
			_ = out.send("event: over\ndata: over\n\n")
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-changed:
		case <-again.C:
		case <-beat.C:
			if err := out.send(": still here\n\n"); err != nil {
				return nil
			}
		}
	}
}

// sendRun sends what stands in the page under "run", and tells whether that was the last.
func (c *Console) sendRun(out stream, r *http.Request, logged estate.Logged) (over bool, err error) {
	body, err := c.runBody(r, logged)
	if err != nil {
		return false, err
	}
	var b bytes.Buffer
	if err := c.pages["run"].ExecuteTemplate(&b, "live", frame(c, r, "", "/runs", body)); err != nil {
		return false, err
	}
	var e bytes.Buffer
	_, _ = fmt.Fprintf(&e, "id: %d\n", body.Seq)
	for line := range bytes.Lines(b.Bytes()) {
		_, _ = fmt.Fprintf(&e, "data: %s\n", bytes.TrimRight(line, "\r\n"))
	}
	e.WriteString("\n")
	if body.Over {
		e.WriteString("event: over\ndata: over\n\n")
	}
	return body.Over, out.send(e.String())
}

// stream writes events; a reader that takes none for a while is left.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s stream) send(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(heartbeat)) // where the server allows it
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// watch is told of changes as the service tells them; what it misses, the next look sees.
func (c *Console) watch(r *http.Request, id string, after int64) <-chan struct{} {
	w := watcher{changed: make(chan struct{}, 1)}
	go func() {
		// It returns when the run is over, stuck or waits; the looks go on after that.
		_, _ = c.o.Ops.Follow(r.Context(), id, after, w)
		w.tell()
	}()
	return w.changed
}

// watcher is a face that is only told that something has changed.
type watcher struct{ changed chan struct{} }

func (w watcher) tell() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Behind changes nothing on the page.
func (w watcher) Behind(error) {}

// Past was there before.
func (w watcher) Past([]rotation.Event) {}

// Event is why somebody watches.
func (w watcher) Event(rotation.Event) { w.tell() }

// Starts is an event too.
func (w watcher) Starts([]rotation.Action) {}

// Waits is told by what the journal holds.
func (w watcher) Waits(rotation.Wait) {}

// Call is not shown.
func (w watcher) Call(estate.Call) {}

// End of what one process did.
func (w watcher) End() { w.tell() }

// Confirm is nothing that a page decides while it is looked at.
func (w watcher) Confirm(context.Context, rotation.Ask) (string, error) {
	return "", estate.ErrNotConfirmed
}
