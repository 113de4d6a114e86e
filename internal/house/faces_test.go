package house

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"

	"rekey/internal/provider/all"
)

// faces reach vendors, journal, history and runner through the operations only. What
// else a face may import, and why; whatever is not here is reached through
// internal/estate.
var faces = map[string]map[string]string{
	"cmd/rekey": {
		"internal/estate":     "the operations",
		"internal/sop":        "rekey.yaml, whose mistakes it tells, and what a purpose is called",
		"internal/rotation":   "plans, events and states, which it is given and shows",
		"internal/report":     "the words for what it is given",
		"internal/screen":     "the picture of a run",
		"internal/visible":    "text of unknown origin is made safe before a terminal gets it",
		"internal/discover":   "kinds of what was found, by which an exit code is chosen",
		"internal/document":   "what differs between a committed page and the one that it was given",
		"internal/dossier":    "evidence that it is given as text and as a page; an export is verified from its file alone",
		"internal/evidence":   "public keys and checkpoints that are typed, or lie in files",
		"internal/secret":     "what is typed unseen; a key that is made for elsewhere",
		"internal/drivertool": "what a maker of a driver works with, which is not an operation on credentials",
		"internal/access":     "signing in at a server, and the tokens by which machines ask one",
		"internal/client":     "the same operations on a server",
		"internal/service":    "rekey serve, which is put together there",
		"internal/sim":        "rekey demo and rekey sim lay out worlds and serve them",
	},
	"internal/console": {
		"internal/estate":    "what the operations are given and return",
		"internal/engine":    "who is at which run",
		"internal/sop":       "purposes, windows, and what a specification says of itself",
		"internal/rotation":  "plans, events and states, which it is given and shows",
		"internal/report":    "the words for what it is given",
		"internal/approvals": "how a request for an agreement stands, which it shows",
		"internal/cred":      "fingerprints and handles, which it shows",
		"internal/drift":     "what was found, which it shows",
		"internal/evidence":  "how far the journal is signed, and checkpoints that are typed",
		"internal/dossier":   "evidence as a page",
		"internal/visible":   "text of unknown origin is made safe before a page has it",
	},
}

// beneath is what no face imports, whatever stands above: this is what the list is for.
var beneath = []string{"internal/provider", "internal/journal", "internal/history", "internal/runner", "internal/wire", "internal/notary", "internal/refs", "internal/identity", "internal/vendorhttp"}

func TestFacesReachVendorsJournalAndRunnerThroughTheOperations(t *testing.T) {
	pkgs := packages(t)
	for face, may := range faces {
		p, ok := pkgs[face]
		if !ok {
			t.Errorf("%s is gone; take it off the list", face)
		}
		used := map[string]bool{}
		for _, imp := range p.Imports {
			name, ours := strings.CutPrefix(imp, "rekey/")
			if !ours {
				continue
			}
			used[name] = true
			if may[name] == "" {
				t.Errorf("%s imports %s; an operation of internal/estate is what it wants, or a reason in this list", face, name)
			}
		}
		for name := range may {
			if !used[name] {
				t.Errorf("%s does not import %s any more; take it off the list", face, name)
			}
			if slices.ContainsFunc(beneath, func(b string) bool { return name == b || strings.HasPrefix(name, b+"/") }) {
				t.Errorf("%s may not be allowed to import %s", face, name)
			}
		}
	}
	// The list would be no rule if nothing had to be reached.
	for _, b := range beneath {
		if b != "internal/provider" && !contains(pkgs["internal/estate"].Imports, "rekey/"+b) {
			t.Errorf("internal/estate does not import %s: is it reached in another way now?", b)
		}
	}
}

// TestOperationsHaveNoScreen: an operation is called by faces that have none.
func TestOperationsHaveNoScreen(t *testing.T) {
	p := packages(t)["internal/estate"]
	for _, imp := range p.Imports {
		for _, no := range []string{"github.com/spf13/", "golang.org/x/term", "flag", "rekey/internal/screen", "log"} {
			if imp == no || strings.HasSuffix(no, "/") && strings.HasPrefix(imp, no) {
				t.Errorf("internal/estate imports %s", imp)
			}
		}
	}
	no := []string{"os.Stdout", "os.Stderr", "os.Stdin", "os.Args", "os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "fmt.Print", "fmt.Println", "fmt.Printf", "time.Sleep", "os.Getwd"}
	files := 0
	eachFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		if !strings.HasPrefix(path, "internal/estate/") {
			return
		}
		files++
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(no, x.Name+"."+sel.Sel.Name) {
				t.Errorf("%s uses %s.%s: it is a parameter, or a face's", fset.Position(n.Pos()), x.Name, sel.Sel.Name)
			}
			return true
		})
	})
	if files == 0 {
		t.Error("no file of internal/estate was looked at")
	}
}

// vendorless packages know vendors by what they can do, and none by name.
var vendorless = []string{"internal/rotation", "internal/runner", "internal/sop", "internal/report", "internal/estate", "internal/stage"}

// naming are files of those that do name one still, and why: the list can only become
// shorter. A name ending in / stands for all files of a folder.
var naming = map[string]string{
	"internal/rotation/copy.go":  "an example of how a place is written",
	"internal/sop/first.go":      "rekey init writes a first file for the procedure that this project started from",
	"internal/report/explain.go": "words are explained by examples",
}

// plain are names of vendors that are words of the language as well, or what this program
// is called.
var plain = []string{"assisted", "file", "rekey"}

// TestNobodyAboveKnowsAVendorsName looks at what is compiled: strings, names, imports.
func TestNobodyAboveKnowsAVendorsName(t *testing.T) {
	var names []string
	for _, d := range all.Vendors() {
		if !slices.Contains(plain, d.Name) {
			names = append(names, strings.ToLower(d.Name))
		}
	}
	if !slices.Contains(names, "heroku") {
		t.Fatalf("the vendors are %v", names)
	}
	stillNaming := map[string]bool{}
	eachFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		if !slices.ContainsFunc(vendorless, func(p string) bool { return strings.HasPrefix(path, p+"/") }) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			text := ""
			switch x := n.(type) {
			case *ast.ImportSpec:
				return strings.HasPrefix(x.Path.Value, `"rekey/`) // where others keep their modules is no vendor
			case *ast.BasicLit:
				text = x.Value
			case *ast.Ident:
				text = x.Name
			}
			for _, name := range names {
				if text == "" || !strings.Contains(strings.ToLower(text), name) {
					continue
				}
				for except := range naming {
					if path == except || strings.HasSuffix(except, "/") && strings.HasPrefix(path, except) {
						stillNaming[except] = true
						return true
					}
				}
				t.Errorf("%s names %s", fset.Position(n.Pos()), name)
			}
			return true
		})
	})
	for except := range naming {
		if !stillNaming[except] {
			t.Errorf("%s names no vendor any more; take it off the list", except)
		}
	}
}
