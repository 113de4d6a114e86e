package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/report"
	"rekey/internal/sop"
)

// schemaFile lies beside rekey.yaml, for editors.
const schemaFile = "rekey.schema.json"

func (a *app) initCommand() *cobra.Command {
	var yes bool
	var world string
	c := &cobra.Command{
		Use: "init", Short: "Write a first rekey.yaml for a Cloudflare Access service token", Args: cobra.NoArgs,
		Long: `Write a first rekey.yaml for a Cloudflare Access service token, and beside it the
schema by which editors check and complete it. On a terminal it asks for the names
first, and checks each as it is given; elsewhere it writes an example.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.init(c.Context(), yes, world) },
	}
	c.Flags().BoolVar(&yes, "yes", false, "ask nothing, write the example")
	c.Flags().StringVar(&world, "simulate", "", "write the example for a simulated world at this address (rekey sim), with short waits")
	return c
}

func (a *app) init(ctx context.Context, yes bool, world string) error {
	path := a.path(a.file)
	if _, err := os.Lstat(path); err == nil {
		return usage("%s is there already and is never overwritten\n  next  rekey lint", path)
	}
	answers := sop.DefaultAnswers()
	answers.Simulate = world
	asks := !yes && !a.json && world == ""
	asked := asks && terminal(a.in) && terminal(a.out)
	if asked {
		var err error
		if answers, err = a.interview(ctx); err != nil {
			return exit{exitFailed, err}
		}
	}
	if err := sop.Answered(answers); err != nil {
		return exit{exitUsage, err}
	}
	text, err := sop.First(answers)
	if err != nil {
		return exit{exitFailed, err}
	}
	written := []string{path}
	if err := writeNew(path, []byte(text)); err != nil {
		if errors.Is(err, os.ErrExist) {
			return usage("%s is there already and is never overwritten\n  next  rekey lint", path)
		}
		return exit{exitFailed, err}
	}
	beside := filepath.Join(filepath.Dir(path), schemaFile)
	switch err := writeNew(beside, sop.Schema()); {
	case err == nil:
		written = append(written, beside)
	case !errors.Is(err, os.ErrExist):
		return exit{exitFailed, err}
	}
	if a.json {
		return a.printJSON(map[string]any{"written": written[0], "files": written})
	}
	unasked := ""
	if asks && !asked {
		unasked = ", with the names of an example: no person can be asked here, and nothing was read; put yours in"
	}
	a.print("wrote %s%s\n  next  rekey lint\n  then  what is missing on this machine: rekey doctor\n  then  rekey check %s\n", strings.Join(written, " and "), unasked, report.Quote(answers.Name))
	return nil
}

// writeNew writes a file that was not there.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// interview asks for a person's own names. What is wrong with an answer is said at
// once, and it is asked again.
func (a *app) interview(ctx context.Context) (sop.Answers, error) {
	a.print("Enter keeps what is in brackets; everything can be changed later.\n\n")
	answers := sop.DefaultAnswers()
	for _, q := range sop.Questions() {
		for {
			at := q.Set(&answers)
			a.print("  %s [%s]: ", q.Text, *at)
			line, err := readLine(ctx, a.in)
			if ctx.Err() != nil || err != nil && !(errors.Is(err, io.EOF) && line != "") {
				return answers, fmt.Errorf("nothing was written")
			}
			answer, before := strings.TrimSpace(line), *at
			switch {
			case answer == "":
				answer = before
			case q.None && strings.EqualFold(answer, "none"):
				*at = ""
			default:
				*at = answer
			}
			if *at == "" && q.None {
				break
			}
			if wrong := q.Wrong(*at, answers); wrong != "" {
				*at = before
				a.print("    %s %s\n", a.style(a.out).Bad("✗"), wrong)
				continue
			}
			if err := sop.Answered(answers); err != nil {
				*at = before
				a.print("    %s %v\n", a.style(a.out).Bad("✗"), err)
				continue
			}
			break
		}
	}
	a.print("\n")
	return answers, nil
}
