package secret

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestGeneratedSecretsAreEvenAndLongEnough: every character of the alphabet is as likely
// as any other, two are never the same, and what could be guessed is refused.
func TestGeneratedSecretsAreEvenAndLongEnough(t *testing.T) {
	seen, count := map[string]bool{}, map[rune]int{}
	const n, length = 2000, 32
	for range n {
		v, err := Generate(nil, length, Alphanumeric)
		if err != nil {
			t.Fatal(err)
		}
		s := v.Reveal()
		if len(s) != length || seen[s] {
			t.Fatalf("length %d, seen before: %v", len(s), seen[s])
		}
		seen[s] = true
		for _, r := range s {
			count[r]++
		}
	}
	mean := float64(n*length) / float64(len(Alphanumeric))
	for _, r := range Alphanumeric {
		if c := float64(count[r]); c < mean*0.75 || c > mean*1.25 { // 8 standard deviations
			t.Errorf("%c came %v times, the mean is %v", r, c, mean)
		}
	}
	// All bytes above the greatest multiple of the alphabet's length are thrown away.
	even, err := Generate(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{255}, 100)), bytes.NewReader(make([]byte, 1000))), 50, Alphanumeric)
	if err != nil || even.Reveal() != strings.Repeat("A", 50) {
		t.Errorf("%q, %v", even.Reveal(), err)
	}
	for what, call := range map[string]func() (Value, error){
		"bits":       func() (Value, error) { return Generate(nil, 18, Alphanumeric) },
		"twice":      func() (Value, error) { return Generate(nil, 200, "aab") },
		"ASCII":      func() (Value, error) { return Generate(nil, 200, "abä") },
		"randomness": func() (Value, error) { return Generate(failing{}, 32, Hex) },
	} {
		if v, err := call(); err == nil || v.Present() || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("none") }
