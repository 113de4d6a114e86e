package reference

import (
	"context"
	"fmt"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// watcher tells who uses a generation, and what will fail at the end.
type watcher struct{ issuer }

// Users are the processes that hold it.
func (w watcher) Users(ctx context.Context, h cred.Handle) (out []provider.User, err error) {
	err = w.look(ctx, w.env, issuerName, "users", func() error {
		for _, p := range w.M.Processes {
			holds := p.Env[Credential]
			if t := w.find(h.ID); t != nil && holds == t.ID+":"+t.Secret && (p.Stops.IsZero() || p.Stops.After(w.At)) && !p.Up.After(w.At) {
				out = append(out, provider.User{Name: p.ID, Count: 1, Since: p.Up})
			}
		}
		return nil
	})
	return out, err
}

// ForeseeEnd refuses where it owns something.
func (w watcher) ForeseeEnd(ctx context.Context, old cred.Handle) (out provider.Foreseen, err error) {
	err = w.look(ctx, w.env, issuerName, "foresee end", func() error {
		if w.Owns {
			out.Refused = []string{old.Name + " owns 3 things, and cannot be ended"}
		}
		return nil
	})
	return out, err
}

// asked plays the roles of an issuer that can be asked more. What it is besides is all
// or nothing: a rotation beside the old one with everything, or a roll with nothing.
func asked(d *Double, i issuer, s switcher, a admitter, f finder) provider.Issuer {
	w := watcher{i}
	switch {
	case d.Roll == rotation.RollWithGrace && !d.Makes && !d.Disable && !d.Admits && !d.Finds:
		return struct {
			rolling
			provider.Users
			provider.EndForesight
		}{roller{i}, w, w}
	case d.Roll == "" && d.Makes && d.Disable && d.Admits && d.Finds:
		return struct {
			making
			provider.Switcher
			provider.Admitter
			provider.Finder
			provider.Users
			provider.EndForesight
		}{maker{i}, s, a, f, w, w}
	case d.Roll == "" && !d.Makes && !d.Disable && !d.Admits && !d.Finds:
		return struct {
			plain
			provider.Users
			provider.EndForesight
		}{i, w, w}
	case d.Roll == "" && !d.Makes && d.Disable && d.Admits && d.Finds:
		return struct {
			plain
			provider.Switcher
			provider.Admitter
			provider.Finder
			provider.Users
			provider.EndForesight
		}{i, s, a, f, w, w}
	}
	panic("the reference issuer cannot be asked with these roles: " + d.Can.String())
}

// queries answers a question of the procedure.
type queries struct{ consumes }

// Query is true while something runs.
func (q queries) Query(ctx context.Context, _ string) (cred.Class, string, error) {
	class, told := cred.Waiting, "nothing runs"
	err := q.look(ctx, q.env, consumerName, "query", func() error {
		if n := len(q.running()); n > 0 {
			class, told = cred.Done, fmt.Sprintf("%d processes run", n)
		}
		return nil
	})
	if err != nil {
		return "", "", err
	}
	return class, told, nil
}
