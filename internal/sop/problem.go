package sop

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/agnivade/levenshtein"

	"rekey/internal/visible"
)

// maxTold is how many mistakes are told: more nobody reads in one go.
const maxTold = 200

// Problem is one mistake in a file.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1
	Col  int    `json:"col"`  // from 1
	Path string `json:"path"` // credentials.CF_ACCESS_SVC_CONSOLE.validate
	Msg  string `json:"msg"`
	Hint string `json:"hint,omitempty"` // what was probably meant
	bare bool   // it tells the form alone: what tells the meaning at the same place says more
}

func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Msg)
	if p.Path != "" {
		s = fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Col, p.Path, p.Msg)
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return visible.Text(s)
}

// Problems are all mistakes of a file, in its order.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// mistake is what makes two problems one: it stands once, whatever led to it.
type mistake struct {
	line, col int
	msg       string
}

func (p Problem) mistake() mistake { return mistake{p.Line, p.Col, p.Msg} }

// spot is where a problem stands, whether it was found in a procedure or in a credential
// that it applies to.
type spot struct {
	line, col int
	key       string
}

func (p Problem) spot() spot {
	return spot{p.Line, p.Col, p.Path[strings.LastIndex(p.Path, ".")+1:]}
}

// sorted brings the mistakes into the file's order and drops repetitions: what
// a procedure says wrong is wrong in each of its credentials, and what is known better
// at the same place is not told twice.
func (ps Problems) sorted() Problems {
	meant := map[spot]bool{}
	for _, p := range ps {
		if !p.bare {
			meant[p.spot()] = true
		}
	}
	ps = slices.DeleteFunc(ps, func(p Problem) bool { return p.bare && meant[p.spot()] })
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
	var out Problems
	seen := map[mistake]bool{}
	for _, p := range ps {
		if key := p.mistake(); !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
		if len(out) == maxTold {
			last := ps[len(ps)-1]
			return append(out, Problem{File: p.File, Line: last.Line, Col: last.Col, Msg: fmt.Sprintf("there are more mistakes up to here: %d in all were found; the first %d are shown", len(ps), maxTold)})
		}
	}
	return out
}

// didYouMean returns the nearest of the known words, if one is near.
func didYouMean(word string, known []string) string {
	best, distance := "", max(2, len(word)/3)+1
	if len(word) > maxName {
		return "" // nobody mistyped that
	}
	for _, k := range known {
		if len(k) > maxName {
			continue
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}
