// Package kept opens what Rekey keeps, the journal with its keys and its marks, in a folder or in a database that several machines share.
//
// In a database are the journal, public keys, marks, and a check value of the
// fingerprint key; secret keys are never in it. They stay in the folder of each machine,
// or are named by reference.
package kept

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rekey/internal/journal"
	"rekey/internal/provider"
	"rekey/internal/refs"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Place is where a configuration keeps things.
type Place struct {
	Folder         string       // absolute: the journal and its keys, or the keys alone
	Database       string       // reference to the address of the journal's database, or the address; "": the journal is in the folder
	FingerprintKey sop.Refs     // none: it is in the folder
	Finder         *refs.Finder // finds both in this process's own environment, in a simulation too
}

// Beside opens what goes with the journal of this place, which was opened for writing,
// and makes what is not there yet. Errors: *OtherKey, *KeyDamaged, or the journal's.
func (p Place) Beside(ctx context.Context, j *journal.Journal) (secret.Keyer, provider.Marks, error) {
	if p.shared() {
		if err := j.Beside(ctx); err != nil {
			return secret.Keyer{}, nil, err
		}
	}
	k, err := p.fingerprints(ctx, j)
	if err != nil {
		return k, nil, err
	}
	if p.Database != "" {
		return k, marks{inTable{j}, k}, nil
	}
	return k, marks{inFiles(filepath.Join(p.Folder, marksDir)), k}, nil
}

// shared tells whether another machine may have another key than this one.
func (p Place) shared() bool { return p.Database != "" || len(p.FingerprintKey) > 0 }

// Write opens the journal for writing, without its keys, making one if need be.
func (p Place) Write(ctx context.Context) (*journal.Journal, error) {
	if p.Database == "" {
		j, err := journal.Open(p.Folder)
		if err != nil {
			return nil, err
		}
		if err := private(p.Folder); err != nil {
			_ = j.Close()
			return nil, err
		}
		return j, nil
	}
	address, err := p.address(ctx)
	if err != nil {
		return nil, err
	}
	return journal.OpenPostgres(ctx, address)
}

// Read opens the journal for reading, which has to be there: journal.ErrNone.
func (p Place) Read(ctx context.Context) (*journal.Journal, error) {
	if p.Database == "" {
		return journal.OpenExisting(p.Folder)
	}
	address, err := p.address(ctx)
	if err != nil {
		return nil, err
	}
	return journal.OpenExistingPostgres(ctx, address)
}

// Verifiable opens the journal for who looks whether it was edited: a folder may lie where
// nothing can be written, or have been moved away from.
func (p Place) Verifiable(ctx context.Context) (*journal.Journal, error) {
	if p.Database == "" {
		return journal.OpenCopy(p.Folder)
	}
	return p.Read(ctx)
}

// Facts asks the database what it is, whether or not there is a journal in it.
func (p Place) Facts(ctx context.Context) (journal.Facts, error) {
	address, err := p.address(ctx)
	if err != nil {
		return journal.Facts{}, err
	}
	return journal.PostgresFacts(ctx, address)
}

// Where is the place as the journal package takes it.
func (p Place) Where(ctx context.Context) (journal.Where, error) {
	if p.Database == "" {
		return journal.Where{Folder: p.Folder}, nil
	}
	address, err := p.address(ctx)
	return journal.Where{Address: address}, err
}

// Name is the place for people: without password, and without asking for one.
func (p Place) Name() string {
	if p.Database == "" {
		return p.Folder
	}
	return sop.ShownDatabase(p.Database)
}

// address finds the address of the database. It goes nowhere but into the session.
func (p Place) address(ctx context.Context) (string, error) {
	if sop.DatabaseIsReference(p.Database) {
		v, _, err := p.Finder.Secret(ctx, sop.Refs{sop.Ref(p.Database)})
		if err != nil {
			return "", fmt.Errorf("database: %w", err)
		}
		return v.Reveal(), nil
	}
	if journal.HoldsPassword(p.Database) {
		return "", errors.New("database: a password is never written down: name the address by reference")
	}
	return p.Database, nil
}

// private keeps the journal's folder out of Git: its key and its history belong to
// this installation.
func private(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("keep the journal out of Git: %w", err)
	}
	_, err = f.WriteString("# Made by Rekey: this folder is never committed. Keep it, and back it up.\n*\n")
	return errors.Join(err, f.Close())
}
