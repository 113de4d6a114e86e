package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/document"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// sopFlags are the flags of rekey sop.
type sopFlags struct {
	html, stable bool
	out, check   string
}

func (a *app) sopCommand() *cobra.Command {
	var f sopFlags
	c := &cobra.Command{
		Use: "sop [NAME]", Short: "The written procedure of a credential, with everything to do it by hand",
		Long: `Render the written procedure from the configuration and the journal that rekey
itself works by: when to run, prerequisites with their present state, every step
with the commands for doing it by hand, rollback, vendor pages, known gotchas.
Nothing is asked of a vendor, and no secret is read.

Without NAME it lists what can be rendered, or writes all of it with --out FOLDER.

--check compares a committed copy in what the configuration determines: lines that
change with time or history are passed over, whether the copy has them or not.

Exit codes: 0, 1 a file cannot be read or written, 2 usage or rekey.yaml,
6 with --check where the copy says something else.`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error { return a.sop(c.Context(), args, f) },
	}
	c.Flags().BoolVar(&f.html, "html", false, "one self-contained HTML page instead of Markdown")
	c.Flags().BoolVar(&f.stable, "stable", false, "leave out what changes with time and history: for a committed copy")
	c.Flags().StringVar(&f.out, "out", "", "write to a file; without NAME: to a folder, a page for each credential")
	c.Flags().StringVar(&f.check, "check", "", "compare with a copy (a folder without NAME) and change nothing")
	c.MarkFlagsMutuallyExclusive("out", "check")
	return c
}

func (a *app) sop(ctx context.Context, args []string, f sopFlags) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	specs := config.Specs
	if len(args) == 1 {
		spec, err := config.Spec(args[0])
		if err != nil {
			return notThere(err)
		}
		specs = []sop.Spec{spec}
	}
	if len(specs) == 0 {
		return usage("rekey.yaml names no credentials yet\n  next  rekey init")
	}
	if len(args) == 0 && f.out == "" && f.check == "" {
		if f.html || f.stable {
			return usage("--html and --stable want a name, or --out FOLDER for all of them\n  next  rekey sop %s", specs[0].Name)
		}
		return a.listSOPs(config)
	}
	w, err := a.writer(ctx, config, specs, f)
	if err != nil {
		return err
	}
	defer w.close()
	switch {
	case f.check != "":
		return w.checkAll(specs, len(args) == 0)
	case f.out != "":
		return w.writeAll(specs, len(args) == 0)
	}
	page, err := w.page(specs[0])
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]string{"credential": specs[0].Name, "page": string(page)})
	}
	_, err = a.out.Write(page)
	return err
}

// listSOPs says what can be rendered.
func (a *app) listSOPs(config *sop.Config) error {
	type line struct {
		Credential string `json:"credential"`
		Procedure  string `json:"procedure,omitempty"`
		Issuer     string `json:"issuer"`
		Next       string `json:"next"`
	}
	var lines []line
	for _, s := range config.Specs {
		lines = append(lines, line{s.Name, s.Procedure, s.Issuer.Vendor + " " + s.Issuer.Kind, "rekey sop " + s.Name})
	}
	if a.json {
		return a.printJSON(map[string]any{"procedures": lines})
	}
	width := 0
	for _, l := range lines {
		width = max(width, len(l.Credential))
	}
	s := a.style(a.out)
	for _, l := range lines {
		a.print("%-*s  %s\n", width, l.Credential, s.Dim(l.Issuer+"  "+l.Procedure))
	}
	a.print("\n  next  rekey sop %s\n  or    all of them: rekey sop --out procedures\n", lines[0].Credential)
	return nil
}

// sopWriter renders pages.
type sopWriter struct {
	*app
	config  *sop.Config
	flags   sopFlags
	ctx     context.Context
	now     *document.Now    // nil with --stable
	journal *journal.Journal // nil: there is none yet, or nothing of it is wanted
}

func (w *sopWriter) close() {
	if w.journal != nil {
		_ = w.journal.Close()
	}
}

// writer reads what all pages share from the journal, if there is one, and keeps it
// open for what each page reads.
func (a *app) writer(ctx context.Context, config *sop.Config, specs []sop.Spec, f sopFlags) (*sopWriter, error) {
	w := &sopWriter{app: a, config: config, flags: f, ctx: ctx}
	if f.stable || f.check != "" {
		return w, nil
	}
	known, err := a.known(ctx, config)
	if err != nil {
		return nil, err
	}
	w.now = &document.Now{At: a.now().UTC(), Simulated: simulated(config), Known: known, Refs: a.references(config, specs)}
	w.journal, err = journal.OpenExisting(a.journalDir(config))
	switch {
	case errors.Is(err, journal.ErrNone):
		w.journal = nil
	case err != nil:
		return nil, exit{exitFailed, err}
	default:
		w.now.Journal = config.Journal
	}
	return w, nil
}

// last adds what the journal knows of one credential.
func (w *sopWriter) last(name string, into *document.Now) (err error) {
	if w.journal == nil {
		return nil
	}
	book := history.Book{J: w.journal}
	if into.Plan, into.PlanAt, err = book.LastPlan(w.ctx, name); err != nil {
		return exit{exitFailed, err}
	}
	if into.Check, into.CheckAt, err = book.LastCheck(w.ctx, name); err != nil {
		return exit{exitFailed, err}
	}
	return nil
}

// page renders one page.
func (w *sopWriter) page(spec sop.Spec) ([]byte, error) {
	hands, err := wire.ByHand(spec, w.config.Vendors)
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	in := document.Input{Spec: spec, Can: hands.Can, Issuer: hands.Issuer, Store: hands.Store, Consumers: hands.Consumers}
	for _, s := range w.config.Specs {
		if s.Name == spec.Name || spec.Procedure != "" && s.Procedure == spec.Procedure {
			in.Siblings = append(in.Siblings, s)
		}
	}
	in.Pattern = w.config.Patterns[spec.Procedure]
	if w.now != nil {
		here := *w.now
		if err := w.last(spec.Name, &here); err != nil {
			return nil, err
		}
		in.Now = &here
	}
	d, err := document.Build(in)
	if err != nil {
		return nil, exit{exitUsage, fmt.Errorf("%s: %w", spec.Name, err)}
	}
	if w.flags.html {
		return d.HTML(), nil
	}
	return d.Markdown(), nil
}

func (w *sopWriter) file(base string, spec sop.Spec, many bool) string {
	return w.path(w.named(base, spec, many))
}

// named is that file as it is given to a command, from the folder that -C names.
func (w *sopWriter) named(base string, spec sop.Spec, many bool) string {
	if !many {
		return base
	}
	ext := ".md"
	if w.flags.html {
		ext = ".html"
	}
	return filepath.Join(base, spec.Name+ext)
}

func (w *sopWriter) writeAll(specs []sop.Spec, many bool) error {
	if many {
		if err := os.MkdirAll(w.path(w.flags.out), 0o755); err != nil {
			return exit{exitFailed, fmt.Errorf("make the folder: %w", err)}
		}
	}
	var written []string
	for _, s := range specs {
		page, err := w.page(s)
		if err != nil {
			return err
		}
		file := w.file(w.flags.out, s, many)
		if err := os.WriteFile(file, page, 0o644); err != nil {
			return exit{exitFailed, fmt.Errorf("write the page: %w", err)}
		}
		written = append(written, file)
	}
	if w.json {
		return w.printJSON(map[string]any{"written": written})
	}
	for _, f := range written {
		w.print("wrote %s\n", f)
	}
	return nil
}

// checkAll compares committed copies in what the configuration determines.
func (w *sopWriter) checkAll(specs []sop.Spec, many bool) error {
	type result struct {
		File string `json:"file"`
		Same bool   `json:"same"`
		Diff string `json:"diff,omitempty"`
	}
	var results []result
	differ := 0
	for _, s := range specs {
		file := w.file(w.flags.check, s, many)
		copied, err := os.ReadFile(file)
		if err != nil {
			return exit{exitFailed, fmt.Errorf("read the copy: %w\n  next  rekey sop %s --stable --out %s", err, s.Name, report.Quote(w.named(w.flags.check, s, many)))}
		}
		one := *w
		one.flags.html = w.flags.html || strings.EqualFold(filepath.Ext(file), ".html") || bytes.HasPrefix(copied, []byte("<!doctype"))
		page, err := one.page(s)
		if err != nil {
			return err
		}
		d := document.Differ(copied, page)
		if d != "" {
			differ++
		}
		results = append(results, result{file, d == "", d})
	}
	if w.json {
		if err := w.printJSON(map[string]any{"copies": results, "differ": differ}); err != nil {
			return err
		}
	}
	s := w.style(w.out)
	for i, r := range results {
		switch {
		case w.json:
		case r.Same:
			w.print("%s %s says what runs\n", s.Good("✓"), r.File)
		default:
			w.print("%s %s does not say what runs (- the copy, + rekey.yaml)\n\n", s.Bad("✗"), r.File)
			// As it stands in the files: commands of a page are not this machine's.
			_, _ = io.WriteString(w.out, report.Fold(r.Diff, s.Width))
			w.print("\n  next  rekey sop %s --stable --out %s\n", specs[i].Name, report.Quote(w.named(w.flags.check, specs[i], many)))
		}
	}
	if differ > 0 {
		return exit{exitNeeds, nil}
	}
	return nil
}
