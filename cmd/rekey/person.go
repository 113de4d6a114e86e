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

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/report"
	"rekey/internal/secret"
)

// person asks whoever sits at the terminal to do by hand what no request can.
// Values are read hidden; where standard input is no terminal they are read from
// it, and the questions go to the terminal that the process belongs to.
func (w *work) person(ctx context.Context, t provider.Task) (provider.Answer, error) {
	desk, err := w.app.desk()
	if err == nil && w.unattended {
		desk.close()
		err = errors.New("nobody is asked for this")
	}
	if err != nil {
		return provider.Answer{}, &cred.Error{Vendor: "assisted", Op: "ask a person", Class: cred.Unsent, Why: "nobody can be asked here: run it on a terminal"}
	}
	defer desk.close()
	style := w.app.style(desk.out)
	lines := wordsOf(t, style)
	if w.screen != nil {
		defer w.screen.Hold(len(lines) + len(t.Fields) + 1)()
	}
	_, _ = fmt.Fprintln(desk.out, strings.Join(lines, "\n"))
	switch t.Want {
	case provider.WantMake:
		for {
			b := secret.Bundle{}
			for _, f := range t.Fields {
				v, err := desk.hidden(ctx, "  "+f+" (hidden; nothing: give up): ")
				if err != nil {
					return provider.Answer{}, err
				}
				if !v.Present() {
					return provider.Answer{}, nil
				}
				b[f] = v
			}
			if desk.values != nil { // a pipe says it once
				return provider.Answer{Bundle: b}, nil
			}
			// It was typed unseen: somebody may know that it was the wrong one.
			word, err := desk.line(ctx, "  Enter: use it; again: enter it once more: ")
			if err != nil {
				return provider.Answer{}, err
			}
			if strings.TrimSpace(word) == "" {
				return provider.Answer{Bundle: b}, nil
			}
		}
	case provider.WantLook:
		line, err := desk.line(ctx, "  The names of those that are live, separated by commas (nothing: none): ")
		return provider.Answer{Names: names(line)}, err
	case provider.WantWhich:
		line, err := desk.line(ctx, "  Its name (nothing: I cannot tell): ")
		return provider.Answer{Names: names(line)}, err
	case provider.WantEnd:
		yes, err := desk.yes(ctx, "  Is it gone? [y/n] ")
		return provider.Answer{Yes: yes}, err
	}
	yes, err := desk.yes(ctx, "  Is "+t.Name+" listed? [y/n] ")
	return provider.Answer{Yes: yes}, err
}

// wordsOf a task, for a person who knows nothing yet.
func wordsOf(t provider.Task, style report.Style) []string {
	head := map[provider.Want]string{
		provider.WantLook: "By hand: look", provider.WantMake: "By hand: make " + t.Name, provider.WantEnd: "By hand: end " + t.Name,
		provider.WantListed: "By hand: look again", provider.WantWhich: "By hand: which is in use?",
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
	return false, fmt.Errorf("neither yes nor no was answered")
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
		return secret.Value{}, fmt.Errorf("this is no terminal")
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
