package byhand

import (
	"fmt"
	"regexp"
	"strings"
)

var placeholder = regexp.MustCompile(`@[a-zA-Z_]+@`)

// Read takes a recipe's shell apart: "#= VERB" begins a step, "#. " lines after it
// are its text, and @NAME@ is filled in. What stands before the first step is for
// readers of the file. It panics on a placeholder that nobody fills: recipes are
// part of the program, and a test renders all of them.
func Read(source string, fill map[string]string) map[string]Step {
	source = placeholder.ReplaceAllStringFunc(source, func(m string) string {
		v, ok := fill[strings.Trim(m, "@")]
		if !ok {
			panic(fmt.Sprintf("byhand: nobody fills %s", m))
		}
		return v
	})
	steps := map[string]Step{}
	verb := ""
	var text, shell []string
	flush := func() {
		if verb != "" {
			steps[verb] = Step{Text: strings.Join(text, " "), Shell: strings.Trim(strings.Join(shell, "\n"), "\n")}
		}
		text, shell = nil, nil
	}
	for _, line := range strings.Split(source, "\n") {
		name, begins := strings.CutPrefix(line, "#= ")
		said, tells := strings.CutPrefix(line, "#. ")
		switch {
		case begins:
			flush()
			verb = strings.TrimSpace(name)
		case tells && len(shell) == 0:
			text = append(text, said)
		default:
			shell = append(shell, line)
		}
	}
	flush()
	return steps
}

// Filled are the placeholders that every recipe has: @tool@, @TOOL@, @dir@ and
// the waits.
func (q Question) Filled(more map[string]string) map[string]string {
	out := map[string]string{"tool": q.Tool, "TOOL": strings.ToUpper(q.Tool), "dir": q.Dir}
	for k, v := range q.Waits {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}
