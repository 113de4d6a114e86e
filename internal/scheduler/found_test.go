package scheduler_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// TestWhatALookFindsIsToldOnceForEachFinding: one more is told, those that are there still
// are not, and what was put right and is wrong again is new. Nobody asks for the looks.
func TestWhatALookFindsIsToldOnceForEachFinding(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", toSlack+"schedule: {looks: {drift: 1h, discover: off, check: off}}\n")
	_, s := b.service("one")
	hour := func() (found []string) {
		t.Helper()
		b.later(61 * time.Minute)
		b.told = nil
		if err := s.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Tell(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, text := range b.told {
			if _, what, is := strings.Cut(text, "has drifted at "); is {
				place, _, _ := strings.Cut(what, "*")
				found = append(found, place)
			}
		}
		slices.Sort(found)
		return found
	}
	app := func(variable, value string) (before string) {
		b.world.Look(func(s *sim.State) {
			vars := s.Heroku.Apps[0].Current().Vars
			before, vars[variable] = vars[variable], value
		})
		return before
	}
	is := func(when string, want ...string) {
		t.Helper()
		if got := hour(); !slices.Equal(got, want) {
			t.Errorf("%s: told of %q, want %q: %q", when, got, want, b.told)
		}
	}
	const place = "heroku:raxx-console-prod"
	is("before anything")
	right := app(console, "somebody else's")
	is("one has drifted", place)
	is("it is there still")
	other := app(vault, "somebody else's, too")
	is("one more", place)
	app(console, right)
	is("one is put right")
	is("and stays so")
	app(console, "somebody else's again")
	is("it is wrong again", place)
	app(vault, other)
	app(console, right)
	is("all is right")
}
