// Command jq is a jq that starts quickly, for tests; see package quickjq. It knows the
// options that pages and examples use, and refuses every other one.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"github.com/itchyny/gojq"
)

// Set by the linker: where the machine's jq is, and a folder with a file for everything
// that it was asked.
var real, asked string

// Exit codes of jq, from its manual.
const (
	exitFalse     = 1 // -e, and the last value is false or null
	exitUsage     = 2
	exitCompile   = 3
	exitNothing   = 4 // -e, and there is no value
	exitFailed    = 5
	exitOtherwise = 97 // not jq's: the machine's jq answers otherwise
)

func main() {
	c, err := read(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "jq:", err)
		os.Exit(exitUsage)
	}
	var stdin []byte
	if len(c.files) == 0 && (!c.null || strings.Contains(c.program, "input")) {
		if stdin, err = io.ReadAll(os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "jq:", err)
			os.Exit(exitUsage)
		}
	}
	if clock.MatchString(c.program) {
		os.Exit(c.hand(stdin))
	}
	var out bytes.Buffer
	code, err := c.run(stdin, &out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "jq: error:", err)
	}
	if why := c.compare(stdin, out.Bytes(), code); why != "" {
		fmt.Fprintln(os.Stderr, "jq: the machine's jq answers otherwise:", why)
		os.Exit(exitOtherwise)
	}
	_, _ = os.Stdout.Write(out.Bytes())
	os.Exit(code)
}

// clock is a program that asks for the time: asked twice, nobody says the same.
var clock = regexp.MustCompile(`(^|[^$.\w])now\b`)

// hand lets the machine's jq answer alone, and returns its exit code.
func (c *call) hand(stdin []byte) int {
	cmd := exec.Command(real, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "jq:", err)
		return exitUsage
	}
	return cmd.ProcessState.ExitCode()
}

// run writes what jq would, and returns its exit code.
func (c *call) run(stdin []byte, out *bytes.Buffer) (int, error) {
	text := stdin
	for _, f := range c.files {
		b, err := os.ReadFile(f)
		if err != nil {
			return exitUsage, err
		}
		text = append(text, b...)
	}
	var in []any
	var broken error
	if c.lines {
		for line := range strings.Lines(string(text)) {
			in = append(in, strings.TrimSuffix(line, "\n"))
		}
		if c.slurp {
			in = []any{string(text)}
		}
	} else if in, broken = values(text); c.slurp && broken == nil {
		in = []any{append([]any{}, in...)}
	}
	query, err := gojq.Parse(c.program)
	if err != nil {
		return exitCompile, err
	}
	rest := &inputs{in, broken}
	code, err := gojq.Compile(query, gojq.WithVariables(c.names), gojq.WithInputIter(rest), gojq.WithEnvironLoader(os.Environ))
	if err != nil {
		return exitCompile, err
	}
	return c.each(code, rest, out)
}

// inputs are what the program has not read yet.
type inputs struct {
	rest   []any
	broken error // after them
}

// Next is the next one; it satisfies gojq.Iter.
func (i *inputs) Next() (any, bool) {
	if len(i.rest) == 0 {
		err := i.broken
		i.broken = nil
		return err, err != nil
	}
	v := i.rest[0]
	i.rest = i.rest[1:]
	return v, true
}

// each runs the program for every input.
func (c *call) each(code *gojq.Code, rest *inputs, out *bytes.Buffer) (int, error) {
	last, any, failed := error(nil), false, 0
	var value interface{}
	for once := true; ; once = false {
		var in interface{}
		if c.null {
			if !once {
				break
			}
		} else {
			var more bool
			if in, more = rest.Next(); !more {
				break
			}
			if err, bad := in.(error); bad {
				return exitUsage, err
			}
		}
		results := code.Run(in, c.values...)
		for {
			v, more := results.Next()
			if !more {
				break
			}
			if err, bad := v.(error); bad {
				var halt *gojq.HaltError
				if errors.As(err, &halt) && halt.Value() == nil {
					return halt.ExitCode(), nil
				}
				last, failed = err, exitFailed
				break
			}
			value, any = v, true
			if err := c.write(v, out); err != nil {
				return exitFailed, err
			}
		}
	}
	switch {
	case failed != 0:
		return failed, last
	case c.status && !any:
		return exitNothing, nil
	case c.status && (value == nil || value == false):
		return exitFalse, nil
	}
	return 0, nil
}

func (c *call) write(v any, out *bytes.Buffer) error {
	if s, ok := v.(string); ok && (c.raw || c.join) {
		out.WriteString(s)
	} else {
		b, err := gojq.Marshal(v)
		if err != nil {
			return err
		}
		if c.compact || c.join {
			out.Write(b)
		} else if err := json.Indent(out, b, "", "  "); err != nil {
			return err
		}
	}
	if !c.join {
		out.WriteByte('\n')
	}
	return nil
}

// compare asks the machine's jq too, if a call like this one never ended like this one,
// and says in what it differs. In which order the keys of an object are is no difference.
func (c *call) compare(stdin, out []byte, code int) string {
	shape := *c
	shape.values, shape.files, shape.texts = nil, nil, nil
	mark := filepath.Join(asked, fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%+v %d", shape, code))))
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		if errors.Is(err, os.ErrExist) {
			return ""
		}
		return err.Error()
	}
	_ = f.Close()
	cmd := exec.Command(real, os.Args[1:]...)
	cmd.Stdin = bytes.NewReader(stdin)
	theirs, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err.Error()
	}
	if said := cmd.ProcessState.ExitCode(); said != code || !same(theirs, out) {
		why := fmt.Sprintf("%q: exit %d and %q, but here %d and %q", c.program, said, theirs, code, out)
		if err := os.WriteFile(mark+".differs", []byte(why), 0o600); err != nil {
			return err.Error()
		}
		return why
	}
	return ""
}

// same tells whether both are the same text, or the same values.
func same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := values(a)
	y, other := values(b)
	return err == nil && other == nil && reflect.DeepEqual(x, y)
}
