package heroku

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/cred"
)

// dyno is one process.
type dyno struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	State   string `json:"state"` // crashed, down, idle, starting, up
	Release struct {
		Version int `json:"version"`
	} `json:"release"`
	// oneOff: a release does not replace it (heroku run, schedulers, or whatever was
	// started by its name); it keeps what it began with until it ends.
	oneOff bool
}

// unit is one process type of the formation, which Heroku keeps running.
type unit struct {
	Type     string `json:"type"`
	Quantity *int   `json:"quantity"`
}

// likely is the number from which on a dyno is a one-off by its name alone: those
// have four digits at random, and a formation counts from 1.
const likely = 1000

// known reports whether a dyno is a one-off by its type or number alone.
func (d dyno) known() bool {
	return d.Type == "run" || d.Type == "scheduler" || d.number() >= likely
}

// number of a dyno: 3 of web.3; 0 if its name has none.
func (d dyno) number() int {
	_, after, _ := strings.Cut(d.Name, ".")
	n, _ := strconv.Atoi(after)
	return n
}

// dynos are what runs of an app.
type dynos struct {
	all     []dyno
	missing string // what the formation wants where nothing of it is listed
}

func (a *app) dynos(ctx context.Context) (dynos, error) {
	resp, err := a.ask(ctx, "list dynos", "/dynos")
	if err != nil {
		return dynos{}, err
	}
	all, err := many[dyno](resp)
	for i, d := range all {
		all[i].oneOff = d.known()
	}
	return dynos{all: all}, err
}

// told marks the one-off dynos. They may have any type, that of the formation
// included; what is not in the formation is one-off. The formation is asked only
// where that may change anything: where a dyno is on an older release than this or
// is not well, is called like a one-off, or nothing lasting is there at all.
func (a *app) told(ctx context.Context, running dynos, version int) (dynos, error) {
	lasts := func(d dyno) bool { return !d.oneOff }
	doubt := func(d dyno) bool {
		return lasts(d) && (d.Release.Version < version || !slices.Contains([]string{"up", "idle", "starting"}, d.State)) ||
			d.number() >= likely && d.Type != "run" && d.Type != "scheduler"
	}
	if slices.ContainsFunc(running.all, lasts) && !slices.ContainsFunc(running.all, doubt) {
		return running, nil
	}
	formation, err := a.formation(ctx)
	switch cred.ClassOf(err) {
	case cred.Done:
		return dynos{sorted(running.all, formation), missing(running.all, formation)}, nil
	case cred.Absent: // an app without any code yet; dynos are told apart by their names
		return running, nil
	}
	return running, err
}

func (a *app) formation(ctx context.Context) ([]unit, error) {
	resp, err := a.ask(ctx, "read the formation", "/formation")
	if err != nil {
		return nil, err
	}
	return many[unit](resp)
}

// sorted marks the one-off dynos. Names that carry no number are told apart by
// their type.
func sorted(running []dyno, formation []unit) []dyno {
	out := slices.Clone(running)
	for i, d := range out {
		out[i].oneOff = !slices.ContainsFunc(formation, func(u unit) bool {
			return u.Type == d.Type && *u.Quantity > 0 && d.number() <= *u.Quantity
		})
	}
	return out
}

// missing says what the formation wants where nothing of it is listed: "" if that
// is nothing, or something runs.
func missing(running []dyno, formation []unit) string {
	if slices.ContainsFunc(sorted(running, formation), func(d dyno) bool { return !d.oneOff }) {
		return ""
	}
	var wants []string
	for _, u := range formation {
		if *u.Quantity > 0 {
			wants = append(wants, fmt.Sprintf("%d %s", *u.Quantity, u.Type))
		}
	}
	return strings.Join(wants, ", ")
}
