package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// format is one way to hold several values in one text.
type format interface {
	// parse finds every value. Its error names a line and quotes nothing.
	parse(text string) ([]entry, error)
	// put returns the text with a value under a name, in the place of at or as a new
	// one where at is nil, and every other byte as it is.
	put(text string, all []entry, at *entry, name, value string) (string, error)
	// drop returns the text without one value.
	drop(text string, all []entry, at entry) (string, error)
}

// entry is one value, and where it stands.
type entry struct {
	name     string // slot
	value    string
	problem  string // why it must not be written
	none     bool   // it stands there and holds nothing
	key      int    // where its name begins
	from, to int    // the value as it is written, with its quotes
	inner    *group // the group in which it stands, of formats that have groups
	group    *group // set for an entry that is a group itself
}

// formats returns a format by its name, nil if there is none.
func formats(kind string) format {
	switch kind {
	case "dotenv":
		return dotenv{}
	case "ini":
		return ini{}
	case "json":
		return tree{jsonTree}
	case "yaml":
		return tree{yamlTree}
	case "raw":
		return raw{}
	}
	return nil
}

func byName(path string) string {
	base := strings.ToLower(filepath.Base(path))
	switch strings.TrimPrefix(filepath.Ext(base), ".") {
	case "env":
		return "dotenv"
	case "json":
		return "json"
	case "yaml", "yml":
		return "yaml"
	case "ini", "conf", "cfg":
		return "ini"
	}
	if strings.HasPrefix(base, ".env") { // .env.production
		return "dotenv"
	}
	return ""
}

// read parses a text; the same name twice is a problem of that name, since readers
// differ in which they take.
func read(f format, text string) ([]entry, error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, errors.New("it is not UTF-8 text")
	}
	all, err := f.parse(text)
	seen := map[string]int{}
	for i, e := range all {
		if first, twice := seen[e.name]; twice {
			all[first].problem = "it appears twice, and readers differ in which one they use"
			continue
		}
		seen[e.name] = i
	}
	return all, err
}

// find returns the first entry of a name; nil if there is none.
func find(all []entry, name string) *entry {
	for i := range all {
		if all[i].name == name {
			return &all[i]
		}
	}
	return nil
}

// edit returns text with one value changed, added, or (value "", drop) taken away. It
// is read again: the slot has to hold exactly the value, and every other what it held.
func edit(f format, text, name, value string, drop bool) (string, error) {
	all, err := read(f, text)
	if err != nil {
		return "", err
	}
	at := find(all, name)
	var out string
	switch {
	case at != nil && at.problem != "":
		return "", errors.New(at.problem)
	case find(all, groupName(name)) != nil:
		return "", errors.New(isGroup)
	case drop && (at == nil || at.none):
		return text, nil
	case drop:
		out, err = f.drop(text, all, *at)
	case value == "":
		return "", errors.New("an empty value was to be written")
	case at != nil && !at.none && at.value == value:
		return text, nil
	default:
		out, err = f.put(text, all, at, name, value)
	}
	if err != nil {
		return "", err
	}
	if !changedOnly(f, all, out, name, value, drop) {
		return "", errors.New("the format cannot hold it: what would be written reads otherwise")
	}
	return out, nil
}

// changedOnly reports whether a text holds what was wanted and otherwise what it held.
func changedOnly(f format, before []entry, text, name, value string, drop bool) bool {
	after, err := read(f, text)
	if err != nil {
		return false
	}
	if got := find(after, name); drop != (got == nil) || got != nil && (got.value != value || got.problem != "") {
		return false
	}
	others := func(all []entry) string {
		var b strings.Builder
		for _, e := range all {
			if e.name != name && e.group == nil {
				fmt.Fprintf(&b, "%q %q %q\n", e.name, e.value, e.problem)
			}
		}
		return b.String()
	}
	return others(before) == others(after)
}

// isGroup says why a slot that names an object holds nothing.
const isGroup = "it is an object with keys, and no value"

// ending is how a text ends its lines.
func ending(text string) string {
	if i := strings.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// lineEnd is where the line that holds an offset ends, its line break included.
func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

func lineStart(text string, at int) int { return strings.LastIndexByte(text[:at], '\n') + 1 }

// lineOf counts from 1.
func lineOf(text string, at int) int { return strings.Count(text[:at], "\n") + 1 }

// control reports whether a value has a character that no line holds.
func control(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// appended adds a line at the end.
func appended(text, line string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += ending(text)
	}
	return text + line + ending(text)
}

// raw is one value alone, with or without a line break after it.
type raw struct{}

// rawName stands for whatever the one slot is called.
const rawName = ""

func (raw) parse(text string) ([]entry, error) {
	to := len(strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"))
	if to == 0 {
		return nil, nil
	}
	return []entry{{name: rawName, value: text[:to], to: to}}, nil
}

func (raw) put(text string, _ []entry, at *entry, _, value string) (string, error) {
	if at == nil {
		return value + text, nil
	}
	return value + text[at.to:], nil
}

func (raw) drop(text string, _ []entry, at entry) (string, error) { return text[at.to:], nil }
