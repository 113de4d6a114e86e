package report_test

import (
	"regexp"
	"strings"
	"testing"

	"rekey/internal/report"
	"rekey/internal/sim/stage"
)

// unfolded undoes what a shell undoes: a backslash at a line's end.
func unfolded(text string) string {
	return regexp.MustCompile(`\\\n`).ReplaceAllString(text, "")
}

// TestACommandThatIsFoldedIsTheSameToAShell at any width, with quotes, flags, and
// words that are longer than the terminal.
func TestACommandThatIsFoldedIsTheSameToAShell(t *testing.T) {
	for _, command := range []string{
		"rekey -C /srv/a-very-long-folder/with/many/parts/that/no/terminal/holds/in/one/line/at/all/rekey run CF_ACCESS_SVC_CONSOLE",
		"rekey run CF_ACCESS_SVC_CONSOLE --reason 'the laptop of somebody was stolen on a train' --ticket OPS-4711 --despite heroku:raxx-other-app --outside-window",
		"go run ./cmd/rekey -C rekey-demo rollback 35sp4b --reason 'it broke'",
	} {
		for _, lead := range []string{"  next  ", "  next    fix what failed, then: ", "  or      ", "      next  once no program reads it any more: "} {
			for width := 40; width < 200; width += 7 {
				text := report.Fold(lead+command, width)
				for _, line := range strings.Split(text, "\n") {
					if report.Columns(line) > width && !strings.Contains(line, "'") {
						t.Errorf("%d columns on %d: %q", report.Columns(line), width, line)
					}
				}
				got := strings.Join(strings.Fields(unfolded(text)), " ")
				if !strings.HasSuffix(got, command) {
					t.Errorf("at %d columns a shell reads\n%s\nwant\n%s", width, got, command)
				}
			}
		}
	}
}

// TestNoWordIsLostWhereALineIsFolded, coloured or not.
func TestNoWordIsLostWhereALineIsFolded(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	result, err := s.Play("CF_ACCESS_SVC_CONSOLE")
	if err != nil {
		t.Fatal(err)
	}
	for _, colour := range []bool{false, true} {
		for _, width := range []int{40, 60, 80, 120} {
			style := report.Style{Width: width, Color: colour}
			text := report.Plan(result.State.Plan, style, stage.Start) + report.Ending(result.State, style, s.Clock.Now())
			folded := report.Fold(text, width)
			for _, line := range strings.Split(folded, "\n") {
				if report.Columns(line) > width {
					t.Errorf("%d columns on %d: %q", report.Columns(line), width, line)
				}
			}
			squeeze := func(t string) string { return strings.Join(strings.Fields(t), "") }
			if squeeze(text) != squeeze(folded) {
				t.Errorf("at %d columns words are lost or made", width)
			}
		}
	}
}

// TestWidthIsWhatATerminalShows: two columns for a CJK character, none for a colour
// or a combining one, and a cut never goes through the middle.
func TestWidthIsWhatATerminalShows(t *testing.T) {
	for text, want := range map[string]int{"abc": 3, "漢字": 4, "e\u0301": 1, "\x1b[31mred\x1b[0m": 3, "✓ … → ○": 7} {
		if got := report.Columns(text); got != want {
			t.Errorf("%q takes %d columns, not %d", text, got, want)
		}
		for width := 1; width < want; width++ {
			if got := report.Columns(report.Cut(text, width)); got > width {
				t.Errorf("%q cut to %d columns takes %d", text, width, got)
			}
		}
	}
}
