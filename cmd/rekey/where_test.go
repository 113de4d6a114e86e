package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatIsDeniedOrAbsentSaysWhatWasAskedAndWhereItStands: the app, project or account
// that was asked for, the host, and the line of rekey.yaml that names them.
func TestWhatIsDeniedOrAbsentSaysWhatWasAskedAndWhereItStands(t *testing.T) {
	b := newBench(t)
	file, err := os.ReadFile(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	line := func(of string) string {
		before, _, found := strings.Cut(text, of)
		if !found {
			t.Fatalf("rekey.yaml has no %q any more", of)
		}
		return fmt.Sprintf("rekey.yaml:%d", strings.Count(before, "\n")+1)
	}
	for _, c := range []struct {
		from, to string
		says     []string
	}{
		{"project: env:INFISICAL_PROJECT_ID", "project: no-such-project", []string{"absent", "project no-such-project at app.infisical.com, ", line("  infisical:\n")}},
		{"account: [env:CF_ACCOUNT_ID, env:CLOUDFLARE_ACCOUNT_ID]", "account: '0123'", []string{"absent", "account 0123 at api.cloudflare.com, ", line("  cloudflare:\n")}},
		{"token: env:HEROKU_API_KEY", "token: env:CF_ACCOUNT_ID", []string{"denied", "used env:CF_ACCOUNT_ID", "(api.heroku.com, ", line("  heroku:\n")}},
		{"client_secret: env:INFISICAL_CLIENT_SECRET", "client_secret: env:CF_ACCOUNT_ID", []string{"log in: denied", line("  infisical:\n")}},
		{"- app: raxx-console-prod", "- app: raxx-nope", []string{"absent", "raxx-nope", line("- app: raxx-console-prod")}},
	} {
		b.write("rekey.yaml", strings.ReplaceAll(text, c.from, c.to))
		_, said := b.rekey("check", "CF_ACCESS_SVC_CONSOLE")
		for _, want := range c.says {
			if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
				t.Errorf("%s: it does not say %q:\n%s", c.to, want, said)
			}
		}
	}
}
