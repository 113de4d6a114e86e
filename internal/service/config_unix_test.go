//go:build !windows

package service_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/service"
	"rekey/internal/sop"
)

// TestAFileThatCannotBeReadHoldsNothingUp: a disk that has stopped answering, a pipe in
// the file's place, a folder, a link to itself. The version before stays in use, everybody
// goes on meanwhile, and the file is taken again once it is there.
func TestAFileThatCannotBeReadHoldsNothingUp(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rekey.yaml")
	write := func() {
		t.Helper()
		if err := os.WriteFile(file, []byte(sop.Example()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	hangs, reads := make(chan struct{}), make(chan struct{})
	n := 0
	c, err := service.Configure(file, func(file string) (*sop.Config, error) {
		if n++; n == 2 {
			close(reads)
			<-hangs
		}
		return sop.Load(file)
	}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("rekey: 1\n# on a disk that hangs"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	twice := func() { // a change counts once two looks have found the same
		c.Reload(true)
		c.Reload(true)
	}
	go func() { defer close(done); twice() }()
	<-reads
	if len(c.Now().Specs) == 0 || c.Told().Wrong != nil {
		t.Error("the version before is not in use while the file is read")
	}
	close(hangs)
	<-done
	for name, tt := range map[string]struct {
		put  func() error
		says string
	}{
		"a pipe":           {func() error { return syscall.Mkfifo(file, 0o600) }, "it is not a file"},
		"a folder":         {func() error { return os.Mkdir(file, 0o700) }, "is a directory"},
		"a link to itself": {func() error { return os.Symlink("rekey.yaml", file) }, "too many"},
		"nothing":          {func() error { return nil }, "no such file"},
	} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := tt.put(); err != nil {
			t.Fatal(err)
		}
		twice()
		if wrong := strings.Join(c.Mistakes(), "\n"); !strings.Contains(wrong, tt.says) || len(c.Now().Specs) == 0 {
			t.Errorf("%s: it says %q, and %d credentials are in use", name, wrong, len(c.Now().Specs))
		}
		_ = os.Remove(file)
		write()
		if twice(); len(c.Mistakes()) > 0 {
			t.Errorf("after %s the file is not taken again: %v", name, c.Mistakes())
		}
	}
}

// TestHalfAFileIsNotTaken: a version is written in pieces, or the old one is moved away before
// the new one is there, and each piece for itself is without a mistake. So is a ConfigMap's
// folder that is swapped (its link ..data is replaced), and a file that is put back as it was.
func TestHalfAFileIsNotTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := sop.Example(), strings.Replace(sop.Example(), "cadence: 90d", "cadence: 80d", 1)
	if one == two {
		t.Fatal("the example has no cadence")
	}
	put := func(folder, text string) {
		t.Helper()
		err := os.MkdirAll(filepath.Join(dir, folder), 0o700)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, folder, "rekey.yaml"), []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	link := func(folder string) {
		t.Helper()
		fresh := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(folder, fresh); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	put("..1", one)
	put("..2", two)
	link("..1")
	file := filepath.Join(dir, "rekey.yaml")
	if err := os.Symlink("..data/rekey.yaml", file); err != nil {
		t.Fatal(err)
	}
	c, err := service.Configure(file, sop.Load, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	is := func(what, cadence string, credentials int) {
		t.Helper()
		now := c.Now().Specs
		if len(now) != credentials || len(now) > 0 && now[0].Cadence.String() != cadence || len(c.Mistakes()) > 0 {
			t.Errorf("%s: %d credentials, %+v, mistakes %v", what, len(now), now, c.Mistakes())
		}
	}
	all := len(c.Now().Specs)
	before := c.Now().Specs[0].Cadence.String()
	link("..2")
	c.Reload(false)
	is("seen once", before, all)
	c.Reload(false)
	after := c.Now().Specs[0].Cadence.String()
	if after == before {
		t.Fatal("a folder that was swapped is not seen")
	}
	head, _, _ := strings.Cut(one, "\ncredentials:")
	for _, piece := range []string{"", head + "\ncredentials: {}\n", one} {
		put("..2", piece)
		c.Reload(false)
		is("while it is written", after, all)
	}
	c.Reload(false)
	is("once it stands", before, all)
	if err := os.Remove(filepath.Join(dir, "..2", "rekey.yaml")); err != nil {
		t.Fatal(err)
	}
	c.Reload(false)
	put("..2", one)
	c.Reload(false)
	c.Reload(false)
	is("moved away and back", before, all)
	put("..2", head+"\ncredentials: {}\n")
	c.Reload(false)
	c.Reload(false)
	is("what is meant", "", 0)
}
