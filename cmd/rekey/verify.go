package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/evidence"
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
keeps itself proves it only against those who do not have the private key; a chain
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
	verify := func(v estate.Verifying) (estate.Verified, error) {
		return estate.VerifyCopy(ctx, a.path(f.journal), v)
	}
	if f.journal == "" {
		ops, err := a.operations()
		if err != nil {
			return err
		}
		verify = func(v estate.Verifying) (estate.Verified, error) { return ops.Verify(ctx, v) }
	}
	keys, err := a.publicKeys(f.keys)
	if err != nil {
		return err
	}
	given, remarks, err := a.given(f.checkpoints)
	if err != nil {
		return err
	}
	seen, err := verify(estate.Verifying{Keys: keyTexts(keys), Given: given})
	if none, ok := errors.AsType[*estate.Error](err); ok && none.Code == estate.NoJournal {
		return exit{exitFailed, fmt.Errorf("there is no journal in %s; the first run makes it", none.Dir)}
	}
	if err != nil {
		return a.told(err)
	}
	if seen.Beside {
		remarks = append(remarks, "the public key was taken from beside the journal, where it could be exchanged: better --key, with the one that you have noted elsewhere")
	}
	if seen.Simulated {
		remarks = append([]string{"it is the journal of simulated runs: it proves nothing about anything real"}, remarks...)
	}
	return a.sayVerified(seen.Report, remarks)
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

func keyTexts(keys evidence.Keys) (out []string) {
	for _, k := range keys {
		out = append(out, k.Text)
	}
	return out
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
			remarks = append(remarks, fmt.Sprintf("%s holds %s that is truncated, as after a crash; it was skipped", name, count(torn, "checkpoint")))
		}
		for _, n := range notes {
			out = append(out, evidence.Given{Where: name, Note: n})
		}
	}
	return out, remarks, nil
}
