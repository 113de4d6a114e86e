// Command rekey rotates credentials by a written procedure.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"rekey/internal/screen"
)

func main() { os.Exit(Main()) }

// Main is the program with its real surroundings; it returns the exit code.
func Main() int {
	noCore()
	var drawn atomic.Bool
	ctx, interrupt, stop := signals(func() {
		if drawn.Load() {
			_, _ = io.WriteString(os.Stderr, screen.Leave)
		}
	})
	defer stop()
	collect := func(percent int) { debug.SetGCPercent(percent) } // until this process ends, as it does with its command
	a := &app{drawn: &drawn, collect: collect, interrupt: interrupt, streams: streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}, called: invocation()}
	return a.execute(ctx, os.Args[1:])
}

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes are an API (rekey explain "exit codes").
const (
	exitDone       = 0
	exitFailed     = 1 // error, nothing was changed
	exitUsage      = 2 // usage or rekey.yaml
	exitRolledBack = 3
	exitStuck      = 4
	exitWaiting    = 5
	exitNeeds      = 6  // something has drifted or was found, or is due where that was asked
	exitEvidence   = 10 // the journal does not verify
	exitLocked     = 11 // another run is open
)

// exit carries an exit code; a nil error means that everything was said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return exit{exitUsage, fmt.Errorf(format, args...)}
}

func execute(ctx context.Context, args []string, std streams) int {
	return (&app{streams: std}).execute(ctx, args)
}

func (a *app) execute(ctx context.Context, args []string) int {
	a.openOutlets()
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var e exit
	if !errors.As(err, &e) {
		e = exit{exitUsage, err} // cobra's own errors are about usage
	}
	if e.err != nil {
		a.complain(e)
	}
	return e.code
}

// signals: the first interruption lets what is in flight finish, the second ends
// the program at once; the journal knows what was meant. A terminal that goes
// away interrupts too, and never ends anything at once: it says so twice, through
// the system and through the shell. Nor does a pipe that nobody reads: whoever
// writes into it notices.
// atOnce is what is done before the program ends so.
func signals(atOnce func()) (ctx context.Context, interrupt, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c, gone, pipe := make(chan os.Signal, 2), make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	signal.Notify(pipe, syscall.SIGPIPE) // without a reader: not ending us is all that is wanted
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(gone, syscall.SIGHUP)
	}
	go func() {
		for range gone {
			cancel()
		}
	}()
	go func() {
		<-c
		cancel()
		<-c
		atOnce()
		os.Exit(exitKilled)
	}()
	return ctx, cancel, func() { signal.Stop(c); signal.Stop(gone); cancel() }
}
