package sop

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// doc is a part of a file with its positions.
type doc struct {
	file     string
	node     *yaml.Node
	problems *Problems
}

// at adds a mistake at a node.
func (d doc) at(n *yaml.Node, path, msg, hint string) {
	p := Problem{File: d.file, Path: path, Msg: msg, Hint: hint, Line: 1, Col: 1}
	if n != nil && n.Line > 0 {
		p.Line, p.Col = n.Line, n.Column
	}
	*d.problems = append(*d.problems, p)
}

// form adds a mistake that tells the form alone.
func (d doc) form(n *yaml.Node, path, msg string) {
	d.at(n, path, msg, "")
	(*d.problems)[len(*d.problems)-1].bare = true
}

// plain turns a node into maps, lists and scalars; a key that stands twice is a
// mistake at its second place.
func (d doc) plain(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			switch {
			case k.Kind != yaml.ScalarNode:
				d.at(k, path, "a key must be a plain word", "")
				continue
			case k.Tag == "!!merge":
				d.at(k, path, "merge keys (<<) are not supported", "say what is common in a procedure")
				continue
			}
			if _, twice := out[k.Value]; twice {
				d.at(k, join(path, k.Value), "this key is given twice", "")
			}
			under := "" // nothing is told of a scalar
			if v.Kind != yaml.ScalarNode {
				under = join(path, k.Value)
			}
			out[k.Value] = d.plain(v, under)
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			out = append(out, d.plain(c, join(path, strconv.Itoa(i))))
		}
		return out
	case yaml.ScalarNode:
		if n.Tag == "!!str" {
			return n.Value // as most are, and decoding costs
		}
		var v any
		if err := n.Decode(&v); err != nil {
			return n.Value
		}
		if i, ok := v.(int); ok {
			return float64(i) // as JSON has it
		}
		return v
	}
	return nil
}

func join(path, more string) string {
	if path == "" {
		return more
	}
	return path + "." + more
}

// value finds the node at a location; key finds the key's own node where the
// location names an entry of a mapping.
func find(n *yaml.Node, location []string) (value, key *yaml.Node) {
	value = n
	for _, step := range location {
		var next *yaml.Node
		switch value.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(value.Content); i += 2 {
				if value.Content[i].Value == step {
					key, next = value.Content[i], value.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(value.Content) {
				next, key = value.Content[i], nil
			}
		}
		if next == nil {
			return value, nil
		}
		value = next
	}
	return value, key
}

func get(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// overlay lays one mapping over another, key by key: what says more wins. Nodes
// keep the positions at which they were written.
func overlay(base, over *yaml.Node) *yaml.Node {
	if base == nil {
		return over
	}
	if over == nil {
		return base
	}
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	out := *base
	out.Content = append([]*yaml.Node{}, base.Content...)
	out.Line, out.Column = over.Line, over.Column
	at := placesOf(out.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		k, v := over.Content[i], over.Content[i+1]
		if j, there := at.of(k.Value, out.Content); there {
			out.Content[j], out.Content[j+1] = k, overlay(out.Content[j+1], v)
		} else {
			if at != nil {
				at[k.Value] = len(out.Content)
			}
			out.Content = append(out.Content, k, v)
		}
	}
	return &out
}

// places say where the keys of a mapping are. Nearly all have few, which are looked
// through faster than a table of them is made: those have nil.
type places map[string]int

// fewKeys is up to where that is so.
const fewKeys = 32

func placesOf(content []*yaml.Node) places {
	if len(content) <= 2*fewKeys {
		return nil
	}
	at := make(places, len(content)/2)
	for j := 0; j+1 < len(content); j += 2 {
		at[content[j].Value] = j
	}
	return at
}

// of tells where a key is; of several the last, as everywhere.
func (at places) of(key string, content []*yaml.Node) (j int, there bool) {
	if at != nil {
		j, there = at[key]
		return j, there
	}
	for j = len(content) - 2; j >= 0; j -= 2 {
		if content[j].Value == key {
			return j, true
		}
	}
	return 0, false
}

// only is a mapping with one of its keys.
func only(n *yaml.Node, key string) *yaml.Node {
	out := *n
	out.Content = nil
	each(n, func(k, v *yaml.Node) {
		if k.Value == key {
			out.Content = append(out.Content, k, v)
		}
	})
	return &out
}

// fill replaces <word> in every scalar, keys included. What holds none is shared and
// not copied.
func fill(n *yaml.Node, words map[string]string) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		if !strings.Contains(n.Value, "<") {
			return n
		}
		text := n.Value
		for word, by := range words {
			text = strings.ReplaceAll(text, "<"+word+">", by)
		}
		if text == n.Value {
			return n
		}
		out := *n
		out.Value = text
		return &out
	}
	out := n
	for i, c := range n.Content {
		filled := fill(c, words)
		if filled == c {
			continue
		}
		if out == n {
			mine := *n
			mine.Content = append([]*yaml.Node{}, n.Content...)
			out = &mine
		}
		out.Content[i] = filled
	}
	return out
}
