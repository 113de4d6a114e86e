package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/secret"
)

// person asks whoever sits at the terminal to do by hand what no request can.
// Values are read hidden; where standard input is not a terminal they are read from
// it, and the questions go to the terminal that the process belongs to.
func (a *app) person(ctx context.Context, t estate.Task) (estate.Answer, error) {
	desk, err := a.desk()
	if err != nil {
		return estate.Answer{}, estate.ErrNobody
	}
	defer desk.close()
	style := a.style(desk.out)
	lines := wordsOf(t, style)
	if a.showing != nil {
		defer a.showing.Hold(len(lines) + len(t.Fields) + 1)()
	}
	_, _ = fmt.Fprintln(desk.out, strings.Join(lines, "\n"))
	switch t.Want {
	case estate.WantMake:
		for {
			b := secret.Bundle{}
			for _, f := range t.Fields {
				v, err := desk.hidden(ctx, "  "+f+" (hidden; nothing: give up): ")
				if err != nil {
					return estate.Answer{}, err
				}
				if !v.Present() {
					return estate.Answer{}, nil
				}
				b[f] = v
			}
			if desk.values != nil { // a pipe says it once
				return estate.Answer{Bundle: b}, nil
			}
			// It was typed unseen: somebody may know that it was the wrong one.
			word, err := desk.line(ctx, "  Enter: use it; again: enter it once more: ")
			if err != nil {
				return estate.Answer{}, err
			}
			if strings.TrimSpace(word) == "" {
				return estate.Answer{Bundle: b}, nil
			}
		}
	case estate.WantLook:
		line, err := desk.line(ctx, "  The names of those that are live, separated by commas (nothing: none): ")
		return estate.Answer{Names: names(line)}, err
	case estate.WantWhich:
		line, err := desk.line(ctx, "  Its name (nothing: I cannot tell): ")
		return estate.Answer{Names: names(line)}, err
	case estate.WantEnd:
		yes, err := desk.yes(ctx, "  Is it gone? [y/n] ")
		return estate.Answer{Yes: yes}, err
	}
	yes, err := desk.yes(ctx, "  Is "+t.Name+" listed? [y/n] ")
	return estate.Answer{Yes: yes}, err
}

// sees has whoever sits at the terminal look at what a server's look asks for, which has
// nobody to ask. It reports whether there is something new to look again with.
func (a *app) sees(ctx context.Context, w *estate.Wish, t *estate.Task) bool {
	if t == nil {
		return false
	}
	if _, said := w.ByHand[t.Want]; said {
		return false
	}
	answer, err := a.person(ctx, *t)
	if err != nil {
		return false
	}
	if w.ByHand == nil {
		w.ByHand = map[estate.Want][]string{}
	}
	w.ByHand[t.Want] = append([]string{}, answer.Names...)
	return true
}

// asksOf is what a look could not see because nobody could be asked; nil: nothing.
func asksOf(err error) *estate.Task {
	if e, ok := errors.AsType[*estate.Error](err); ok {
		return e.Asks
	}
	return nil
}

// wordsOf a task, for a person who knows nothing yet.
func wordsOf(t estate.Task, style report.Style) []string {
	head := map[estate.Want]string{
		estate.WantLook: "By hand: look", estate.WantMake: "By hand: make " + t.Name, estate.WantEnd: "By hand: end " + t.Name,
		estate.WantListed: "By hand: look again", estate.WantWhich: "By hand: which is in use?",
	}[t.Want]
	out := []string{"", "  " + style.Mind(head), "    " + t.Link}
	for i, s := range t.Steps {
		out = append(out, fmt.Sprintf("    %d. %s", i+1, s))
	}
	for _, name := range t.Among {
		out = append(out, "       "+name)
	}
	return out
}

func names(line string) (out []string) {
	for _, n := range strings.Split(line, ",") {
		if n = strings.TrimSpace(n); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// desk is where a person sits: words out, words in, and where values come from.
type desk struct {
	out    io.Writer
	in     io.Reader
	values *bufio.Reader // nil: typed at the terminal
	closes []func()
}

func (d *desk) close() {
	for _, c := range d.closes {
		c()
	}
}

// desk finds the person. One that pipes values in sits at the process's terminal.
func (a *app) desk() (*desk, error) {
	if terminal(a.in) {
		out, done := a.questions()
		return &desk{out: out, in: a.in, closes: []func(){done}}, nil
	}
	open := a.tty
	if open == nil {
		open = func() (io.ReadWriteCloser, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }
	}
	tty, err := open()
	if err != nil {
		return nil, err
	}
	if a.values == nil {
		a.values = bufio.NewReader(a.in)
	}
	return &desk{out: tty, in: tty, values: a.values, closes: []func(){func() { _ = tty.Close() }}}, nil
}

func (d *desk) line(ctx context.Context, question string) (string, error) {
	_, _ = fmt.Fprint(d.out, question)
	return readLine(ctx, d.in)
}

// yes takes nothing but a y or an n for an answer; three others are none.
func (d *desk) yes(ctx context.Context, question string) (bool, error) {
	for range 3 {
		line, err := d.line(ctx, question)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
	return false, fmt.Errorf("the answer was neither yes nor no")
}

// hidden reads one value without showing it.
func (d *desk) hidden(ctx context.Context, question string) (secret.Value, error) {
	if d.values != nil {
		line, err := readLine(ctx, d.values)
		if err != nil && err != io.EOF {
			return secret.Value{}, err
		}
		return secret.New(strings.TrimSpace(line)), nil
	}
	f, ok := d.in.(*os.File)
	if !ok {
		return secret.Value{}, fmt.Errorf("this is not a terminal")
	}
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return secret.Value{}, err
	}
	_, _ = fmt.Fprint(d.out, question)
	type typed struct {
		b   []byte
		err error
	}
	c := make(chan typed, 1)
	go func() {
		b, err := term.ReadPassword(int(f.Fd()))
		c <- typed{b, err}
	}()
	defer func() { _, _ = fmt.Fprintln(d.out) }()
	select {
	case <-ctx.Done():
		_ = term.Restore(int(f.Fd()), before)
		return secret.Value{}, ctx.Err()
	case got := <-c:
		if got.err == io.EOF {
			got.err = nil
		}
		return secret.New(strings.TrimSpace(string(got.b))), got.err
	}
}
