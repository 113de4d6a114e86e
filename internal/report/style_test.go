package report

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestColoursStandOutFromBlackAndFromWhite: by 4.5 to 1 where the terminal takes exact
// colours (WCAG 2.2, 1.4.3), by 3.5 where it has 256.
func TestColoursStandOutFromBlackAndFromWhite(t *testing.T) {
	linear := func(c int) float64 {
		v := float64(c) / 255
		if v <= 0.03928 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	contrast := func(r, g, b int) float64 { // the lesser of the two
		l := 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
		return min((l+0.05)/0.05, 1.05/(l+0.05))
	}
	step := func(n int) int { // xterm's 256 colours: a cube of six steps, and greys
		if n == 0 {
			return 0
		}
		return 55 + 40*n
	}
	for name, c := range map[string]colour{"green": green, "red": red, "amber": amber, "cyan": cyan, "grey": grey} {
		var r, g, b, n int
		if _, err := fmt.Sscanf(c.exact, "38;2;%d;%d;%d", &r, &g, &b); err != nil {
			t.Fatal(err)
		}
		if got := contrast(r, g, b); got < 4.5 {
			t.Errorf("%s, exact: %.2f", name, got)
		}
		if _, err := fmt.Sscanf(c.indexed, "38;5;%d", &n); err != nil {
			t.Fatal(err)
		}
		if n >= 232 {
			r, g, b = 8+10*(n-232), 8+10*(n-232), 8+10*(n-232)
		} else {
			r, g, b = step((n-16)/36), step((n-16)/6%6), step((n-16)%6)
		}
		if got := contrast(r, g, b); got < 3.5 {
			t.Errorf("%s, of 256: %.2f", name, got)
		}
	}
	for palette, want := range map[int]string{0: "\x1b[33m!", Indexed: "\x1b[38;5;130m!", Exact: "\x1b[38;2;167;103;0m!"} {
		if got := (Style{Color: true, Palette: palette}).Mind("!"); !strings.HasPrefix(got, want) {
			t.Errorf("%d: %q", palette, got)
		}
	}
}
