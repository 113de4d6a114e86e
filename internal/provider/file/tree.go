package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// tree is values in objects within objects, JSON or YAML; a slot is the path, joined
// by dots (a dot in a key is \., the members of a list are 0, 1, 2).
type tree struct {
	read func(text string) ([]entry, error)
}

// group is where new values go: an object, or a section.
type group struct {
	flow  bool // { "a": 1 }, as all of JSON
	after int  // behind what opens it
	first int  // where its first key begins; -1: it has none
}

func (t tree) parse(text string) ([]entry, error) { return t.read(text) }

// under is the path of a member.
func under(path, key string) string {
	key = strings.ReplaceAll(key, ".", `\.`)
	if path == "" {
		return key
	}
	return path + "." + key
}

// split takes the last step off a path.
func split(path string) (parent, key string) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' && (i == 0 || path[i-1] != '\\') {
			return path[:i], strings.ReplaceAll(path[i+1:], `\.`, ".")
		}
	}
	return "", strings.ReplaceAll(path, `\.`, ".")
}

// plain is a text that every reader of YAML takes for a text without quotes, unless it
// is a word of its own.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)

var words = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|null|y|n)$`)

// quoted is a text in double quotes, as JSON writes it and YAML reads it too.
func quoted(value string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value)
	return strings.TrimSuffix(b.String(), "\n")
}

func (t tree) put(text string, all []entry, at *entry, name, value string) (string, error) {
	if at != nil {
		written := quoted(value)
		switch {
		case at.from == at.to: // key: and nothing
			if at.from > 0 && text[at.from-1] == ':' {
				written = " " + written
			}
		case text[at.from] == '\'' && !control(value):
			written = "'" + strings.ReplaceAll(value, "'", "''") + "'"
		case text[at.from] != '"' && !at.none && plain.MatchString(value) && !words.MatchString(value):
			written = value
		}
		return text[:at.from] + written + text[at.to:], nil
	}
	parent, key := split(name)
	var g *group
	for _, e := range all {
		if e.group != nil && e.name == groupName(parent) {
			g = e.group
		}
	}
	pair := quoted(key) + ": " + quoted(value)
	switch {
	case g == nil && parent == "" && strings.TrimSpace(text) == "":
		if !t.blocks() {
			pair = "{" + pair + "}"
		}
		return appended(text, pair), nil
	case g == nil && parent == "":
		return "", errors.New("it is not an object with keys")
	case g == nil:
		return "", errors.New("there is no object " + parent + " for it")
	case g.first < 0:
		return text[:g.after] + pair + text[g.after:], nil
	case g.flow:
		return text[:g.first] + pair + "," + text[g.after:g.first] + text[g.first:], nil
	}
	if plain.MatchString(key) && !words.MatchString(key) {
		pair = key + ": " + quoted(value)
	}
	indent := strings.Repeat(" ", g.first-lineStart(text, g.first))
	return text[:g.first] + pair + ending(text) + indent + text[g.first:], nil
}

// blocks reports whether an empty text may become keys without braces.
func (t tree) blocks() bool {
	_, err := t.read("a: b\n")
	return err == nil
}

func (t tree) drop(text string, _ []entry, at entry) (string, error) {
	if at.inner == nil {
		return "", errors.New("it is a member of a list: the others would move")
	}
	if !at.inner.flow {
		end := lineEnd(text, at.to)
		if rest := strings.TrimSpace(text[at.to:end]); rest != "" && rest[0] != '#' {
			return "", errors.New("there is something else on its line")
		}
		if start := lineStart(text, at.key); strings.TrimSpace(text[start:at.key]) == "" {
			return text[:start] + text[end:], nil
		}
		next := end + len(text[end:]) - len(strings.TrimLeft(text[end:], " "))
		return text[:at.key] + text[next:], nil
	}
	rest := strings.TrimLeft(text[at.to:], " \t\r\n")
	if behind, more := strings.CutPrefix(rest, ","); more {
		return text[:at.key] + strings.TrimLeft(behind, " \t\r\n"), nil
	}
	before := strings.TrimRight(text[:at.key], " \t\r\n")
	if cut, more := strings.CutSuffix(before, ","); more {
		return cut + text[at.to:], nil
	}
	return text[:at.key] + text[at.to:], nil
}

// groupName keeps the names of objects apart from those of values: both may be slots.
func groupName(path string) string { return path + "\x00" }
