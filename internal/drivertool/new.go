package drivertool

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed example/driver.py
var examplePython string

//go:embed example/test.json
var exampleTest string

//go:embed example/world.py
var exampleWorld string

var driverName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// New writes a working driver with what it is tried with into a folder, and returns
// the paths. Nothing is written over.
func New(dir, name string) ([]string, error) {
	if !driverName.MatchString(name) {
		return nil, errors.New("the name of a driver has lower-case letters, digits and - only")
	}
	base := filepath.Join(dir, "rekey-driver-"+name)
	files := []struct {
		path, text string
		mode       os.FileMode
	}{
		{base, examplePython, 0o755},
		{base + ".test.json", exampleTest, 0o644},
		{base + ".world", exampleWorld, 0o755},
	}
	var paths []string
	for _, f := range files {
		if _, err := os.Lstat(f.path); err == nil {
			return nil, fmt.Errorf("%s is there already: nothing was written", f.path)
		}
	}
	for _, f := range files {
		if err := os.WriteFile(f.path, []byte(strings.ReplaceAll(f.text, "keyfile", name)), f.mode); err != nil {
			return paths, err
		}
		paths = append(paths, f.path)
	}
	return paths, nil
}
