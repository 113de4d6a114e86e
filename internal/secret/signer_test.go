package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/secret"
)

// TestSignerSignsAndDoesNotShow: what it signs verifies with its public key, and
// no way of printing it shows the private one.
func TestSignerSignsAndDoesNotShow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.key")
	for range 40 { // seeds with and without a + in their base64
		_ = os.Remove(path)
		if err := secret.KeepNewSigner(path, "example.com/rekey"); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		private := strings.TrimSpace(string(b))
		s, err := secret.NewSigner(secret.New(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		v, err := note.NewVerifier(s.Public())
		if err != nil || v.Name() != s.Name() || v.KeyHash() != s.KeyHash() {
			t.Fatalf("public key %s: %v", s.Public(), err)
		}
		signed, err := note.Sign(&note.Note{Text: "hello\n"}, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
			t.Fatal(err)
		}
		seed := strings.SplitN(private, "+", 5)[4]
		j, _ := json.Marshal([]any{s})
		for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), string(j), fmt.Sprintf("%v", struct{ s secret.Signer }{s})} {
			if strings.Contains(shown, seed[:12]) {
				t.Fatalf("the key is shown: %s", shown)
			}
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if err := secret.KeepNewSigner(path, "example.com/rekey"); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key was overwritten: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".new*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestNoSigner: what is no key is refused and not quoted.
func TestNoSigner(t *testing.T) {
	for _, text := range []string{"", "hunter2-hunter2", "PRIVATE+KEY+x+12345678+AAAA", "PRIVATE+KEY+hunter2-hunter2", "x+7b4e45fc+ARUflql8Ww+2/ORtLNKE+V+pHjKtohyRLMXJf9Uyvr8E"} {
		if _, err := secret.NewSigner(secret.New(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
