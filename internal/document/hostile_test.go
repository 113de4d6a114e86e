package document_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rekey/internal/document"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// hostile are names as nobody should have them; %s is a file that must not appear.
var hostile = []string{
	"$(touch %s)", "`touch %s`", "'; touch %s; '", `"; touch %s; "`, "\n) ; touch %s\n(", "```\ntouch %s\n```", "x | touch %s |", "</code></pre><script>touch %s</script>",
	"<!--now-->", "](javascript:alert(1))", "\x1b[201~touch %s\r", "\u202etouch %s", "a|b`c`<d>&amp;\\", "**b** _i_ # h", `\(input)`, "$HOME ${x:?}", "--help", "<details>", "{name}",
}

// soiled is the spec with a name in every place that takes one.
func soiled(t *testing.T, spec sop.Spec, bad string) sop.Spec {
	t.Helper()
	b, err := json.Marshal(bad)
	if err != nil {
		t.Fatal(err)
	}
	word := func(settings json.RawMessage, keys ...string) json.RawMessage {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(settings, &m); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if _, there := m[k]; there {
				m[k] = b
			}
		}
		for _, k := range []string{"create", "revoke", "zones", "identity"} {
			if _, there := m[k]; there {
				m[k] = json.RawMessage("[" + string(b) + "]")
			}
		}
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	s := spec
	s.Name, s.Former, s.Owner, s.Role, s.Document = bad, []string{bad}, bad, bad, bad
	s.Issuer.Name = bad + "<date>" + bad
	s.Issuer.Settings = word(spec.Issuer.Settings, "duration", "zone")
	place := func(p sop.Place) sop.Place {
		p.Key, p.Settings = bad, word(p.Settings, "app", "path", "environment", "pipeline")
		slots := append([]sop.Slot{}, p.Slots...)
		for i := range slots {
			slots[i].Name, slots[i].For = fmt.Sprint(bad, i), bad
		}
		p.Slots = slots
		return p
	}
	s.Store = place(spec.Store)
	s.Consumers = nil
	for i, c := range spec.Consumers {
		p := place(c)
		p.Key += fmt.Sprint(i)
		s.Consumers = append(s.Consumers, p)
	}
	s.Validate, s.Verify = nil, nil
	for _, p := range spec.Validate {
		if p.URL != sop.IssuerItself {
			p.URL = "https://example.com/" + bad
		}
		s.Validate = append(s.Validate, p)
	}
	for _, c := range spec.Verify {
		c.URL = "https://example.com/" + bad
		c.Headers = map[string]sop.Refs{bad: {sop.Ref("env:" + bad), sop.Ref("file:" + bad)}}
		c.JQ = "true # " + bad // a remark: what follows it in the page must still be there
		s.Verify = append(s.Verify, c)
	}
	s.Timing = sop.Waits{}
	return s
}

var (
	htmlTags = regexp.MustCompile(`</?(html|meta|title|style|nav|a|main|h[1-4]|p|ul|li|div|table|thead|tr|th|td|pre|code|details|summary|strong|em)( (class|id|href|lang|charset|name|content|http-equiv|aria-label|data-label)="[^"<>]*")*>|<!doctype html>|<!--now-->`)
	hrefs    = regexp.MustCompile(`href="([^"]*)"`)
	spans    = regexp.MustCompile("(?s)(`+)[^`].*?[^`]?(`+)")
	mdTags   = regexp.MustCompile(`<br>|</?details>|</?summary>|<!--now-->|\]\(<https?://[^<>\s]*>\)`)
)

// TestHostileNames: whatever stands in the configuration, no block of any kind of
// page executes it, and neither Markdown nor HTML takes it for markup.
func TestHostileNames(t *testing.T) {
	c := parsed(t, everyKind)
	for n, pattern := range hostile {
		for k, spec := range c.Specs {
			if testing.Short() && n%len(c.Specs) != k {
				continue
			}
			pwned := filepath.Join(t.TempDir(), "pwned")
			bad := strings.ReplaceAll(pattern, "%s", pwned)
			now := &document.Now{At: stage.Start, Journal: bad, Refs: map[string]string{"env:CF_ACCESS_MGMT": bad}, Known: report.Known{}, Plan: &rotation.Plan{Spec: spec}}
			now.Plan.Seen.Store.History = bad
			in := input(t, c, soiled(t, spec, bad), now)
			in.Pattern = bad
			d, err := document.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			where := fmt.Sprintf("%q in %s", pattern, spec.Name)
			markdownHolds(t, where, string(d.Markdown()))
			htmlHolds(t, where, string(d.HTML()))
			in.Now = nil
			bare, err := document.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := document.Differ(d.Markdown(), bare.Markdown()) + document.Differ(d.HTML(), bare.HTML()); diff != "" {
				t.Errorf("%s: a name hides a line of the page, or shows one that changes: %s", where, diff)
			}
			if n%len(c.Specs) == k && strings.Contains(pattern, "%s") { // every name that does something, and every kind, not every pair
				run(t, where, string(d.Markdown()), bad, pwned)
			}
		}
	}
}

func htmlHolds(t *testing.T, where, page string) {
	t.Helper()
	for _, m := range hrefs.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") && !strings.HasPrefix(m[1], "https://") && !strings.HasPrefix(m[1], "http://") {
			t.Errorf("%s: a link leads to %s", where, m[1])
		}
	}
	// The one script is the last element, and the page's head allows it by its hash.
	begin := strings.LastIndex(page, "<script>")
	code, after, found := strings.Cut(page[max(begin, 0):], "</script>")
	hash := sha256.Sum256([]byte(strings.TrimPrefix(code, "<script>")))
	if !found || after != "\n</html>\n" || !strings.Contains(page, "script-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") {
		t.Errorf("%s: HTML ends with a script that is not the page's own", where)
		return
	}
	page = page[:begin] + after
	if rest := htmlTags.ReplaceAllString(page, ""); strings.Contains(rest, "<") {
		i := strings.Index(rest, "<")
		t.Errorf("%s: HTML has a tag of somebody else: %s", where, rest[i:min(len(rest), i+80)])
	}
	if strings.ContainsAny(page, "\x1b\u202e\r") {
		t.Errorf("%s: HTML hides something", where)
	}
}

func markdownHolds(t *testing.T, where, page string) {
	t.Helper()
	fence, cells := "", 0
	for _, line := range strings.Split(page, "\n") {
		switch {
		case fence == "" && strings.HasPrefix(line, "```"):
			fence = line[:len(line)-len(strings.TrimLeft(line, "`"))]
			continue
		case fence != "":
			if line == fence {
				fence = ""
			}
			continue
		}
		if strings.ContainsAny(line, "\x1b\u202e\r") {
			t.Errorf("%s: Markdown hides something: %q", where, line)
		}
		if bars := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, ""), "|"); strings.HasPrefix(line, "|") {
			if cells != 0 && bars != cells {
				t.Errorf("%s: a row of %d cells among those of %d: %s", where, bars-1, cells-1, line)
			}
			cells = bars
		} else {
			cells = 0
		}
		rest := mdTags.ReplaceAllString(spans.ReplaceAllString(strings.ReplaceAll(line, "\\`", ""), ""), "")
		if strings.Contains(rest, "<") || strings.Contains(strings.ReplaceAll(rest, `\]`, ""), "](javascript") {
			t.Errorf("%s: Markdown has markup of somebody else: %s", where, line)
		}
	}
	if fence != "" {
		t.Errorf("%s: a block does not end", where)
	}
}

// run pastes every block, whatever became of the one before, where nobody answers.
func run(t *testing.T, where, page, bad, pwned string) {
	t.Helper()
	bin, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "curl"), []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "sleep"), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	last := ""
	for i, b := range blocks(page) {
		if strings.HasPrefix(b, "rm -rf -- ") {
			last = b
			continue // put away at the end only: the way back needs the desk too
		}
		if i == 0 { // nobody waits here
			b = strings.Replace(b, "+ ${1%.*} + 1))", "- 1))", 1)
		}
		script.WriteString(b + "\n")
	}
	script.WriteString("printf 'NAME<%s>' \"$(cat \"$DESK/new-name\")\"\n" + last + "\n")
	file := filepath.Join(t.TempDir(), "pasted.sh")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "--norc", file)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + dir, "HOME=" + dir, "PAUSE=0"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", where, err, out)
	}
	if strings.Contains(string(out), "syntax error") || strings.Contains(string(out), "compile error") || strings.Contains(string(out), "unexpected EOF") {
		t.Errorf("%s: a block is no shell, or no jq:\n%s", where, out)
	}
	if !strings.Contains(string(out), "NAME<"+bad) {
		t.Errorf("%s: the new one's name is made of something else", where)
	}
	if _, err := os.Stat(pwned); err == nil {
		t.Errorf("%s: it was executed", where)
	}
}
