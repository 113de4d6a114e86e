package runner_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rekey/internal/contract"
)

// unsent fails for every line of our two clients that leads to a request and was
// not passed by one: an operation that is never exercised is not proven. Which
// lines these are is read from the sources, so a new one cannot be forgotten.
func unsent(t *testing.T, rec *contract.Recorder) {
	t.Helper()
	passed := rec.Sites()
	for _, vendor := range []string{"cloudflare", "heroku"} {
		files, fset := parsedFolder(t, filepath.Join("..", "provider", vendor))
		senders := sendersOf(files)
		if len(senders) < 10 {
			t.Errorf("%s: only %v lead to a request", vendor, slices.Sorted(maps.Keys(senders)))
		}
		n, missed := 0, 0
		for _, f := range files {
			ast.Inspect(f, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok || !senders[calleeOf(call)] {
					return true
				}
				n++
				from, to := fset.Position(call.Pos()), fset.Position(call.End())
				for line := from.Line; line <= to.Line; line++ {
					if passed[fmt.Sprintf("%s/%s:%d", vendor, filepath.Base(from.Filename), line)] {
						return true
					}
				}
				missed++
				t.Errorf("no request was ever sent from %s/%s:%d (%s)", vendor, filepath.Base(from.Filename), from.Line, calleeOf(call))
				return true
			})
		}
		t.Logf("%s: %d places send a request, %d of them never did", vendor, n, missed)
	}
}

func parsedFolder(t *testing.T, dir string) ([]*ast.File, *token.FileSet) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files, fset
}

// sendersOf are the functions and methods that send a request, directly or through
// another of the package, as calleeOf calls them.
func sendersOf(files []*ast.File) map[string]bool {
	senders := map[string]bool{".Do": true, ".Raw": true}
	for grew := true; grew; {
		grew = false
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				name := fn.Name.Name
				if fn.Recv != nil {
					name = "." + name
				}
				ast.Inspect(fn.Body, func(node ast.Node) bool {
					if call, ok := node.(*ast.CallExpr); ok && senders[calleeOf(call)] && !senders[name] {
						senders[name], grew = true, true
					}
					return true
				})
			}
		}
	}
	return senders
}

// calleeOf is the name of what is called; that of a method begins with a dot, since a
// function may be called the same.
func calleeOf(call *ast.CallExpr) string {
	fun := call.Fun
	if i, ok := fun.(*ast.IndexExpr); ok {
		fun = i.X
	}
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return "." + f.Sel.Name
	}
	return ""
}
