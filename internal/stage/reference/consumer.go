package reference

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// app is the consumer.
type app struct {
	*Double
	env provider.Env
}

// start starts a process on what the app holds now.
func (d *Double) start() *Process { return d.startAs(d.image()) }

// startAs starts a process on an image.
func (d *Double) startAs(image *Process) *Process {
	p := *image
	p.ID, p.Started, p.Up = fmt.Sprintf("process-%d", len(d.M.Processes)+1), d.At, d.At.Add(d.Knobs.BootDelay.Std())
	d.M.Processes = append(d.M.Processes, &p)
	return &p
}

// image is what a process is started on: what the app holds now.
func (d *Double) image() *Process {
	env := map[string]string{}
	for k, v := range d.M.Vars {
		env[k] = v.Value
	}
	return &Process{Mark: d.M.Mark, Env: env}
}

// replace lets every process be followed by one that holds what the app holds now.
func (d *Double) replace() {
	for _, p := range d.M.Processes[:len(d.M.Processes):len(d.M.Processes)] {
		if p.Stops.IsZero() {
			d.start()
			p.Stops = d.At.Add(d.Knobs.Shutdown.Std())
		}
	}
}

// takeUp lets a write take effect, unless that is a step of its own.
func (d *Double) takeUp() {
	switch {
	case d.Applied:
	case d.Restarts:
		d.replace()
	default:
		for _, p := range d.running() {
			p.Mark, p.Env = d.M.Mark, map[string]string{}
			for k, v := range d.M.Vars {
				p.Env[k] = v.Value
			}
		}
	}
}

// running are those that are not being replaced.
func (d *Double) running() (out []*Process) {
	for _, p := range d.M.Processes {
		if p.Stops.IsZero() {
			out = append(out, p)
		}
	}
	return out
}

func (a app) held(slots []string) map[string]provider.Held {
	out := map[string]provider.Held{}
	for _, s := range slots {
		v, ok := a.M.Vars[s]
		switch {
		case !ok:
			out[s] = provider.Held{}
		case a.Hidden:
			out[s] = provider.Held{Present: true, Hidden: true, Written: v.Written, Stamp: maps.Clone(v.Stamp)}
		default:
			out[s] = provider.Held{Present: true, Value: secret.New(v.Value)}
		}
	}
	return out
}

func (a app) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	var s provider.Snapshot
	err := a.look(ctx, a.env, consumerName, "look", func() error {
		s = provider.Snapshot{Slots: a.held(slots), Mark: strconv.Itoa(a.M.Mark), Units: len(a.running())}
		if a.Restarts || a.Applied {
			s.Grace = a.Knobs.Shutdown.Std()
		}
		return nil
	})
	if err != nil {
		return provider.Snapshot{}, err
	}
	return s, nil
}

func (a app) Write(ctx context.Context, values []provider.SlotValue) error {
	return a.change(ctx, a.env, consumerName, "write", func() error {
		a.M.Image = a.image()
		a.M.Mark++
		vars := maps.Clone(a.M.Vars)
		for _, v := range values {
			if !v.Value.Present() {
				delete(vars, v.Slot)
				continue
			}
			set := Var{Value: v.Value.Reveal(), Written: a.At}
			if a.Stamps {
				set.Stamp = maps.Clone(v.Stamp)
			}
			vars[v.Slot] = set
		}
		a.M.Vars = vars
		a.ahead()
		a.takeUp()
		return nil
	})
}

// Progress looks at every process that is not being replaced.
func (a app) Progress(ctx context.Context, w provider.Followed, slots []string) (provider.Progress, error) {
	var p provider.Progress
	err := a.look(ctx, a.env, consumerName, "follow", func() error {
		since, err := strconv.Atoi(w.Since)
		if err != nil {
			since = a.M.Mark - 1 // nothing was written: the present state is meant
		}
		if a.M.Mark <= since {
			p = provider.Progress{Class: cred.Waiting, Detail: "no write is seen yet"}
			return nil
		}
		p = provider.Progress{Class: cred.Done, Mark: strconv.Itoa(a.M.Mark), Slots: a.held(slots)}
		own := a.M.Mark
		if n, err := strconv.Atoi(w.Own); err == nil {
			own = n // what others have written beside it since is not followed
		}
		for _, one := range a.running() {
			if one.Mark < own {
				p.Class, p.Detail, p.Behind = cred.Waiting, one.ID+" runs on what was there before", true
				return nil
			}
			if one.Up.After(a.At) {
				p.Class, p.Detail = cred.Waiting, one.ID+" is starting"
				return nil
			}
		}
		p.Evidence = []string{fmt.Sprintf("all %d processes run on it", len(a.running()))}
		return nil
	})
	if err != nil {
		return provider.Progress{}, err
	}
	return p, nil
}

// applied is an app of which a write takes effect by a step of its own.
type applied struct{ app }

// Apply restarts what does not run on what the app holds.
func (a applied) Apply(ctx context.Context, _ []string) error {
	return a.change(ctx, a.env, consumerName, "apply", func() error {
		for _, p := range a.running() {
			if p.Mark != a.M.Mark {
				a.replace()
				return nil
			}
		}
		return nil
	})
}
