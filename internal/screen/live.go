package screen

import (
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

const (
	frame     = 100 * time.Millisecond
	maxFrames = 10
)

var spinner = [maxFrames]string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// The picture is drawn on the terminal's second screen, as pagers and editors do:
// there a change of size cannot wrap what was drawn before, nor push it into the
// scroll-back. The first screen gets the last picture, once, when the run is over.
const (
	enterSecond = "\x1b[?1049h"
	leaveSecond = Leave
)

// Leave brings a terminal's first screen back, for a program that must end at once.
const Leave = "\x1b[?1049l"

// Size tells how many columns and rows the terminal has now.
type Size func() (columns, rows int)

// Live redraws a list of steps in place, at most ten times a second.
type Live struct {
	out   io.Writer
	style report.Style
	size  Size
	now   func() time.Time

	mu   sync.Mutex
	m    *model
	tick int
	held bool
	asks held
	stop chan struct{}
	done sync.WaitGroup
}

// held is what stands above a question.
type held struct{ columns, rows, free, lines int }

// NewLive returns a running live view.
func NewLive(out io.Writer, style report.Style, size Size, now func() time.Time) *Live {
	l := &Live{out: out, style: style, size: size, now: now, m: newModel(), stop: make(chan struct{})}
	_, _ = io.WriteString(out, enterSecond)
	l.done.Add(1)
	go l.loop()
	return l
}

func (l *Live) loop() {
	defer l.done.Done()
	t := time.NewTicker(frame)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
			l.mu.Lock()
			l.tick++
			if l.held {
				l.redrawHeld()
			} else {
				l.draw(0)
			}
			l.mu.Unlock()
		}
	}
}

// Event folds an event.
func (l *Live) Event(e rotation.Event) { l.change(func() { l.m.event(visible.Copy(e)) }) }

// Starts marks steps as being tried.
func (l *Live) Starts(actions []rotation.Action) {
	l.change(func() {
		for _, a := range actions {
			l.m.start(visible.Text(a.Step.ID), l.now())
		}
	})
}

// Waits notes what is being waited for.
func (l *Live) Waits(w rotation.Wait) { l.change(func() { l.m.waiting = visible.Copy(w) }) }

// Call counts a request.
func (l *Live) Call(c vendorhttp.Call) {
	l.change(func() { l.m.lastCall = visible.Copy(c); l.m.calls++ })
}

func (l *Live) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Past folds what earlier processes of the run did.
func (l *Live) Past(events []rotation.Event) { l.change(func() { l.m.past(visible.Copy(events)) }) }

// Hold stops drawing until release; below the picture so many lines stay free.
func (l *Live) Hold(lines int) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
	l.draw(lines)
	l.asks.free = lines
	l.asks.columns, l.asks.rows = l.size()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = false
	}
}

// redrawHeld paints the picture above a question anew where the terminal has become
// wider or narrower: what it showed beside would stand there still. The question and
// the cursor stay where they are; on a lower terminal nothing is known of that.
func (l *Live) redrawHeld() {
	columns, rows := l.size()
	if columns == l.asks.columns || rows < l.asks.rows {
		return
	}
	l.asks.columns = columns
	l.style.Width = columns - 1
	lines, focus := l.lines(false)
	lines = window(lines, focus, l.asks.rows-1-l.asks.free)
	var b strings.Builder
	b.WriteString("\x1b7\x1b[H")
	for i := range l.asks.lines { // as many as there were: below them is the question
		if i < len(lines) {
			b.WriteString(report.Cut(lines[i], l.style.Width))
		}
		b.WriteString("\x1b[K\r\n")
	}
	b.WriteString("\x1b8")
	_, _ = io.WriteString(l.out, b.String())
}

// End leaves the last picture in the scroll-back.
func (l *Live) End() {
	close(l.stop)
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.style.Width, _ = l.size()
	lines, _ := l.lines(false)
	_, _ = io.WriteString(l.out, leaveSecond+strings.Join(append(lines, ""), "\n"))
}

// draw paints the whole screen anew, at the size that it has now. Lines end one
// column early: at the last one a terminal waits to wrap.
func (l *Live) draw(free int) {
	columns, rows := l.size()
	l.style.Width = columns - 1
	lines, focus := l.lines(!l.held)
	var b strings.Builder
	b.WriteString("\x1b[H")
	lines = window(lines, focus, rows-1-free)
	l.asks.lines = len(lines)
	for _, line := range lines {
		b.WriteString(report.Cut(line, l.style.Width))
		b.WriteString("\x1b[K\r\n")
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(l.out, b.String())
}

// window leaves out what does not fit: what is far from the line that matters now.
// The first line says which run it is, the last what is going on.
func window(lines []string, focus, rows int) []string {
	rows = max(rows, 4)
	if len(lines) <= rows {
		return lines
	}
	body := rows - 2
	from := min(max(focus-body/2, 1), len(lines)-1-body)
	out := append([]string{lines[0]}, lines[from:from+body]...)
	out = append(out, lines[len(lines)-1])
	if from > 1 && body > 2 {
		out[1] = fmt.Sprintf("  ⋮ %d above", from)
	}
	if below := len(lines) - 1 - from - body; below > 0 && body > 2 {
		out[body] = fmt.Sprintf("  ⋮ %d below", below+1)
	}
	return out
}

// lines is the picture, and which of them matters most now.
func (l *Live) lines(moving bool) (out []string, focus int) {
	s, m := l.style, l.m
	if m.head == "" {
		return nil, 0
	}
	out = []string{s.Bold(report.Cut(m.head, s.Width)), ""}
	backShown := false
	if m.before > 0 {
		out = append(out, "  "+s.Good("✓")+" "+s.Dim(report.Cut(fmt.Sprintf("%d done before (rekey log %s)", m.before, m.run), s.Width-4)))
	}
	for _, st := range m.steps {
		if st.before && st.status == rotation.Ended {
			continue
		}
		if !backShown && isBack(m, st) {
			backShown = true
			out = append(out, "  "+s.Mind(report.Cut("↩ going back: "+m.turned, s.Width-2)))
		}
		if st.final {
			out = append(out, "  "+s.Mind("── point of no return ──"))
		}
		if st.active || st.status == rotation.Ended {
			focus = len(out)
		}
		out = append(out, l.line(st, moving))
	}
	if moving {
		out = append(out, "", l.foot())
	}
	return out, focus
}

func isBack(m *model, st *step) bool {
	for _, b := range m.back {
		if b.ID == st.id {
			return true
		}
	}
	return false
}

// line is one step: mark, title, time, note.
func (l *Live) line(st *step, moving bool) string {
	s := l.style
	mark, title := s.Dim("○"), s.Dim(st.title)
	took := ""
	switch {
	case st.status == rotation.Ended:
		mark, title = s.Good("✓"), st.title
		if st.verb != rotation.Pause { // the pause itself came before it
			took = report.Span(st.ended.Sub(st.started))
		}
	case st.active && moving:
		mark, title = s.Name(spinner[l.tick%maxFrames]), s.Bold(st.title)
		took = report.Span(l.now().Sub(st.started))
	case st.status == rotation.Broken:
		mark, title = s.Bad("✗"), st.title
	case st.status == rotation.Poll || st.status == rotation.Retry:
		mark, title = s.Mind("…"), s.Bold(st.title)
		if moving {
			mark = s.Mind(spinner[l.tick%maxFrames])
		}
		took = report.Span(l.now().Sub(st.started))
	case st.active:
		mark, title = s.Mind("?"), st.title
	}
	room := s.Width - 4
	if took != "" {
		room -= 2 + len(took)
	}
	line := "  " + mark + " " + report.Cut(title, room)
	if took != "" {
		line += "  " + s.Dim(took)
	}
	if left := room - report.Columns(st.title); st.note != "" && left > 12 {
		line += "  " + s.Dim(report.Cut(st.note, left-2))
	}
	return line
}

// foot says what is going on right now.
func (l *Live) foot() string {
	s, m := l.style, l.m
	if len(m.waiting.For) > 0 && m.waiting.Until.After(l.now()) {
		text := fmt.Sprintf("waiting %s for %s", report.Span(m.waiting.Until.Sub(l.now())), strings.Join(m.waiting.For, "; "))
		return "  " + s.Mind(report.Cut(text, s.Width-2))
	}
	if m.calls == 0 {
		return ""
	}
	return "  " + s.Dim(report.Cut(fmt.Sprintf("%d calls, last: %s: %s", m.calls, m.lastCall.Vendor, m.lastCall.Op), s.Width-2))
}
