package secret

import (
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
)

// Sealing is by HPKE (RFC 9180) with X-Wing, ML-KEM-768 with X25519: what another process
// hands over passes through a database, whose backups may be kept for longer than a curve
// holds.
func sealing() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES256GCM()
}

// Recipient is a key pair of which the private half is in this process's memory only. Who
// has its public half can hand a bundle over, which nobody else can open.
type Recipient struct{ key hpke.PrivateKey }

// NewRecipient makes one.
func NewRecipient() (Recipient, error) {
	kem, _, _ := sealing()
	key, err := kem.GenerateKey()
	return Recipient{key}, err
}

// Public is what others seal for.
func (r Recipient) Public() []byte { return r.key.PublicKey().Bytes() }

// Open opens what was sealed for this recipient about the same. It fails where anything of
// it is another.
func (r Recipient) Open(sealed []byte, about string) (Bundle, error) {
	_, kdf, aead := sealing()
	text, err := hpke.Open(r.key, kdf, aead, []byte(about), sealed)
	if err != nil {
		return nil, errors.New("what was entered was not sealed for this process")
	}
	var fields map[string]string
	if json.Unmarshal(text, &fields) != nil { // its error could hold a piece of it
		return nil, errors.New("what was entered cannot be read")
	}
	b := Bundle{}
	for name, value := range fields {
		b[name] = New(value)
	}
	return b, nil
}

// Seal seals a bundle for the recipient with this public half. about binds it to what it
// answers: Open wants the same.
func Seal(b Bundle, public []byte, about string) ([]byte, error) {
	kem, kdf, aead := sealing()
	to, err := kem.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("seal a value: %w", err)
	}
	fields := map[string]string{}
	for name, v := range b {
		fields[name] = v.Reveal()
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, errors.New("seal a value: it cannot be written")
	}
	sealed, err := hpke.Seal(to, kdf, aead, []byte(about), text)
	if err != nil {
		return nil, fmt.Errorf("seal a value: %w", err)
	}
	return sealed, nil
}
