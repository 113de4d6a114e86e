package house

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const scratchDriver = `// Package scratch is a driver that a test adds.
package scratch

import (
	"context"
	_ "embed"
	"encoding/json"

	"rekey/internal/provider"
)

//go:embed doc.md
var doc string

// Settings are those of a store.
type Settings struct {
	// Where it is.
	Place string ` + "`json:\"place\" jsonschema:\"required\"`" + `
}

// Connection has no settings.
type Connection struct{}

type vendor struct{}

func (vendor) Close(context.Context) {}

// Descriptor is this driver for the rest of the house.
var Descriptor = provider.Descriptor{Name: "scratch", Title: "Scratch", Connection: &Connection{}, Store: &Settings{}, StoreID: "place", Doc: doc,
	Open: func(provider.Env, string, json.RawMessage) (provider.Vendor, error) { return vendor{}, nil }}
`

// TestADriverIsAddedByItsFolderAlone: go generate puts it into the list, the schema and
// the pages, and nothing else is touched. The compiler is shown the folder and what was
// generated beside the tree as it is, so the tree stays as it is.
func TestADriverIsAddedByItsFolderAlone(t *testing.T) {
	dir := t.TempDir()
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	providers := filepath.Join(dir, "internal/provider")
	if err := os.CopyFS(providers, os.DirFS(filepath.Join(root, "internal/provider"))); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(providers, "scratch")
	for _, d := range []string{folder, filepath.Join(dir, "internal/sop")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	overlay := map[string]map[string]string{"Replace": {filepath.Join(abs, "internal/provider/all/all.go"): filepath.Join(providers, "all/all.go")}}
	for name, text := range map[string]string{"scratch.go": scratchDriver, "doc.md": "# Scratch\n\n## What it needs\n\nNothing.\n"} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay["Replace"][filepath.Join(abs, "internal/provider/scratch", name)] = path
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"run", "./internal/schemagen/list", "-root", dir},
		{"run", "-overlay", file, "./internal/schemagen/gen", "-into", dir},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
	}
	for path, has := range map[string]string{
		"internal/provider/all/all.go":   "scratch.Descriptor,",
		"internal/sop/rekey.schema.json": `"store.scratch": {`,
		"docs/vendors/scratch.md":        "# Scratch",
	} {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || !strings.Contains(string(b), has) {
			t.Errorf("%s has no %s (%v)", path, has, err)
		}
	}
}

// TestTheListOfVendorsIsMade: it is what go generate makes of the folders.
func TestTheListOfVendorsIsMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "internal/provider"), os.DirFS(filepath.Join(root, "internal/provider"))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "./internal/schemagen/list", "-root", dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(dir, "internal/provider/all/all.go"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "internal/provider/all/all.go"))
	if err != nil || string(got) != string(want) {
		t.Errorf("internal/provider/all/all.go is not what the folders say; run: go generate ./internal/sop (%v)", err)
	}
}
