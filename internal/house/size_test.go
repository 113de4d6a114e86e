package house

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file has one subject and a name that says it. Whoever looks for where something stands
// reads names; one that has grown past this holds several things under the name of one.
const (
	longest     = 300 // lines of a file of the program
	longestTest = 500 // lines of a file of tests, which are read one at a time
)

// TestNoFileHoldsSeveralSubjects: of every module here, tests included.
func TestNoFileHoldsSeveralSubjects(t *testing.T) {
	files := sources(t)
	for _, path := range files {
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		most := longest
		if strings.HasSuffix(path, "_test.go") {
			most = longestTest
		}
		if lines := bytes.Count(b, []byte("\n")); lines > most {
			t.Errorf("%s has %d lines, more than %d: split it by subject, each part under a name that says which", path, lines, most)
		}
	}
	if len(files) < 500 {
		t.Errorf("only %d files were seen", len(files))
	}
}
