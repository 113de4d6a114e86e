package heroku

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"

	"rekey/internal/cred"
)

// named says of an app that is not there which one was asked for, and which of
// those that the token sees is called most like it. That an app is not there counts
// only where the list of apps agrees: one that is listed is there, whatever a single
// answer says.
func (a *app) named(ctx context.Context, err error) error {
	if cred.ClassOf(err) != cred.Absent {
		return err
	}
	return a.absent(err, "app", a.settings.App, func() ([]listed, error) { return list[listed](ctx, a.Platform, "list apps", "/apps") })
}

// absent replaces an error that says "not found" by one that names what was not.
func (p *Platform) absent(err error, kind, name string, all func() ([]listed, error)) error {
	e, ok := errors.AsType[*cred.Error](err)
	if !ok {
		return err
	}
	out := *e
	out.Why = fmt.Sprintf("there is no %s %s that the token may see", kind, name)
	seen, err := all()
	if err != nil {
		return &out
	}
	best, distance := "", max(2, len(name)/3)+1
	for _, x := range seen {
		if x.Name == name || x.ID == name {
			out.Class, out.Why = cred.Unknown, fmt.Sprintf("%s %s is listed, and not found", kind, name)
			return &out
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(x.Name)); d < distance {
			best, distance = x.Name, d
		}
	}
	switch {
	case best != "":
		out.Why += "; did you mean " + best + "?"
	case len(seen) == 0:
		out.Why += ", and it sees none at all"
	default:
		out.Why += fmt.Sprintf(", nor is one of the %d that it sees called like it", len(seen))
	}
	return &out
}
