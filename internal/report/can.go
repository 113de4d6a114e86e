package report

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// someNames is how many credentials are named in the table; --json has all.
const someNames = 12

// Can is the table of what somebody may do: rights, operations, and on how many of all
// credentials.
func Can(may []sop.Ability, all int, s Style) string {
	width := s.Width
	if width <= 0 {
		width = 80
	}
	var out []string
	for i := 0; i < len(may); {
		first := may[i]
		var ops []string
		for ; i < len(may) && may[i].Right == first.Right && may[i].All == first.All && slices.Equal(may[i].On, first.On); i++ {
			ops = append(ops, string(may[i].Op))
		}
		answer := s.Dim("no")
		switch {
		case first.All:
			answer = s.Good("yes")
		case len(first.On) > 0:
			answer = s.Mind(fmt.Sprintf("%d of %d", len(first.On), all))
		}
		lead := pad(s.Bold(first.Right), 11) + pad(answer, 13)
		rest := strings.Repeat(" ", 24)
		if width < 48 { // beside each other they have no room
			out = append(out, s.Bold(first.Right)+"  "+answer)
			lead, rest = "  ", "  "
		}
		out = append(out, wrapped(strings.Join(ops, ", "), width, lead, rest)...)
		if len(first.On) > 0 {
			names := first.On
			if len(names) > someNames {
				names = append(slices.Clone(names[:someNames]), fmt.Sprintf("and %d more (--json has all)", len(first.On)-someNames))
			}
			for _, line := range wrapped(legible(strings.Join(names, ", ")), width, rest, rest) {
				out = append(out, s.Dim(line))
			}
		}
	}
	return strings.Join(out, "\n") + "\n"
}
