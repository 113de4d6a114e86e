package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/screen"
	"rekey/internal/sop"
)

const defaultFile = "rekey.yaml"

// app is what all commands share.
type app struct {
	streams
	dir, file string
	database  string // instead of what rekey.yaml says

	server, tokenFrom string // the address of a server that is asked instead, and where its token is
	serverFromEnv     bool   // it is REKEY_SERVER's
	json              bool
	noColor           bool

	config    *sop.Config // as it was loaded last
	opened    estate.Operations
	showing   *face  // of the run that is shown; nil: none
	interrupt func() // ends what is going on, as Ctrl-C does; nil: nothing can

	called   string         // how this program is called; "": rekey
	fromEnv  bool           // dir is REKEY_DIR's
	command  *cobra.Command // the one that is being carried out
	args     []string
	bannered bool         // it was told that it is a simulation
	collect  func(int)    // says how much memory, in percent of what is needed, may be used before what is not needed is collected; nil: this process is not ours alone
	drawn    *atomic.Bool // the live view has the terminal's second screen; nil: nobody wants to know

	tty    func() (io.ReadWriteCloser, error) // where a person is asked whose standard input is a pipe; nil: the process's terminal
	values *bufio.Reader                      // that pipe, once it was read from
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rekey",
		Short: "Rotate credentials by a written procedure, safe to kill at any moment",
		Long: `Rekey carries out a written credential-rotation procedure: it makes the new
credential, proves it, stores it, hands it to everything that uses it, proves
that they use it, and only then takes the old one away.

Start with  rekey demo  (nothing to set up), then  rekey init.`,
		PersistentPreRunE: a.beginAt,
		SilenceErrors:     true, SilenceUsage: true, SuggestionsMinimumDistance: 2,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := fmt.Errorf("unknown command %s", args[0])
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				err = fmt.Errorf("%w (did you mean %s?)", err, near[0])
			}
			return fmt.Errorf("%w\n  next  rekey --help", err)
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	p := root.PersistentFlags()
	p.StringVarP(&a.dir, "dir", "C", ".", "folder to work in (or REKEY_DIR)")
	p.StringVarP(&a.file, "file", "f", defaultFile, "configuration, relative to the folder")
	p.StringVar(&a.database, "database", "", "database of the journal: a reference to its address (env:NAME), or its address without password")
	p.BoolVar(&a.json, "json", false, "JSON; one object a line while running")
	p.BoolVar(&a.noColor, "no-color", false, "no colours (NO_COLOR does the same)")
	a.remoteFlags(root)
	root.AddCommand(
		a.initCommand(), a.lintCommand(), a.doctorCommand(), a.checkCommand(), a.planCommand(), a.runCommand(), a.rehearseCommand(), a.revokeCommand(), a.resumeCommand(),
		a.rollbackCommand(), a.statusCommand(), a.driftCommand(), a.repairCommand(), a.discoverCommand(), a.findingsCommand(), a.acknowledgeCommand(), a.namesCommand(), a.logCommand(), a.scheduleCommand(), a.approvalsCommand(), a.approveCommand(), a.refuseCommand(), a.notifyCommand(),
		a.verifyCommand(), a.checkpointCommand(), a.journalCommand(), a.evidenceCommand(), a.sopCommand(), a.explainCommand(), a.whoamiCommand(), a.tokenCommand(), a.loginCommand(), a.logoutCommand(),
		a.demoCommand(), a.simCommand(), a.serveCommand(), a.schemaCommand(), a.driverCommand(), a.versionCommand(),
	)
	a.shells(root)
	a.wants(root)
	a.flagValues(root)
	root.Version = version
	root.SetVersionTemplate("rekey {{.Version}}\n")
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpFunc(a.help)
	root.SetUsageFunc(func(c *cobra.Command) error { a.help(c, nil); return nil })
	return root
}

// terminal reports whether a stream is a terminal that can be drawn on.
func terminal(stream any) bool {
	f, ok := file(stream)
	return ok && term.IsTerminal(int(f.Fd()))
}

// questions is where a person is asked: standard error, or the terminal itself
// if that was led elsewhere.
func (a *app) questions() (io.Writer, func()) {
	if !terminal(a.err) {
		if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
			return tty, func() { _ = tty.Close() }
		}
	}
	return a.err, func() {}
}

// sizeOf tells a terminal's size, whenever it is asked.
func sizeOf(f *os.File) screen.Size {
	return func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80, 24
		}
		return columns, rows
	}
}

func (a *app) style(stream any) report.Style {
	s := report.Style{Color: terminal(stream) && !a.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	switch os.Getenv("COLORTERM") {
	case "truecolor", "24bit":
		s.Palette = report.Exact
	default:
		if strings.Contains(os.Getenv("TERM"), "256color") {
			s.Palette = report.Indexed
		}
	}
	if f, ok := file(stream); ok && terminal(stream) {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			s.Width = w
		}
	}
	return s
}

func (a *app) now() time.Time { return time.Now() }

// print tells a person something: commands in it can be pasted, and nothing is
// wider than the terminal.
func (a *app) print(format string, args ...any) {
	_, _ = io.WriteString(a.out, a.laid(a.out, fmt.Sprintf(format, args...)))
}

func (a *app) laid(stream any, text string) string {
	return report.Fold(a.pasteable(text), a.style(stream).Width)
}

// printJSON writes one object; indented, for it is not part of a stream.
func (a *app) printJSON(v any) error {
	switch v.(type) {
	case rotation.Plan, *rotation.Plan: // as it is in a file, which may be run
	default:
		v = withDurations(v)
	}
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// complain tells an error on standard error, or as JSON.
func (a *app) complain(e exit) {
	var problems sop.Problems
	if a.json {
		out := map[string]any{"type": "error", "exit": e.code, "error": a.pasteable(e.err.Error())}
		if errors.As(e.err, &problems) {
			out["problems"] = problems
		}
		_ = json.NewEncoder(a.out).Encode(out)
		return
	}
	s := a.style(a.err)
	if errors.As(e.err, &problems) {
		for _, p := range problems {
			_, _ = fmt.Fprintln(a.err, a.laid(a.err, p.String()))
		}
		_, _ = fmt.Fprintf(a.err, "%s %s; nothing was touched\n", s.Bad("✗"), count(len(problems), "mistake"))
		return
	}
	_, _ = io.WriteString(a.err, a.laid(a.err, fmt.Sprintf("%s %v\n", s.Bad("rekey:"), e.err)))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// path is relative to the folder that -C names.
func (a *app) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(a.dir, p)
}

// load reads rekey.yaml.
func (a *app) load() (*sop.Config, error) {
	if a.server != "" {
		if a.config != nil {
			return a.config, nil
		}
		ctx := context.Background()
		if a.command != nil && a.command.Context() != nil {
			ctx = a.command.Context()
		}
		return a.configured(ctx)
	}
	path := a.configuration()
	c, err := sop.Load(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, usage("there is no %s here\n  next  write one: rekey init\n  or    see a rotation with nothing set up: rekey demo", path)
	case err != nil:
		return nil, exit{exitUsage, err}
	}
	if a.database != "" {
		if err := sop.CheckDatabase(a.database); err != nil {
			return nil, usage("--database: %v", err)
		}
		c.Database = a.database
	}
	a.banner(c)
	a.config = c
	return c, nil
}

// operations are what this command line is a face of.
func (a *app) operations() (estate.Operations, error) {
	if a.opened != nil {
		return a.opened, nil
	}
	if a.config == nil {
		if _, err := a.load(); err != nil {
			return nil, err
		}
	}
	if a.opened != nil {
		return a.opened, nil // a server's
	}
	a.opened = estate.New(a.config, estate.Surroundings{Env: os.LookupEnv, User: osUser, Tool: version, Person: a.person})
	return a.opened, nil
}

// osUser is who runs this, as far as the system knows.
func osUser() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// banner says that it is a simulation before anything else, on standard error, so that
// no pipe carries it away.
func (a *app) banner(config *sop.Config) {
	if config.Simulate == "" || a.json || a.bannered {
		return
	}
	a.bannered = true
	_, _ = fmt.Fprintln(a.err, a.laid(a.err, a.style(a.err).Mind("SIMULATED")+" by "+config.Simulate+": no vendor is asked, and nothing real is changed"))
}
