package clients

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// triedForInfisicalCLI is what was tried on 25 November 2026.
const triedForInfisicalCLI = `the Infisical CLI is not on this machine and cannot be installed from a package registry, so NOTHING of this test was done.
  Go module proxy: github.com/Infisical/infisical-merge (the name in its go.mod), github.com/infisical/infisical-merge,
    github.com/Infisical/cli, github.com/infisical/cli, github.com/Infisical/infisical/cli: none is served
  npm: @infisical/cli 0.43.134 holds no program; its preinstall script downloads one from elsewhere
  Debian: no package
  where there is one: REKEY_INFISICAL_CLI=/path/to/infisical go test -run TestInfisicalCLI -v ./clients`

// TestInfisicalCLI does the written procedure's step 4 with the vendor's own CLI, by
// infisical.com/docs/cli/commands/login and …/secrets. It has never been run where
// this was written: there was no CLI to be had. So it is skipped, and says so, also
// where every other missing client is a failure; a CLI that is named must work.
func TestInfisicalCLI(t *testing.T) {
	t.Parallel()
	cli := os.Getenv("REKEY_INFISICAL_CLI")
	if cli == "" {
		var err error
		if cli, err = exec.LookPath("infisical"); err != nil {
			t.Skip(triedForInfisicalCLI)
		}
	}
	w := serve(t)
	dir, client := w.folder(t), w.Clients["infisical"]
	home := t.TempDir()
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "INFISICAL_DISABLE_UPDATE_CHECK=true", "INFISICAL_API_URL=" + client["INFISICAL_API_URL"],
		// A closed port: what is not loopback is not reached.
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1",
	}
	does := func(args ...string) string {
		t.Helper()
		code, out := run(t, time.Minute, env, cli, append(args, "--telemetry=false", "--silent")...)
		wants(t, "infisical "+args[0], code, 0, out)
		return strings.TrimSpace(out)
	}
	token := does("login", "--method=universal-auth", "--plain",
		"--client-id="+client["INFISICAL_UNIVERSAL_AUTH_CLIENT_ID"], "--client-secret="+client["INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET"])
	env = append(env, "INFISICAL_TOKEN="+token)
	where := []string{"--projectId=" + client["INFISICAL_PROJECT_ID"], "--env=prod", "--path=" + infisicalFolder}

	does(append([]string{"secrets", "set", "CF_ACCESS_SVC_CONSOLE=by-hand"}, where...)...)
	if got := does(append([]string{"secrets", "get", "CF_ACCESS_SVC_CONSOLE", "--plain"}, where...)...); got != "by-hand" {
		t.Errorf("it reads back %q", got)
	}
	code, out := rekey(t, dir, "drift", "CF_ACCESS_SVC_CONSOLE", "--json")
	wants(t, "one of the names changed by hand", code, 6, out, `"names-differ"`)
}
