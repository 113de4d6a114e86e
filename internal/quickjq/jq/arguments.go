package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// call is what one start is asked for.
type call struct {
	null, raw, join, compact, slurp, lines, status bool
	program                                        string
	names                                          []string
	values                                         []any
	files                                          []string
	texts                                          []any // $ARGS.positional
}

// read takes the arguments apart.
func read(args []string) (*call, error) {
	c, told, texts := &call{texts: []any{}}, false, false
	for ; len(args) > 0; args = args[1:] {
		a := args[0]
		switch {
		case a == "--arg" || a == "--argjson" || a == "--rawfile" || a == "--slurpfile":
			if len(args) < 3 {
				return nil, fmt.Errorf("%s wants a name and a value", a)
			}
			v, err := value(a, args[2])
			if err != nil {
				return nil, err
			}
			c.names, c.values = append(c.names, "$"+args[1]), append(c.values, v)
			args = args[2:]
		case a == "--args":
			texts = true
		case strings.HasPrefix(a, "--"):
			return nil, fmt.Errorf("this jq knows no %s", a)
		case strings.HasPrefix(a, "-") && len(a) > 1:
			for _, o := range a[1:] {
				flag := map[rune]*bool{'n': &c.null, 'r': &c.raw, 'j': &c.join, 'c': &c.compact, 's': &c.slurp, 'e': &c.status, 'R': &c.lines, 'S': new(bool)}[o]
				if flag == nil {
					return nil, fmt.Errorf("this jq knows no -%c", o)
				}
				*flag = true
			}
		case !told:
			c.program, told = a, true
		case texts:
			c.texts = append(c.texts, a)
		default:
			c.files = append(c.files, a)
		}
	}
	if !told {
		return nil, errors.New("no program")
	}
	named := map[string]any{}
	for i, name := range c.names {
		named[name[1:]] = c.values[i]
	}
	c.names, c.values = append(c.names, "$ARGS"), append(c.values, map[string]any{"positional": c.texts, "named": named})
	return c, nil
}

// value is that of a named argument.
func value(option, text string) (any, error) {
	switch option {
	case "--arg":
		return text, nil
	case "--argjson":
		all, err := values([]byte(text))
		if err == nil && len(all) != 1 {
			err = errors.New("not one value")
		}
		if err != nil {
			return nil, err
		}
		return all[0], nil
	}
	b, err := os.ReadFile(text)
	if err != nil {
		return nil, err
	}
	if option == "--rawfile" {
		return string(b), nil
	}
	all, err := values(b)
	return append([]any{}, all...), err
}

// values are those of a stream of JSON; with an error, those before it.
func values(b []byte) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var all []any
	for {
		var v any
		switch err := d.Decode(&v); {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return all, err
		}
		all = append(all, v)
	}
}
