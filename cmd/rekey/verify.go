package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/notary"
	"rekey/internal/report"
)

type verifyFlags struct {
	keys, checkpoints []string
	journal, export   string
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use: "verify", Short: "Check that nobody has edited, reordered, cut out or cut off journal entries",
		Long: `Check the journal against its chain of hashes, against the checkpoints that it keeps,
and against those that had left the machine. It needs no vendor, no private key, and
with --journal or --export no rekey.yaml.

What a checkpoint from elsewhere proves, it proves against everybody; what the journal
keeps itself proves it only against those who have not got the private key; a chain
alone only against those who do not know the format.

Exit codes: 0 it verifies, 10 it does not.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.export != "" {
				return a.verifyExport(f)
			}
			return a.verify(c.Context(), f)
		},
	}
	c.Flags().StringArrayVar(&f.keys, "key", nil, "public key, or a file of public keys (default: those beside the journal)")
	c.Flags().StringArrayVar(&f.checkpoints, "checkpoint", nil, "file of checkpoints that had left the machine")
	c.Flags().StringVar(&f.journal, "journal", "", "folder of a journal, instead of the one of rekey.yaml")
	c.Flags().StringVar(&f.export, "export", "", "file that rekey evidence wrote, instead of a journal")
	return c
}

func (a *app) verify(ctx context.Context, f verifyFlags) error {
	dir := a.path(f.journal)
	if f.journal == "" {
		config, err := a.load()
		if err != nil {
			return err
		}
		dir = a.journalDir(config)
	}
	j, err := journal.OpenCopy(dir)
	if errors.Is(err, journal.ErrNone) {
		return exit{exitFailed, fmt.Errorf("there is no journal in %s; the first run makes it", dir)}
	}
	if err != nil {
		return exit{exitFailed, err}
	}
	defer func() { _ = j.Close() }()
	keys, err := a.publicKeys(f.keys)
	if err != nil {
		return err
	}
	beside := len(f.keys) == 0
	if beside {
		if keys, err = notary.Public(dir); err != nil {
			return exit{exitEvidence, err}
		}
	}
	given, remarks, err := a.given(f.checkpoints)
	if err != nil {
		return err
	}
	own, err := owns(ctx, j)
	if err != nil {
		return exit{exitFailed, err}
	}
	kept, err := j.KeptHashes(ctx)
	if err != nil {
		return exit{exitFailed, err}
	}
	r, err := evidence.Verify(func(f func(journal.Entry) error) error { return j.Each(ctx, f) }, append(given, own...), kept, keys)
	if err != nil {
		return exit{exitFailed, err}
	}
	if beside && len(r.Checkpoints) > 0 {
		remarks = append(remarks, "the public key was taken from beside the journal, where it could be exchanged: better --key, with the one that you have noted elsewhere")
	}
	// An entry that cannot be read is found above.
	if practised, known, err := (history.Book{J: j}).Simulated(ctx); err == nil && known && practised {
		remarks = append([]string{"it is the journal of simulated runs: it proves nothing about anything real"}, remarks...)
	}
	return a.sayVerified(r, remarks)
}

// sayVerified tells what is proven. The keys ok, entries, last, entry and why were
// there before there were checkpoints.
func (a *app) sayVerified(r *evidence.Report, remarks []string) error {
	if a.json {
		out := map[string]any{"ok": r.OK(), "entries": r.Entries, "last": r.Last, "report": r, "remarks": remarks}
		if !r.OK() {
			out["entry"], out["why"] = r.Findings[0].From, r.Findings[0].What
		}
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		a.print("%s", report.Verified(r, remarks, a.style(a.out)))
	}
	if !r.OK() {
		return exit{exitEvidence, nil}
	}
	return nil
}

// publicKeys reads keys, each written down or in a file.
func (a *app) publicKeys(list []string) (evidence.Keys, error) {
	var out evidence.Keys
	for _, x := range list {
		text := x
		b, err := os.ReadFile(a.path(x))
		switch {
		case err == nil:
			text = string(b)
		case strings.Count(x, "+") < 2:
			return nil, usage("--key %s is neither a file nor a public key (name+hash+key)", x)
		}
		keys, err := evidence.ParseKeys(text)
		if err != nil && len(b) > 0 {
			return nil, usage("--key %s: %v", x, err)
		}
		if err != nil {
			return nil, usage("--key: %v", err) // what was typed is not quoted: it may be a private key
		}
		out = append(out, keys...)
	}
	return out, nil
}

// given reads files of checkpoints.
func (a *app) given(files []string) (out []evidence.Given, remarks []string, err error) {
	for _, name := range files {
		b, err := os.ReadFile(a.path(name))
		if err != nil {
			return nil, nil, usage("read the checkpoints: %v", err)
		}
		notes, torn := evidence.SplitNotes(string(b))
		if len(notes) == 0 {
			return nil, nil, usage("%s holds no checkpoint", name)
		}
		if torn > 0 {
			remarks = append(remarks, fmt.Sprintf("%s holds %s that is cut off, as by a crash; it was passed over", name, count(torn, "checkpoint")))
		}
		for _, n := range notes {
			out = append(out, evidence.Given{Where: name, Note: n})
		}
	}
	return out, remarks, nil
}

// owns are the checkpoints that the journal keeps itself, and when each was made
// and sent, as it says.
func owns(ctx context.Context, j *journal.Journal) ([]evidence.Given, error) {
	all, err := j.Checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := j.Sent(ctx)
	if err != nil {
		return nil, err
	}
	var out []evidence.Given
	for _, c := range all {
		g := evidence.Given{Where: "the journal", Own: true, Note: c.Note}
		if !c.Made.IsZero() {
			g.Told = "made " + c.Made.UTC().Format(time.RFC3339)
		}
		for _, sink := range sortedKeys(sent) {
			if sent[sink].ID == c.ID {
				g.Told += fmt.Sprintf(", sent to %s %s", sink, sent[sink].At.UTC().Format(time.RFC3339))
			}
		}
		out = append(out, g)
	}
	return out, nil
}
