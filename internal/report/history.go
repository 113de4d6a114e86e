package report

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/history"
	"rekey/internal/rotation"
)

// Runs lists runs, newest first.
func Runs(runs []history.Summary, s Style, now time.Time) string {
	runs = legible(runs)
	if len(runs) == 0 {
		return "No runs yet.\n"
	}
	lines := [][]string{{s.Dim("run"), s.Dim("credential"), s.Dim("ending"), s.Dim("when"), s.Dim("took"), s.Dim("who"), s.Dim("why")}}
	for i := len(runs) - 1; i >= 0; i-- {
		r := runs[i]
		ending, took := string(r.Ending), ""
		if !r.Open() {
			took = Span(r.Closed.Sub(r.Opened))
		}
		switch {
		case r.Stuck != "":
			ending = s.Bad("stuck")
		case r.Open():
			ending = s.Mind("open")
		case r.Ending == rotation.Rotated:
			ending = s.Good(ending)
		}
		if r.Simulated {
			ending += s.Mind(" (simulated)")
		}
		lines = append(lines, []string{s.Bold(r.Run), r.Credential, ending, Ago(r.Opened, now), took, r.Actor, r.Reason})
	}
	return strings.Join(table(lines, 2), "\n") + "\n"
}

// Log tells one run, event by event.
func Log(events []rotation.Event, s Style) string {
	events = legible(events)
	if len(events) == 0 {
		return "No events.\n"
	}
	var rows [][]string
	start := events[0].At
	titles := map[string]string{}
	for _, e := range events {
		if e.Planned != nil {
			for _, list := range [][]rotation.Step{e.Planned.Steps, e.Planned.Back} {
				for _, st := range list {
					titles[st.ID] = st.Title
				}
			}
		}
		for _, line := range Say(e, titles, s) {
			rows = append(rows, []string{s.Dim(e.At.UTC().Format("15:04:05.000")), s.Dim("+" + Span(e.At.Sub(start))), line})
		}
	}
	head := fmt.Sprintf("%s  %s  %s\n", s.Bold(events[0].Run), events[0].Opened.Credential, s.Dim(start.UTC().Format(time.RFC3339)))
	return head + strings.Join(indent(table(rows, 2), "  "), "\n") + "\n"
}

// Say tells one event in lines.
func Say(e rotation.Event, titles map[string]string, s Style) []string {
	e, titles = legible(e), legible(titles)
	title := func(id string) string {
		if t := titles[id]; t != "" {
			return t
		}
		return id
	}
	switch e.Kind {
	case rotation.KindOpened:
		line := "opened by " + by(e.Opened.Actor, e.Opened.By)
		if p := e.Opened.Spec.Purpose; p != "" {
			line += " to " + string(p)
		}
		if e.Opened.Reason != "" {
			line += ": " + e.Opened.Reason
		}
		if e.Opened.Ticket != "" {
			line += " (" + e.Opened.Ticket + ")"
		}
		if o := e.Opened.Overrides; len(o) > 0 {
			line += "; " + s.Mind("with "+strings.Join(o, ", "))
		}
		return []string{line}
	case rotation.KindPlanned:
		out := []string{fmt.Sprintf("planned %s%s", countOf(steps(e.Planned), "step"), oldIs(e.Planned))}
		for _, h := range e.Planned.Seen.Strangers {
			out = append(out, s.Mind("mind")+" "+rotation.Stranger(e.Planned.Spec, h))
		}
		return out
	case rotation.KindIntent:
		var out []string
		for _, id := range e.Intent.Steps {
			out = append(out, s.Dim("intent   "+title(id)))
		}
		return out
	case rotation.KindOutcome:
		return []string{sayOutcome(e.Outcome, title(e.Outcome.Step), s)}
	case rotation.KindTurned:
		word := map[rotation.Mode]string{rotation.Back: "going back", rotation.Again: "starting over", rotation.Forward: "forward again"}[e.Turned.Mode]
		return []string{s.Mind(word) + ": " + e.Turned.Why}
	case rotation.KindConfirmed:
		return []string{fmt.Sprintf("confirmed by %s (%s)", by(e.Confirmed.Actor, e.Confirmed.By), e.Confirmed.How)}
	case rotation.KindAsked:
		return []string{"asked to go back by " + by(e.Asked.Actor, e.Asked.By)}
	case rotation.KindResumed:
		line := "resumed by " + by(e.Resumed.Actor, e.Resumed.By)
		if e.Resumed.Worker != "" {
			line = "taken up by worker " + e.Resumed.Worker
		}
		if e.Resumed.Word != nil {
			line += ", who confirms (" + e.Resumed.Word.How + ")"
		}
		if e.Resumed.Reason != "" {
			line += ": " + e.Resumed.Reason
		}
		return []string{line}
	case rotation.KindStuck:
		return []string{s.Bad("stuck") + ": " + e.Stuck.Why}
	case rotation.KindClosed:
		line := string(e.Closed.Ending)
		if e.Closed.Ending == rotation.Rotated {
			line = s.Good(line)
		}
		if e.Closed.Why != "" {
			line += ": " + e.Closed.Why
		}
		return []string{line}
	}
	return []string{s.Mind("?") + fmt.Sprintf(" %q, which this version of Rekey does not know: a newer one has written it", string(e.Kind))}
}

// by is who did it, and what is remarkable about that.
func by(name string, who *rotation.Who) string {
	switch {
	case who == nil:
	case who.Without != "":
		return name + ", without the role " + who.Without
	case who.Verified:
		return name + " (proven by " + who.How + ")"
	}
	return name
}

func sayOutcome(o *rotation.Outcome, title string, s Style) string {
	more := o.Why
	if len(o.Evidence) > 0 {
		more = strings.Join(append([]string{more}, o.Evidence...), "; ")
		more = strings.TrimPrefix(more, "; ")
	}
	if o.Already && more == "" {
		more = "it already was"
	}
	if more != "" {
		more = s.Dim("  " + more)
	}
	switch o.Class {
	case cred.Done:
		return s.Good("✓") + " " + title + more
	case cred.Waiting, cred.Limited:
		return s.Mind("…") + " " + title + more
	case cred.Unknown:
		return s.Mind("?") + " " + title + more
	}
	return s.Bad("✗") + " " + title + more
}

// steps counts those that are carried out if nothing goes wrong.
func steps(p *rotation.Plan) int {
	n := 0
	for _, st := range p.Steps {
		if !st.Strays && !st.Recurs {
			n++
		}
	}
	return n
}

func oldIs(p *rotation.Plan) string {
	if p.Old.Name == "" {
		return ""
	}
	return "; old is " + p.Old.Name
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
