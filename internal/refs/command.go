package refs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// lingering is how long a command's children may keep its output open after it
// has ended.
const lingering = time.Second

// run runs a command through the shell. Its standard error and input stay the
// person's, for password managers that ask; what it prints is the secret and is
// not shown, even if it fails. When it takes too long, prints without end or
// leaves children behind that hold its output, all of them are ended.
func run(ctx context.Context, command string, patience time.Duration) ([]byte, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	shell, flag := "sh", "-c"
	if runtime.GOOS == "windows" {
		shell, flag = "cmd", "/C"
	}
	c := exec.CommandContext(within, shell, flag, command)
	out := &bounded{full: cancel}
	c.Stdout, c.Stderr, c.Stdin = out, os.Stderr, os.Stdin
	c.WaitDelay = lingering
	end := together(c)
	err := c.Run()
	if err != nil {
		end()
	}
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it ended well, and a child holds its output
		return out.b, nil
	case out.over:
		err = tooLarge()
	case ctx.Err() != nil:
		err = ctx.Err()
	case within.Err() != nil:
		err = fmt.Errorf("the command did not end within %s", patience)
	default:
		err = fmt.Errorf("the command failed: %w", err)
	}
	clear(out.b)
	return nil, err
}

// bounded keeps what is written up to a bound, and ends the writer beyond it.
type bounded struct {
	b    []byte
	over bool
	full func()
}

func (w *bounded) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > maxValue {
		w.over = true
		w.full()
		return 0, errors.New("enough")
	}
	w.b = append(w.b, p...)
	return len(p), nil
}
