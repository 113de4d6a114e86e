package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/screen"
	"rekey/internal/visible"
)

// canConfirm refuses early what could not be finished.
func (a *app) canConfirm(name, confirm string) error {
	switch {
	case confirm != "" && confirm != name:
		return usage("--confirm says %s, but this is %s", confirm, name)
	case confirm == "" && !terminal(a.in):
		return usage("no person can be asked here, and it does what cannot be undone\n  next  %s", a.again("--confirm", name))
	}
	return nil
}

// confirm asks a person.
func (a *app) confirm(ctx context.Context, s screen.Screen, ask rotation.Ask) (string, error) {
	if !terminal(a.in) || a.json {
		return "", estate.ErrNotConfirmed
	}
	out, done := a.questions()
	defer done()
	style, ask, wrong := a.style(out), visible.Copy(ask), ""
	for range 3 {
		question, otherwise := wording(ask, style)
		if wrong != "" {
			question = append(question, "", "  "+style.Bad(fmt.Sprintf("%q is not its name.", wrong)))
		}
		text := report.Fold(fmt.Sprintf("%s\n  Type %s to go on (nothing: %s): ", strings.Join(question, "\n"), style.Bold(ask.Name), otherwise), style.Width)
		release := s.Hold(strings.Count(text, "\n") + 1)
		_, _ = io.WriteString(out, text)
		answer, err := readLine(ctx, a.in)
		release()
		switch {
		case err != nil || strings.TrimSpace(answer) == "":
			return "", estate.ErrNotConfirmed
		case strings.TrimSpace(answer) == ask.Name:
			return "typed", nil
		}
		wrong = strings.TrimSpace(answer)
	}
	_, _ = fmt.Fprintf(out, "  %s\n", style.Bad("The name was not typed correctly in three attempts, so nothing was done."))
	return "", estate.ErrNotConfirmed
}

// wording of the question: after proof, or in an emergency, where it says first
// who loses access.
func wording(ask rotation.Ask, style report.Style) (question []string, otherwise string) {
	otherwise = "stop here; both credentials stay live"
	if !ask.Proven {
		otherwise = "stop here; nothing is revoked"
	}
	if len(ask.Mind) > 0 {
		question, otherwise = append(question, "", "  "+style.Bad("This takes a credential away from whoever uses it:")), "stop here; it stays live"
		for _, m := range ask.Mind {
			question = append(question, "    "+m)
		}
	} else if ask.Proven {
		question = append(question, "", "  Every consumer is shown to run on the new one.")
	}
	for _, part := range []struct {
		head  string
		steps []string
	}{{"What will be done, and can be undone until the next:", ask.For}, {style.Mind("What cannot be undone:"), ask.Final}} {
		if len(part.steps) > 0 {
			question = append(question, "", "  "+part.head)
		}
		for _, f := range part.steps {
			question = append(question, "    "+f)
		}
	}
	return question, otherwise
}
