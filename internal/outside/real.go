package outside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"rekey/internal/secret"
)

const (
	dialPatience = 10 * time.Second
	execPatience = 30 * time.Second
	execLimit    = 1 << 20
	// lingering is how long children of a command may keep its output open after it
	// has ended.
	lingering = time.Second
)

// Real are the ways of this machine.
type Real struct{}

// Dial opens a connection.
func (Real) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialPatience}
	return d.DialContext(ctx, network, address)
}

// Files are this machine's.
func (Real) Files() Files { return disk{} }

// Exec starts a program in a process group of its own.
func (Real) Exec(ctx context.Context, c Command) (Ended, error) {
	if c.Patience == 0 {
		c.Patience = execPatience
	}
	if c.Limit == 0 {
		c.Limit = execLimit
	}
	within, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	cmd := exec.CommandContext(within, c.Path, c.Args...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	if cmd.Env == nil {
		cmd.Env = append(ordinary(), c.More...)
	}
	out, bad := &bounded{limit: c.Limit, full: cancel}, &bounded{limit: c.Limit, full: cancel}
	cmd.Stdout, cmd.Stderr, cmd.Stdin = out, bad, strings.NewReader(c.Stdin.Reveal())
	cmd.WaitDelay = lingering
	end := Group(cmd)
	defer follow(cmd)()
	if err := cmd.Start(); err != nil {
		return Ended{}, fmt.Errorf("%s: %w: %w", c.Path, ErrNotStarted, err)
	}
	err := cmd.Wait()
	if err != nil {
		end()
	}
	e := Ended{Exit: cmd.ProcessState.ExitCode(), Stdout: secret.New(out.String()), Stderr: secret.New(bad.String())}
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case out.over || bad.over:
		return e, fmt.Errorf("%s: what it printed: %w", c.Path, ErrTooLarge)
	case ctx.Err() != nil:
		return e, fmt.Errorf("%s: %w", c.Path, ctx.Err())
	case within.Err() != nil:
		return e, fmt.Errorf("%s: it did not end within %s", c.Path, c.Patience)
	case err == nil, exited, errors.Is(err, exec.ErrWaitDelay): // it ended, and a child holds its output
		return e, nil
	}
	return e, fmt.Errorf("%s: %w", c.Path, err)
}

// ordinary is what a program needs to be found and to print in UTF-8, and nothing of
// what this process was started with besides: a token among it.
func ordinary() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "LANG", "SystemRoot", "TEMP"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// bounded keeps what is written up to a bound, and ends the writer beyond it. The
// buffer is not embedded: its ReadFrom would go around the bound.
type bounded struct {
	b     bytes.Buffer
	limit int
	over  bool
	full  func()
}

func (w *bounded) Write(p []byte) (int, error) {
	if w.b.Len()+len(p) > w.limit {
		w.over = true
		w.full()
		return 0, ErrTooLarge
	}
	return w.b.Write(p)
}

func (w *bounded) String() string { return w.b.String() }
