package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
)

// process is one that reads the file when it starts.
type process struct {
	of     string // the unit, or the file with its number
	pid    int    // 0: it does not run
	says   string // why not
	moves  bool   // it is being started or stopped
	failed bool   // whoever starts it has given up
}

// ticks is the unit of times in /proc on every architecture that Linux runs on today
// [man 5 proc_pid_stat: starttime, in sysconf(_SC_CLK_TCK); 100].
const ticks = 100

// processes looks at all of them.
func (c *consumer) processes(ctx context.Context) ([]process, error) {
	var out []process
	for _, unit := range c.s.Units {
		p, err := c.unit(ctx, unit)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	for _, path := range c.s.Pidfiles {
		p, err := c.numbered(ctx, path)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// unit asks systemd for the main process of a unit [man 1 systemctl, show].
func (c *consumer) unit(ctx context.Context, unit string) (process, error) {
	p := process{of: unit}
	op := "look at the unit " + unit
	err := c.env.Look(ctx, c.name, op, func(ctx context.Context) error {
		ended, err := c.env.Ways().Exec(ctx, outside.Command{Path: "systemctl", Args: []string{"show", "--property=LoadState,ActiveState,MainPID,Job", "--", unit}})
		if err != nil {
			return err
		}
		said := map[string]string{}
		for line := range strings.Lines(ended.Stdout.Reveal()) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			said[k] = v
		}
		pid, bad := strconv.Atoi(said["MainPID"])
		switch state := said["ActiveState"]; {
		case ended.Exit != 0:
			return c.wrong(op, cred.Unknown, "systemctl ended with status %d", ended.Exit)
		case said["LoadState"] == "not-found":
			return c.wrong(op, cred.Absent, "systemd knows no unit %s", unit)
		case bad != nil || said["LoadState"] == "":
			return c.wrong(op, cred.Unknown, "the output of systemctl is not understood")
		case said["Job"] != "" && said["Job"] != "0":
			p.moves, p.says = true, "unit "+unit+" is being started or stopped"
		case state == "failed":
			p.failed, p.says = true, "unit "+unit+" has failed"
		case state != "active" && state != "inactive":
			p.moves, p.says = true, "unit "+unit+" is "+word(state)
		case state == "inactive" || pid == 0:
			p.says = "unit " + unit + " has no process"
		default:
			p.pid = pid
		}
		return nil
	})
	return p, err
}

// word is a state of a unit, if it is one [man 1 systemd].
func word(state string) string {
	switch state {
	case "activating", "deactivating", "reloading", "refreshing", "maintenance":
		return state
	}
	return "in a state that is not known here"
}

// numbered reads the number of a process from a file and looks whether it runs.
func (c *consumer) numbered(ctx context.Context, path string) (process, error) {
	p := process{of: path}
	op := "look at the process of " + path
	err := c.env.Look(ctx, c.name, op, func(context.Context) error {
		f, err := c.env.Ways().Files().Read(path, 64)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			p.says = "there is no " + path + ": the process does not run, or writes its number elsewhere"
			return nil
		case err != nil:
			return c.told(op, path, err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(f.Content.Reveal()))
		if err != nil || pid < 1 {
			p.says = path + " holds no process id" // it is written just now
			return nil
		}
		stat, err := c.env.Ways().Files().Read(fmt.Sprintf("/proc/%d/stat", pid), 4096)
		if _, zombie := fields(stat.Content.Reveal()); errors.Is(err, fs.ErrNotExist) || err == nil && zombie {
			p.says = fmt.Sprintf("process %d of %s does not run", pid, path)
			return nil
		}
		p.pid = pid
		return c.told(op, "/proc", err)
	})
	return p, err
}

// fields are those of /proc/PID/stat behind the name, which may hold anything.
func fields(stat string) (f []string, zombie bool) {
	if i := strings.LastIndexByte(stat, ')'); i >= 0 {
		f = strings.Fields(stat[i+1:])
	}
	return f, len(f) > 0 && (f[0] == "Z" || f[0] == "X")
}

// started tells when a process began, by the clock of this machine and to a hundredth
// of a second: its start and the uptime are counted from the same moment.
func (c *consumer) started(ctx context.Context, p process) (at time.Time, err error) {
	op := fmt.Sprintf("look when process %d started", p.pid)
	err = c.env.Look(ctx, c.name, op, func(context.Context) error {
		files := c.env.Ways().Files()
		stat, err := files.Read(fmt.Sprintf("/proc/%d/stat", p.pid), 4096)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it ended: it began before anything
		}
		up, err2 := files.Read("/proc/uptime", 128)
		now := c.env.Now()
		if err = errors.Join(err, err2); err != nil {
			return c.told(op, "/proc", err)
		}
		f, _ := fields(stat.Content.Reveal())
		upText, _, _ := strings.Cut(up.Content.Reveal(), " ")
		seconds, err := strconv.ParseFloat(upText, 64)
		if err != nil || len(f) < 20 {
			return c.wrong(op, cred.Unknown, "the content of /proc is not understood")
		}
		begun, err := strconv.ParseInt(f[19], 10, 64)
		if err != nil {
			return c.wrong(op, cred.Unknown, "the content of /proc is not understood")
		}
		at = now.Add(-time.Duration(seconds*float64(time.Second)) + time.Duration(begun)*time.Second/ticks)
		return nil
	})
	return at, err
}

// slack is how exactly a start is known: two hundredths.
const slack = 2 * time.Second / ticks

// holds reports whether a process that started then has what the file holds now: it
// read the present file, or the one before it that held the same.
func holds(started time.Time, f outside.File, w provider.Followed) bool {
	started = started.Add(slack)
	if !started.Before(f.Changed) {
		return true
	}
	same, err1 := strconv.ParseInt(w.Same, 10, 64)
	next, err2 := strconv.ParseInt(w.Since, 10, 64)
	return err1 == nil && err2 == nil && !started.Before(time.Unix(0, same)) && started.Before(time.Unix(0, next))
}

// runsWith returns why a process is not seen to have what the file holds; "": it has.
func (c *consumer) runsWith(ctx context.Context, p process, f outside.File, slots []string) (detail string, behind bool, err error) {
	if p.pid == 0 {
		return "", false, nil
	}
	want, err := c.held("compare the environment", f, slots)
	if err != nil {
		return "", false, err
	}
	op := fmt.Sprintf("read the environment of process %d", p.pid)
	err = c.env.Look(ctx, c.name, op, func(context.Context) error {
		has, err := c.env.Ways().Files().Read(fmt.Sprintf("/proc/%d/environ", p.pid), largest)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			detail = fmt.Sprintf("process %d of %s has ended", p.pid, p.of)
			return nil
		case errors.Is(err, fs.ErrPermission):
			return c.wrong(op, cred.Denied, "only its own user and root may")
		case err != nil:
			return c.told(op, "/proc", err)
		}
		variables := "\x00" + has.Content.Reveal() + "\x00"
		for _, name := range slots {
			set := "\x00" + name + "="
			if h := want[name]; h.Present {
				set += h.Value.Reveal() + "\x00"
			}
			if strings.Contains(variables, set) != want[name].Present {
				detail, behind = fmt.Sprintf("process %d of %s still runs with another value in %s", p.pid, p.of, name), true
			}
		}
		return nil
	})
	return detail, behind, err
}
