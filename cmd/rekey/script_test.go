package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts compare with")

// TestMain lets scripts call rekey by its name.
func TestMain(m *testing.M) {
	testscript.Main(cleaner{m}, map[string]func(){"rekey": func() { os.Exit(Main()) }, "shop": shop})
}

// cleaner removes the programs that some tests build.
type cleaner struct{ *testing.M }

func (c cleaner) Run() int {
	manyAtOnce()
	cheaper()
	code := c.M.Run()
	jqs.Remove()
	if builtBinary.Load() {
		if path, err := binary(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
	}
	return code
}

// collected is how much memory a process of the tests may use before it collects what it
// does not need, in percent of the rest: most of them end before there is anything to
// gain by it.
const collected = 400

// cheaper lets this process and those that it starts collect less often, unless GOGC
// says otherwise or something is measured.
func cheaper() {
	if measured := flag.Lookup("test.bench").Value.String() != ""; !measured && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collected)
		debug.SetMemoryLimit(1 << 30) // which is no limit: it is collected more often then
		_ = os.Setenv("GOGC", strconv.Itoa(collected))
	}
}

// manyAtOnce lets more tests run side by side than there are processors, unless
// -parallel says otherwise: most of them wait, for the world or for a process.
func manyAtOnce() {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if !told {
		_ = flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	}
}

var whole = flag.Bool("whole", false, "follow every page by hand, and kill the real binary a hundred times; go test ./cmd/rekey -args -whole")

// sampled says in every run, also without -v, what was not done.
func sampled(t *testing.T, what string) {
	t.Helper()
	_, _ = fmt.Fprintf(os.Stderr, "%s: A SAMPLE: %s; -args -whole does all\n", t.Name(), what)
}

// TestScripts is the command line's contract: output, silence and exit codes.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GOGC", os.Getenv("GOGC"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"edit": edit},
	})
}

// edit replaces what matches in a file, which must be there: edit FILE REGEXP TEXT
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE REGEXP TEXT")
	}
	was := ts.ReadFile(args[0])
	now := regexp.MustCompile(args[1]).ReplaceAllString(was, args[2])
	if now == was {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(now), 0o644))
}
