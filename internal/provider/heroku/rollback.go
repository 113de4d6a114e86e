package heroku

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// rollbackTo is how Heroku describes a rollback of code and config vars alike
// (docs/vendors/heroku.md).
var rollbackTo = regexp.MustCompile(`^Rollback to v[0-9]+$`)

// String names a release so that a person can ask whoever made it.
func (r release) String() string {
	return fmt.Sprintf("release v%d (%s by %s)", r.Version, r.Description, r.User.Email)
}

// sets reports whether a release set or removed this config var, by the whole word.
func (r release) sets(slot string) bool {
	return r.describes([]string{slot}) && slices.Contains(strings.FieldsFunc(r.Description, notWord), slot)
}

func notWord(c rune) bool {
	return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

// broughtBack is the rollback from which a slot has its value, if nobody set the
// slot since; before is the version of the release that it took away.
func broughtBack(newest []release, slot string) (r release, before int, found bool) {
	for i, r := range newest {
		switch {
		case r.Status != "succeeded":
			continue
		case r.sets(slot):
			return release{}, 0, false
		case !rollbackTo.MatchString(r.Description):
			continue
		}
		before = r.Version - 1
		for _, older := range newest[i+1:] {
			if older.Status == "succeeded" {
				before = older.Version
				break
			}
		}
		return r, before, true
	}
	return release{}, 0, false
}

// origins notes at every slot which somebody's rollback has changed which one it
// was: it may hold a dead credential again, and the drift alone would not say
// whose doing that is (T46). It costs a call only where there was a rollback. If
// that fails it is told: to go back matters more than to know whose doing it was.
func (a *app) origins(ctx context.Context, newest []release, held map[string]provider.Held) []string {
	names := make([]string, 0, len(held))
	for name := range held {
		names = append(names, name)
	}
	slices.Sort(names)
	was := map[int]map[string]provider.Held{}
	var notes []string
	for _, name := range names {
		r, before, found := broughtBack(newest, name)
		if !found {
			continue
		}
		if _, asked := was[before]; !asked {
			vars, err := a.Platform.configVars(ctx, "read config vars before a rollback", fmt.Sprintf("%s/releases/%d", a.path, before), nil, names)
			if err != nil {
				notes = append(notes, fmt.Sprintf("%s may have brought earlier values back; v%d, which was before it, cannot be read (%s)", r, before, cred.ClassOf(err)))
			}
			was[before] = vars
		}
		h := held[name]
		if old, known := was[before][name]; known && (old.Present != h.Present || !old.Value.Equal(h.Value)) {
			h.From = r.String()
			held[name] = h
			notes = append(notes, r.String()+" brought back an earlier value of "+name)
		}
	}
	return notes
}
