package sop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds of one file. They are above what 100,000 credentials of a procedure need,
// and low enough that no file keeps a machine busy or takes its memory.
const (
	maxFile    = 16 << 20   // bytes
	maxDepth   = 64         // levels of nesting, aliases followed
	maxAliased = 100_000    // parts that aliases repeat
	maxParts   = 12_000_000 // parts of all credentials, their procedures laid under them
	ownParts   = 16         // what a credential comes to before it says anything
	maxSpelled = 20         // mistakes of spelling that are told
)

// readFile reads at most one byte more than a file may have: whatever a path
// leads to, a device included, is not read without end. It is opened without
// waiting: a pipe that nobody writes into is empty.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// read turns a file's text into nodes without aliases. An empty file reads as an
// empty mapping.
func read(file string, src []byte) (*yaml.Node, Problems) {
	wrong := func(line, col int, msg string) Problem {
		return Problem{File: file, Line: line, Col: col, Msg: msg}
	}
	if len(src) > maxFile {
		return nil, Problems{wrong(1, 1, fmt.Sprintf("this file is larger than %d MB, too large for a configuration", maxFile>>20))}
	}
	if bad := spelled(file, src); len(bad) > 0 {
		return nil, bad
	}
	d := yaml.NewDecoder(bytes.NewReader(src))
	first, err := document(d)
	if err != nil {
		line, col, msg := yamlError(src, err)
		return nil, Problems{wrong(line, col, msg)}
	}
	var problems Problems
	switch second, err := document(d); {
	case err != nil:
		line, col, msg := yamlError(src, err)
		problems = append(problems, wrong(line, col, msg))
	case second != nil && second.Tag != "!!null":
		problems = append(problems, wrong(max(second.Line, 1), max(second.Column, 1), "a second document begins here and would be ignored: put everything into one, without ---"))
	}
	if first == nil {
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}, problems
	}
	u := unfolder{left: maxAliased, open: map[*yaml.Node]bool{}, done: map[*yaml.Node]extent{}}
	u.d = doc{file: file, node: first, problems: &problems}
	u.unfold(first)
	return first, problems
}

// document reads the next document; nil: there is none.
func document(d *yaml.Decoder) (*yaml.Node, error) {
	var n yaml.Node
	err := d.Decode(&n)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil || n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
		return nil, err
	}
	return n.Content[0], nil
}

// spelled finds what no text file holds: bytes that are not UTF-8, and control
// characters. The YAML library would name only the first, and without its line.
func spelled(file string, src []byte) Problems {
	if utf16(src) {
		return Problems{{File: file, Line: 1, Col: 1, Msg: "this is UTF-16 text: save the file as UTF-8"}}
	}
	var out Problems
	line, col := 1, 1
	told := 0 // line of the last mistake: one a line is enough
	for i := 0; i < len(src) && len(out) < maxSpelled; {
		r, n := utf8.DecodeRune(src[i:])
		msg := ""
		switch {
		case r == utf8.RuneError && n == 1:
			msg = fmt.Sprintf("the byte 0x%02x here is not UTF-8: save the file as UTF-8", src[i])
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r >= 0x80 && r < 0xa0 && r != 0x85:
			msg = fmt.Sprintf("a control character (U+%04X) stands here, which no text needs", r)
		}
		if msg != "" && told != line {
			out, told = append(out, Problem{File: file, Line: line, Col: col, Msg: msg}), line
		}
		i, col = i+n, col+1
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return out
}

func utf16(src []byte) bool {
	return bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) ||
		len(src) > 3 && (src[0] == 0) != (src[1] == 0) && (src[0] == 0) == (src[2] == 0) && (src[1] == 0) == (src[3] == 0)
}

// yamlError takes the place out of the library's message.
func yamlError(src []byte, err error) (line, col int, msg string) {
	msg = strings.TrimPrefix(err.Error(), "yaml: ")
	line, col = 1, 1
	if i := strings.Index(msg, "line "); i >= 0 {
		_, _ = fmt.Sscanf(msg[i:], "line %d", &line)
	}
	if i := strings.Index(msg, "column "); i >= 0 {
		_, _ = fmt.Sscanf(msg[i:], "column %d", &col)
	}
	lines := strings.SplitN(string(src), "\n", line+1)
	if line >= 1 && line <= len(lines) {
		text := lines[line-1]
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if at := strings.IndexByte(indent, '\t'); at >= 0 {
			return line, at + 1, "a tab stands here: YAML is indented with spaces"
		}
	}
	return max(line, 1), max(col, 1), "this is not YAML: " + msg
}

// unfolder puts what an alias stands for in its place, so that nothing after it
// knows of aliases. What is repeated is shared, not copied, and counted as often
// as it would be read.
type unfolder struct {
	d    doc
	left int // parts that aliases may still repeat
	open map[*yaml.Node]bool
	done map[*yaml.Node]extent
}

// extent is how large a node is with everything in it.
type extent struct{ parts, depth int }

func (u *unfolder) unfold(n *yaml.Node) extent {
	if e, done := u.done[n]; done {
		return e
	}
	if i := strings.IndexFunc(n.Value, hidden); n.Kind == yaml.ScalarNode && i >= 0 {
		r, _ := utf8.DecodeRuneInString(n.Value[i:])
		u.d.at(n, "", fmt.Sprintf("this text holds %U, which cannot be seen and which no text needs", r), "")
	}
	u.open[n] = true
	all := extent{parts: 1, depth: 1}
	for i, c := range n.Content {
		e := extent{1, 1}
		if c.Kind != yaml.AliasNode {
			e = u.unfold(c)
		} else if u.open[c.Alias] {
			c = u.refuse(c, "this alias is part of what it refers to")
		} else if e = u.unfold(c.Alias); e.parts > u.left {
			c, e = u.refuse(c, fmt.Sprintf("aliases repeat more than %d parts; put what is common into a procedure", maxAliased)), extent{1, 1}
		} else {
			u.left -= e.parts
			c = c.Alias
		}
		if e.depth >= maxDepth {
			c, e = u.refuse(c, fmt.Sprintf("this is nested more than %d levels deep", maxDepth)), extent{1, 1}
		}
		n.Content[i] = c
		all.parts, all.depth = all.parts+e.parts, max(all.depth, e.depth+1)
	}
	delete(u.open, n)
	u.done[n] = all
	return all
}

// hidden are characters that a reviewer does not see and that change what is read:
// control characters, which YAML lets be written as escapes, marks of direction,
// and blanks without width. Those that letters and pictures are joined with stay.
func hidden(r rune) bool {
	return r != '\n' && r != '\t' && r != '\r' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || strings.ContainsRune("\u200b\u2028\u2029\ufeff", r)
}

// refuse tells a mistake and leaves nothing in its place.
func (u *unfolder) refuse(n *yaml.Node, msg string) *yaml.Node {
	u.d.at(n, "", msg, "")
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
}

// parts counts a node with everything in it.
func parts(n *yaml.Node) int {
	if n == nil {
		return 0
	}
	sum := 1
	for _, c := range n.Content {
		sum += parts(c)
	}
	return sum
}
