package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/access"
	"rekey/internal/report"
	"rekey/internal/visible"
)

// browserOf signs in at a server by this computer's browser.
func (a *app) browserOf(server string) access.Browser {
	machine, _ := os.Hostname()
	return access.Browser{Server: server, Machine: machine, Transport: access.Network(os.Getenv), Random: rand.Reader, Now: a.now,
		Open: openBrowser, Tell: func(address string) {
			_, _ = a.err.Write([]byte("allow it in your browser; if none opens, open this address on this computer:\n  " + address + "\n"))
		}}
}

// openBrowser shows an address as this system does. No value but the address is passed on.
func openBrowser(address string) error {
	switch runtime.GOOS {
	case "darwin":
		return exec.Command("open", address).Start()
	case "windows":
		return exec.Command("rundll32", "url.dll,FileProtocolHandler", address).Start()
	}
	return exec.Command("xdg-open", address).Start()
}

// loginFile is where the token of a server is kept.
func loginFile(server string) (string, error) {
	settings, err := os.UserConfigDir()
	if err != nil {
		return "", exit{exitFailed, err}
	}
	path, err := access.LoginFile(settings, server)
	if err != nil {
		return "", exit{exitUsage, err}
	}
	return path, nil
}

func (a *app) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use: "login ADDRESS", Short: "Sign in at a server by your browser",
		Long: `Sign in at a server by your browser, and keep the token for commands that ask it.

The token acts as you and ends with your sign-in. It is kept in a file of its own that
only you can read, below your folder for settings.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path, err := loginFile(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), 10*time.Minute)
			defer cancel()
			in, err := a.browserOf(args[0]).SignIn(ctx)
			if err != nil {
				return exit{exitFailed, err}
			}
			if err := access.Keep(path, in); err != nil {
				return exit{exitFailed, err}
			}
			if a.json {
				return a.printJSON(map[string]any{"server": args[0], "who": in.Who, "expires": in.Expires, "file": path})
			}
			a.print("signed in at %s as %s, until %s\n  kept  %s\n  out   rekey logout %s\n", args[0], visible.Text(in.Who), in.Expires.UTC().Format(time.RFC3339), path, report.Quote(args[0]))
			return nil
		},
	}
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout ADDRESS", Short: "Sign out at a server, and forget its token", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path, err := loginFile(args[0])
			if err != nil {
				return err
			}
			was, err := a.browserOf(args[0]).SignOut(c.Context(), path)
			switch {
			case err != nil:
				return exit{exitFailed, err}
			case a.json:
				return a.printJSON(map[string]any{"server": args[0], "was_signed_in": was})
			case !was:
				a.print("nobody was signed in at %s from here\n", args[0])
			default:
				a.print("signed out at %s\n", args[0])
			}
			return nil
		},
	}
}
