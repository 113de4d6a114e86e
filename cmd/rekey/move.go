package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/access"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

func (a *app) moveCommand() *cobra.Command {
	var m estate.Moving
	c := &cobra.Command{
		Use: "move --to PLACE", Short: "Carry the journal from a folder to a database, or back",
		Long: `Carry the journal from a folder to a PostgreSQL database, or back: the same entries,
tree and checkpoints, so that what was signed before verifies as before. PLACE is a
reference to the database's address (env:REKEY_DATABASE), its address without password,
or a folder.

Others may work until the end, but no run may be carried out at that moment; stop
rekey serve first. The new journal is verified before the old one refuses to be written,
older versions of Rekey included, and says where it went. However a move is
interrupted, the same command goes on with it. rekey.yaml is not changed: the line that
it needs is printed.

Secret keys are not moved: fingerprint.key and evidence.key stay in the folder under
journal, and each machine that shares the journal needs them there, or by reference
(fingerprint_key, evidence.key). Tokens of rekey serve are carried over, as hashes;
sessions are not, so people sign in again. A server that runs on the old journal notices,
says where it went, and ends.

To restore a backup into a database, put it as journal.db into an empty folder, and
name that with --from.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.move(c.Context(), m) },
	}
	c.Flags().StringVar(&m.To, "to", "", "reference to a database's address, its address without password, or a folder")
	c.Flags().StringVar(&m.From, "from", "", "folder of a journal, if it is not the one of rekey.yaml")
	return c
}

// mover is what moves journals: an estate on this machine.
type mover interface {
	Move(ctx context.Context, m estate.Moving) (estate.MovedTo, error)
}

func (a *app) move(ctx context.Context, m estate.Moving) error {
	if m.To == "" {
		return usage("where to?\n  next  rekey journal move --to env:REKEY_DATABASE\n  or    rekey journal move --to FOLDER")
	}
	if strings.Contains(m.To, "://") || sop.DatabaseIsReference(m.To) {
		if err := sop.CheckDatabase(m.To); err != nil {
			return usage("--to: %v", err)
		}
	} else {
		m.To = a.absolute(m.To)
	}
	if m.From != "" {
		m.From = a.absolute(m.From)
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	here, ok := ops.(mover)
	if !ok {
		return usage("a journal is moved on the machine that opens it, without --server")
	}
	m.Further = access.Carried()
	told := int64(0)
	m.Tell = func(n int64) {
		if n-told >= 100_000 && !a.json {
			told = n
			_, _ = fmt.Fprintf(a.err, "%d entries are there\n", n)
		}
	}
	got, err := here.Move(ctx, m)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(got)
	}
	what := "holds the journal %s, and verifies; %s can no longer be written.\n"
	if got.Already {
		what = "already holds the journal, %s; %s can no longer be written.\n"
	}
	a.print("%s "+what, got.To, upTo(got.Entries, got.Last), got.From)
	if got.SignedOut {
		a.print("  note  tokens were moved too; people have to sign in again\n")
	}
	if got.Write != "" {
		a.print("  next  write in %s: %s\n", a.configuration(), got.Write)
	}
	return nil
}

// upTo says how far a journal goes.
func upTo(entries int64, last string) string {
	if entries == 0 {
		return "without an entry"
	}
	return fmt.Sprintf("up to entry %d (%.12s)", entries, last)
}

// absolute is a path that a person has given, wherever it is read later.
func (a *app) absolute(p string) string {
	if abs, err := filepath.Abs(a.path(p)); err == nil {
		return abs
	}
	return a.path(p)
}

func (a *app) printsCommand() *cobra.Command {
	var fresh bool
	var n estate.NewKey
	c := &cobra.Command{
		Use: "key --new", Short: "Continue with another fingerprint key after the journal's one was lost",
		Long: `Values are told apart by fingerprints, which a secret key makes: fingerprint.key in the
folder under journal, or what fingerprint_key in rekey.yaml names. Machines that share a
journal need the same one; a machine with another is refused.

--new lets the journal go on with the key that this machine has, or with a new one
where it has none. Fingerprints from before match nothing any more. It wants the roles
of all credentials, and stands in the journal with its reason.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !fresh {
				return usage("nothing is changed without --new\n  next  rekey journal key --new --reason \"what happened\"")
			}
			return a.newPrints(c.Context(), n)
		},
	}
	c.Flags().BoolVar(&fresh, "new", false, "go on with this machine's key, or a new one")
	c.Flags().StringVar(&n.Reason, "reason", "", "what happened, for the record")
	c.Flags().BoolVar(&n.Without, "without-role", false, "by somebody who lacks a role; requires --reason")
	return c
}

func (a *app) newPrints(ctx context.Context, n estate.NewKey) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	here, ok := ops.(interface {
		NewPrints(ctx context.Context, n estate.NewKey) (rotation.Who, error)
	})
	if !ok {
		return usage("a key is changed on the machine that opens the journal, without --server")
	}
	who, err := here.NewPrints(ctx, n)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(map[string]any{"new": true, "by": who})
	}
	a.print("the journal continues with this machine's fingerprint key; earlier fingerprints no longer match anything.\n  next  give the same key to every machine that shares the journal\n  then  rekey drift\n")
	return nil
}
