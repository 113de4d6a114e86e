package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/dossier"
	"rekey/internal/estate"
	"rekey/internal/report"
)

type evidenceFlags struct{ from, to, credential, out string }

func (a *app) evidenceCommand() *cobra.Command {
	var f evidenceFlags
	c := &cobra.Command{
		Use: "evidence --from DATE [--to DATE]", Short: "What was done in a period, with proofs, for somebody who was not there",
		Long: `Tell what was done in a period: every credential in scope, with or without a run;
every run, whatever became of it, by whom, why, confirmed by whom, with the proof of
every consumer and that the old one is denied; what was not covered; what comparisons
found; and the journal's entries with proofs.

--out DIR writes evidence.jsonl (verify with: rekey verify --export FILE --key KEY),
evidence.html to be read and printed, and checkpoint.txt. --json writes the JSON lines
to standard output.

DATE is a day (2026-01-31, UTC; --to includes it) or a moment (RFC 3339). It asks no
vendor.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.evidence(c.Context(), f) },
	}
	c.Flags().StringVar(&f.from, "from", "", "first day, or moment (required)")
	c.Flags().StringVar(&f.to, "to", "", "last day, or moment (default: now)")
	c.Flags().StringVar(&f.credential, "credential", "", "only this credential; the export then proves nothing about the others")
	c.Flags().StringVar(&f.out, "out", "", "folder for the export; never overwritten")
	return c
}

// period reads --from and --to.
func (f evidenceFlags) period(now time.Time) (from, to time.Time, err error) {
	if f.from == "" {
		return from, to, usage("which period?\n  next  rekey evidence --from %s", now.UTC().AddDate(0, -3, 0).Format(time.DateOnly))
	}
	if from, _, err = moment(f.from); err != nil {
		return from, to, usage("--from: %v", err)
	}
	to = now.UTC()
	if f.to != "" {
		whole := false
		if to, whole, err = moment(f.to); err != nil {
			return from, to, usage("--to: %v", err)
		}
		if whole {
			to = to.AddDate(0, 0, 1)
		}
	}
	if !from.Before(to) {
		return from, to, usage("--from %s is not before --to", f.from)
	}
	return from, to, nil
}

// moment reads a day, which is a whole one, or a moment.
func moment(s string) (t time.Time, whole bool, err error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, true, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), false, nil
	}
	return t, false, fmt.Errorf("%q is neither a day (2026-01-31) nor a moment (2026-01-31T12:00:00Z)", s)
}

func (a *app) evidence(ctx context.Context, f evidenceFlags) error {
	from, to, err := f.period(a.now())
	if err != nil {
		return err
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	var into []io.Writer
	var x *export
	if f.out != "" {
		if x, err = a.export(f.out); err != nil {
			return err
		}
		into = append(into, x)
	}
	if a.json {
		into = append(into, a.out)
	}
	var lines func([]byte) error
	if len(into) > 0 {
		lines = func(p []byte) error { _, err := io.MultiWriter(into...).Write(p); return err }
	}
	// A year is read in pieces: what each leaves behind is thrown away soon, so that the
	// whole fits where the journal does.
	if a.collect != nil {
		a.collect(15)
	}
	found, err := ops.Evidence(ctx, estate.Period{From: from, To: to, Credential: f.credential}, lines)
	d := found.Dossier
	if x != nil {
		if err := x.end(d, err); err != nil {
			return err
		}
	}
	if err != nil {
		return a.told(err)
	}
	a.unsent(found.Evidence) // with --json as well: standard output is the export
	switch {
	case a.json:
	case f.out != "":
		a.print("%s\n  %s  to be read and printed\n  %s  the evidence\n  next  rekey verify --export %s\n", dossier.Line(d),
			filepath.Join(f.out, "evidence.html"), filepath.Join(f.out, "evidence.jsonl"), report.Quote(filepath.Join(f.out, "evidence.jsonl")))
	default:
		a.print("%s", dossier.Text(d, a.style(a.out)))
		a.print("  next  with proofs, as a page and as JSON lines: rekey evidence --from %s%s --out evidence\n", f.from, optional(" --to ", f.to))
	}
	return nil
}

func optional(flag, value string) string {
	if value == "" {
		return ""
	}
	return flag + value
}

// export is a folder that was not there, and that is made when there is something to
// write: what is refused leaves none.
type export struct {
	dir   string
	lines *os.File
	err   error // why it cannot be written
}

func (a *app) export(dir string) (*export, error) {
	x := &export{dir: a.path(dir)}
	if _, err := os.Lstat(x.dir); err == nil {
		return nil, x.there()
	}
	return x, nil
}

func (x *export) there() error { return usage("%s is there already and is never overwritten", x.dir) }

// Write writes evidence.jsonl.
func (x *export) Write(p []byte) (int, error) {
	if x.lines == nil && x.err == nil {
		switch x.err = os.Mkdir(x.dir, 0o755); {
		case errors.Is(x.err, os.ErrExist):
			x.err = x.there()
		case x.err != nil:
			x.err = exit{exitFailed, fmt.Errorf("make the folder: %w", x.err)}
		default:
			x.lines, x.err = os.OpenFile(filepath.Join(x.dir, "evidence.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			x.err = unwritten(x.err)
		}
	}
	if x.err != nil {
		return 0, x.err
	}
	n, err := x.lines.Write(p)
	x.err = unwritten(err)
	return n, x.err
}

func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return exit{exitFailed, fmt.Errorf("write the export: %w", err)}
}

// end writes the other files, or takes away what an error has cut off. It returns what
// was wrong with the folder.
func (x *export) end(d *dossier.Dossier, err error) error {
	if x.lines == nil {
		return x.err
	}
	closed := x.lines.Close()
	if err != nil || x.err != nil || closed != nil {
		_ = os.RemoveAll(x.dir) // made just now, by this
		return errors.Join(x.err, unwritten(closed))
	}
	var page bytes.Buffer
	if err := dossier.Page(&page, d); err != nil {
		return exit{exitFailed, fmt.Errorf("make the page: %w", err)}
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"evidence.html", page.Bytes()}, {"checkpoint.txt", []byte(d.Header.Checkpoint)}} {
		if err := unwritten(os.WriteFile(filepath.Join(x.dir, f.name), f.data, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// verifyExport verifies an export by itself: no rekey.yaml, no journal.
func (a *app) verifyExport(f verifyFlags) error {
	switch {
	case f.journal != "":
		return usage("--export and --journal cannot be combined")
	case len(f.keys) == 0:
		return usage("an export names a key itself, which proves nothing: give the public key that you have noted elsewhere with --key\n  next  if you have no note of it, run on the journal's machine: rekey checkpoint key")
	}
	keys, err := a.publicKeys(f.keys)
	if err != nil {
		return err
	}
	given, remarks, err := a.given(f.checkpoints)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(a.path(f.export))
	if err != nil {
		return usage("read the export: %v", err)
	}
	c, err := dossier.Check(b, keys, given)
	if err != nil {
		return usage("%s: %v", f.export, err)
	}
	if a.json {
		err = a.printJSON(map[string]any{"ok": c.OK(), "export": c, "remarks": remarks})
	} else {
		a.print("%s", dossier.Verified(c, remarks, a.style(a.out)))
	}
	if err == nil && !c.OK() {
		err = exit{exitEvidence, nil}
	}
	return err
}
