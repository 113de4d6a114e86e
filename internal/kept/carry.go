package kept

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rekey/internal/journal"
)

// Names of what lies beside a journal in its folder.
const (
	publicFile = "evidence.pub"
	marksDir   = "refused"
)

// CarryTo carries what belongs to the journal of this place and lies beside it to the new
// place: public keys and marks go with it; of the fingerprint key a database learns the
// check value. Secret keys stay where they are. Idempotent. Errors: *OtherKey, *KeyDamaged, or the system's.
func (p Place) CarryTo(ctx context.Context, to Place, j *journal.Journal) error {
	if err := j.Beside(ctx); err != nil {
		return err
	}
	if to.Database == "" {
		return p.intoFolder(ctx, to, j)
	}
	if err := p.publicKeys(ctx, j); err != nil {
		return err
	}
	found, _ := filepath.Glob(filepath.Join(p.Folder, marksDir, "*.json"))
	for _, path := range found {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if text := inFiles(filepath.Dir(path)).get(name); text != "" {
			if err := j.Mark(ctx, name, strings.TrimSpace(text)); err != nil {
				return err
			}
		}
	}
	return to.Register(ctx, j)
}

// publicKeys puts those of the folder into a database.
func (p Place) publicKeys(ctx context.Context, j *journal.Journal) error {
	b, err := os.ReadFile(filepath.Join(p.Folder, publicFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the public keys: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := j.AddKey(ctx, line, false); err != nil {
			return err
		}
	}
	return nil
}

// intoFolder is CarryTo a folder, in which the journal arrives. What the database kept
// beside it is carried with the entries too.
func (p Place) intoFolder(ctx context.Context, to Place, j *journal.Journal) error {
	from, err := p.Read(ctx)
	if moved := (*journal.Moved)(nil); errors.As(err, &moved) {
		return nil // that was done when it was moved
	}
	if err != nil {
		return err
	}
	keys, err := from.Keys(ctx)
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(to.Folder, 0o700), private(to.Folder)); err != nil {
		return fmt.Errorf("make the journal's folder: %w", err)
	}
	path := filepath.Join(to.Folder, publicFile)
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the public keys: %w", err)
	}
	add := ""
	for _, k := range keys {
		if !strings.Contains("\n"+string(was), "\n"+k+"\n") {
			add += k + "\n"
		}
	}
	if add == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("note the public keys: %w", err)
	}
	_, err = f.WriteString(add)
	return errors.Join(err, f.Sync(), f.Close())
}

// Has looks, without changing anything, whether this machine has the fingerprint key of
// the journal. Errors: those of Beside.
func (p Place) Has(ctx context.Context, j *journal.Journal) error {
	was, err := j.CheckOf(ctx, checked)
	if err != nil || was == "" {
		return err
	}
	if len(p.FingerprintKey) == 0 {
		if _, err := os.Stat(p.keyAt()); errors.Is(err, os.ErrNotExist) {
			return &OtherKey{Where: p.keyAt(), InFile: true, Missing: true, Journal: p.Name()}
		}
	}
	k, err := p.fingerprintKey(ctx, j)
	if err == nil && string(k.OfText(checked)) != was {
		err = &OtherKey{Where: p.keyAt(), InFile: len(p.FingerprintKey) == 0, Journal: p.Name()}
	}
	return err
}
