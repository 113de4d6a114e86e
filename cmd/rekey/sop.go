package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/document"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
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
	ops, err := a.operations()
	if err != nil {
		return err
	}
	w := &sopWriter{app: a, ops: ops, flags: f, ctx: ctx}
	switch {
	case f.check != "":
		return w.checkAll(specs, len(args) == 0)
	case f.out != "":
		return w.writeAll(specs, len(args) == 0)
	}
	return w.pages(specs, f.html, func(p estate.Page) error {
		if a.json {
			return a.printJSON(map[string]string{"credential": p.Credential, "page": string(p.Text)})
		}
		_, err := a.out.Write(p.Text)
		return err
	})
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

// sopWriter writes pages, and holds them against copies.
type sopWriter struct {
	*app
	ops   estate.Operations
	flags sopFlags
	ctx   context.Context
}

// pages hands over the page of each.
func (w *sopWriter) pages(specs []sop.Spec, html bool, each func(estate.Page) error) error {
	names := []string{}
	for _, s := range specs {
		names = append(names, s.Name)
	}
	return w.told(w.ops.Document(w.ctx, estate.Documenting{Credentials: names, HTML: html, Stable: w.flags.stable || w.flags.check != ""}, each))
}

func (w *sopWriter) file(base string, name string, many bool) string {
	return w.path(w.named(base, name, many))
}

// named is that file as it is given to a command, from the folder that -C names.
func (w *sopWriter) named(base string, name string, many bool) string {
	if !many {
		return base
	}
	ext := ".md"
	if w.flags.html {
		ext = ".html"
	}
	return filepath.Join(base, name+ext)
}

func (w *sopWriter) writeAll(specs []sop.Spec, many bool) error {
	if many {
		if err := os.MkdirAll(w.path(w.flags.out), 0o755); err != nil {
			return exit{exitFailed, fmt.Errorf("make the folder: %w", err)}
		}
	}
	var written []string
	err := w.pages(specs, w.flags.html, func(p estate.Page) error {
		file := w.file(w.flags.out, p.Credential, many)
		if err := os.WriteFile(file, p.Text, 0o644); err != nil {
			return exit{exitFailed, fmt.Errorf("write the page: %w", err)}
		}
		written = append(written, file)
		return nil
	})
	if err != nil {
		return err
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
		file := w.file(w.flags.check, s.Name, many)
		copied, err := os.ReadFile(file)
		if err != nil {
			return exit{exitFailed, fmt.Errorf("read the copy: %w\n  next  rekey sop %s --stable --out %s", err, s.Name, report.Quote(w.named(w.flags.check, s.Name, many)))}
		}
		html := w.flags.html || strings.EqualFold(filepath.Ext(file), ".html") || bytes.HasPrefix(copied, []byte("<!doctype"))
		d := ""
		err = w.pages([]sop.Spec{s}, html, func(p estate.Page) error {
			d = document.Differ(copied, p.Text)
			return nil
		})
		if err != nil {
			return err
		}
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
			w.print("\n  next  rekey sop %s --stable --out %s\n", specs[i].Name, report.Quote(w.named(w.flags.check, specs[i].Name, many)))
		}
	}
	if differ > 0 {
		return exit{exitNeeds, nil}
	}
	return nil
}
