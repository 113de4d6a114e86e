package secret_test

import (
	"bytes"
	"testing"

	"rekey/internal/secret"
)

// TestWhatIsSealedIsOpenedByItsRecipientOnly, and as the answer to what it was sealed for.
func TestWhatIsSealedIsOpenedByItsRecipientOnly(t *testing.T) {
	t.Parallel()
	mine, err := secret.NewRecipient()
	if err != nil {
		t.Fatal(err)
	}
	other, err := secret.NewRecipient()
	if err != nil {
		t.Fatal(err)
	}
	const value = "s3cr3t-\x00-va\"lue"
	in := secret.Bundle{"client_id": secret.New("id"), "client_secret": secret.New(value)}
	sealed, err := secret.Seal(in, mine.Public(), "run a")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("s3cr3t")) || bytes.Contains(sealed, []byte("client_secret")) {
		t.Error("it can be read")
	}
	out, err := mine.Open(sealed, "run a")
	if err != nil || len(out) != 2 || !out["client_secret"].Equal(secret.New(value)) || !out["client_id"].Equal(secret.New("id")) {
		t.Errorf("opened as %v (%v)", out.Fields(), err)
	}
	for what, open := range map[string]func() (secret.Bundle, error){
		"another recipient": func() (secret.Bundle, error) { return other.Open(sealed, "run a") },
		"another question":  func() (secret.Bundle, error) { return mine.Open(sealed, "run b") },
		"a byte changed": func() (secret.Bundle, error) {
			bad := bytes.Clone(sealed)
			bad[len(bad)-1] ^= 1
			return mine.Open(bad, "run a")
		},
		"nothing": func() (secret.Bundle, error) { return mine.Open(nil, "run a") },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s opens it", what)
		}
	}
	if _, err := secret.Seal(in, []byte("no key"), "run a"); err == nil {
		t.Error("it is sealed for what is no key")
	}
}
