package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestTheBinaryNeedsNothingBesideIt: built as the README says, it asks for no
// interpreter and no library, so it runs in an empty root.
func TestTheBinaryNeedsNothingBesideIt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads what Linux runs")
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rekey")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it asks for an interpreter")
		}
	}
	if libraries, err := f.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("it asks for %v", libraries)
	}
}
