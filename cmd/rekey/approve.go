package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/visible"
)

func (a *app) approvalsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "approvals", Short: "Requests that wait for approval",
		Long: `Requests that wait for approval: a rotation that is to begin, or a run that is
about to revoke the old credential. Who has to agree stands in rekey.yaml, under
approvals.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.approvals(c.Context()) },
	}
}

func (a *app) approvals(ctx context.Context) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	list, err := ops.Approvals(ctx)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(map[string]any{"approvals": list})
	case len(list) == 0:
		a.print("Nothing waits for approval.\n")
		return nil
	}
	s := a.style(a.out)
	for i, r := range visible.Copy(list) {
		if i > 0 {
			a.print("\n")
		}
		a.print("%s", a.asked(r, s))
		if r.Missing > 0 {
			a.print("  next  rekey approve %s\n  or    rekey refuse %s --reason WHY\n", about(r), about(r))
		} else {
			a.print("  next  rekey run %s\n", r.Request.Credential)
		}
	}
	return nil
}

// about is what a request is called on the command line.
func about(r estate.Approval) string {
	if r.Request.Run != "" {
		return r.Request.Run
	}
	return r.Request.Credential
}

// asked is a request in some lines.
func (a *app) asked(r estate.Approval, s report.Style) string {
	q := r.Request
	what := "to begin a rotation"
	if q.Run != "" {
		what = "to revoke the old one, in run " + q.Run
	}
	out := fmt.Sprintf("%s  %s\n", s.Bold(q.Credential), what)
	line := func(head, text string) { out += fmt.Sprintf("  %s  %s\n", s.Dim(fmt.Sprintf("%-6s", head)), text) }
	asked := q.By.String() + ", " + report.Ago(q.At, a.now())
	for _, more := range []string{q.Reason, q.Ticket} {
		if more != "" {
			asked += ", " + more
		}
	}
	line("asked", asked)
	if q.Plan != nil {
		for _, w := range q.Plan.Spec.Windows {
			line("begins", w.String())
		}
	}
	role := "anybody"
	if q.Rule.Role != "" {
		role = "the role " + q.Rule.Role
	}
	if r.Missing > 0 {
		line("wants", count(r.Missing, "agreement")+" more of "+role+", until "+q.Until.UTC().Format(time.RFC3339))
	}
	for _, g := range r.Given {
		line("agreed", g.By.String()+", "+report.Ago(g.At, a.now()))
	}
	for _, d := range q.Changed {
		line("since", d)
	}
	return out
}

func (a *app) approveCommand() *cobra.Command {
	var confirm, reason string
	var back bool
	c := &cobra.Command{
		Use: "approve RUN|CREDENTIAL", Short: "Approve a request after seeing what it would do",
		Long: `Agree to what somebody asks for: that a rotation begins, or that a run revokes the
old credential. It shows what is asked, and wants the credential's name. Who may
agree stands in rekey.yaml, under approvals; never who asks, unless it says so.

Exactly this plan is approved. If anything has changed when it starts, approval is requested
again, with the differences.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeApprovals,
		RunE: func(c *cobra.Command, args []string) error {
			if back {
				return a.answer(c.Context(), "taken back", estate.Operations.TakeBack, estate.Answering{About: args[0], Reason: reason})
			}
			return a.approve(c.Context(), args[0], confirm, reason)
		},
	}
	c.Flags().StringVar(&confirm, "confirm", "", "the credential's name: agree to what cannot be undone without being asked")
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	c.Flags().BoolVar(&back, "take-back", false, "take back your own approval or request")
	return c
}

func (a *app) refuseCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "refuse RUN|CREDENTIAL", Short: "Reject a request",
		Long: `Reject a request. A rotation does not begin then, and nobody is asked
for the same again before the request would have expired. A run that waits stays
open, with both credentials live: rekey rollback undoes it.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeApprovals,
		RunE: func(c *cobra.Command, args []string) error {
			return a.answer(c.Context(), "refused", estate.Operations.Refuse, estate.Answering{About: args[0], Reason: reason})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return c
}

// approve shows what is asked, and agrees to exactly that.
func (a *app) approve(ctx context.Context, what, confirm, reason string) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	list, err := ops.Approvals(ctx)
	if err != nil {
		return a.told(err)
	}
	i := slices.IndexFunc(list, func(r estate.Approval) bool {
		return what == r.Request.ID || what == r.Request.Run || what == r.Request.Credential
	})
	if i < 0 {
		return a.told(&estate.Error{Code: estate.NothingAsked, Name: what})
	}
	r := list[i]
	name := r.Request.Credential
	if err := a.canConfirm(name, confirm); err != nil {
		return err
	}
	if confirm == "" && !a.agrees(ctx, visible.Copy(r)) {
		return exit{exitWaiting, errors.New("nothing was approved")}
	}
	return a.answer(ctx, "agreed to", estate.Operations.Approve, estate.Answering{About: r.Request.ID, Seen: r.Request.Digest, Reason: reason})
}

// agrees shows a person what he agrees to, and asks for the name.
func (a *app) agrees(ctx context.Context, r estate.Approval) bool {
	out, done := a.questions()
	defer done()
	s := a.style(out)
	text := a.asked(r, s)
	if r.Request.Plan != nil {
		text += "\n" + report.Plan(r.Request.Plan, s, a.now())
	}
	if len(r.Request.Final) > 0 {
		text += "\n  " + s.Mind("What cannot be undone:") + "\n    " + strings.Join(r.Request.Final, "\n    ") + "\n"
	}
	_, _ = io.WriteString(out, report.Fold(fmt.Sprintf("%s\n  Type %s to agree (nothing: do not): ", text, s.Bold(r.Request.Credential)), s.Width))
	answer, err := readLine(ctx, a.in)
	return err == nil && strings.TrimSpace(answer) == r.Request.Credential
}

// answer says something to a request.
func (a *app) answer(ctx context.Context, word string, say func(estate.Operations, context.Context, estate.Answering) (estate.Approval, error), what estate.Answering) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	r, err := say(ops, ctx, what)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(map[string]any{"approval": r})
	}
	s := a.style(a.out)
	a.print("%s  %s\n", s.Good(word), visible.Text(about(r)))
	switch {
	case r.Missing > 0:
		a.print("  needs  %s more\n", count(r.Missing, "agreement"))
	case word == "agreed to" && r.Request.Run != "":
		a.print("  next  rekey resume %s   # or rekey serve goes on with it\n", r.Request.Run)
	case word == "agreed to":
		a.print("  next  rekey run %s   # or rekey serve begins it\n", visible.Text(r.Request.Credential))
	case word == "refused" && r.Request.Run != "":
		a.print("  next  rekey rollback %s\n", r.Request.Run)
	}
	return nil
}

func (a *app) completeApprovals(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completes(args, func(ops estate.Operations) (out []string) {
		list, _ := ops.Approvals(c.Context())
		for _, r := range list {
			out = append(out, about(r)+"\t"+r.Request.Credential)
		}
		return out
	})
}

// wordsOfApprovals: who has to agree, and who may not.
func (a *app) wordsOfApprovals(e *estate.Error) error {
	switch e.Code {
	case estate.NotTaken:
		return fmt.Errorf("the process %s did not accept what was entered for run %s; none of it was kept\n  next  hand it over again when the run asks again", visible.Text(e.Name), visible.Text(e.Run))
	case estate.NothingAsked:
		return fmt.Errorf("no approval is requested for %s\n  next  rekey approvals", visible.Text(e.Name))
	}
	if e.Approval == nil || e.Approval.Request == nil {
		return nil
	}
	what := about(*e.Approval)
	switch e.Code {
	case estate.AwaitsApproval:
		begun := "nothing was begun"
		if e.Run != "" {
			begun = "both credentials are live"
		}
		return fmt.Errorf("%s wants %s more before it continues, and they were notified; %s\n  next  ask them to run, before %s: rekey approve %s\n  then  %s", e.Credential, count(e.Approval.Missing, "agreement"), begun, e.Approval.Until.UTC().Format(time.RFC3339), what, a.again())
	case estate.ApprovalRefused:
		who, why := "somebody", ""
		if r := e.Approval.Refusal; r != nil {
			who, why = visible.Text(r.By.Name), after(": ", visible.Text(r.Reason))
		}
		return fmt.Errorf("%s has refused this%s; approval is not requested again before %s\n  next  talk to them, or see all that is asked: rekey approvals", who, why, e.Approval.Until.UTC().Format(time.RFC3339))
	case estate.OtherAsked:
		return fmt.Errorf("the request for %s has changed meanwhile, and nothing was approved\n  next  see it: rekey approvals", what)
	case estate.NotApprover:
		out := fmt.Sprintf("approving this needs the role %s, which %s does not have", e.Name, e.Who.Name)
		for i, t := range e.Known {
			head := "  have  "
			if i > 0 {
				head = "        "
			}
			out += "\n" + head + t
		}
		return errors.New(out + "\n  next  ask one of them to run: rekey approve " + what)
	case estate.NotProven:
		return fmt.Errorf("%s is self-declared, and identity.oidc in rekey.yaml says how identity is to be proven\n  next  agree where you are signed in: on the console", e.Who.Name)
	case estate.OwnRequest:
		return fmt.Errorf("%s requested this (or created the token that did), and nobody may approve their own request\n  next  ask somebody else to run: rekey approve %s", e.Who.Name, what)
	case estate.NotFresh:
		return fmt.Errorf("this cannot be undone, and %s needs a more recent sign-in\n  next  sign in again, then: rekey approve %s", e.Who.Name, what)
	case estate.AgreedAlready:
		return fmt.Errorf("%s has already approved this\n  next  rekey approvals", e.Who.Name)
	case estate.NotTheirs:
		return fmt.Errorf("%s has neither requested nor approved this\n  next  rekey approvals", e.Who.Name)
	}
	return nil
}
