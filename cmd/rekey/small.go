package main

import (
	"context"
	"io"
	"runtime"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
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
	return a.completes(args, func(ops estate.Operations) (out []string) {
		runs, _ := ops.Runs(ctx)
		for _, r := range runs {
			if !onlyOpen || r.Open() {
				out = append(out, r.Run+"\t"+r.Credential)
			}
		}
		return out
	})
}

// completes completes the first argument by what the operations tell, and no file.
func (a *app) completes(args []string, by func(estate.Operations) []string) (out []string, _ cobra.ShellCompDirective) {
	if ops, err := a.operations(); err == nil && len(args) == 0 {
		out = by(ops)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
