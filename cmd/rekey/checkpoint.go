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
	"rekey/internal/secret"
)

// unsent tells on standard error what is not signed or not sent, if anything is.
func (a *app) unsent(o estate.Signed) {
	if !o.OK() {
		a.unattested(o)
	}
}

// unattested tells on standard error what is not signed or not sent.
func (a *app) unattested(o estate.Signed) {
	_, _ = fmt.Fprint(a.err, a.pasteable(report.Unattested(outcome(o), a.style(a.err))))
}

// outcome is what a report may know of it.
func outcome(o estate.Signed) report.Attested {
	out := report.Attested{Problem: o.Problem, Next: o.Next}
	if o.Checkpoint != nil {
		out.Size, out.Made = o.Checkpoint.Size, o.Made
	}
	for _, s := range o.Sinks {
		out.Sinks = append(out.Sinks, report.SentTo{Sink: s.Sink, Sent: s.Sent, Behind: s.Behind, Problem: s.Problem})
	}
	return out
}

func (a *app) checkpointCommand() *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use: "checkpoint", Short: "Sign the journal as it is, and send the checkpoint off this machine",
		Long: `Sign the journal as it is (Merkle tree of RFC 6962, signed note of C2SP) and send
every checkpoint that was not sent yet to where evidence.checkpoints says. Every run
and every drift does so by itself at its end.

Exit codes: 0 all is signed and sent, 1 something is not.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.checkpoint(c.Context(), show) },
	}
	c.Flags().BoolVar(&show, "print", false, "print the newest checkpoint itself, to be kept elsewhere")
	c.AddCommand(a.keyCommand())
	return c
}

func (a *app) checkpoint(ctx context.Context, show bool) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	o, err := ops.Sign(ctx)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		if err := a.printJSON(o); err != nil {
			return err
		}
	case o.Checkpoint == nil && o.Problem == "":
		return exit{exitFailed, errors.New("the journal is empty, so there is nothing to sign; the first run begins it")}
	case show && o.Checkpoint != nil:
		a.print("%s", o.Checkpoint.Note)
		if !o.OK() {
			a.unattested(o)
		}
	default:
		a.print("%s", report.Checkpoint(outcome(o), keyID(o.Key), a.style(a.out)))
	}
	if !o.OK() {
		return exit{exitFailed, nil}
	}
	return nil
}

// keyID names a public key shortly.
func keyID(public string) string {
	k, err := evidence.ParseKey(public)
	if err != nil {
		return ""
	}
	return k.ID()
}

func (a *app) keyCommand() *cobra.Command {
	var fresh, without bool
	var out, origin, reason string
	c := &cobra.Command{
		Use: "key", Short: "Print the public key with which checkpoints are verified",
		Long: `Print the public key with which checkpoints are verified, as name+hash+key. Keep it
where nobody who can write to the journal can write.

--new makes a new key beside the journal and hands over to it: the old and the new
key sign one checkpoint. Where the old one is lost, only the new one signs; tell
whoever verifies. It wants the roles of all credentials, and stands in the journal.

--out writes a new private key to a file, for evidence.key in rekey.yaml.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case fresh && out != "":
				return usage("--new and --out cannot be combined: --new makes a key beside the journal, --out elsewhere")
			case out != "":
				return a.keyTo(out, origin)
			case origin != "":
				return usage("--origin is for --out; a key beside the journal takes evidence.origin of rekey.yaml")
			}
			if err := a.reasoned(without, reason); err != nil {
				return err
			}
			if fresh {
				return a.newKey(c.Context(), estate.NewKey{Reason: reason, Without: without})
			}
			return a.key(c.Context())
		},
	}
	c.Flags().BoolVar(&fresh, "new", false, "make a new key and hand over to it")
	c.Flags().StringVar(&reason, "reason", "", "with --new: why, for the record")
	withoutRole(c, &without)
	c.Flags().StringVar(&out, "out", "", "write a new private key to this file, and print its public key")
	c.Flags().StringVar(&origin, "origin", "", "with --out: name of the journal, like example.com/rekey")
	return c
}

func (a *app) key(ctx context.Context) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	public, err := ops.Key(ctx)
	if err != nil {
		return a.told(err)
	}
	return a.sayKey(public, "")
}

// newKey hands over to a new key.
func (a *app) newKey(ctx context.Context, n estate.NewKey) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	o, err := ops.NewKey(ctx, n)
	if err != nil {
		return a.told(err)
	}
	told := "the old key and this one have signed one checkpoint; from now on this one signs. Verify with both."
	if !o.Vouched {
		told = "the old key is lost, so nothing proves that this one succeeds it. Verify with both."
	}
	if err := a.sayKey(o.Key, told); err != nil {
		return err
	}
	a.unsent(o.Signed)
	return nil
}

// keyTo makes a key for elsewhere; the private one goes nowhere but to the file.
func (a *app) keyTo(path, origin string) error {
	if origin == "" || strings.ContainsAny(origin, " \t\n+") {
		return usage("--out wants --origin NAME: what this journal is called, like example.com/rekey, without spaces and +")
	}
	path = a.path(path)
	err := secret.KeepNewSigner(path, origin)
	if errors.Is(err, os.ErrExist) {
		return usage("%s is there already and is never overwritten", path)
	}
	if err != nil {
		return exit{exitFailed, err}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return exit{exitFailed, err}
	}
	s, err := secret.NewSigner(secret.New(string(b)))
	if err != nil {
		return exit{exitFailed, err}
	}
	return a.sayKey(s.Public(), "the private key is in "+path+"; refer to it under evidence.key, as file:"+path)
}

func (a *app) sayKey(public, told string) error {
	if a.json {
		return a.printJSON(map[string]string{"key": public, "id": keyID(public), "told": told})
	}
	a.print("%s\n", public)
	if told != "" {
		_, _ = fmt.Fprintf(a.err, "%s\n", told)
	}
	return nil
}
