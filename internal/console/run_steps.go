package console

import (
	"slices"
	"strings"
	"time"

	"rekey/internal/report"
	"rekey/internal/rotation"
)

// stepView is one step of the list.
type stepView struct {
	ID                  string
	N                   int
	Title, Change, Call string
	Word, Tone, Icon    string
	Note                string
	Evidence            []string
	Took                time.Duration
	Began, Ended        time.Time
	Next                time.Time // it is tried again then
	Asks, Final         bool      // a line before it: asks for the name; the point of no return
	Effect              bool
}

// More reports whether there is more to tell of it than its line.
func (s stepView) More() bool { return s.Call != "" || s.Change != "" || len(s.Evidence) > 1 }

// Brief is what its line says beside the title.
func (s stepView) Brief() string {
	if s.Note != "" || len(s.Evidence) == 0 {
		return s.Note
	}
	return s.Evidence[0]
}

// markWaiting marks the steps whose time has not come, and that are next.
func markWaiting(steps []stepView, w rotation.Wait) {
	for i := range steps {
		if steps[i].Icon == "ring" && slices.Contains(w.For, steps[i].Title) {
			steps[i].Word, steps[i].Tone, steps[i].Icon, steps[i].Next = "Waiting", "info", "clock", w.Until
		}
	}
}

// sinceOf says of steps that are due a time after others were done, how long and which.
func sinceOf(st *rotation.State, w rotation.Wait) string {
	if st.Plan == nil {
		return ""
	}
	active := st.Active()
	titles := map[string]string{}
	for _, s := range active {
		titles[s.ID] = s.Title
	}
	for _, s := range active {
		if s.After <= 0 || !slices.Contains(w.For, s.Title) || st.Step(s.ID).Status != rotation.Idle {
			continue
		}
		var after []string
		for _, id := range s.Needs {
			if titles[id] != "" {
				after = append(after, "“"+titles[id]+"”")
			}
		}
		if len(after) > 0 {
			return "Its time comes " + report.Span(s.After) + " after " + strings.Join(after, " and ") + "."
		}
	}
	return ""
}

func busyWith(steps []stepView) string {
	for _, s := range steps {
		if s.Icon == "half" {
			return s.Title
		}
	}
	return ""
}

// stepTimes are when a step was begun first and ended last.
type stepTimes struct{ began, ended time.Time }

func timesOf(events []rotation.Event) map[string]stepTimes {
	out := map[string]stepTimes{}
	for _, e := range events {
		switch {
		case e.Intent != nil:
			for _, id := range e.Intent.Steps {
				if t := out[id]; t.began.IsZero() {
					t.began = e.At
					out[id] = t
				}
			}
		case e.Outcome != nil:
			t := out[e.Outcome.Step]
			if t.began.IsZero() {
				t.began = e.At
			}
			t.ended = e.At
			out[e.Outcome.Step] = t
		}
	}
	return out
}

// known adds when a step ended that no outcome of its own tells of: it was found done.
func known(times map[string]stepTimes, st *rotation.State) map[string]stepTimes {
	for _, list := range [][]rotation.Step{st.Plan.Steps, st.Plan.Back} {
		for _, s := range list {
			p, t := st.Step(s.ID), times[s.ID]
			if p.Status != rotation.Ended || !t.ended.IsZero() || p.Done.IsZero() {
				continue
			}
			t.ended = p.Done
			if t.began.IsZero() {
				t.began = p.Done
			}
			times[s.ID] = t
		}
	}
	return times
}

// stepsOf are the steps of a plan as they stand.
func stepsOf(steps []rotation.Step, st *rotation.State, times map[string]stepTimes) (out []stepView) {
	asked := false
	for _, s := range steps {
		p := st.Step(s.ID)
		if (s.Strays || s.Recurs) && p.Status == rotation.Idle {
			continue // only after a lost answer, or when time runs low
		}
		v := viewOf(s, p, times[s.ID], st)
		v.N = len(out) + 1
		v.Asks, v.Final = s.Ask && !asked, s.Final
		asked = asked || s.Ask
		out = append(out, v)
	}
	return out
}

// backOf are the steps on the way back, where it goes or went back.
func backOf(st *rotation.State, times map[string]stepTimes) (out []stepView) {
	if st.Mode == rotation.Forward {
		return nil
	}
	for _, s := range st.Active() {
		v := viewOf(s, st.Step(s.ID), times[s.ID], st)
		v.N = len(out) + 1
		out = append(out, v)
	}
	return out
}

func viewOf(s rotation.Step, p *rotation.Progress, t stepTimes, st *rotation.State) stepView {
	v := stepView{ID: s.ID, Title: s.Title, Change: s.Change, Call: s.Call, Effect: s.Verb.Effect(), Began: t.began}
	over := st.Closed != nil
	if p.Last != nil {
		v.Note, v.Evidence = p.Last.Why, p.Last.Evidence
	}
	switch p.Status {
	case rotation.Ended:
		v.Word, v.Tone, v.Icon, v.Ended = "Done", "good", "check", t.ended
		if s.Verb != rotation.Pause && !t.began.IsZero() && t.ended.After(t.began) {
			v.Took = t.ended.Sub(t.began)
		}
	case rotation.Open:
		v.Word, v.Tone, v.Icon = "In progress", "info", "half"
	case rotation.Poll:
		v.Word, v.Tone, v.Icon, v.Next = "Not yet", "info", "clock", p.Next
	case rotation.Retry:
		v.Word, v.Tone, v.Icon, v.Next = "To be tried again", "mind", "clock", p.Next
	case rotation.Broken:
		v.Word, v.Tone, v.Icon = "Failed", "bad", "cross"
	default:
		v.Word, v.Tone, v.Icon = "To do", "idle", "ring"
		if over || st.Mode != rotation.Forward {
			v.Word, v.Icon = "Not done", "ring"
		}
	}
	if over && v.Icon != "check" && v.Icon != "cross" {
		v.Word, v.Tone, v.Icon, v.Next = "Not done", "idle", "ring", time.Time{}
	}
	return v
}

func doneOf(steps []stepView) (done, of int) {
	for _, s := range steps {
		if s.Icon == "check" {
			done++
		}
	}
	return done, len(steps)
}
