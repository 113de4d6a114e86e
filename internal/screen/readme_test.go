package screen

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheReadmeShowsWhatTheProgramPrints: the steps of its sample are those of the live
// view, in their order. The demo watches for a second, the golden run for thirty.
func TestTheReadmeShowsWhatTheProgramPrints(t *testing.T) {
	steps := func(path, from, to string) []string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, text, ok := strings.Cut(string(b), from)
		text, _, _ = strings.Cut(text, to)
		if !ok {
			t.Fatalf("%s has no %q", path, from)
		}
		var out []string
		for _, m := range regexp.MustCompile(`(?m)^  (?:[✓○] (.+?)(?:  .*)?|(──.*))$`).FindAllStringSubmatch(text, -1) {
			out = append(out, strings.Replace(m[1]+m[2], "watch for 1s", "watch for 30s", 1))
		}
		return out
	}
	readme := steps("../../README.md", "## What you will see\n", "\n  waiting ")
	live := steps("testdata/rotated-live.txt", "CF_ACCESS_SVC_CONSOLE\n", "\n\n  test")
	if len(live) < 15 || !slices.Equal(readme, live) {
		t.Errorf("the README shows\n  %s\nand the program\n  %s", strings.Join(readme, "\n  "), strings.Join(live, "\n  "))
	}
}
