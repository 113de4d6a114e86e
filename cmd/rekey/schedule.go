package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

func (a *app) scheduleCommand() *cobra.Command {
	var days int
	c := &cobra.Command{
		Use: "schedule", Short: "What falls due, what rekey serve starts, and why not the rest",
		Long: `What falls due in the days to come, what rekey serve begins by itself, and why
everything else waits: for a person, for a window, for another rotation.

It reads the journal and asks nobody. Which credentials are rotated without a person
stands in rekey.yaml (run: automatically, or after approval).`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.schedule(c.Context(), days) },
	}
	c.Flags().IntVar(&days, "days", 30, "how far to look ahead")
	var reason string
	pause := &cobra.Command{
		Use: "pause", Short: "Stop rekey serve from starting runs; runs that are open continue", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.tellSchedule(c.Context(), "paused: nothing starts automatically", estate.Operations.Pause, reason)
		},
	}
	resume := &cobra.Command{
		Use: "continue", Short: "Let rekey serve start due rotations again", Args: cobra.NoArgs,
		Long: `Let rekey serve start due rotations again: after rekey schedule pause, and after more
runs ended badly than schedule.error_budget allows.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.tellSchedule(c.Context(), "what is due begins again", estate.Operations.Continue, reason)
		},
	}
	for _, sub := range []*cobra.Command{pause, resume} {
		sub.Flags().StringVar(&reason, "reason", "", "why, for the record")
		c.AddCommand(sub)
	}
	return c
}

func (a *app) tellSchedule(ctx context.Context, said string, tell func(estate.Operations, context.Context, string) error, reason string) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	if err := tell(ops, ctx, reason); err != nil {
		return a.told(err)
	}
	if a.json {
		return a.printJSON(map[string]any{"schedule": said})
	}
	a.print("%s\n", said)
	return nil
}

func (a *app) schedule(ctx context.Context, days int) error {
	if days < 1 || days > 3660 {
		return usage("--days wants a number from 1 to 3660")
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	d, err := ops.Schedule(ctx)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(d)
	}
	d = visible.Copy(d)
	s, now := a.style(a.out), d.At
	until := now.AddDate(0, 0, days)
	if d.Paused != nil {
		a.print("%s by %s, %s%s\n  next  rekey schedule continue\n\n", s.Mind("Paused"), d.Paused.By.Name, report.Ago(d.Paused.At, now), after(": ", d.Paused.Reason))
	}
	if !d.Stopped.IsZero() {
		a.print("%s since %s: too many runs failed (%s)\n  next  see why: rekey log %s\n  then  rekey schedule continue\n\n", s.Bad("Stopped"), stamp(d.Stopped), strings.Join(d.Failed, ", "), d.Failed[len(d.Failed)-1])
	}
	rows := [][]string{{s.Dim("credential"), s.Dim("due"), s.Dim("begins"), s.Dim("run"), s.Dim("now")}}
	var warnings []string
	later := 0
	for _, c := range d.Credentials {
		if c.Warning != "" {
			warnings = append(warnings, fmt.Sprintf("%s %s, which expires %s: %s", s.Bad("window"), c.Credential, report.Ago(c.Expires, now), c.Warning))
		}
		if c.Due.At.After(until) || c.Due.Why == "never" {
			later++
			continue
		}
		due, begins := c.Due.Why, ""
		if !c.Due.At.IsZero() {
			due = report.Ago(c.Due.At, now)
		}
		if c.Next.After(now) {
			begins = stamp(c.Next)
		} else if !c.Next.IsZero() {
			begins = "now"
		}
		rows = append(rows, []string{s.Bold(c.Credential), due, begins, c.Run, why(c, now)})
	}
	if len(rows) == 1 {
		a.print("Nothing is due within %d days.\n", days)
	} else {
		a.print("%s\n", strings.Join(report.Table(rows), "\n"))
	}
	if later > 0 && len(rows) > 1 {
		a.print("%s\n", s.Dim(fmt.Sprintf("%s later, or never due", count(later, "credential"))))
	}
	for _, w := range warnings {
		a.print("\n%s\n", w)
	}
	return nil
}

// why says what the schedule does with a credential now, or because of what it does not.
func why(c estate.Scheduled, now time.Time) string {
	switch c.Now {
	case "begin":
		return "begins"
	case "ask":
		return "somebody is asked to agree"
	}
	if len(c.Why) == 0 {
		return ""
	}
	r := c.Why[0]
	out := r.Why
	if r.Of != "" && !strings.Contains(out, r.Of) {
		out += ": " + r.Of
	}
	if r.Run != "" {
		out += " (run " + r.Run + ")"
	}
	if c.Tried > 1 && r.Code == "cannot-begin" {
		out += fmt.Sprintf(" (tried %d times)", c.Tried)
	}
	if !r.Until.IsZero() && r.Until.After(now) {
		out += ", until " + stamp(r.Until)
	}
	return out
}

// heldBackShown is how many credentials status tells of that are due and do not begin.
const heldBackShown = 20

// heldBack says for status why what is due and would begin by itself does not, and what will
// expire before it can; nothing where nothing begins by itself.
func (a *app) heldBack(ctx context.Context, ops estate.Operations, rows []report.Row) (string, error) {
	d, err := ops.Schedule(ctx)
	if err != nil {
		return "", a.told(err)
	}
	d = visible.Copy(d)
	s, now := a.style(a.out), d.At
	var lines []string
	due := map[string]bool{}
	for _, r := range rows {
		due[r.Credential] = r.IsDue(now)
	}
	for _, c := range d.Credentials {
		if c.Warning != "" {
			lines = append(lines, fmt.Sprintf("%s %s, which expires %s: %s", s.Bad("window"), c.Credential, report.Ago(c.Expires, now), c.Warning))
		}
		if due[c.Credential] && c.Run != sop.ByHand.String() {
			lines = append(lines, fmt.Sprintf("%s %s: %s", s.Mind("due"), c.Credential, why(c, now)))
		}
	}
	if more := len(lines) - heldBackShown; more > 0 {
		lines = append(lines[:heldBackShown], fmt.Sprintf("and %d more: %s", more, a.pasteable("rekey schedule")))
	}
	switch {
	case !d.Stopped.IsZero():
		lines = append([]string{fmt.Sprintf("%s nothing starts automatically since %s: too many runs failed; see them with: %s", s.Bad("stopped"), stamp(d.Stopped), a.pasteable("rekey schedule"))}, lines...)
	case d.Paused != nil:
		lines = append([]string{fmt.Sprintf("%s nothing begins by itself: %s paused the schedule %s", s.Mind("paused"), d.Paused.By.Name, report.Ago(d.Paused.At, now))}, lines...)
	}
	if len(lines) == 0 {
		return "", nil
	}
	return "\n" + strings.Join(lines, "\n") + "\n", nil
}

func stamp(t time.Time) string { return t.UTC().Format("Mon 2006-01-02 15:04Z") }

func after(sep, text string) string {
	if text == "" {
		return ""
	}
	return sep + text
}
