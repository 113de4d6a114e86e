package main

import (
	"context"
	"fmt"

	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/screen"
)

// face shows a run while it happens, and asks.
type face struct {
	screen.Screen // from the first thing that is shown
	app           *app
	asJSON        *screen.JSON // the same, if it is JSON
	verbose       bool         // show again what earlier processes of the run did
	behind        error        // why the journal is not what has left the machine; nil: nothing says so
}

// face returns one for a run; what a person does by hand waits for its picture.
func (a *app) newFace(verbose bool) *face {
	a.showing = &face{Screen: screen.Quiet{}, app: a, verbose: verbose}
	return a.showing
}

// Behind is told before anything is done; in JSON after the version, which is first.
func (f *face) Behind(why error) {
	f.behind = why
	if a := f.app; !a.json {
		_, _ = fmt.Fprintf(a.err, "%s %s\n        What was done since then is unknown here; what follows is what the vendors show.\n", a.style(a.err).Bad("mind"), a.pasteable(why.Error()))
	}
}

// Past begins the picture.
func (f *face) Past(events []rotation.Event) {
	f.Screen, f.asJSON = f.app.screen()
	if f.asJSON != nil && f.behind != nil {
		f.asJSON.Write(map[string]any{"type": "warning", "code": "journal-set-back", "text": f.behind.Error()})
	}
	if !f.verbose {
		f.Screen.Past(events)
		return
	}
	for _, e := range events {
		f.Event(e)
	}
}

// End draws the last picture and gives the terminal back.
func (f *face) End() {
	f.Screen.End()
	if f.app.drawn != nil {
		f.app.drawn.Store(false)
	}
}

// Confirm asks a person.
func (f *face) Confirm(ctx context.Context, ask rotation.Ask) (string, error) {
	return f.app.confirm(ctx, f.Screen, ask)
}

// carried shows how a run came out, and turns that into the exit code.
func (a *app) carried(f *face, ended estate.Ended, err error) error {
	if err != nil {
		return a.told(err)
	}
	if o := ended.Evidence; f.asJSON != nil {
		f.asJSON.Write(map[string]any{"type": "evidence", "ok": o.OK(), "evidence": o})
	} else {
		a.unsent(o)
	}
	return a.tell(ended, f.asJSON)
}
