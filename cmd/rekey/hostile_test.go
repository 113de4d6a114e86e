package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/report"
	"rekey/internal/sim"
	"rekey/internal/visible"
)

// hostile is what somebody may call a token, a policy or a release: it clears the
// screen, sets its title, begins lines of its own, turns the writing around and
// hides what has no width.
const hostile = "\x1b[2J\x1b[31m\x1b]0;t\a\r\n✓ FORGED\n\x1b[1A\u202eb\u200b\u2066\u2028\u009b31m\u00ad"

// plant gives hostile names to everything in a simulated world that people name,
// and returns how many.
func plant(x any, keep string) int {
	n := 0
	switch x := x.(type) {
	case map[string]any:
		for k, v := range x {
			if s, ok := v.(string); k == "permission_groups" {
				continue // these are Cloudflare's own
			} else if ok && s != keep && (k == "name" || k == "description") {
				x[k] = s + hostile
				n++
			} else {
				n += plant(v, keep)
			}
		}
	case []any:
		for _, v := range x {
			n += plant(v, keep)
		}
	}
	return n
}

// hostileWorld is the demo's folder with such a world; change may add to it.
func hostileWorld(t *testing.T) (dir string, change func(func(world map[string]any))) {
	t.Helper()
	dir = t.TempDir()
	text := strings.NewReplacer("quiet: 1s", "quiet: 60ms", "watch: 1s", "watch: 20ms", "poll: 200ms", "poll: 20ms", "grace: 1s ", "grace: 80ms ").Replace(demoConfig())
	state := sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(10 * time.Millisecond)}})
	path := filepath.Join(dir, "world.json")
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := sim.Save(path, &state); err != nil {
		t.Fatal(err)
	}
	change = func(f func(map[string]any)) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var world map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&world); err != nil {
			t.Fatal(err)
		}
		f(world)
		if b, err = json.Marshal(world); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change(func(world map[string]any) {
		if n := plant(world["cloudflare"], "") + plant(world["infisical"], "") + plant(world["heroku"], "raxx-console-prod"); n < 15 {
			t.Fatalf("only %d names were planted", n)
		}
	})
	return dir, change
}

// TestNoNameOfAVendorActsOnATerminal: whatever vendors call things, every command
// shows it as what it is: on a terminal, in a log, in pages and in JSON.
func TestNoNameOfAVendorActsOnATerminal(t *testing.T) {
	t.Parallel()
	dir, change := hostileWorld(t)
	const console, vault = "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SVC_VAULT"
	shown := 0
	safe := func(what string, b []byte) {
		t.Helper()
		if at := strings.IndexFunc(string(b), func(r rune) bool { return !visible.Rune(r) && r != '\n' && r != '\t' }); at >= 0 {
			t.Errorf("%s writes %q", what, b[max(0, at-60):min(len(b), at+20)])
		}
		for line := range strings.SplitSeq(string(b), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "✓ FORGED") {
				t.Errorf("%s: a name made a line of its own", what)
			}
		}
		shown += bytes.Count(b, []byte("FORGED"))
	}
	do := func(args ...string) {
		t.Helper()
		for _, asJSON := range []bool{false, true} {
			all := append([]string{"-C", dir}, args...)
			if asJSON {
				all = append(all, "--json")
			}
			var out, errs bytes.Buffer
			execute(t.Context(), all, streams{in: strings.NewReader(""), out: &out, err: &errs})
			what := strings.Join(args, " ")
			if asJSON {
				what += " --json"
				for d := json.NewDecoder(bytes.NewReader(out.Bytes())); ; {
					var v any
					if err := d.Decode(&v); err == io.EOF {
						break
					} else if err != nil {
						t.Errorf("%s is not JSON: %v", what, err)
						break
					}
				}
			}
			safe(what, out.Bytes())
			safe(what, errs.Bytes())
		}
	}
	do("lint")
	do("check", console)
	do("plan", console)
	do("plan", vault, "--out", "plan.json")
	do("drift")
	do("run", console, "--confirm", console)
	do("run", vault, "--confirm", vault)
	change(func(world map[string]any) { // somebody else's app holds one of them
		heroku := world["heroku"].(map[string]any)
		apps := heroku["apps"].([]any)
		b, _ := json.Marshal(apps[0])
		var other map[string]any
		_ = json.Unmarshal(b, &other)
		other["id"], other["name"] = "3ae15c9d-9810-4024-86ab-968d2d72f400", "other"+hostile
		heroku["apps"] = append(apps, other)
	})
	do("discover")
	do("plan", console)
	do("run", console, "--confirm", console)
	change(func(world map[string]any) { // and what the store holds is the app's no more
		for _, s := range world["infisical"].(map[string]any)["secrets"].([]any) {
			if versions := s.(map[string]any)["versions"].([]any); strings.HasPrefix(s.(map[string]any)["key"].(string), console) {
				versions[len(versions)-1].(map[string]any)["value"] = "another"
			}
		}
	})
	do("drift")
	do("check", console)
	do("repair", console, "--dry-run")
	do("run", console, "--confirm", console)
	do("revoke", vault, "--confirm", vault)
	do("rehearse", vault, "--confirm", vault)
	do("status", "--live")
	do("status")
	do("log")
	do("names")
	do("verify")
	do("sop", console)
	do("sop", "--html", "--out", "pages")
	do("evidence", "--from", "2020-01-01")
	do("evidence", "--from", "2020-01-01", "--out", "ev")
	var out bytes.Buffer
	execute(t.Context(), []string{"-C", dir, "log", "--json"}, streams{in: strings.NewReader(""), out: &out, err: io.Discard})
	var list struct{ Runs []struct{ Run string } }
	if err := json.Unmarshal(out.Bytes(), &list); err != nil || len(list.Runs) < 3 {
		t.Fatalf("%d runs, %v", len(list.Runs), err)
	}
	for _, r := range list.Runs {
		do("log", r.Run)
	}
	for _, pattern := range []string{"pages/*", "ev/*.html"} {
		pages, _ := filepath.Glob(filepath.Join(dir, pattern))
		if len(pages) == 0 {
			t.Errorf("no %s was written", pattern)
		}
		for _, p := range pages {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			safe(filepath.Base(p), b)
		}
	}
	if shown < 50 {
		t.Errorf("the names were shown %d times only: the search proves little", shown)
	}
}

// TestOnlyOurColoursReachATerminal: a name that writes them in the same way as we
// do is spelled out before it comes here; whatever else acts is not let through.
func TestOnlyOurColoursReachATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[31m✗\x1b[0m stuck\n\tx":    "\x1b[31m✗\x1b[0m stuck\n\tx",
		"\x1b[2J\x1b[31mred\x1b[0m\x1b[": "\\x1b[2J\x1b[31mred\x1b[0m\\x1b[",
		"\x1b[5m\x1b]0;t\a\r\n":          "\\x1b[5m\\x1b]0;t\\x07\\r\n",
	} {
		if got := string(spelled([]byte(in), true)); got != want {
			t.Errorf("%q is written as %q", in, got)
		}
	}
	if got := string(spelled([]byte("\x1b[31mred\x1b[0m"), false)); got != `\x1b[31mred\x1b[0m` {
		t.Errorf("where there is no terminal: %q", got)
	}
	for _, palette := range []int{0, report.Indexed, report.Exact} {
		style := report.Style{Color: true, Palette: palette}
		for what, paint := range map[string]func(string) string{"good": style.Good, "bad": style.Bad, "mind": style.Mind, "dim": style.Dim, "name": style.Name, "bold": style.Bold} {
			if in := paint("x"); string(spelled([]byte(in), true)) != in {
				t.Errorf("with %d colours %s is written as %q", palette, what, spelled([]byte(in), true))
			}
		}
	}
	var back string
	in := "a\u202e\u009b\U000e0041\n"
	b, _ := json.Marshal(in)
	if got := escaped(b); json.Unmarshal(got, &back) != nil || back != in || strings.ContainsFunc(string(got), func(r rune) bool { return !visible.Rune(r) }) {
		t.Errorf("%s reads as %q", got, back)
	}
}
