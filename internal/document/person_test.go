package document_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// withoutRecipes is a credential whose vendors tell nothing in the shell.
const withoutRecipes = `rekey: 1
vendors:
  db: {vendor: postgres, host: db.example.com, user: rekey, password: env:REKEY_DB_PASSWORD}
  here: {vendor: file}
credentials:
  DATABASE_URL:
    issuer: {vendor: db, kind: login, name: app-<date>, group: app, database: shop, as_group: true}
    store: {vendor: here, path: "/etc/it's/env", format: dotenv, keep: /var/lib/kept, slots: {USER_NAME: "{username}", PASS: "{password}"}}
    consumers: [{vendor: here, path: /etc/shop/app.json, command: [systemctl, restart, shop], slots: {"db.url": "postgres://{username|url}:{password|url}@db/shop"}}]
    timing: {quiet: 30s, validate: 10s, confirm: 10s, watch: 30s}
`

// TestAPartWithoutARecipeIsDoneByAPersonAndCompared: whatever the vendors are, the page
// is written; where nothing tells how it is done in the shell a person is asked, and what
// he says is compared. No value is an argument or is shown.
func TestAPartWithoutARecipeIsDoneByAPersonAndCompared(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("NEEDS %s: nothing shows that the page can be followed", tool)
		}
	}
	c := parsed(t, withoutRecipes)
	page := string(build(t, c, c.Specs[0], nil).Markdown())
	if strings.Contains(page, "rekey sim") {
		t.Error("a simulated world is offered that has none of these vendors")
	}
	const old, fresh, url, newURL = "old-pass'1", "n3w|pass$", "postgres://olga:old-pass%271@db/shop", "postgres://nina:n3w%7Cpass%24@db/shop"
	observe := []string{"olga", old, "olga-role", url, "denied", "denied"}
	rotate := []string{"nina", fresh, "accepted",
		"olga", old, "yes", "nina", fresh, // store: as it was, written, reads back
		url, "yes", "yes", "yes", newURL, // deployed, applied, taken up, reads back
		"yes", "yes", "denied", "nina", fresh, newURL, "olga-role", "denied", "accepted", "nina", fresh, newURL}
	for _, c := range []struct {
		name    string
		answers []string
		says    string // where it stops; "": it does not
	}{
		{"all is as said", append(observe[:len(observe):len(observe)], rotate...), ""},
		{"a value that does not fit is found", []string{"olga", old, "olga-role", "postgres://olga:other@db/shop"}, "it does not hold what the store holds"},
		{"an open place is found", []string{"olga", old, "olga-role", url, "accepted"}, "an open address proves nothing"},
		{"no answer is none", observe[:3], "nobody answers"},
		{"what did not arrive is found", append(observe[:len(observe):len(observe)], "nina", fresh, "accepted", "olga", old, "yes", "nina", "cut"), "does not read back as written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said, code := follow(t, page, c.answers)
			switch {
			case c.says == "" && code != 0, c.says != "" && !strings.Contains(said, c.says):
				t.Errorf("it ends with %d: %s", code, said)
			case strings.Contains(said, old), strings.Contains(said, fresh):
				t.Errorf("a value is shown: %s", said)
			}
		})
	}
}

var shellBlock = regexp.MustCompile("(?s)```bash\n(.*?)\n```")

// follow pastes every block up to the rollback into one bash, with a person's answers; it
// ends with the first block that stops.
func follow(t *testing.T, page string, answers []string) (said string, code int) {
	t.Helper()
	page, _, _ = strings.Cut(page, "\n## Rollback")
	var all strings.Builder
	for _, m := range shellBlock.FindAllStringSubmatch(page, -1) {
		all.WriteString(strings.ReplaceAll(m[1], "< /dev/tty", "") + "\n[ $? = 0 ] || exit 1\n")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "page.sh")
	if err := os.WriteFile(script, []byte("sleep() { :; }\n"+all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", script)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "PAUSE=0.01", "XDG_RUNTIME_DIR=" + dir}
	cmd.Stdin = strings.NewReader(strings.Join(answers, "\n") + "\n")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
