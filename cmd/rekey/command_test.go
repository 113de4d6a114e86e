package main

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// TestEveryCommandInATextIsPasteable, wherever it stands, and nothing else is taken for one.
func TestEveryCommandInATextIsPasteable(t *testing.T) {
	a := &app{called: "./bin/rekey", dir: "my shop", file: defaultFile}
	for text, want := range map[string]string{
		"":                                    "",
		"rekey":                               "rekey",
		"rekey status":                        "./bin/rekey -C 'my shop' status",
		"next  rekey plan X\n  (rekey log X)": "next  ./bin/rekey -C 'my shop' plan X\n  (./bin/rekey -C 'my shop' log X)",
		"run `rekey explain codes`, rekey --help":                            "run `./bin/rekey explain codes`, ./bin/rekey --help",
		"my-rekey run, rekey runs, rekey rekey run, rekey  run, rekey run-x": "my-rekey run, rekey runs, rekey ./bin/rekey -C 'my shop' run, rekey  run, ./bin/rekey -C 'my shop' run-x",
		"rekey logs rekey log":                                               "rekey logs ./bin/rekey -C 'my shop' log",
		"rekey run\u00e9 rekey check_1":                                      "./bin/rekey -C 'my shop' run\u00e9 rekey check_1",
	} {
		if got := a.pasteable(text); got != want {
			t.Errorf("%q becomes\n%q, not\n%q", text, got, want)
		}
	}
}

// TestCommandsAreFoundAsByTheirForm: what finds them by hand, for a regular expression took
// a tenth of a status of ten thousand credentials, finds what the expression does.
func TestCommandsAreFoundAsByTheirForm(t *testing.T) {
	var words []string
	for v := range verbs {
		words = append(words, v)
	}
	form := regexp.MustCompile("(^|[\\s(`])rekey (" + strings.Join(words, "|") + `)(?:\b|$)`)
	a := &app{called: "./r", dir: "d", file: "other.yaml"}
	self := a.self()
	parts := append([]string{"rekey", "rekey ", " ", "\n", "(", "`", "x", "-", "_", "1", "é", "--"}, words...)
	dice := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		var b strings.Builder
		for range dice.IntN(9) {
			b.WriteString(parts[dice.IntN(len(parts))])
		}
		text := b.String()
		want := form.ReplaceAllStringFunc(text, func(found string) string {
			m := form.FindStringSubmatch(found)
			if verbs[m[2]] {
				return m[1] + "./r " + m[2]
			}
			return m[1] + self + " " + m[2]
		})
		if got := a.pasteable(text); got != want {
			t.Fatalf("%q becomes\n%q, not\n%q", text, got, want)
		}
	}
}

// TestEveryCommandOfTheProgramCanBePasted: none is left out of what is made so.
func TestEveryCommandOfTheProgramCanBePasted(t *testing.T) {
	for _, c := range (&app{}).root().Commands() {
		if _, known := verbs[c.Name()]; !known {
			t.Errorf("a text that names rekey %s leads elsewhere with -C", c.Name())
		}
	}
}
