package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/access"
	"rekey/internal/client"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "token", Short: "Access tokens for machines: create, list and revoke them",
		Long: `Access tokens for machines, stored as hashes in the journal's database.

A token has a name, and rekey.yaml says which role a name has:
  roles: {bot: [{token: nightly}]}
A token alone grants nothing. docs/access.md says more.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.tokenCreateCommand(), a.tokenListCommand(), a.tokenRevokeCommand(), a.tokenRotateCommand())
	return c
}

// keeper makes and ends tokens: those of the journal, as whoever runs this, or a server's.
type keeper interface {
	Create(ctx context.Context, by rotation.Who, w access.Wanted) (access.Token, string, error)
	List(ctx context.Context, by rotation.Who) ([]access.Token, error)
	Revoke(ctx context.Context, by rotation.Who, idOrName string) ([]access.Token, error)
}

// atServer are a server's tokens. Who asks is what the server says.
type atServer struct{ c *client.Client }

func (s atServer) Create(ctx context.Context, _ rotation.Who, w access.Wanted) (access.Token, string, error) {
	made, err := s.c.CreateToken(ctx, client.TokenWanted{Name: w.Name, Only: w.Only, Credentials: w.Credentials, Expires: w.Lives.String()})
	return tokenOf(made.Token), made.Secret, err
}

func (s atServer) List(ctx context.Context, _ rotation.Who) ([]access.Token, error) {
	all, err := s.c.Tokens(ctx)
	return tokensOf(all), err
}

func (s atServer) Revoke(ctx context.Context, _ rotation.Who, idOrName string) ([]access.Token, error) {
	ended, err := s.c.RevokeTokens(ctx, idOrName)
	return tokensOf(ended), err
}

func tokensOf(all []client.Token) []access.Token {
	out := make([]access.Token, 0, len(all))
	for _, t := range all {
		out = append(out, tokenOf(t))
	}
	return out
}

func tokenOf(t client.Token) access.Token {
	return access.Token{ID: t.ID, Name: t.Name, Fingerprint: t.Fingerprint, Roles: t.Roles, Person: t.Person, Only: t.Only, Credentials: t.Credentials, Made: t.Made, By: t.By, Expires: t.Expires, Used: t.Used, Revoked: t.Revoked, RevokedBy: t.RevokedBy, Successor: t.Successor}
}

// tokens does something with the tokens of the journal or of a server.
func (a *app) tokens(c *cobra.Command, do func(t keeper, who rotation.Who) error) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	if at, there := ops.(*client.Client); there {
		if err := do(atServer{at}, rotation.Who{}); err != nil {
			return a.told(err)
		}
		return nil
	}
	e, here := ops.(*estate.Estate)
	if !here {
		return usage("tokens are made where the journal is, or at a server")
	}
	me, err := e.Whoami(c.Context())
	if err != nil {
		return a.told(err)
	}
	t, closing, err := access.OpenTokens(c.Context(), e, a.config, a.now)
	if err != nil {
		return a.told(err)
	}
	defer func() { _ = closing() }()
	if err := do(t, me.Who); err != nil {
		return a.told(err)
	}
	return nil
}

func (a *app) tokenCreateCommand() *cobra.Command {
	var only, credentials []string
	var expires string
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a token and print it once",
		Long: `Create a token and print it once: only its hash is stored.

It may do what rekey.yaml allows its name to do, limited further by --may and --credentials.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lives, err := sop.ParseDuration(expires)
			if err != nil {
				return usage("--expires: %v", err)
			}
			return a.tokens(c, func(t keeper, who rotation.Who) error {
				made, text, err := t.Create(c.Context(), who, access.Wanted{Name: args[0], Only: only, Credentials: credentials, Lives: lives})
				if err != nil {
					return err
				}
				return a.minted(made, text, "rekey token revoke "+made.ID+"   (then make it once more)")
			})
		},
	}
	c.Flags().StringSliceVar(&only, "may", nil, "what it may be used for, as look,rotate (default: everything its name may do)")
	c.Flags().StringSliceVar(&credentials, "credentials", nil, "for which credentials, as 'CF_*' (default: all)")
	c.Flags().StringVar(&expires, "expires", "90d", "how long it lives, at most 366d")
	return c
}

// minted prints a token, this once: its text alone on standard output.
func (a *app) minted(made access.Token, text, next string) error {
	if a.json {
		if err := a.printJSON(access.Minted{Token: made, Secret: text}); err != nil {
			return unprinted(made, next, err)
		}
		return nil
	}
	if _, err := a.out.Write([]byte(text + "\n")); err != nil {
		return unprinted(made, next, err)
	}
	_, _ = a.err.Write([]byte("token " + made.ID + " of " + visible.Text(made.Name) + ", until " + made.Expires.UTC().Format(time.RFC3339) + "; it is not shown again\n"))
	return nil
}

// unprinted is the error where a token was made and nobody has it, and what to do then.
func unprinted(made access.Token, next string, err error) error {
	return fmt.Errorf("token %s was made and could not be printed, so nobody has it: %w\n  next  %s", made.ID, err, next)
}

func (a *app) tokenRotateCommand() *cobra.Command {
	var overlap string
	c := &cobra.Command{
		Use: "rotate", Short: "Rotate the token in use at the server, and print its successor once",
		Long: `Rotate the token in use at the server, and print its successor once:
the same name, the same limits, as long a life. The old one stays good for the overlap, and
until the successor was used.

If the answer was lost, or this was killed, ask again with the old one: that revokes the
successor that nobody has. Once the successor was used, the old one makes no other.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ops, err := a.operations()
			if err != nil {
				return err
			}
			at, there := ops.(*client.Client)
			if !there {
				return usage("a token rotates itself, at the server that it is for\n  next  REKEY_TOKEN=… rekey --server https://HOST token rotate")
			}
			made, err := at.RotateToken(c.Context(), overlap)
			if err != nil {
				return a.told(err)
			}
			return a.minted(tokenOf(made.Token), made.Secret, "rekey token rotate   (the old one is good still)")
		},
	}
	c.Flags().StringVar(&overlap, "overlap", "1h", "how long the old one stays good at least, at most 7d")
	return c
}

func (a *app) tokenListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "All tokens, with what each is for and when it was last used", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.tokens(c, func(t keeper, who rotation.Who) error {
				list, err := t.List(c.Context(), who)
				if err != nil {
					return err
				}
				if a.json {
					if list == nil {
						list = []access.Token{}
					}
					return a.printJSON(map[string]any{"tokens": list})
				}
				if len(list) == 0 {
					a.print("no token was made yet\n  next  rekey token create nightly --may look,rotate\n")
					return nil
				}
				a.print("%s\n", tokenLines(list, a.now()))
				return nil
			})
		},
	}
}

// tokenLines is two lines for each token: what it is, and what it is for.
func tokenLines(list []access.Token, now time.Time) string {
	var out []string
	for _, t := range list {
		state := "until " + t.Expires.UTC().Format(time.DateOnly)
		switch {
		case !t.Revoked.IsZero():
			state = "revoked " + report.Ago(t.Revoked, now) + " by " + visible.Text(t.RevokedBy)
		case !t.Live(now):
			state = "expired"
		}
		used := "never used"
		if !t.Used.IsZero() {
			used = "used " + report.Ago(t.Used, now)
		}
		out = append(out, t.ID+"  "+visible.Text(t.Name)+"  "+state+", "+used)
		may, on := "everything its name may do", "all credentials"
		if len(t.Only) > 0 {
			may = strings.Join(t.Only, ", ")
		}
		if len(t.Credentials) > 0 {
			on = strings.Join(t.Credentials, ", ")
		}
		if t.Person {
			may = "everything its owner may do on the command line"
		}
		if len(t.Roles) > 0 {
			may = strings.Join(t.Roles, ", ") + ": " + may
		}
		out = append(out, "            "+may+"; "+on+"; made by "+visible.Text(t.By)+"; fingerprint "+visible.Text(t.Fingerprint))
	}
	return strings.Join(out, "\n")
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke TOKEN", Short: "Revoke a token at once, by its id or its name", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.tokens(c, func(t keeper, who rotation.Who) error {
				ended, err := t.Revoke(c.Context(), who, args[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]any{"revoked": ended})
				}
				for _, x := range ended {
					a.print("revoked  %s  %s\n", x.ID, visible.Text(x.Name))
				}
				return nil
			})
		},
	}
}
