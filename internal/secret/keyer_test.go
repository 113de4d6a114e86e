package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rekey/internal/secret"
)

// TestProcessesThatBeginTogetherHaveOneKey, and none ever reads half of it.
func TestProcessesThatBeginTogetherHaveOneKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fingerprint.key")
	prints := make([]string, 16)
	var wg sync.WaitGroup
	for i := range prints {
		wg.Go(func() {
			if err := secret.KeepNewKeyer(path); err != nil && !errors.Is(err, os.ErrExist) {
				t.Error(err)
			}
			k, err := secret.ReadKeyer(path)
			if err != nil {
				t.Error(err)
			}
			prints[i] = string(k.OfText("x"))
		})
	}
	wg.Wait()
	for _, p := range prints {
		if p == "" || p != prints[0] {
			t.Fatalf("they differ: %v", prints)
		}
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", st.Mode(), err)
	}
}

// TestWhatIsNoWholeKeyIsNoKey.
func TestWhatIsNoWholeKeyIsNoKey(t *testing.T) {
	whole := strings.Repeat("0a", 32)
	for _, text := range []string{"", "\n", whole[:10], whole[:62], whole[:63], whole + "00", whole + "\n" + whole, strings.Repeat("zz", 32), "\x00" + whole} {
		path := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.ReadKeyer(path); !errors.Is(err, secret.ErrNoKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
