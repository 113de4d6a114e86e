package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/client"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
)

// Variables that lead a command to a server.
const (
	serverVariable = "REKEY_SERVER"
	tokenVariable  = "REKEY_TOKEN"
)

// remoteFlags lead every command to a server.
func (a *app) remoteFlags(root *cobra.Command) {
	p := root.PersistentFlags()
	p.StringVar(&a.server, "server", "", "ask the server at this address instead of working here (or REKEY_SERVER)")
	p.StringVar(&a.tokenFrom, "token-from", "env:"+tokenVariable, "where the server's token is: env:NAME, file:PATH or cmd:COMMAND; never the token itself")
}

// here are commands that work on this machine only, and why a server is not asked.
func here() map[string]string {
	return map[string]string{
		"init": "it writes rekey.yaml, which a server only reads", "lint": "it reads rekey.yaml here; a server tells of its own with every command, and on its console",
		"journal": "a backup and a move are made where the database is", "demo": "it makes simulated vendors on this machine", "sim": "it serves simulated vendors on this machine", "driver": "it works on a program on this machine",
		"serve": "it is the server", "login": "it takes the server as an argument", "logout": "it takes the server as an argument", "schema": "it is this program's",
	}
}

// leadTo notes which server a command asks.
func (a *app) leadTo(c *cobra.Command) {
	if server := os.Getenv(serverVariable); server != "" && !c.Flags().Changed("server") {
		a.server, a.serverFromEnv = server, true
	}
	if _, only := here()[topOf(c)]; only && a.serverFromEnv && topOf(c) != "journal" {
		a.server = ""
	}
}

// topOf is the first word of a command after rekey.
func topOf(c *cobra.Command) string {
	words := strings.Fields(c.CommandPath())
	return words[min(1, len(words)-1)]
}

// elsewhere refuses what no server does.
func (a *app) elsewhere(c *cobra.Command) error {
	why, only := here()[topOf(c)]
	if a.server == "" || !only {
		return nil
	}
	from := "--server"
	if a.serverFromEnv {
		from = serverVariable
	}
	return usage("rekey %s works on this machine, and not on a server, for %s\n  next  the same without %s", topOf(c), why, from)
}

// remote returns the operations of the server that was named.
func (a *app) remote() (*client.Client, error) {
	ref := sop.Ref(a.tokenFrom)
	if err := ref.Check(); err != nil {
		return nil, usage("--token-from: %v", err)
	}
	tokens := sop.Refs{ref}
	if a.command == nil || !a.command.Flags().Changed("token-from") {
		// What rekey login has kept, where nothing else is said.
		if path, err := loginFile(a.server); err == nil {
			if _, err := os.Stat(path); err == nil {
				tokens = append(tokens, sop.Ref("file:"+path))
			}
		}
	} else if name, is := strings.CutPrefix(a.tokenFrom, "env:"); is && os.Getenv(name) == "" {
		return nil, usage("--token-from %s: this variable is not set", report.Quote(a.tokenFrom))
	}
	c, err := client.Dial(a.server, client.Here{Env: os.LookupEnv, Dir: a.dir, Token: tokens, Version: version})
	if err != nil {
		return nil, usage("--server: %v", err)
	}
	return c, nil
}

// configured asks the server what its rekey.yaml says, as far as commands go by it.
func (a *app) configured(ctx context.Context) (*sop.Config, error) {
	c, err := a.remote()
	if err != nil {
		return nil, err
	}
	told, err := c.Configured(ctx)
	if estate.CodeOf(err) == estate.NoRole {
		// Who may look at no credential may ask all the same who he is, or for tokens: what he
		// may not is refused when it is asked for.
		told.File, err = "rekey.yaml", nil
	}
	if err != nil {
		return nil, a.told(err)
	}
	config := &sop.Config{File: told.File, Simulate: told.Simulate, Vendors: map[string]sop.Vendor{}, Specs: told.Credentials}
	for _, name := range told.Vendors {
		config.Vendors[name] = sop.Vendor{}
	}
	if len(told.Wrong) > 0 && !a.json && !a.bannered {
		_, _ = fmt.Fprintf(a.err, "%s the newest %s on the server has mistakes, and the previous one is still in use:\n        %s\n", a.style(a.err).Bad("mind"), told.File, strings.Join(told.Wrong, "\n        "))
	}
	a.banner(config)
	a.config, a.opened = config, c
	return config, nil
}
