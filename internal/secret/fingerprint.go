package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"rekey/internal/cred"
)

// fingerprintBytes of the HMAC are kept: 80 bits, far beyond accidental
// collision among the values of one installation.
const fingerprintBytes = 10

// Keyer makes fingerprints: HMAC-SHA256 (RFC 2104) under a key of the
// installation, so that a fingerprint in a journal cannot be tested against
// guesses by someone who has only the journal.
type Keyer struct {
	key   Value
	texts *texts // nil: nothing is remembered
}

// texts remembers the fingerprints of printable texts: an issuer's list is compared
// with every credential.
type texts struct {
	mu sync.Mutex
	of map[string]cred.Fingerprint
}

// mostTexts bounds how many are remembered.
const mostTexts = 100_000

// NewKeyer returns a Keyer for an installation's key.
func NewKeyer(key Value) Keyer { return Keyer{key, &texts{of: map[string]cred.Fingerprint{}}} }

// Of returns the fingerprint of v, or "" when v holds nothing.
func (k Keyer) Of(v Value) cred.Fingerprint {
	if !v.Present() {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(k.key.Reveal()))
	mac.Write([]byte(v.Reveal()))
	return cred.Fingerprint(hex.EncodeToString(mac.Sum(nil)[:fingerprintBytes]))
}

// OfText returns the fingerprint of a printable string, to compare it with
// that of a secret without revealing the latter (a stored client id against
// the issuer's list).
func (k Keyer) OfText(s string) cred.Fingerprint {
	if k.texts == nil {
		return k.Of(New(s))
	}
	k.texts.mu.Lock()
	defer k.texts.mu.Unlock()
	fp, known := k.texts.of[s]
	if !known {
		if fp = k.Of(New(s)); len(k.texts.of) < mostTexts {
			k.texts.of[s] = fp
		}
	}
	return fp
}
