package secret

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// keyBytes of an installation's key.
const keyBytes = 32

// ErrNoKey means that a file is there, and holds no key of an installation.
var ErrNoKey = errors.New("this is not a fingerprint key: expected one line of 64 hexadecimal digits")

// ReadKeyer reads the key of an installation from a file. Half a key is none: with
// it every value would get another fingerprint.
func ReadKeyer(path string) (Keyer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Keyer{}, err
	}
	v := New(string(b))
	clear(b)
	return KeyerOf(v)
}

// KeyerOf takes a value as the key of an installation. The error does not quote it.
func KeyerOf(v Value) (Keyer, error) {
	text := strings.TrimSpace(v.Reveal())
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != keyBytes {
		return Keyer{}, ErrNoKey
	}
	return NewKeyer(New(text)), nil
}

// KeepNewKeyer makes a key and writes it to a file that only its owner can read and
// that was not there before: the error is os.ErrExist if it was.
func KeepNewKeyer(path string) error {
	fresh := make([]byte, keyBytes)
	if _, err := rand.Read(fresh); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	return keepNew(path, hex.EncodeToString(fresh)+"\n")
}
