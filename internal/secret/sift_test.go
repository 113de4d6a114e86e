package secret

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rekey/internal/cred"
)

// someSearches looks for so many credentials, long and short, some with a public part.
func someSearches(n int) (all []Search, secrets []string) {
	random := rand.New(rand.NewPCG(5, 6))
	joined, _ := cred.ParseTemplate("{id}:{key}")
	for i := range n {
		id, key := fmt.Sprintf("%d.access", i), ""
		if i%3 == 0 {
			id = fmt.Sprintf("1f00c0ffee1f00c0ffee%d.access", i)
		}
		for range 5 + random.IntN(50) {
			key += string(rune("abcdefghijklmnopqrstuvwxyz0123456789+/-_\"\\ "[random.IntN(43)]))
		}
		key = "k" + key + "k"
		all = append(all, NewSearch(Bundle{"id": New(id), "key": New(key)}, func(f string, _ Value) bool { return f == "id" }, []cred.Template{joined}))
		secrets = append(secrets, id, key, id+":"+key, key[:len(key)/2], key[len(key)/2:])
	}
	return all, secrets
}

// TestSiftingLeavesNothingOut: whatever a search finds in a value, it is among those
// that may; and of what nobody holds, nobody is asked.
func TestSiftingLeavesNothingOut(t *testing.T) {
	all, secrets := someSearches(10)
	sift := NewSift(all)
	asked, found := 0, 0
	hold := func(how, text string) {
		may := sift.May(New(text))
		asked += len(may)
		for i, s := range all {
			if m, _ := s.In(New(text)); m != Apart {
				found++
				if !slices.Contains(may, i) {
					t.Errorf("%s: search %d finds %d in %q and is not asked", how, i, m, text)
				}
			}
		}
	}
	for how, write := range writings() {
		for _, x := range secrets {
			hold(how, write(x))
			hold(how+" beside something", "a="+write(x)+"\n")
		}
		hold(how+" of two", write(secrets[1]+","+secrets[6]))
	}
	if found < 500 || asked > 2*found {
		t.Errorf("%d are asked, and %d find something", asked, found)
	}
	for _, other := range []string{"", "postgres://u:p@h/db", strings.Repeat("x", 100), "https://example.com/a/long/path/that/nobody/knows"} {
		if may := sift.May(New(other)); len(may) > 0 {
			t.Errorf("%v are asked about %q", may, other)
		}
	}
}

// BenchmarkSift looks for a thousand credentials in two thousand values.
func BenchmarkSift(b *testing.B) {
	all, _ := someSearches(1000)
	values := make([]Value, 2000)
	for i := range values {
		values[i] = New(fmt.Sprintf("postgres://user%d:%x@db-%d.example.com:5432/app?sslmode=require", i, i*i*7919, i))
	}
	b.Run("each value once", func(b *testing.B) {
		for b.Loop() {
			sift := NewSift(all)
			for _, v := range values {
				_ = sift.May(v)
			}
		}
	})
	b.Run("each for every credential", func(b *testing.B) {
		for b.Loop() {
			for _, v := range values {
				for _, s := range all {
					_, _ = s.In(v)
				}
			}
		}
	})
}
