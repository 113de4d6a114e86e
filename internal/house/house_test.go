// Package house holds tests only: floors, package comments, where secrets may be revealed, and that every vendor conforms.
package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"rekey/internal/provider/all"
	"rekey/internal/schemagen"
	"rekey/internal/sop"
)

const root = "../.."

// floors: imports go only down. A package imports what stands on a lower floor;
// what stands on the same floor only where it is named under neighbours.
var floors = map[string]int{
	"internal/cred": 0, "internal/packed": 0, "internal/secret": 0, "internal/visible": 0,
	"internal/sop": 1, "internal/journal": 1, "internal/vendorhttp": 1, "internal/byhand": 1, "internal/outside": 1,
	"internal/rotation": 2, "internal/provider": 2, "internal/logins": 2, "internal/webapi": 2, "internal/evidence": 2, "internal/world": 2, "internal/lease": 2,
	"internal/provider/*": 3, "internal/provider/*/double": 3, "internal/refs": 3, "internal/identity": 3, "internal/history": 3, "internal/runner": 3, "internal/drift": 3, "internal/discover": 3, "internal/claims": 3, "internal/approvals": 3,
	"internal/report": 4, "internal/provider/all": 4, "internal/notary": 4, "internal/kept": 4, "internal/traces": 4,
	"internal/screen": 5, "internal/document": 5, "internal/dossier": 5, "internal/wire": 5, "internal/sim": 5, "internal/schemagen": 5, "internal/contract": 5,
	"internal/stage": 6, "internal/sim/stage": 7, "internal/stage/reference": 7, "internal/estate": 6, "internal/providertest": 6, "internal/schemagen/gen": 6, "internal/schemagen/list": 6, "internal/house": 6, "internal/realserver": 6, "internal/quickjq": 6, "internal/quickjq/jq": 6,
	"internal/drivertool": 7, "internal/providertest/simulated": 7,
	"internal/schedule": 4, "internal/notify": 5, "internal/access": 7, "internal/engine": 7, "internal/api": 7, "internal/client": 8, "internal/console": 8, "internal/scheduler": 8, "internal/server": 9, "internal/service": 10, "cmd/rekey": 11,
}

// neighbours may be imported from the same floor.
var neighbours = map[string][]string{
	"internal/secret": {"internal/cred"}, "internal/logins": {"internal/provider"}, "internal/webapi": {"internal/provider"}, "internal/cred": {"internal/visible"},
}

type pkg struct {
	ImportPath, Dir, Doc string
	Imports, Deps        []string
	GoFiles              []string
}

// packages of this module, with what they import outside of tests.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// listed is asked of the go command once: every question here is about the same tree.
var listed = sync.OnceValues(func() (map[string]pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,Deps,GoFiles", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := map[string]pkg{}
	dec := json.NewDecoder(bytes.NewReader(out))
	for dec.More() {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}
		all[strings.TrimPrefix(p.ImportPath, "rekey/")] = p
	}
	return all, nil
})

func floorOf(name string) (int, bool) {
	if f, ok := floors[name]; ok {
		return f, true
	}
	if dir, _ := filepath.Split(name); dir == "internal/provider/" {
		return floors["internal/provider/*"], true
	}
	if ok, _ := filepath.Match("internal/provider/*/double", name); ok {
		return floors["internal/provider/*/double"], true
	}
	return 0, false
}

func TestImportsGoOnlyDown(t *testing.T) {
	pkgs := packages(t)
	if len(pkgs) < 15 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	for name, p := range pkgs {
		mine, ok := floorOf(name)
		if !ok {
			t.Errorf("%s stands on no floor; give it one in floors and in docs/architecture.md", name)
			continue
		}
		for _, imp := range p.Imports {
			other, ours := strings.CutPrefix(imp, "rekey/")
			if !ours {
				continue
			}
			theirs, _ := floorOf(other)
			if theirs < mine || contains(neighbours[name], other) {
				continue
			}
			t.Errorf("%s (floor %d) imports %s (floor %d)", name, mine, other, theirs)
		}
	}
}

// secretFree packages cannot reach a secret, even indirectly: that there is none
// in a plan, a journal or a report is a fact of the import graph.
var secretFree = []string{"internal/sop", "internal/byhand", "internal/journal", "internal/rotation", "internal/report", "internal/history", "internal/screen", "internal/drift", "internal/discover", "internal/evidence", "internal/document", "internal/dossier", "internal/approvals", "internal/schedule"}

func TestTheSecretFreeHalfCannotReachASecret(t *testing.T) {
	pkgs := packages(t)
	for _, name := range secretFree {
		p, ok := pkgs[name]
		if !ok {
			t.Errorf("%s is gone; take it off the list", name)
		}
		if contains(p.Deps, "rekey/internal/secret") {
			t.Errorf("%s reaches internal/secret", name)
		}
	}
	if !contains(pkgs["internal/runner"].Deps, "rekey/internal/secret") {
		t.Error("the test sees no dependency where there is one")
	}
}

// reveals are the only places where a secret becomes a string; internal/identity
// hands a CI token to what verifies its signature, internal/kept the address of the
// journal's database to what makes sessions with it, internal/access writes the token of
// a command line to its user's own file, internal/client the server's token to the
// server, internal/traces a header to the collector.
var reveals = regexp.MustCompile(`^(internal/secret|internal/vendorhttp|internal/outside|internal/notify|internal/identity|internal/access|internal/client|internal/kept|internal/traces|internal/webapi|internal/provider/[a-z]+|internal/stage/reference)/[a-z_]+\.go$`)

func TestSecretsAreRevealedOnlyOnTheWayOut(t *testing.T) {
	found := 0
	eachFile(t, func(path string, f *ast.File, _ *token.FileSet) {
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Reveal" {
				found++
				if !reveals.MatchString(path) {
					t.Errorf("%s reveals a secret", path)
				}
			}
			return true
		})
	})
	if found == 0 {
		t.Error("no Reveal was found at all: has it another name now?")
	}
}

// TestTheNetworkHasOneWayOut: whatever goes around vendorhttp.NewTransport prints its
// tokens where the library is asked to log HTTP/2, and names no proxy.
func TestTheNetworkHasOneWayOut(t *testing.T) {
	around := []string{"DefaultTransport", "DefaultClient", "Get", "Head", "Post", "PostForm"}
	eachFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		if path == "internal/vendorhttp/transport.go" || strings.HasPrefix(path, "internal/providertest/") {
			return // the way out itself, and tests
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			names := around
			if lit, is := n.(*ast.CompositeLit); is {
				sel, ok = lit.Type.(*ast.SelectorExpr)
				names = []string{"Transport"} // made anew; as a type it does no harm
			}
			if ok {
				if pkg, is := sel.X.(*ast.Ident); is && pkg.Name == "http" && slices.Contains(names, sel.Sel.Name) {
					t.Errorf("%s goes to the network by http.%s", fset.Position(n.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	})
}

// eachFile visits every Go file that is no test.
func eachFile(t *testing.T, visit func(path string, f *ast.File, fset *token.FileSet)) {
	t.Helper()
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			rel, err := filepath.Rel(abs, filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			rel = filepath.ToSlash(rel)
			visit(rel, parsed(t, rel), fileSet)
		}
	}
}

var (
	fileSet = token.NewFileSet()
	files   sync.Map // by path from the root: most questions here are about the same files
)

// parsed is a Go file of the repository. Nobody changes what others read, too.
func parsed(t *testing.T, path string) *ast.File {
	t.Helper()
	if f, ok := files.Load(path); ok {
		return f.(*ast.File)
	}
	f, err := parser.ParseFile(fileSet, filepath.Join(root, filepath.FromSlash(path)), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	files.Store(path, f)
	return f
}

func TestNoInitAndNoGlobals(t *testing.T) {
	eachFile(t, func(path string, f *ast.File, _ *token.FileSet) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init", path)
			}
		}
	})
}

func TestEveryPackageHasItsSentence(t *testing.T) {
	for name, p := range packages(t) {
		if strings.TrimSpace(p.Doc) == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", name)
		}
	}
}

func TestEveryVendorConforms(t *testing.T) {
	for _, d := range all.Vendors() {
		dir := filepath.Join(root, "internal/provider", d.Name)
		for _, file := range []string{"conform_test.go", "doc.md"} {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Errorf("vendor %s: %v", d.Name, err)
			} else if len(b) < 200 {
				t.Errorf("vendor %s: %s says next to nothing", d.Name, file)
			}
		}
		if d.Doc == "" || d.Title == "" || d.Connection == nil {
			t.Errorf("vendor %s: its descriptor is not complete", d.Name)
		}
	}
}

func TestSchemaIsMadeFromTheTypes(t *testing.T) {
	// The comments are read relative to the module's folder.
	t.Chdir(root)
	want, err := schemagen.Schema(".", all.Vendors())
	if err != nil {
		t.Fatal(err)
	}
	readable, err := os.ReadFile("internal/sop/rekey.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, sop.Schema()) || !bytes.Equal(want, readable) {
		t.Error("internal/sop/rekey.schema.json is not what the types say; run: go generate ./internal/sop")
	}
}

// TestVendorPagesAreMade: the page says what the code does.
func TestVendorPagesAreMade(t *testing.T) {
	for _, d := range all.Vendors() {
		b, err := os.ReadFile(filepath.Join(root, "docs/vendors", d.Name+".md"))
		if err != nil || !bytes.Equal(b, schemagen.Page(d)) {
			t.Errorf("docs/vendors/%s.md is not what the code says; run: go generate ./internal/sop (%v)", d.Name, err)
		}
	}
}

// linked is the checked-in list of modules that the binary links: a new
// dependency is a visible diff with a reason.
func TestDependenciesAreListed(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/rekey")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range strings.Fields(string(out)) {
		seen[m] = true
	}
	delete(seen, "rekey")
	var got []string
	for m := range seen {
		got = append(got, m)
	}
	sort.Strings(got)
	b, err := os.ReadFile("linked.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, line := range strings.Split(string(b), "\n") {
		if name, _, _ := strings.Cut(line, " "); name != "" && !strings.HasPrefix(line, "#") {
			want = append(want, name)
		}
	}
	sort.Strings(want)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the binary links\n%s\nbut linked.txt says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestNothingNamesThisMachine: what is committed must be at home anywhere.
func TestNothingNamesThisMachine(t *testing.T) {
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	bad := regexp.MustCompile(`/work/|/root/|/home/[a-z]+/|/tmp/[a-z]`)
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || strings.HasSuffix(name, "house_test.go") {
			continue
		}
		if m := bad.Find(b); m != nil {
			t.Errorf("%s names %s", name, m)
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// nameless packages know vendors by an interface only: the name of one in a string or
// in an import is a vendor that was built in. More packages join as they are freed.
var nameless = []string{"internal/world", "internal/stage", "internal/stage/reference"}

func TestNoVendorsNameWhereNoneBelongs(t *testing.T) {
	looked := 0
	eachFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		if !slices.Contains(nameless, filepath.ToSlash(filepath.Dir(path))) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var word string
			switch n := n.(type) {
			case *ast.BasicLit:
				if word = n.Value; strings.HasPrefix(word, `"github.com/`) {
					word = "" // where a module is kept
				}
			case *ast.Ident:
				word = n.Name
			}
			for _, d := range all.Vendors() {
				if looked++; word != "" && namesVendor(word, d.Name) {
					t.Errorf("%s: %s names the vendor %s", fset.Position(n.Pos()), word, d.Name)
				}
			}
			return true
		})
	})
	if looked == 0 {
		t.Error("nothing was looked at")
	}
}

// ordinary are names of vendors that are words of every program, or of this one: they
// count only where they stand alone, as in rekey.yaml.
var ordinary = []string{"file", "rekey"}

func namesVendor(word, name string) bool {
	if slices.Contains(ordinary, name) {
		return strings.Trim(word, "`\"") == name && word != name
	}
	return strings.Contains(strings.ToLower(word), name)
}

// TestDoublesAreNotLinkedIntoTheirClients: a double that shares code with the client
// proves nothing of it, and a client that links its double carries it into production.
func TestDoublesAreNotLinkedIntoTheirClients(t *testing.T) {
	doubles := 0
	for name, p := range packages(t) {
		vendor, is := strings.CutSuffix(name, "/double")
		if !is {
			for _, imp := range p.Imports {
				if strings.HasPrefix(name, "internal/provider/") && strings.HasSuffix(imp, "/double") {
					t.Errorf("%s imports %s", name, imp)
				}
			}
			continue
		}
		if doubles++; contains(p.Deps, "rekey/"+vendor) {
			t.Errorf("%s is built on the client that it is to be asked by", name)
		}
	}
	if doubles == 0 {
		t.Error("there are no doubles: have they another name now?")
	}
}
