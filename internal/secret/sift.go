package secret

import (
	"slices"
	"strings"
)

// Sift tells, of many searches, which may find something in a value: so each value is
// read once, in all its spellings, and not once for each search. It may name one that
// finds nothing, and leaves out none that would find something.
type Sift struct {
	equal  map[string][]int   // by a text that is the whole value, as it is or bare
	inside map[string][]piece // by the first characters of a text that stands in the value
}

// piece is what a search looks for inside a text.
type piece struct {
	text   string
	search int
}

// NewSift prepares to sift for searches; they are named by their places in the list.
func NewSift(searches []Search) *Sift {
	f := &Sift{equal: map[string][]int{}, inside: map[string][]piece{}}
	for i, s := range searches {
		whole := slices.Concat(s.made, s.bare)
		for _, p := range s.parts {
			whole = append(whole, p.value, p.bare)
			for _, x := range slices.Concat(p.exact, p.tight) {
				f.inside[x[:longEnough]] = append(f.inside[x[:longEnough]], piece{x, i}) // none is shorter
			}
		}
		slices.Sort(whole)
		for _, text := range slices.Compact(whole) {
			f.equal[text] = append(f.equal[text], i)
		}
	}
	return f
}

// May returns the searches that may find something in v, in order.
func (f *Sift) May(v Value) []int {
	if !v.Present() {
		return nil
	}
	found := map[int]bool{}
	text := v.Reveal()
	f.whole(text, found)
	f.whole(strings.TrimSpace(text), found)
	f.read(text, depth, found)
	out := make([]int, 0, len(found))
	for i := range found {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

func (f *Sift) whole(text string, found map[int]bool) {
	for _, i := range f.equal[text] {
		found[i] = true
	}
}

// read looks in a text, and in everything that it may be an encoding of, as a Search
// does.
func (f *Sift) read(text string, deeper int, found map[int]bool) {
	plain := unescaped(text)
	tight := bare(plain)
	f.within(text, found)
	if plain != text {
		f.within(plain, found)
	}
	if tight != plain {
		f.within(tight, found)
	}
	f.whole(tight, found)
	if deeper == 0 {
		return
	}
	look := func(decoded string) bool { f.read(decoded, deeper-1, found); return true }
	decodings(plain, look)
	if plain != text {
		decodings(text, look)
	}
}

func (f *Sift) within(text string, found map[int]bool) {
	for at := 0; at+longEnough <= len(text); at++ {
		for _, p := range f.inside[text[at:at+longEnough]] {
			if strings.HasPrefix(text[at:], p.text) {
				found[p.search] = true
			}
		}
	}
}
