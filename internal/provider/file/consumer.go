package file

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
)

// otherwise is the grace where old processes may finish what they do, out of sight.
const otherwise = 30 * time.Second

// consumer is a file and who reads it.
type consumer struct {
	*place
	s ConsumerSettings
}

// Calls tells what changes something.
func (c *consumer) Calls() map[string]string {
	apply := c.restarts()
	if apply == "" {
		apply = "nothing: it is read each time that it is used"
	}
	return map[string]string{"write": "replace " + c.place.s.Path, "apply": apply}
}

// restarts is what makes a write effective, in words; "": nothing has to be done.
func (c *consumer) restarts() string {
	switch {
	case len(c.s.Units) > 0 && c.s.Reload:
		return "systemctl reload " + strings.Join(c.s.Units, " ")
	case len(c.s.Units) > 0:
		return "systemctl restart " + strings.Join(c.s.Units, " ")
	case len(c.s.Command) > 0:
		return "run " + c.s.Command[0]
	}
	return ""
}

// proves reports whether anything but the file itself tells what is in use.
func (c *consumer) proves() bool {
	return len(c.s.Units)+len(c.s.Pidfiles)+len(c.s.Check) > 0
}

// Held returns what the slots hold now.
func (c *consumer) Held(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	const op = "read the file"
	f, err := c.load(ctx, op)
	if err != nil {
		return nil, err
	}
	return c.held(op, f, slots)
}

// Snapshot reads the file and looks at the processes.
func (c *consumer) Snapshot(ctx context.Context, slots []string) (s provider.Snapshot, err error) {
	const op = "read the file"
	f, err := c.load(ctx, op)
	if err != nil {
		return s, err
	}
	if s.Slots, err = c.held(op, f, slots); err != nil {
		return s, err
	}
	if !c.proves() {
		s.Notes = append(s.Notes, "whoever reads "+c.place.s.Path+" is taken to read it each time it is used: nothing proves what is in use")
		return s, nil
	}
	s.Mark = since(f)
	if len(c.s.Command) > 0 || c.s.Reload {
		s.Grace = otherwise
	}
	s.Grace = c.s.Grace.Or(s.Grace)
	for _, unit := range c.s.Units {
		s.Restarts = append(s.Restarts, "file:unit "+unit)
	}
	found, err := c.processes(ctx)
	if err != nil {
		return s, err
	}
	for _, p := range found {
		switch {
		case p.pid != 0:
			s.Units++
		case p.moves:
			s.Pending = true
			s.Problems = append(s.Problems, p.says)
		default:
			s.Problems = append(s.Problems, p.says)
		}
	}
	if c.s.Environment {
		for _, p := range found {
			if detail, _, err := c.runsWith(ctx, p, f, slots); err != nil {
				return s, err
			} else if detail != "" {
				s.Problems = append(s.Problems, detail+": restart it first")
			}
		}
	}
	return s, nil
}

// Write replaces the file. Until Apply, processes have the old values, which Progress says.
func (c *consumer) Write(ctx context.Context, values []provider.SlotValue) error {
	_, err := c.write(ctx, "write the file", values, func(outside.File) error { return nil })
	return err
}

// Apply restarts or reloads who reads the file. Processes whose environment is seen to
// hold it already are left alone.
func (c *consumer) Apply(ctx context.Context, slots []string) error {
	what := c.restarts()
	if what == "" {
		return nil
	}
	if c.s.Environment {
		if p, err := c.Progress(ctx, provider.Followed{}, slots); err == nil && p.Class == cred.Done {
			return nil
		}
	}
	command := outside.Command{Path: "systemctl", Args: []string{"--no-block", "restart"}}
	switch {
	case len(c.s.Command) > 0:
		command = outside.Command{Path: c.s.Command[0], Args: c.s.Command[1:]}
	case c.s.Reload:
		command.Args[1] = "reload"
	}
	if len(c.s.Units) > 0 {
		command.Args = append(append(command.Args, "--"), c.s.Units...)
	}
	return c.env.Change(ctx, c.name, what, func(ctx context.Context) error {
		ended, err := c.env.Ways().Exec(ctx, command)
		if err == nil && ended.Exit != 0 {
			err = &cred.Error{Class: cred.Unknown, Why: fmt.Sprintf("%s ended with status %d", command.Path, ended.Exit)}
		}
		return err
	})
}

// Progress tells whether everything that reads the file has taken it up since it was
// written: by the environment of the processes, by when they started, by the check.
func (c *consumer) Progress(ctx context.Context, w provider.Followed, slots []string) (p provider.Progress, err error) {
	const op = "read the file"
	f, err := c.load(ctx, op)
	if err != nil {
		return p, err
	}
	if p.Slots, err = c.held(op, f, slots); err != nil {
		return p, err
	}
	p.Class = cred.Done
	if !c.proves() {
		return p, nil
	}
	p.Mark = since(f)
	found, err := c.processes(ctx)
	if err != nil {
		return p, err
	}
	for _, proc := range found {
		if proc.pid == 0 {
			p.Class, p.Detail, p.Unwell = cred.Waiting, proc.says, proc.failed
			if proc.failed {
				p.Class = cred.Failed
			}
			return p, nil
		}
		detail := ""
		switch {
		case c.s.Environment:
			detail, p.Behind, err = c.runsWith(ctx, proc, f, slots)
			p.Evidence = append(p.Evidence, fmt.Sprintf("process %d of %s has the values in its environment", proc.pid, proc.of))
		case w.Since == "": // nothing was written that it would have to be younger than
			p.Evidence = append(p.Evidence, fmt.Sprintf("process %d of %s runs", proc.pid, proc.of))
		case !c.s.Reload:
			var started time.Time
			started, err = c.started(ctx, proc)
			if err == nil && !holds(started, f, w) {
				detail, p.Behind = fmt.Sprintf("process %d of %s runs since before the file was written", proc.pid, proc.of), true
			}
			p.Evidence = append(p.Evidence, fmt.Sprintf("process %d of %s started after the file was written", proc.pid, proc.of))
		}
		if err != nil {
			return p, err
		}
		if detail != "" {
			p.Class, p.Detail, p.Evidence = cred.Waiting, detail, nil
			return p, nil
		}
	}
	if len(c.s.Check) > 0 {
		exit, err := c.check(ctx)
		if err != nil {
			return p, err
		}
		if exit != 0 {
			p.Class, p.Detail, p.Evidence = cred.Waiting, fmt.Sprintf("the check %s ends with status %d", c.s.Check[0], exit), nil
			return p, nil
		}
		p.Evidence = append(p.Evidence, "the check "+c.s.Check[0]+" ends with status 0")
	}
	return p, nil
}

func (c *consumer) check(ctx context.Context) (exit int, err error) {
	err = c.env.Look(ctx, c.name, "run the check "+c.s.Check[0], func(ctx context.Context) error {
		ended, err := c.env.Ways().Exec(ctx, outside.Command{Path: c.s.Check[0], Args: c.s.Check[1:]})
		exit = ended.Exit
		return err
	})
	return exit, err
}
