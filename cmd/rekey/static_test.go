package main

import (
	"debug/elf"
	"runtime"
	"testing"
)

// TestTheBinaryNeedsNothingBesideIt: built as it is released, it asks for no
// interpreter and no library, so it runs in an empty root.
func TestTheBinaryNeedsNothingBesideIt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads what Linux runs")
	}
	t.Parallel()
	f, err := elf.Open(rekey(t))
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
