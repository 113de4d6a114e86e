package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rekey/internal/report"
	"rekey/internal/sop"
)

const top = "../.."

// pages are all documents that people read, but those that are made: the procedures
// in docs/sop are followed in a test of their own.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/vendors/*.md", "docs/decisions/*.md", "examples/*.md"} {
		names, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[strings.TrimPrefix(filepath.ToSlash(name), top+"/")] = string(b)
		}
	}
	if len(out) < 15 {
		t.Fatalf("only %d pages were found", len(out))
	}
	return out
}

var fence = regexp.MustCompile("(?ms)^( *)```([a-z]*)\n(.*?)^ *```$")

// fenced are the blocks of a language, without the indentation of the list in which they stand.
func fenced(page, language string) (out []string) {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		if m[2] == language {
			out = append(out, strings.ReplaceAll("\n"+m[3], "\n"+m[1], "\n")[1:])
		}
	}
	return out
}

// TestEveryBlockOfYAMLIsRight: whoever copies one into a file gets no mistake.
func TestEveryBlockOfYAMLIsRight(t *testing.T) {
	seen := map[string]int{}
	for name, page := range pages(t) {
		for _, block := range fenced(page, "yaml") {
			text := block
			if strings.HasPrefix(text, "apiVersion: ") {
				// What a person gives to Kubernetes: its own tools read it.
				continue
			}
			seen[name]++
			if !strings.Contains(text, "rekey: 1") {
				t.Errorf("%s: a block of YAML is no whole rekey.yaml:\n%s", name, text)
				continue
			}
			if _, err := sop.Parse("rekey.yaml", []byte(text)); err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
	}
	for _, name := range []string{"README.md", "docs/vendors/cloudflare.md", "docs/vendors/heroku.md", "docs/vendors/infisical.md", "docs/vendors/assisted.md"} {
		if seen[name] == 0 {
			t.Errorf("%s shows no rekey.yaml", name)
		}
	}
}

// TestTheExampleIsTheOneThatTheProgramGoesBy, whole and right.
func TestTheExampleIsTheOneThatTheProgramGoesBy(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(top, "examples/rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != sop.Example() {
		t.Error("examples/rekey.yaml is another than internal/sop/example.yaml: copy it")
	}
	if _, err := sop.Parse("examples/rekey.yaml", b); err != nil {
		t.Error(err)
	}
}

// shown finds commands of rekey in a page: in blocks, and between backticks.
var shown = regexp.MustCompile("(?m)(?:^ {4,}(?:\\./)?|^(?:\\./)?|`(?:\\./)?|go run \\./cmd/)rekey ((?:-|[a-z])[^`\n]*)")

// TestEveryCommandThatIsShownExists, with its flags.
func TestEveryCommandThatIsShownExists(t *testing.T) {
	commands := 0
	for name, page := range pages(t) {
		for _, m := range shown.FindAllStringSubmatch(page, -1) {
			line, _, _ := strings.Cut(m[1], "   ")
			line, _, _ = strings.Cut(line, " #")
			line = strings.TrimRight(strings.TrimSuffix(strings.TrimSpace(line), "&"), " .;:,)")
			words := strings.Fields(strings.NewReplacer("[", "", "]", "", "…", "x", `"`, "", "'", "").Replace(line))
			if len(words) == 0 || strings.Contains(line, "--…") {
				continue
			}
			root := (&app{}).root()
			if err := root.PersistentFlags().Parse(nil); err != nil {
				t.Fatal(err)
			}
			c, rest, err := root.Find(words)
			if err == nil && !c.HasParent() && !strings.HasPrefix(words[0], "-") && words[0] != "help" {
				err = os.ErrNotExist
			}
			if err == nil {
				flags := []string{}
				for _, w := range rest {
					if strings.HasPrefix(w, "-") {
						flags = append(flags, strings.TrimRight(w, ".,;)"))
					}
				}
				for _, f := range flags {
					flag, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "=")
					if c.Flags().Lookup(flag) == nil && c.InheritedFlags().Lookup(flag) == nil && c.PersistentFlags().Lookup(flag) == nil &&
						!(len(flag) == 1 && (c.Flags().ShorthandLookup(flag) != nil || c.InheritedFlags().ShorthandLookup(flag) != nil)) {
						t.Errorf("%s: rekey %s: there is no flag %s", name, line, f)
					}
				}
			}
			if err != nil {
				t.Errorf("%s: rekey %s: %v", name, line, err)
			}
			commands++
		}
	}
	if commands < 40 {
		t.Errorf("only %d commands were found", commands)
	}
}

// TestEveryBlockOfShellIsShell: bash reads it.
func TestEveryBlockOfShellIsShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs bash")
	}
	for name, page := range pages(t) {
		for _, language := range []string{"sh", "bash", "shell"} {
			for _, block := range fenced(page, language) {
				cmd := exec.Command(bash, "-n")
				cmd.Stdin = strings.NewReader(block)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s\n%s", name, err, out, block)
				}
			}
		}
	}
}

// TestTheContractIsWhatTheDocumentSays: every exit code, with its meaning.
func TestTheContractIsWhatTheDocumentSays(t *testing.T) {
	page := pages(t)["docs/contract.md"]
	for _, c := range exitCodes() {
		if row := "| " + strconv.Itoa(c.Code) + " | " + c.Means + " |"; !strings.Contains(page, row) {
			t.Errorf("docs/contract.md does not say %q", row)
		}
	}
	for _, path := range []string{"go run ./cmd/rekey demo", "go test ./...", "CGO_ENABLED=0 go build -o rekey ./cmd/rekey"} {
		if !strings.Contains(pages(t)["README.md"], "    "+path+"\n") {
			t.Errorf("the README has lost its command %q", path)
		}
	}
}

// TestTheNewcomersPath: what the README says of practising leads to a rotation.
func TestTheNewcomersPath(t *testing.T) {
	t.Parallel()
	base := serve(t)
	dir := t.TempDir()
	step := func(want int, args ...string) string {
		t.Helper()
		var out, problems bytes.Buffer
		a := &app{streams: streams{in: strings.NewReader(""), out: &out, err: &problems}}
		if code := a.execute(context.Background(), append([]string{"-C", dir}, args...)); code != want {
			t.Fatalf("rekey %v ended with %d: %s%s", args, code, out.String(), problems.String())
		}
		return out.String() + problems.String()
	}
	step(exitDone, "init", "--simulate", base)
	if text := step(exitDone, "lint"); strings.Contains(text, "rekey.yaml:") && !strings.Contains(text, "nothing wrong") {
		t.Error(text)
	}
	step(exitDone, "doctor")
	step(exitDone, "check", "CF_ACCESS_SVC_CONSOLE")
	step(exitDone, "plan", "CF_ACCESS_SVC_CONSOLE")
	if text := step(exitDone, "run", "CF_ACCESS_SVC_CONSOLE", "--confirm", "CF_ACCESS_SVC_CONSOLE"); !strings.Contains(text, "rotated") {
		t.Error(text)
	}
	step(exitDone, "status", "--fail-if", "due")
}

// TestEveryWordOfTheGlossaryIsExplained by rekey explain.
func TestEveryWordOfTheGlossaryIsExplained(t *testing.T) {
	page := pages(t)["docs/glossary.md"]
	words := 0
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z ,]+) \| `).FindAllStringSubmatch(page, -1) {
		for _, word := range strings.Split(m[1], ", ") {
			if word == "word" {
				continue
			}
			words++
			if text, ok := report.Explain(word); !ok || len(text) < 40 {
				t.Errorf("rekey explain %s: %s", word, text)
			}
		}
	}
	for _, m := range regexp.MustCompile(`\*([a-z]+)\* \(`).FindAllStringSubmatch(page, -1) {
		if _, ok := report.Explain(m[1]); !ok {
			t.Errorf("rekey explain %s knows nothing", m[1])
		}
		words++
	}
	if words < 25 {
		t.Errorf("only %d words", words)
	}
}

// TestCompletionKnowsTheValuesOfFlags, and the names of credentials.
func TestCompletionKnowsTheValuesOfFlags(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(sop.Example()), 0o644); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"run X --strategy ": "replace\nroll\n", "status --fail-if ": "due\ndrift\n", "run ": "CF_ACCESS_SVC_CONSOLE\n", "run X --confirm ": "CF_ACCESS_SVC_CONSOLE\n",
		"evidence --credential ": "CF_ACCESS_SVC_CONSOLE\n", "repair X --from ": "heroku:raxx-console-prod\n", "revoke ": "CF_ACCESS_SVC_VAULT\n",
	} {
		var out bytes.Buffer
		a := &app{streams: streams{in: strings.NewReader(""), out: &out, err: io.Discard}}
		a.execute(context.Background(), append([]string{"__complete", "-C", dir}, strings.Split(line, " ")...))
		if !strings.Contains(out.String(), want) {
			t.Errorf("rekey %s<tab> gives\n%s\nand not\n%s", line, out.String(), want)
		}
	}
}

// TestWhatTheReadmePractisesIsDoneByAShell: its lines as they stand there, curl and
// eval included, but for the binary's place and the address, which is picked.
func TestWhatTheReadmePractisesIsDoneByAShell(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip("needs " + tool)
		}
	}
	_, section, _ := strings.Cut(pages(t)["README.md"], "### Practise on simulated vendors\n")
	section, _, _ = strings.Cut(section, "\n### ")
	var lines []string
	for line := range strings.Lines(section) {
		if command, shown := strings.CutPrefix(line, "    "); shown && strings.TrimSpace(command) != "./rekey sim" {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	for _, m := range regexp.MustCompile("(?s)`((?:curl|eval|unset) [^`]+)`").FindAllStringSubmatch(section, -1) {
		lines = append(lines, strings.ReplaceAll(m[1], "\n", " "))
	}
	if len(lines) < 8 {
		t.Fatalf("the README shows only %q", lines)
	}
	base := serve(t, "--heroku", "127.0.0.1:0")
	script := "set -eu\nunset HEROKU_API_KEY\n" + strings.Join(lines, "\n") + "\ntest -n \"$HEROKU_API_KEY\"\n"
	script = strings.ReplaceAll(script, "127.0.0.1:7777", strings.TrimPrefix(base, "http://"))
	script = strings.ReplaceAll(script, "./rekey ", report.Quote(rekey(t))+" ")
	// A shell of a test is not a terminal: what asks there is confirmed as it says itself.
	script = strings.Replace(script, " run CF_ACCESS_SVC_CONSOLE", " run CF_ACCESS_SVC_CONSOLE --confirm CF_ACCESS_SVC_CONSOLE", 1)
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "HOME="+t.TempDir(), "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "rotated  CF_ACCESS_SVC_CONSOLE") {
		t.Errorf("%v\n%s\n%s", err, script, out)
	}
}
