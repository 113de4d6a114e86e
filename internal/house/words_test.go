package house

import (
	"bytes"
	"flag"
	"go/ast"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/said.txt anew; read the diff")

// silent packages print nothing to a person who uses the program: vendors that are
// imitated, and tests.
var silent = []string{"internal/world", "internal/sim", "internal/sim/stage", "internal/stage", "internal/stage/reference", "internal/providertest/simulated", "internal/contract", "internal/house", "internal/realserver", "internal/quickjq", "internal/quickjq/jq", "internal/schemagen", "internal/schemagen/gen", "internal/schemagen/list"}

const saidFile = "testdata/said.txt"

// TestEveryStringThatCanBePrintedWasRead keeps all of them in one file, to be read as a
// stranger would read them: what is not in it was not read. Verbs and codes of one word
// are names in stored journals and are left out.
func TestEveryStringThatCanBePrintedWasRead(t *testing.T) {
	said := map[string]map[string]bool{}
	eachFile(t, func(path string, f *ast.File, _ *token.FileSet) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if slices.Contains(silent, dir) || strings.HasSuffix(dir, "/double") {
			return
		}
		for _, text := range texts(f) {
			for line := range strings.SplitSeq(text, "\n") {
				if line = strings.TrimSpace(line); prose.MatchString(line) {
					if said[dir] == nil {
						said[dir] = map[string]bool{}
					}
					said[dir][line] = true
				}
			}
		}
	})
	var b bytes.Buffer
	b.WriteString("Every string of more than one word that the program can print, by package. Made by\ngo test ./internal/house -run TestEveryString -update; read what is new as a stranger would.\n")
	for _, dir := range sorted(said) {
		b.WriteString("\n" + dir + "\n")
		for _, line := range sorted(said[dir]) {
			b.WriteString("  " + line + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(saidFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(saidFile)
	if err != nil {
		t.Fatal(err)
	}
	read := strings.Split(string(want), "\n")
	for line := range strings.SplitSeq(b.String(), "\n") {
		if !slices.Contains(read, line) {
			t.Errorf("nobody has read %q: read it as a stranger would, then add it with -update", strings.TrimSpace(line))
		}
	}
	if !t.Failed() && !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s has strings that are gone; write it anew with -update", saidFile)
	}
	if lines := bytes.Count(b.Bytes(), []byte("\n")); lines < 1500 {
		t.Errorf("only %d lines were found", lines)
	}
}

// prose has two words; a single one may be a name in a stored journal.
var prose = regexp.MustCompile(`[\pL%…)\]}:,;.'"] +[\pL%…({'"]`)

// dialect are words that only those understand who wrote the program.
var dialect = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`\b(go|goes|went|gone|left|is|are) dark\b`, `\bquiet:`, `\b(is|are|be) quiet\b`, `\bsettled?s?\b`, `\bpropagat`, `\bdismiss`, `\badmit`, `\badmission`, `\bwithdraw`, `\bdiscard`,
	`\bsweep`, `\bswept\b`, `\bsurvey`, `\bstrays?\b`, `\bastray\b`, `\btorn\b`, `\bas told\b`, `\bnobody's\b`, `\bof nobody\b`, `\bmend(s|ed|ing)?\b`,
	`\b(turns?|turned) (\w+ ){0,4}away\b`, `\blets? (\w+ ){1,4}in\b`, `\blet in\b`, `\bthe gates?\b`, `\bhalf a picture\b`, `\bthe desk\b`,
	`\b(a|the|new|old|any) generations?\b`,
	`\bhas it not\b`, `\bmay nothing\b`, `\bout from here\b`, `\bmade out (to|for)\b`, `\b(has|have) not got\b`,
}, "|"))

// known are where such a word is no dialect.
var known = []string{
	"DISCARD OLD PASSWORD",                                                      // a statement of MySQL
	"5. Propagate to downstream consumers", "Propagate to downstream consumers", // a heading of the written procedure that this project started from
	"cat settled", "> settled", `"settle": {`, // a file of the page, a key of rekey.yaml
	"One issue of a credential: before a rotation the old one", // what explain says of the word itself
}

// TestNothingThatIsPrintedNeedsATranslator holds the strings, and the pages for people,
// to words that the field uses.
func TestNothingThatIsPrintedNeedsATranslator(t *testing.T) {
	files := []string{filepath.Join("internal/house", saidFile), "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/sop/README.md", "docs/sop/CF_ACCESS_SVC_CONSOLE.md", "internal/sop/rekey.schema.json", "examples/rekey.yaml"}
	for _, pattern := range []string{"docs/vendors/*.md", "docs/decisions/*.md", "docs/[b-f]*.md", "docs/[n-w]*.md", "internal/report/testdata/*.txt", "internal/screen/testdata/*.txt", "internal/dossier/testdata/*.txt", "internal/console/pages/*.html"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files (%v)", pattern, len(found), err)
		}
		for _, f := range found {
			rel, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, rel)
		}
	}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			word := dialect.FindString(line)
			if word != "" && !slices.ContainsFunc(known, func(k string) bool { return strings.Contains(line, k) }) {
				t.Errorf("%s:%d: %q is a word for insiders: %s", name, i+1, word, strings.TrimSpace(line))
			}
		}
	}
	for _, word := range []string{"heroku:app goes dark", "the old one is turned away", "sweep: nothing is left", "it is nobody's", "mend it first", "the gate lets the new one in"} {
		if !dialect.MatchString(word) {
			t.Errorf("%q is not seen", word)
		}
	}
}

// TestCommentsNeedNoTranslator either. The first word of a comment is a name in the code,
// which may be a verb of stored journals.
func TestCommentsNeedNoTranslator(t *testing.T) {
	seen := 0
	eachFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		if strings.HasPrefix(path, "internal/sim/") || strings.HasPrefix(path, "internal/providertest/") {
			return
		}
		for _, c := range f.Comments {
			seen++
			text := strings.Join(strings.Fields(c.Text()), " ")
			_, rest, _ := strings.Cut(text, " ")
			word := dialect.FindString(rest)
			if word != "" && !slices.ContainsFunc(named, func(n string) bool { return strings.Contains(rest, n) }) && !generation.MatchString(word) {
				t.Errorf("%s: %q is a word for insiders: %s", fset.Position(c.Pos()), word, text)
			}
		}
	})
	if seen < 3000 {
		t.Errorf("only %d comments were found", seen)
	}
}

// generation is what the code calls one issue of a credential (docs/glossary.md).
var generation = regexp.MustCompile(`generation`)

// named are names of the code in comments.
var named = []string{`"admit policy/1234"`, "an Admitter and a Prober", "@settle@", "torn counts beginnings", "lets what is in flight finish", "cloudflare/admit.go"}

var page = regexp.MustCompile(`([\w./-]*\w\.md)(?:[^\w.]|\.\W|\.?$)`)

// TestCommentsCiteOnlyWhatIsHere: what a comment goes by has to be at hand for whoever
// reads it. Facts about vendors are in docs/vendors.
func TestCommentsCiteOnlyWhatIsHere(t *testing.T) {
	cited := 0
	check := func(path, text string) {
		for _, m := range page.FindAllStringSubmatch(text, -1) {
			name := m[1]
			cited++
			_, atRoot := os.Stat(filepath.Join(root, name))
			_, beside := os.Stat(filepath.Join(root, filepath.Dir(path), name))
			ofVendors, err := filepath.Glob(filepath.Join(root, "internal/provider/*", name))
			if err != nil {
				t.Fatal(err)
			}
			if atRoot != nil && beside != nil && len(ofVendors) == 0 {
				t.Errorf("%s cites %s, which is not in this repository", path, name)
			}
		}
		if m := regexp.MustCompile(`\.md[^.\n]{0,12}§`).FindString(text); m != "" {
			t.Errorf("%s cites a section by number (%q), which moves", path, m)
		}
	}
	eachSource(t, func(path string, comments []string, literals []string) {
		for _, c := range comments {
			check(path, c)
		}
		if strings.HasPrefix(path, "internal/contract/") { // whose sources are data
			for _, l := range literals {
				check(path, l)
			}
		}
	})
	scripts, err := filepath.Glob(filepath.Join(root, "internal/*/*.sh"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "internal/provider/*/*.sh"))
	if err != nil || len(more) == 0 {
		t.Fatalf("%d scripts (%v)", len(more), err)
	}
	for _, name := range append(scripts, more...) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		check(rel, string(b))
	}
	if cited < 60 {
		t.Errorf("only %d citations were found", cited)
	}
}

// texts are the string literals of a file, with what is added to them shown as "…".
func texts(f *ast.File) []string {
	var out []string
	var visit func(n ast.Node) bool
	visit = func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			x.Tag = nil
		case *ast.BinaryExpr:
			var parts []ast.Expr
			if text, ok := joined(x, &parts); ok {
				out = append(out, text)
				for _, p := range parts { // "a " + b("c d")
					ast.Inspect(p, visit)
				}
				return false
			}
		case *ast.BasicLit:
			if text, ok := joined(x, nil); ok {
				out = append(out, text)
			}
		}
		return true
	}
	ast.Inspect(f, visit)
	return out
}

// joined is the text of a sum with a literal in it; parts are its other terms.
func joined(e ast.Expr, parts *[]ast.Expr) (string, bool) {
	switch x := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); err == nil && x.Kind == token.STRING {
			return text, true
		}
	case *ast.ParenExpr:
		return joined(x.X, parts)
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			a, left := joined(x.X, parts)
			b, right := joined(x.Y, parts)
			return a + b, left || right
		}
	}
	if parts != nil {
		*parts = append(*parts, e)
	}
	return "…", false
}

// eachSource visits every Go file of the repository, tests included.
func eachSource(t *testing.T, visit func(path string, comments, literals []string)) {
	t.Helper()
	for _, name := range sources(t) {
		f := parsed(t, name)
		var comments []string
		for _, c := range f.Comments {
			comments = append(comments, c.Text())
		}
		visit(name, comments, texts(f))
	}
}

// sources are all Go files of the repository that are there.
func sources(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "*.go")
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimRight(string(list), "\x00"), "\x00"), func(name string) bool {
		_, err := os.Stat(filepath.Join(root, name))
		return os.IsNotExist(err) // removed and not yet committed
	})
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
