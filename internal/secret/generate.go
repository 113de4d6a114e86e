package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Alphabets of secrets that we make. None has a character that a shell, a URL, a DSN,
// a dotenv file, YAML, JSON or SQL gives a meaning to.
const (
	Alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	Hex          = "0123456789abcdef"
	Base64URL    = Alphanumeric + "-_"
)

// minimumEntropy in bits: below it a secret could be guessed by trying (NIST SP
// 800-131A asks 112 bits of security of what is used today).
const minimumEntropy = 112

// Generate makes a secret of so many characters of an alphabet, each as likely as any
// other and independent of the rest. random nil is the system's source. An alphabet
// that names a character twice, or a secret of fewer than 112 bits, is an error.
func Generate(random io.Reader, length int, alphabet string) (Value, error) {
	if random == nil {
		random = rand.Reader
	}
	for i, r := range alphabet {
		if r >= 0x80 || strings.ContainsRune(alphabet[i+1:], r) {
			return Value{}, errors.New("make a secret: the alphabet names a character twice, or one outside ASCII")
		}
	}
	if bits := Entropy(length, alphabet); bits < minimumEntropy {
		return Value{}, fmt.Errorf("make a secret: %d characters of %d have %.0f bits, and at least %d are wanted", length, len(alphabet), bits, minimumEntropy)
	}
	// What lies above the greatest multiple is thrown away, or the first characters
	// of the alphabet would be likelier.
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, length)
	buf := make([]byte, 2*length)
	for len(out) < length {
		if _, err := io.ReadFull(random, buf); err != nil {
			return Value{}, fmt.Errorf("make a secret: no randomness: %w", err)
		}
		for _, b := range buf {
			if int(b) < limit && len(out) < length {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	v := New(string(out))
	clear(out)
	clear(buf)
	return v, nil
}

// Entropy is how many bits a secret of so many characters of an alphabet has.
func Entropy(length int, alphabet string) float64 {
	if len(alphabet) < 2 {
		return 0
	}
	return float64(length) * math.Log2(float64(len(alphabet)))
}
