package evidence

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key is a public key.
type Key struct {
	Verifier note.Verifier
	Text     string // as note writes it: name+hash+key
}

// ID names the key shortly: name and hash.
func (k Key) ID() string { return keyID(k.Verifier.Name(), k.Verifier.KeyHash()) }

// Keys are public keys, in the order in which they were used.
type Keys []Key

// Verifiers returns them for note.Open, each once.
func (ks Keys) Verifiers() []note.Verifier {
	var out []note.Verifier
	seen := map[string]bool{}
	for _, k := range ks {
		if !seen[k.ID()] { // note takes two of one name and hash for a contradiction
			seen[k.ID()] = true
			out = append(out, k.Verifier)
		}
	}
	return out
}

// Has reports whether the key is among them.
func (ks Keys) Has(text string) bool {
	for _, k := range ks {
		if k.Text == text {
			return true
		}
	}
	return false
}

// ParseKey reads a public key. A private one is refused without being quoted.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "PRIVATE+KEY+") {
		return Key{}, fmt.Errorf("this is a private key: verification does not need it, and it should be nowhere but where it signs")
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return Key{}, fmt.Errorf("this is not a public key: want name+hash+key, as `rekey checkpoint key` prints it")
	}
	return Key{v, text}, nil
}

// ParseKeys reads public keys, one a line; lines that begin with # are comments.
func ParseKeys(text string) (Keys, error) {
	var out Keys
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		k, err := ParseKey(l)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there is no public key")
	}
	return out, nil
}
