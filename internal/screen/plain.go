package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/vendorhttp"
	"rekey/internal/visible"
)

// heartbeat keeps CI from killing a quiet job.
const heartbeat = 30 * time.Second

// Quiet shows nothing.
type Quiet struct{}

// Event shows nothing.
func (Quiet) Event(rotation.Event) {}

// Past shows nothing.
func (Quiet) Past([]rotation.Event) {}

// Starts shows nothing.
func (Quiet) Starts([]rotation.Action) {}

// Waits shows nothing.
func (Quiet) Waits(rotation.Wait) {}

// Call shows nothing.
func (Quiet) Call(vendorhttp.Call) {}

// Hold needs nothing.
func (Quiet) Hold(int) func() { return func() {} }

// End needs nothing.
func (Quiet) End() {}

// Calm writes one line for each change: for logs.
type Calm struct {
	out    io.Writer
	style  report.Style
	now    func() time.Time
	mu     sync.Mutex
	titles map[string]string
	last   time.Time
	said   map[string]string // step -> last note, so that a long wait is told once
}

// NewCalm returns a calm view.
func NewCalm(out io.Writer, style report.Style, now func() time.Time) *Calm {
	return &Calm{out: out, style: style, now: now, titles: map[string]string{}, said: map[string]string{}}
}

// Event tells what a person would want to read later; intents are for the log.
func (c *Calm) Event(e rotation.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.learn(e)
	if e.Kind == rotation.KindIntent {
		return
	}
	if o := e.Outcome; o != nil {
		note := string(o.Class) + o.Why
		if c.said[o.Step] == note {
			return
		}
		c.said[o.Step] = note
	}
	for _, line := range report.Say(e, c.titles, c.style) {
		c.say(e.At, e.Run, line)
	}
}

// learn notes how steps are called.
func (c *Calm) learn(e rotation.Event) {
	if e.Planned == nil {
		return
	}
	for _, list := range [][]rotation.Step{e.Planned.Steps, e.Planned.Back} {
		for _, st := range list {
			c.titles[st.ID] = st.Title
		}
	}
}

// Past says in one line that there was something, and how it can be read.
func (c *Calm) Past(events []rotation.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		c.learn(e)
	}
	if n := len(events); n > 0 {
		c.say(events[n-1].At, events[n-1].Run, c.style.Dim(fmt.Sprintf("%d entries in the journal before this (rekey log %s)", n, events[n-1].Run)))
	}
}

func (c *Calm) say(at time.Time, run, line string) {
	c.last = c.now()
	text := fmt.Sprintf("%s %s  %s\n", c.style.Dim(at.UTC().Format("15:04:05")), c.style.Dim(visible.Text(run)), line)
	_, _ = io.WriteString(c.out, report.Fold(text, c.style.Width))
}

// Starts says nothing: the outcome will.
func (c *Calm) Starts([]rotation.Action) {}

// Waits tells a wait, and that it goes on, at most every half minute.
func (c *Calm) Waits(w rotation.Wait) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.last) >= heartbeat || w.Until.Sub(c.now()) >= heartbeat {
		c.say(c.now(), "", c.style.Dim(fmt.Sprintf("waiting %s for %s", report.Span(w.Until.Sub(c.now())), visible.Text(strings.Join(w.For, "; ")))))
	}
}

// Call says nothing.
func (c *Calm) Call(vendorhttp.Call) {}

// Hold needs nothing: lines stay where they are.
func (c *Calm) Hold(int) func() { return func() {} }

// End needs nothing.
func (c *Calm) End() {}

// JSON writes one object per line: the first is the version, the last (written by
// the command) the result.
type JSON struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewJSON returns a JSON view and writes its first line. Readers must ignore keys
// that they do not know; a change that breaks readers raises the number.
func NewJSON(out io.Writer, tool string) *JSON {
	j := &JSON{enc: json.NewEncoder(out)}
	j.Write(map[string]any{"type": "version", "rekey": tool, "stream": 1})
	return j
}

// Write writes one object.
func (j *JSON) Write(v any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.enc.Encode(v)
}

// Event writes the event with its payload under its kind.
func (j *JSON) Event(e rotation.Event) {
	body, err := e.Body()
	if err != nil {
		return
	}
	j.Write(map[string]any{"type": "event", "at": e.At, "run": e.Run, "kind": e.Kind, string(e.Kind): json.RawMessage(body)})
}

// Past writes nothing: rekey log RUN --json has it.
func (j *JSON) Past([]rotation.Event) {}

// Starts says nothing: intents are events.
func (j *JSON) Starts([]rotation.Action) {}

// Waits writes what is being waited for.
func (j *JSON) Waits(w rotation.Wait) {
	j.Write(map[string]any{"type": "wait", "until": w.Until, "for": w.For})
}

// Call writes the request, without anything of its content.
func (j *JSON) Call(c vendorhttp.Call) {
	j.Write(map[string]any{"type": "call", "vendor": c.Vendor, "op": c.Op, "method": c.Method, "status": c.Status, "ms": c.Duration.Milliseconds()})
}

// Hold needs nothing.
func (j *JSON) Hold(int) func() { return func() {} }

// End needs nothing.
func (j *JSON) End() {}
