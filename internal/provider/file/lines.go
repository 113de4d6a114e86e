package file

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// dotenv is NAME=value lines, as shells, systemd, Docker Compose and libraries read
// them. These differ in quotes, escapes and $: what not all read alike is a problem
// when it stands there, and is not written.
type dotenv struct{}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*`)

// bare needs no quotes anywhere: a shell gives none of these a meaning.
var bare = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

const mark = "\ufeff"

func (dotenv) parse(text string) ([]entry, error) {
	var all []entry
	at := len(text) - len(strings.TrimPrefix(text, mark))
	for at < len(text) {
		end := lineEnd(text, at)
		line := strings.TrimRight(text[at:end], "\r\n")
		rest := strings.TrimLeft(line, " \t")
		if rest == "" || rest[0] == '#' {
			at = end
			continue
		}
		if after, ok := strings.CutPrefix(rest, "export "); ok {
			rest = strings.TrimLeft(after, " \t")
		}
		name := variable.FindString(rest)
		value, ok := strings.CutPrefix(strings.TrimLeft(rest[len(name):], " \t"), "=")
		if name == "" || !ok {
			return nil, fmt.Errorf("line %d is no NAME=value", lineOf(text, at))
		}
		value = strings.TrimLeft(value, " \t")
		e := entry{name: name, key: at, from: at + len(line) - len(value)}
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			if e.to = closing(text, e.from); e.to < 0 {
				return nil, fmt.Errorf("line %d: the quote is not closed", lineOf(text, at))
			}
			e.value = text[e.from+1 : e.to-1]
			end = lineEnd(text, e.to)
			after := strings.TrimSpace(text[e.to:end])
			switch {
			case after != "" && after[0] != '#':
				e.problem = "something follows its quotes"
			case value[0] == '"' && strings.ContainsAny(e.value, "\\$`"), strings.Contains(e.value, "\n"):
				e.problem = "it has \\, $, ` or a line break in quotes, which readers take differently"
			}
		} else {
			if i := strings.Index(value, " #"); i >= 0 {
				value = value[:i]
			} else if strings.HasPrefix(value, "#") {
				value = ""
			}
			e.value = strings.TrimRight(value, " \t")
			e.to = e.from + len(e.value)
			if strings.ContainsAny(e.value, "\\$`'\"") {
				e.problem = "it has \\, $, ` or a quote without quotes around it, which readers take differently"
			}
			e.none = e.value == ""
		}
		all = append(all, e)
		at = end
	}
	return all, nil
}

// closing returns where a quoted text ends, its last quote included; -1 if it does not.
func closing(text string, from int) int {
	for i := from + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && text[from] == '"':
			i++
		case text[i] == text[from]:
			return i + 1
		}
	}
	return -1
}

func (dotenv) put(text string, _ []entry, at *entry, name, value string) (string, error) {
	single := !strings.Contains(value, "'")
	double := !strings.ContainsAny(value, "\"\\$`")
	if control(value) || !single && !double {
		return "", errors.New("a dotenv file cannot hold it so that every reader reads the same: it has a line break, or ' together with \", \\, $ or `")
	}
	written, quote := value, byte(0)
	if at != nil && at.to > at.from {
		quote = text[at.from]
	}
	switch {
	case quote == '"' && double:
		written = `"` + value + `"`
	case quote != '\'' && quote != '"' && bare.MatchString(value):
	case single:
		written = "'" + value + "'"
	default:
		written = `"` + value + `"`
	}
	if at != nil {
		return text[:at.from] + written + text[at.to:], nil
	}
	if variable.FindString(name) != name {
		return "", errors.New("this is not a name of a variable")
	}
	return appended(text, name+"="+written), nil
}

func (dotenv) drop(text string, _ []entry, at entry) (string, error) {
	return text[:at.key] + text[lineEnd(text, at.to):], nil
}

// ini is key = value lines under [sections]; a slot is section.key, or key where it
// stands before the first section.
type ini struct{}

func (ini) parse(text string) ([]entry, error) {
	var all []entry
	section := ""
	for at := len(text) - len(strings.TrimPrefix(text, mark)); at < len(text); at = lineEnd(text, at) {
		line := strings.TrimRight(text[at:lineEnd(text, at)], "\r\n")
		rest := strings.TrimSpace(line)
		switch {
		case rest == "", rest[0] == '#', rest[0] == ';':
			continue
		case rest[0] == '[':
			inside, _, ok := strings.Cut(rest[1:], "]")
			if !ok {
				return nil, fmt.Errorf("line %d: the section is not closed", lineOf(text, at))
			}
			section = strings.TrimSpace(inside) + "."
			all = append(all, entry{name: section, key: at, group: &group{after: lineEnd(text, at)}})
			continue
		}
		i := strings.IndexAny(line, "=:")
		if i < 0 || line[0] == ' ' || line[0] == '\t' {
			return nil, fmt.Errorf("line %d is no key = value", lineOf(text, at))
		}
		value := strings.TrimLeft(line[i+1:], " \t")
		e := entry{name: section + strings.TrimSpace(line[:i]), key: at, from: at + len(line) - len(value)}
		e.value = strings.TrimRight(value, " \t")
		e.to = e.from + len(e.value)
		if n := len(e.value); n > 1 && (e.value[0] == '"' || e.value[0] == '\'') && e.value[n-1] == e.value[0] {
			e.value = e.value[1 : n-1] // some readers keep the quotes: they stay, whatever is between
		}
		if e.none = e.value == ""; unlike(e.value) {
			e.problem = "it has ; # or a quote, which readers take differently"
		}
		all = append(all, e)
	}
	return all, nil
}

// unlike reports whether readers of INI files differ in what a value is.
func unlike(value string) bool {
	return strings.Contains(value, " ;") || strings.Contains(value, " #") || strings.ContainsAny(value, "\"'") || strings.TrimSpace(value) != value
}

func (ini) put(text string, all []entry, at *entry, name, value string) (string, error) {
	if control(value) || unlike(value) || strings.HasPrefix(value, ";") || strings.HasPrefix(value, "#") {
		return "", errors.New("an INI file cannot hold it so that every reader reads the same: it has a line break, a quote, a comment sign, or white space at an end")
	}
	if at != nil {
		if n := at.to - at.from; n > 1 && (text[at.from] == '"' || text[at.from] == '\'') {
			value = text[at.from:at.from+1] + value + text[at.to-1:at.to]
		}
		if at.from == at.to && at.from > 0 && text[at.from-1] != ' ' {
			value = " " + value
		}
		return text[:at.from] + value + text[at.to:], nil
	}
	section, key, found := "", name, false
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		section, key = name[:i+1], name[i+1:]
	}
	if key == "" || strings.ContainsAny(key, "=:[;#") {
		return "", errors.New("this is not a key of an INI file")
	}
	line, where := key+" = "+value+ending(text), len(text)-len(strings.TrimPrefix(text, mark))
	for _, e := range all {
		if e.group != nil && e.name == section {
			where, found = e.group.after, true
		}
	}
	switch {
	case section != "" && !found:
		return "", errors.New("there is no section [" + strings.TrimSuffix(section, ".") + "]")
	case where > 0 && where == len(text) && !strings.HasSuffix(text, "\n"):
		line = ending(text) + key + " = " + value
	}
	return text[:where] + line + text[where:], nil
}

func (ini) drop(text string, _ []entry, at entry) (string, error) {
	return text[:at.key] + text[lineEnd(text, at.to):], nil
}
