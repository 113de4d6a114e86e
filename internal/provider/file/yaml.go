package file

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// yamlReader finds where every value of a YAML text stands. The library tells line and
// column; the text itself is never written by it, so comments, order, indentation and
// blank lines stay.
type yamlReader struct {
	text  string
	lines []int // where each begins
	all   []entry
}

var lineInError = regexp.MustCompile(`line ([0-9]+)`)

func yamlTree(text string) ([]entry, error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var document, more yaml.Node
	err := dec.Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil: // the library's own words may quote the text
		if m := lineInError.FindStringSubmatch(err.Error()); m != nil {
			return nil, fmt.Errorf("it is not YAML: line %s", m[1])
		}
		return nil, errors.New("it is not YAML")
	case !errors.Is(dec.Decode(&more), io.EOF):
		return nil, errors.New("it has several documents, and one is wanted")
	}
	r := &yamlReader{text: text, lines: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	for _, n := range document.Content {
		r.value("", n, 0, nil)
	}
	return r.all, nil
}

// offset turns line and column, in characters from 1, into bytes; -1 if there is no such place.
func (r *yamlReader) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(r.lines) {
		return -1
	}
	at := r.lines[n.Line-1]
	if n.Line == 1 {
		at += len(r.text) - len(strings.TrimPrefix(r.text, mark))
	}
	column := 1
	for i := range r.text[at:] {
		if column == n.Column {
			return at + i
		}
		column++
	}
	if column == n.Column {
		return len(r.text)
	}
	return -1
}

func (r *yamlReader) value(path string, n *yaml.Node, key int, in *group) {
	e := entry{name: path, key: key, value: n.Value, from: r.offset(n), inner: in}
	switch n.Kind {
	case yaml.MappingNode:
		g := &group{flow: n.Style&yaml.FlowStyle != 0, after: e.from + 1, first: -1}
		r.all = append(r.all, entry{name: groupName(path), group: g})
		for i := 0; i+1 < len(n.Content); i += 2 {
			at := r.offset(n.Content[i])
			if i == 0 {
				g.first = at
			}
			r.value(under(path, n.Content[i].Value), n.Content[i+1], at, g)
		}
		return
	case yaml.SequenceNode:
		for i, c := range n.Content {
			r.value(under(path, strconv.Itoa(i)), c, 0, nil)
		}
		return
	case yaml.AliasNode:
		e.problem = "it is an alias of another value"
	default:
		r.scalar(&e, n)
	}
	r.all = append(r.all, e)
}

// scalar finds where a value ends.
func (r *yamlReader) scalar(e *entry, n *yaml.Node) {
	e.none = n.ShortTag() == "!!null"
	e.to = e.from
	rest := ""
	if e.from >= 0 {
		rest = r.text[e.from:]
	}
	switch {
	case n.Anchor != "":
		e.problem = "it has an anchor: what refers to it would change as well"
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		e.problem = "it is written as a block: write it in quotes"
	case strings.HasPrefix(rest, `"`) && n.Style&yaml.DoubleQuotedStyle != 0:
		e.to = closing(r.text, e.from)
	case strings.HasPrefix(rest, "'") && n.Style&yaml.SingleQuotedStyle != 0:
		e.to = closing(r.text, e.from)
		for e.to > 0 && strings.HasPrefix(r.text[e.to:], "'") { // '' is one quote
			e.to = closing(r.text, e.to)
		}
	case strings.HasPrefix(rest, n.Value) && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.TaggedStyle) == 0:
		e.to = e.from + len(n.Value)
	default:
		e.problem = "it is written in a way that Rekey does not edit: write it in quotes, in one line"
	}
	if e.to < 0 {
		e.problem = "its end is not found"
	}
}
