package sop

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"rekey/internal/cred"
	"rekey/internal/visible"
)

// placeholdersIn are the words of a text that are to be filled in: <scope>; also where
// it is none that could ever be, < scope > for example, and where it is never closed.
func placeholdersIn(text string) iter.Seq2[string, bool] {
	return func(yield func(word string, closed bool) bool) {
		for {
			_, rest, there := strings.Cut(text, "<")
			if !there {
				return
			}
			end := strings.IndexAny(rest, "<>")
			if end < 0 {
				yield(rest, false)
				return
			}
			if !yield(rest[:end], rest[end] == '>') {
				return
			}
			text = rest[end:]
		}
	}
}

// placeholders finds words that nothing fills in: they would stand in a name as
// they are written. jq and headers have < of their own, and people's words are
// theirs.
func (c *credential) placeholders(n *yaml.Node, under string) {
	switch n.Kind {
	case yaml.MappingNode:
		each(n, func(k, v *yaml.Node) {
			switch k.Value {
			case "jq", "headers", "document", "owner":
				return
			}
			c.placeholders(k, under)
			if angled(v) {
				c.placeholders(v, join(under, k.Value))
			}
		})
	case yaml.SequenceNode:
		for i, item := range n.Content {
			c.placeholders(item, join(under, strconv.Itoa(i)))
		}
	case yaml.ScalarNode:
		if !strings.Contains(n.Value, "<") {
			return // as nearly all
		}
		for word, closed := range placeholdersIn(n.Value) {
			switch {
			case !closed:
				c.wrong(n, under, "a placeholder is begun here and never closed: want <name>, <scope>, <SCOPE>, or in issuer.name <date> and <run>", "")
			case word == "name":
			case (word == "date" || word == "run") && under == "issuer.name":
			case word == "date" || word == "run":
				c.wrong(n, under, "<"+word+"> can be used in issuer.name only", "")
			case word == "scope" || word == "SCOPE":
				c.wrong(n, under, "the placeholder <"+word+"> has nothing to be filled with", "give the credential a scope")
			default:
				c.wrong(n, under, "<"+word+"> is not known here: want <name>, <scope>, <SCOPE>, or in issuer.name <date> and <run>", didYouMean(strings.TrimSpace(word), []string{"name", "scope", "SCOPE", "date", "run"}))
			}
		}
	}
}

// angled reports whether there is a < anywhere in a node: in most there is none.
func angled(n *yaml.Node) bool {
	if strings.Contains(n.Value, "<") {
		return true
	}
	return slices.ContainsFunc(n.Content, angled)
}

// unknownNameMax bounds names where the vendor publishes no bound.
const unknownNameMax = 255

// longest is the longest name that a run would give: Rekey's own word for the
// attempt, and before it the rehearsal's where there is one.
func (c *credential) longest() string {
	name := strings.ReplaceAll(c.spec.Issuer.Name, "<date>", time.DateOnly)
	if !strings.Contains(name, "<run>") {
		name += "-<run>"
	}
	name = strings.ReplaceAll(name, "<run>", cred.Label("abcdef", 99))
	if get(c.node, "rehearse") != nil {
		name = RehearsalPrefix + name
	}
	return name
}

// nameFits holds the issuer's name against what the vendor takes: told now, and
// not by a refused creation in the middle of a run.
func (c *credential) nameFits(def string, n *yaml.Node) {
	limit := unknownNameMax
	if l, ok := c.definition(def)["x-name-max"]; ok {
		if n, err := strconv.Atoi(fmt.Sprint(l)); err == nil {
			limit = n
		}
	}
	name := c.longest()
	with := "-xxxxxx-nn at its end"
	if strings.HasPrefix(name, RehearsalPrefix) {
		with += " and " + RehearsalPrefix + " before it in a rehearsal"
	}
	if got := utf8.RuneCountInString(name); got > limit {
		c.wrong(n, "issuer.name", fmt.Sprintf("this name becomes %d characters long (Rekey's own included: %s), and the vendor takes %d", got, with, limit), "")
	}
	if chars, _ := c.definition(def)["x-name-chars"].(string); chars != "" {
		if only, err := regexp.Compile("^[" + chars + "]$"); err == nil {
			for _, r := range name {
				if !only.MatchString(string(r)) {
					c.wrong(n, "issuer.name", fmt.Sprintf("the vendor takes only %s in a name, and this one becomes %s (Rekey's own included: %s): %q is none of them", chars, name, with, r), "")
					return
				}
			}
		}
	}
	for _, r := range c.spec.Issuer.Name {
		if !visible.Rune(r) {
			c.wrong(n, "issuer.name", fmt.Sprintf("the character %U in this name cannot be seen", r), "")
			return
		}
	}
}
