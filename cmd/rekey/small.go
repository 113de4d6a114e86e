package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/sop"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "The version of this binary", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"rekey": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			a.print("rekey %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "The JSON Schema of rekey.yaml, for editors", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(sop.Schema())
			return err
		},
	}
}

func (a *app) initCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "init", Short: "Write a commented rekey.yaml for Cloudflare Access service tokens", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text := sop.Example()
			if terminal(a.in) && terminal(a.out) && !yes {
				var err error
				if text, err = a.interview(c.Context(), text); err != nil {
					return exit{exitFailed, err}
				}
			}
			path := a.path(a.file)
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if os.IsExist(err) {
				return usage("%s is there already and is never overwritten", path)
			}
			if err != nil {
				return exit{exitFailed, err}
			}
			_, err = io.WriteString(f, text)
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				return exit{exitFailed, err}
			}
			if a.json {
				return a.printJSON(map[string]string{"written": path})
			}
			a.print("wrote %s\n  next  set the variables that it names, adapt it, then: rekey lint\n", path)
			return nil
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "ask nothing, write the example")
	return c
}

// interview fills the example with a person's own names.
func (a *app) interview(ctx context.Context, text string) (string, error) {
	a.print("Enter keeps what is in brackets; everything can be changed later.\n\n")
	in := bufio.NewReader(a.in)
	for _, q := range []struct{ question, was string }{
		{"Credential name, by the pattern CF_ACCESS_SVC_<SCOPE>", "CF_ACCESS_SVC_CONSOLE"},
		{"A former name that still has to work", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"},
		{"Infisical folder", "/MooseQuest/cloudflare/"},
		{"Infisical environment", "environment: prod"},
		{"Heroku app that uses it", "raxx-console-prod"},
		{"Protected address that a good token opens", "https://<scope>.raxx.app/health"},
	} {
		shown := strings.TrimPrefix(q.was, "environment: ")
		a.print("  %s [%s]: ", q.question, shown)
		line, err := in.ReadString('\n')
		if ctx.Err() != nil || err != nil && line == "" {
			return "", fmt.Errorf("nothing was written")
		}
		if answer := strings.TrimSpace(line); answer != "" {
			text = strings.ReplaceAll(text, q.was, strings.Replace(q.was, shown, answer, 1))
		}
	}
	a.print("\n")
	if _, err := sop.Parse("rekey.yaml", []byte(text)); err != nil {
		return "", fmt.Errorf("with these answers rekey.yaml would be wrong, so nothing was written:\n%w", err)
	}
	return text, nil
}

// readLine reads one line, giving up when ctx is done.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	c := make(chan answer, 1)
	go func() {
		// Byte by byte: what follows the line belongs to the next question.
		var b strings.Builder
		one := make([]byte, 1)
		for {
			n, err := in.Read(one)
			if n == 1 && one[0] == '\n' {
				c <- answer{b.String(), nil}
				return
			}
			if n == 1 {
				b.WriteByte(one[0])
			}
			if err != nil {
				c <- answer{b.String(), err}
				return
			}
		}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-c:
		return got.line, got.err
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func joinLines(ls []string) string { return strings.Join(ls, "\n  ") }
func joinWords(ws []string) string { return strings.Join(ws, " ") }

// completeNames completes credential names.
func (a *app) completeNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	config, err := a.load()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, s := range config.Specs {
		out = append(out, s.Name)
	}
	return out, cobra.ShellCompDirectiveDefault
}

func (a *app) completeRuns(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(c.Context(), args, false)
}

func (a *app) completeOpenRuns(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(c.Context(), args, true)
}

func (a *app) complete(ctx context.Context, args []string, onlyOpen bool) ([]string, cobra.ShellCompDirective) {
	config, err := a.load()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	runs, _ := a.runs(ctx, config)
	var out []string
	for _, r := range runs {
		if !onlyOpen || r.Open() {
			out = append(out, r.Run+"\t"+r.Credential)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
