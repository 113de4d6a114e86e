package secret

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Signer signs with a private key that it does not show. It implements
// note.Signer; like the one of a Value its key sits behind a closure, for fmt calls
// no methods on values in unexported fields.
type Signer struct {
	name   string
	hash   uint32
	sign   func([]byte) ([]byte, error)
	public string
}

// NewSigner reads a private key as golang.org/x/mod/sumdb/note writes it:
// PRIVATE+KEY+name+hash+key (Ed25519). The error does not quote it.
func NewSigner(key Value) (Signer, error) {
	text := strings.TrimSpace(key.Reveal())
	s, err := note.NewSigner(text)
	if err != nil {
		return Signer{}, errors.New("this is not a signing key: expected PRIVATE+KEY+name+hash+key")
	}
	// note has read it: PRIVATE, KEY, name, hash, and then algorithm and seed, in
	// base64, where a + is a letter.
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 5)[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return Signer{}, errors.New("this is not a signing key: expected Ed25519")
	}
	public, err := note.NewEd25519VerifierKey(s.Name(), ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey))
	clear(raw)
	if err != nil {
		return Signer{}, errors.New("this is not a signing key: expected Ed25519")
	}
	return Signer{name: s.Name(), hash: s.KeyHash(), sign: s.Sign, public: public}, nil
}

// Format prints which key it is, for every verb.
func (s Signer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%s+%08x", s.name, s.hash) }

// Name of the key: the origin of what it signs.
func (s Signer) Name() string { return s.name }

// KeyHash tells keys of one name apart.
func (s Signer) KeyHash() uint32 { return s.hash }

// Sign signs a message.
func (s Signer) Sign(msg []byte) ([]byte, error) { return s.sign(msg) }

// Public returns the public key as note writes it: name+hash+key.
func (s Signer) Public() string { return s.public }

// SignedNote returns a value that is a signed note: a text that was made to be
// published, and that no credential looks like. ok is false for everything else.
func (v Value) SignedNote() (text string, ok bool) {
	text = strings.TrimRight(v.Reveal(), "\n") + "\n" // stores take the last newline away
	_, err := note.Open([]byte(text), note.VerifierList())
	_, ok = errors.AsType[*note.UnverifiedNoteError](err)
	if !ok {
		return "", false
	}
	return text, true
}

// KeepNewSigner makes a private key of this name and writes it to a file that only
// its owner can read and that was not there before: the error is os.ErrExist if it
// was. It is on disk when this returns. It is not a credential of any vendor: whoever
// has it can sign checkpoints, and open nothing.
func KeepNewSigner(path, name string) error {
	private, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	if err := keepNew(path, private+"\n"); err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	return nil
}

// keepNew writes a file that was not there before, whole or not at all: half a key,
// which a crash left or another process has not finished, would lock everybody out.
func keepNew(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-key-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	err = os.Link(f.Name(), path) // never over one that is there
	if _, there := os.Lstat(path); err != nil && errors.Is(there, os.ErrNotExist) {
		err = os.Rename(f.Name(), path) // a file system without hard links
	}
	return err
}
