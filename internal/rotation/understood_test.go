package rotation

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write down the words of a journal anew; those that are gone are not let go")

const wordsFile = "testdata/words.txt"

// TestAWordThatWasWrittenOnceCanAlwaysBeRead: what a journal may say only grows, so that an
// older one is gone on with. A version that does not know a word of it yet carries nothing
// out that says it (Understood); what changes the meaning of a word that is there already
// wants a word of its own, or another PlanVersion.
func TestAWordThatWasWrittenOnceCanAlwaysBeRead(t *testing.T) {
	var now []string
	for _, k := range []Kind{KindOpened, KindPlanned, KindIntent, KindOutcome, KindTurned, KindConfirmed, KindAsked, KindResumed, KindStuck, KindClosed} {
		e := Event{Kind: k}
		if err := e.Decode([]byte("{}")); err != nil || e.payload() == nil {
			t.Fatalf("%s: %v", k, err)
		}
		now = append(now, wordsOf(string(k), reflect.TypeOf(e.payload()), nil)...)
	}
	slices.Sort(now)
	b, err := os.ReadFile(wordsFile)
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Split(strings.TrimSpace(string(b)), "\n")
	for _, word := range was {
		if !slices.Contains(now, word) {
			t.Errorf("%s was written by an earlier version, and is not read any more, or as something else: keep it, or journals with an open run are left alone by this version", word)
		}
	}
	for _, word := range now {
		if !slices.Contains(was, word) && !*update {
			t.Errorf("%s is new: a version before this one leaves runs alone that say it. If that is meant, and it is left out where nothing needs it (omitempty), add it with -update", word)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(wordsFile, []byte(strings.Join(now, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// wordsOf are the keys of a type with what each holds, as far as it is ours to read.
func wordsOf(path string, t reflect.Type, in []reflect.Type) (out []string) {
	t = opaque(t)
	if t == nil {
		return []string{path}
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return wordsOf(path+"[]", t.Elem(), in)
	case reflect.Map:
		return wordsOf(path+"{}", t.Elem(), in)
	case reflect.Struct:
		if slices.Contains(in, t) {
			return []string{path + " as above"}
		}
		for key, of := range fieldsOf(t) {
			out = append(out, wordsOf(path+"."+key, of, append(slices.Clone(in), t))...)
		}
		return out
	}
	return []string{fmt.Sprintf("%s %s", path, t.Kind())}
}
