package estate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"rekey/internal/secret"
)

// private keeps the journal's folder out of Git: its key and its history belong to
// this installation.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil { // the journal may be in a database
		return fmt.Errorf("keep the journal out of Git: %w", err)
	}
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

const keyFile = "fingerprint.key"

// fingerprints reads the installation's fingerprint key, or makes one. It is not
// a credential: who has it and the journal can test guesses of a value.
func fingerprints(dir string) (secret.Keyer, error) {
	path := filepath.Join(dir, keyFile)
	k, err := secret.ReadKeyer(path)
	if errors.Is(err, os.ErrNotExist) {
		// Somebody else may be faster; then that one's is taken.
		if err := secret.KeepNewKeyer(path); err != nil && !errors.Is(err, os.ErrExist) {
			return secret.Keyer{}, fmt.Errorf("make the fingerprint key: %w", err)
		}
		k, err = secret.ReadKeyer(path)
	}
	if errors.Is(err, secret.ErrNoKey) {
		return k, &Error{Code: KeyDamaged, Err: fmt.Errorf("%s is damaged: %w", path, err), Advice: []string{"put it back from a backup", "move it away: another one is made, and earlier fingerprints in the journal match nothing any more"}}
	}
	if err != nil {
		return k, fmt.Errorf("read the fingerprint key: %w", err)
	}
	return k, nil
}

// runID is short enough to be read out: 30 random bits without look-alikes.
func (e *Estate) runID() (string, error) {
	const letters = "23456789abcdefghjkmnpqrstuvwxyz"
	var b [6]byte
	if _, err := io.ReadFull(e.here.Random, b[:]); err != nil {
		return "", failedf("make the id of a run: %w", err)
	}
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:]), nil
}
