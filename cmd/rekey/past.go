package main

import (
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"rekey/internal/report"
)

func (a *app) logCommand() *cobra.Command {
	return &cobra.Command{
		Use: "log [RUN]", Short: "All runs, or everything about one", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeRuns,
		RunE: func(c *cobra.Command, args []string) error {
			ops, err := a.operations()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				runs, err := ops.Runs(c.Context())
				switch {
				case err != nil:
					return a.told(err)
				case a.json:
					return a.printJSON(map[string]any{"runs": runs})
				}
				a.print("%s", report.Runs(runs, a.style(a.out), a.now()))
				return nil
			}
			run, err := ops.Log(c.Context(), args[0])
			switch {
			case err != nil:
				return a.told(err)
			case a.json:
				return a.printJSON(run.Entries)
			}
			a.print("%s", report.Log(run.Events, a.style(a.out)))
			return nil
		},
	}
}

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain WORD|CODE", Short: "What a word or a code means, and what to do",
		ValidArgs: report.Topics(), Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			word := joinWords(args)
			text, ok := report.Explain(word)
			switch {
			case !ok && word != "":
				return notExplained(word)
			case a.json:
				return a.printJSON(map[string]any{"word": word, "known": ok, "text": text})
			}
			a.print("%s", text)
			return nil
		},
	}
}

// notExplained says which word was probably meant.
func notExplained(word string) error {
	best, distance := "", farthest+1
	for _, t := range report.Topics() {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), t); d < distance && d < len(t) {
			best, distance = t, d
		}
	}
	if best == "" {
		return usage("rekey explain knows nothing of %s\n  next  list the words it knows: rekey explain", report.Quote(word))
	}
	return usage("rekey explain knows nothing of %s (did you mean %s?)\n  next  rekey explain %s\n  or    list the words it knows: rekey explain", report.Quote(word), best, report.Quote(best))
}
