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
)

const (
	frame     = 100 * time.Millisecond
	maxFrames = 10
)

var spinner = [maxFrames]string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// Live redraws a list of steps in place, at most ten times a second.
type Live struct {
	out   io.Writer
	style report.Style
	now   func() time.Time

	mu    sync.Mutex
	m     *model
	drawn int // lines on the terminal that are ours
	tick  int
	held  bool
	stop  chan struct{}
	done  sync.WaitGroup
}

// NewLive returns a running live view.
func NewLive(out io.Writer, style report.Style, now func() time.Time) *Live {
	l := &Live{out: out, style: style, now: now, m: newModel(), stop: make(chan struct{})}
	_, _ = io.WriteString(out, "\x1b[?25l") // the cursor would jump about
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
			if !l.held {
				l.draw(true)
			}
			l.mu.Unlock()
		}
	}
}

// Event folds an event.
func (l *Live) Event(e rotation.Event) { l.change(func() { l.m.event(e) }) }

// Starts marks steps as being tried.
func (l *Live) Starts(actions []rotation.Action) {
	l.change(func() {
		for _, a := range actions {
			l.m.start(a.Step.ID, l.now())
		}
	})
}

// Waits notes what is being waited for.
func (l *Live) Waits(w rotation.Wait) { l.change(func() { l.m.waiting = w }) }

// Call counts a request.
func (l *Live) Call(c vendorhttp.Call) { l.change(func() { l.m.lastCall = c; l.m.calls++ }) }

func (l *Live) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Hold stops drawing until release; the lines of the question become ours.
func (l *Live) Hold(lines int) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw(false)
	l.held = true
	_, _ = io.WriteString(l.out, "\x1b[?25h")
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = false
		l.drawn += lines
		_, _ = io.WriteString(l.out, "\x1b[?25l")
	}
}

// End draws the last picture and leaves it in the scroll-back.
func (l *Live) End() {
	close(l.stop)
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw(false)
	_, _ = io.WriteString(l.out, "\x1b[?25h")
}

// draw replaces the lines drawn before.
func (l *Live) draw(moving bool) {
	lines := l.lines(moving)
	var b strings.Builder
	if l.drawn > 0 {
		_, _ = fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	b.WriteString("\r\x1b[J")
	for _, line := range lines {
		b.WriteString(line)
		b.WriteString("\n")
	}
	l.drawn = len(lines)
	_, _ = io.WriteString(l.out, b.String())
}

func (l *Live) lines(moving bool) []string {
	s, m := l.style, l.m
	if m.head == "" {
		return nil
	}
	out := []string{s.Bold(report.Cut(m.head, s.Width)), ""}
	backShown := false
	for _, st := range m.steps {
		if !backShown && isBack(m, st) {
			backShown = true
			out = append(out, "  "+s.Mind(report.Cut("↩ going back: "+m.turned, s.Width-2)))
		}
		if st.final {
			out = append(out, "  "+s.Mind("── point of no return ──"))
		}
		out = append(out, l.line(st, moving))
	}
	if moving {
		out = append(out, "", l.foot())
	}
	return out
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
	room := s.Width - 6 - len([]rune(st.title)) - len(took)
	line := "  " + mark + " " + title
	if took != "" {
		line += "  " + s.Dim(took)
	}
	if st.note != "" && room > 12 {
		line += "  " + s.Dim(report.Cut(st.note, room-2))
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
