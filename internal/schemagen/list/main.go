// Command list writes internal/provider/all/all.go from the folders of internal/provider, and names in internal/house/linked.txt the modules that they link; run by go generate.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

const linked = "internal/house/linked.txt"

func main() {
	root := flag.String("root", ".", "the module's folder")
	modules := flag.Bool("linked", false, "name the modules that are linked and not named yet")
	flag.Parse()
	do := vendors
	if *modules {
		do = link
	}
	if err := do(*root); err != nil {
		log.Fatal(err)
	}
}

// vendors writes the list of drivers: every folder that has a variable Descriptor.
func vendors(root string) error {
	dirs, err := os.ReadDir(filepath.Join(root, "internal/provider"))
	if err != nil {
		return err
	}
	var names []string
	for _, d := range dirs {
		if !d.IsDir() || d.Name() == "all" {
			continue
		}
		if is, err := driver(filepath.Join(root, "internal/provider", d.Name())); err != nil {
			return err
		} else if is {
			names = append(names, d.Name())
		}
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("// Package all is the list of vendors; made by go generate ./internal/sop from the folders of internal/provider.\npackage all\n\nimport (\n\t\"rekey/internal/provider\"\n")
	for _, n := range names {
		fmt.Fprintf(&b, "\t\"rekey/internal/provider/%s\"\n", n)
	}
	b.WriteString(")\n\n// Vendors returns the descriptor of every vendor, by name in order.\nfunc Vendors() []provider.Descriptor {\n\treturn []provider.Descriptor{\n")
	for _, n := range names {
		fmt.Fprintf(&b, "\t\t%s.Descriptor,\n", n)
	}
	b.WriteString("\t}\n}\n\n// Find returns the descriptor with this name.\nfunc Find(name string) (provider.Descriptor, bool) {\n\tfor _, d := range Vendors() {\n\t\tif d.Name == name {\n\t\t\treturn d, true\n\t\t}\n\t}\n\treturn provider.Descriptor{}, false\n}\n")
	out, err := format.Source([]byte(b.String()))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "internal/provider/all/all.go"), out, 0o644)
}

// driver reports whether a folder's package has a variable Descriptor.
func driver(dir string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return false, err
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return false, err
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				if v := s.(*ast.ValueSpec); slices.ContainsFunc(v.Names, func(n *ast.Ident) bool { return n.Name == "Descriptor" }) {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// link adds the modules that the binary links and the list does not name.
func link(root string) error {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/rekey")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(root, linked))
	if err != nil {
		return err
	}
	text := string(b)
	known := map[string]bool{"rekey": true}
	for line := range strings.SplitSeq(text, "\n") {
		name, _, _ := strings.Cut(line, " ")
		known[name] = true
	}
	for m := range strings.FieldsSeq(string(out)) {
		if !known[m] {
			known[m] = true
			text += m + " (say why)\n"
		}
	}
	return os.WriteFile(filepath.Join(root, linked), []byte(text), 0o644)
}
