package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/sop"
)

func (a *app) logCommand() *cobra.Command {
	return &cobra.Command{
		Use: "log [RUN]", Short: "All runs, or everything about one", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeRuns,
		RunE: func(c *cobra.Command, args []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				runs, err := a.runs(c.Context(), config)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]any{"runs": runs})
				}
				a.print("%s", report.Runs(runs, a.style(a.out), a.now()))
				return nil
			}
			return a.withJournal(config, func(j *journal.Journal) error {
				events, err := history.Book{J: j}.Events(c.Context(), args[0])
				if err != nil {
					return exit{exitFailed, err}
				}
				if len(events) == 0 {
					return usage("the journal knows no run %s\n  next  rekey log", args[0])
				}
				if a.json {
					entries, err := j.Run(c.Context(), args[0])
					if err != nil {
						return exit{exitFailed, err}
					}
					return a.printJSON(entries)
				}
				a.print("%s", report.Log(events, a.style(a.out)))
				return nil
			})
		},
	}
}

func (a *app) withJournal(config *sop.Config, f func(*journal.Journal) error) error {
	j, err := journal.OpenExisting(a.journalDir(config))
	if errors.Is(err, journal.ErrNone) {
		return exit{exitFailed, fmt.Errorf("there is no journal yet in %s; the first run makes it", a.journalDir(config))}
	}
	if err != nil {
		return exit{exitFailed, err}
	}
	defer func() { _ = j.Close() }()
	if err := sameWorld(context.Background(), config, history.Book{J: j}, a.journalDir(config)); err != nil {
		return err
	}
	return f(j)
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
		return usage("rekey explain knows nothing of %s\n  next  which words it knows: rekey explain", report.Quote(word))
	}
	return usage("rekey explain knows nothing of %s (did you mean %s?)\n  next  rekey explain %s\n  or    which words it knows: rekey explain", report.Quote(word), best, report.Quote(best))
}
