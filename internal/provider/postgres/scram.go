package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"

	"rekey/internal/secret"
)

// iterations and saltBytes are the server's own defaults.
const (
	iterations = 4096
	saltBytes  = 16
)

// verifier is what the server keeps of a password (SCRAM-SHA-256, RFC 5803). It is sent
// in place of the password, which so appears in no log and no statistics of the
// server. Ours are ASCII, so that SASLprep leaves them as they are (RFC 4013).
func verifier(random io.Reader, password secret.Value) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("no randomness: %w", err)
	}
	return kept(password, salt, iterations)
}

// kept is the verifier with a salt, made by so many iterations.
func kept(password secret.Value, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password.Reveal(), salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	mac := func(what string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(what))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac("Server Key"))), nil
}
