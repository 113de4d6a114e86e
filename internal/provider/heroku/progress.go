package heroku

import (
	"context"
	"fmt"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// Progress follows the release that a PATCH made: the answer to the PATCH names
// none, so it is the first one above the noted version that speaks of our
// config vars, or the newest. It is done when that release has succeeded and
// every process runs on it or a later one. The config vars are read after that:
// while a release command runs, they still show the old values
// (docs/vendors/heroku.md).
func (a *app) Progress(ctx context.Context, w provider.Followed, slots []string) (provider.Progress, error) {
	var p provider.Progress
	var ours release
	var newest []release
	var running dynos
	// A dyno that is listed on the release or a later one is so whenever that was asked:
	// nothing goes back to an older one.
	looks := []func() error{func() (err error) { ours, newest, err = a.followed(ctx, w, slots); return err }}
	if w.Own != "" { // everything ran on it before: what it holds is asked in the same look
		looks = append(looks, func() error {
			all, err := a.lately(ctx, "read config vars", a.path, nil)
			p.Slots = named(all, slots)
			return err
		})
	}
	looks = append(looks, func() (err error) { running, err = a.dynos(ctx); return err })
	if err := a.env.Together(looks...); err != nil {
		return provider.Progress{}, a.named(ctx, err)
	}
	if ours.Version == 0 {
		return provider.Progress{Class: cred.Waiting, Detail: "no release after v" + w.Since + " yet"}, nil
	}
	p.Mark = strconv.Itoa(ours.Version)
	switch ours.Status {
	case "succeeded":
	case "pending":
		p.Class, p.Detail = cred.Waiting, fmt.Sprintf("release v%d is pending (release command)", ours.Version)
		return p, nil
	default:
		p.Class, p.Detail = cred.Failed, fmt.Sprintf("release v%d %s: the app still runs on the old values", ours.Version, ours.Status)
		return p, nil
	}

	running, err := a.told(ctx, running, ours.Version)
	if err != nil {
		return provider.Progress{}, err
	}
	if p.Slots == nil {
		if p.Class, p.Detail, p.Behind = a.readiness(running, ours.Version, w.Same); p.Class != cred.Done {
			p.Unwell = p.Class == cred.Failed
			return p, nil // what it holds is compared once everything runs
		}
		if p.Slots, err = a.configVars(ctx, slots); err != nil {
			return provider.Progress{}, err
		}
	}
	if err := a.confirmed(ctx, p.Slots, newest); err != nil {
		return provider.Progress{}, err
	}
	if w.Own == "" {
		p.Evidence = append(p.Evidence, fmt.Sprintf("release v%d succeeded", ours.Version))
	}
	p.Class, p.Detail, p.Behind = a.readiness(running, ours.Version, w.Same)
	p.Unwell = p.Class == cred.Failed
	if p.Class == cred.Done {
		p.Evidence = append(p.Evidence, p.Detail)
	}
	return p, nil
}

// followed is the release of the write that is followed, among the newest; the zero
// release if there is none yet. One that has succeeded stays so and is not asked for
// again.
func (a *app) followed(ctx context.Context, w provider.Followed, slots []string) (release, []release, error) {
	if own, err := strconv.Atoi(w.Own); err == nil {
		ours := release{Version: own, Status: "succeeded"}
		return ours, []release{ours}, nil
	}
	newest, err := a.releases(ctx)
	if err != nil {
		return release{}, nil, err
	}
	if w.Since == "" {
		ours, _ := underway(newest)
		return ours, newest, nil
	}
	noted, _ := strconv.Atoi(w.Since)
	ours, _ := follow(newest, noted, slots)
	return ours, newest, nil
}

// follow picks the release to follow among the newest ones, newest first.
func follow(newest []release, noted int, slots []string) (release, bool) {
	var ours release
	for _, r := range newest {
		if r.Version <= noted {
			break
		}
		if ours.Version == 0 || r.describes(slots) {
			ours = r
		}
	}
	return ours, ours.Version != 0
}

// underway is the release to look at when nothing was written: the newest that
// succeeded, unless a newer one is on its way.
func underway(newest []release) (release, bool) {
	for _, r := range newest {
		if r.Status == "pending" || r.Status == "succeeded" {
			return r, true
		}
	}
	return release{}, false
}

// readiness looks at every process. A one-off dyno is replaced by nothing, but
// one that began before the values were changed and changed back holds the right ones. behind: a dyno of the formation runs on an earlier release.
func (a *app) readiness(running dynos, version int, same string) (class cred.Class, says string, behind bool) {
	up := 0
	right, err := strconv.Atoi(same)
	if err != nil {
		right = -1
	}
	for _, d := range running.all {
		on := fmt.Sprintf("%s on v%d", d.Name, d.Release.Version)
		switch {
		case d.oneOff:
			if d.Release.Version < version && d.Release.Version > right && a.settings.OneOffDynos != "ignore" {
				return cred.Waiting, "one-off dyno " + on + " still holds what it began with", false
			}
		case d.Release.Version < version:
			return cred.Waiting, on + " is to be replaced", true
		case d.State == "crashed":
			return cred.Failed, on + " has crashed", false
		case d.State == "up", d.State == "idle":
			up++
		default:
			return cred.Waiting, on + " is " + d.State, false
		}
	}
	if running.missing != "" {
		return cred.Waiting, "no dyno is listed, and the formation wants " + running.missing, false
	}
	if up == 0 {
		return cred.Done, "no dynos run: nothing to restart", false
	}
	return cred.Done, fmt.Sprintf("all %d dynos run on v%d or later", up, version), false
}
