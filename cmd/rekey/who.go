package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/identity"
	"rekey/internal/refs"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// who finds out who runs this. People and CI are real in a simulated world too.
func (a *app) who(ctx context.Context, config *sop.Config) (rotation.Who, error) {
	finder := &refs.Finder{Dir: config.Dir, Env: os.LookupEnv, Asked: &a.asked}
	who, err := identity.Find(ctx, config.Identity, identity.Surroundings{
		Transport: transport(), Now: a.now, Env: os.LookupEnv, User: osUser(),
		Resolve: finder.Secret, IsSet: func(r sop.Refs) bool { return slices.ContainsFunc(r, finder.IsSet) }, Text: finder.Text,
	})
	if err != nil {
		return who, exit{exitFailed, fmt.Errorf("%w\n  live  nothing was touched\n  next  fix the token, or run without it as yourself", err)}
	}
	return who, nil
}

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Who Rekey takes you for, how sure that is, and which credentials you may change", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			who, err := a.who(c.Context(), config)
			if err != nil {
				return err
			}
			refused := map[string]string{}
			for _, spec := range config.Specs {
				if why, _ := identity.Refusal(config.Identity, spec, who); why != "" {
					refused[spec.Name] = spec.Role
				}
			}
			if a.json {
				return a.printJSON(map[string]any{"who": who, "enforced": config.Identity != nil, "refused": refused})
			}
			a.print("%s", report.Whoami(who, config.Identity != nil, len(config.Specs), refused, a.style(a.out)))
			return nil
		},
	}
}

// remark adds to a plan by whom it may be carried out, and what that word is worth.
func (a *app) remark(ctx context.Context, config *sop.Config, plan *rotation.Plan) {
	who, err := a.who(ctx, config)
	note := identity.Remark(config.Identity, plan.Spec, who)
	if err != nil {
		note = "a run would be refused: " + strings.SplitN(err.Error(), "\n", 2)[0]
	}
	if note != "" {
		plan.Notes = append([]string{note}, plan.Notes...)
	}
}

// may finds out who does this, and refuses whoever has not the role that the
// credential wants.
func (w *work) may(ctx context.Context, without bool) error {
	var err error
	if w.by, err = w.app.who(ctx, w.config); err != nil {
		return err
	}
	return w.allowed(w.spec, without)
}

// mayAll is may for what concerns every credential: whoever may not change one of
// them is refused.
func (w *work) mayAll(ctx context.Context, without bool) error {
	var err error
	if w.by, err = w.app.who(ctx, w.config); err != nil {
		return err
	}
	for _, spec := range w.config.Specs {
		if err := w.allowed(spec, without); err != nil {
			return err
		}
	}
	return nil
}

// noRole says why somebody may not change a credential.
type noRole string

func (e noRole) Error() string { return string(e) }

func (w *work) allowed(spec sop.Spec, without bool) error {
	why, those := identity.Refusal(w.config.Identity, spec, w.by)
	switch {
	case why == "":
		return nil
	case without:
		w.by.Without = spec.Role
		return nil
	}
	out := fmt.Sprintf("%s (%s)\n  live  nothing was touched", why, how(w.by))
	for i, t := range those {
		head := "  have  "
		if i > 0 {
			head = "        "
		}
		out += "\n" + head + t
	}
	if len(those) == 0 {
		out += "\n  have  nobody"
	}
	return exit{exitFailed, noRole(out + "\n  next  have one of them do it, or change identity.roles in " + filepath.Base(w.config.File))}
}

func how(who rotation.Who) string {
	if who.Verified {
		return "proven by " + who.How
	}
	return "self-declared: " + who.How
}

// withoutRole lets an emergency and the way back be carried out by whoever is there.
func withoutRole(c *cobra.Command, without *bool) {
	c.Flags().BoolVar(without, "without-role", false, "do it although you lack the required role; wants --reason, and is recorded")
}

// reasoned refuses to go without the role for no reason.
func (a *app) reasoned(without bool, reason string) error {
	if without && strings.TrimSpace(reason) == "" {
		return usage("to do this without the role is recorded with its reason\n  next  %s", a.again("--reason", "what happened"))
	}
	return nil
}
