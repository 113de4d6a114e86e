package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
)

func (a *app) journalCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "journal", Short: "Back up the journal while runs continue, or move it to a database and back",
		Long: `The journal is the memory of what was done. It is in a folder, or in a PostgreSQL
database that several machines share (database in rekey.yaml, or --database).

rekey journal backup copies it while runs go on; rekey journal move carries it from a
folder to a database or back; rekey journal key is about the key of its fingerprints.`,
	}
	c.AddCommand(a.moveCommand(), a.printsCommand())
	c.AddCommand(&cobra.Command{
		Use: "backup FILE", Short: "Write a copy of the journal to a new file, while runs go on",
		Long: `Write a copy of the journal, as it is at one moment, to a new file. Runs may go on
meanwhile. The copy is verified before it gets its name; a file that is there is never
overwritten, and only its owner may read the new one.

The keys beside the journal (fingerprint.key, evidence.key) are not in it: keep a copy
of them elsewhere. To restore, while nothing runs: take journal.db, journal.db-wal and
journal.db-shm out of the journal's folder, put the file there as journal.db, and look
what is live with rekey drift.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.backup(c.Context(), args[0]) },
	})
	return c
}

func (a *app) backup(ctx context.Context, name string) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	here, ok := ops.(interface {
		Backup(ctx context.Context, file string) (estate.BackedUp, error)
	})
	if !ok {
		return usage("a backup is made on the machine where the journal is")
	}
	path := a.path(name)
	if _, err := os.Lstat(path); err == nil {
		return usage("%s is there already and is never overwritten", path)
	} else if !errors.Is(err, os.ErrNotExist) {
		return exit{exitFailed, err}
	}
	b, err := here.Backup(ctx, path)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(b)
	}
	a.print("%s holds the journal %s, and verifies. The keys beside the journal are not in it.\n", b.File, upTo(b.Entries, b.Last))
	return nil
}
