package kept

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rekey/internal/journal"
	"rekey/internal/secret"
)

// KeyFile is the fingerprint key's file in the folder.
const KeyFile = "fingerprint.key"

// checked is the name of its check value: what the key makes of that name. Who has it
// cannot find the key by it, for a key is 32 random bytes.
const checked = "fingerprint key"

// KeyDamaged means that the fingerprint key is not whole.
type KeyDamaged struct {
	Where  string // file or reference
	InFile bool
	Err    error
}

func (k *KeyDamaged) Error() string { return fmt.Sprintf("%s is damaged: %v", k.Where, k.Err) }

func (k *KeyDamaged) Unwrap() error { return k.Err }

// OtherKey means that this machine has not the fingerprint key that the journal was
// written with: it would take every value for another one.
type OtherKey struct {
	Where   string // file or reference
	InFile  bool
	Missing bool // there is none here
	Journal string
}

func (o *OtherKey) Error() string {
	if o.Missing {
		return fmt.Sprintf("the journal in %s was written with a fingerprint key that this machine does not have: there is no %s", o.Journal, o.Where)
	}
	return fmt.Sprintf("the fingerprint key in %s is not the one that the journal in %s was written with: every value would look different", o.Where, o.Journal)
}

// fingerprints reads the fingerprint key, or makes one where there was none yet, and
// holds it against the journal's check value. It is not a credential: who has it and the
// journal can test guesses of a value.
func (p Place) fingerprints(ctx context.Context, j *journal.Journal) (secret.Keyer, error) {
	k, err := p.fingerprintKey(ctx, j)
	if err != nil || !p.shared() {
		return k, err
	}
	is := string(k.OfText(checked))
	was, err := j.Check(ctx, checked, is)
	if err == nil && was != is {
		err = &OtherKey{Where: p.keyAt(), InFile: len(p.FingerprintKey) == 0, Journal: p.Name()}
	}
	return k, err
}

// keyAt is where the key is, for people.
func (p Place) keyAt() string {
	if len(p.FingerprintKey) > 0 {
		return p.FingerprintKey[0].String()
	}
	return filepath.Join(p.Folder, KeyFile)
}

func (p Place) fingerprintKey(ctx context.Context, j *journal.Journal) (secret.Keyer, error) {
	if len(p.FingerprintKey) > 0 {
		v, from, err := p.Finder.Secret(ctx, p.FingerprintKey)
		if err != nil {
			return secret.Keyer{}, fmt.Errorf("fingerprint_key: %w", err)
		}
		k, err := secret.KeyerOf(v)
		if err != nil {
			err = &KeyDamaged{Where: from.String(), Err: err}
		}
		return k, err
	}
	path := p.keyAt()
	k, err := secret.ReadKeyer(path)
	if errors.Is(err, os.ErrNotExist) {
		// A journal that was moved into a folder knows of a key too, which lies elsewhere.
		was, unread := j.CheckOf(ctx, checked)
		switch {
		case unread != nil:
			return k, unread
		case was != "":
			return k, &OtherKey{Where: path, InFile: true, Missing: true, Journal: p.Name()}
		}
		if p.Database != "" {
			if err := errors.Join(os.MkdirAll(p.Folder, 0o700), private(p.Folder)); err != nil {
				return k, fmt.Errorf("make the fingerprint key: %w", err)
			}
		}
		// Somebody else may be faster; then that one's is taken.
		if err := secret.KeepNewKeyer(path); err != nil && !errors.Is(err, os.ErrExist) {
			return k, fmt.Errorf("make the fingerprint key: %w", err)
		}
		k, err = secret.ReadKeyer(path)
	}
	if errors.Is(err, secret.ErrNoKey) {
		return k, &KeyDamaged{Where: path, InFile: true, Err: err}
	}
	if err != nil {
		return k, fmt.Errorf("read the fingerprint key: %w", err)
	}
	return k, nil
}

// Register has the database that a journal is moved to know the folder's key.
func (p Place) Register(ctx context.Context, to *journal.Journal) error {
	k, err := secret.ReadKeyer(filepath.Join(p.Folder, KeyFile))
	if len(p.FingerprintKey) > 0 {
		k, err = p.fingerprintKey(ctx, to)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil // a restored journal: whoever opens it first says which key it is
	}
	if err != nil {
		return fmt.Errorf("read the fingerprint key: %w", err)
	}
	is := string(k.OfText(checked))
	was, err := to.Check(ctx, checked, is)
	if err == nil && was != is {
		err = &OtherKey{Where: p.keyAt(), InFile: len(p.FingerprintKey) == 0, Journal: p.Name()}
	}
	return err
}

// Accept lets the journal go on with the key that this machine has, or with a new one
// where it has none; change is called with what has to be done in the transaction that
// records it. Earlier fingerprints match nothing any more.
func (p Place) Accept(ctx context.Context, j *journal.Journal, change func(func(context.Context, *sql.Tx) error) error) error {
	if len(p.FingerprintKey) == 0 {
		if err := errors.Join(os.MkdirAll(p.Folder, 0o700), private(p.Folder)); err != nil {
			return fmt.Errorf("make the fingerprint key: %w", err)
		}
		if err := secret.KeepNewKeyer(p.keyAt()); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make the fingerprint key: %w", err)
		}
	}
	k, err := p.fingerprintKey(ctx, j)
	if err == nil {
		err = j.Beside(ctx)
	}
	if err != nil {
		return err
	}
	return change(func(ctx context.Context, tx *sql.Tx) error {
		return journal.ChangeCheck(ctx, tx, checked, string(k.OfText(checked)))
	})
}
