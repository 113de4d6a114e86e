package console

import (
	"context"
	"net/http"
	"time"

	"rekey/internal/estate"
	"rekey/internal/rotation"
)

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

// watcher is a face that is only told that something has changed.
type watcher chan struct{}

func (w watcher) tell() {
	select {
	case w <- struct{}{}:
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
