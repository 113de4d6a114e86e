package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// tokenServer is a server whose tokens keeper may make those of, and view* may look. stop
// ends it, and returns its exit code and its log.
func tokenServer(t *testing.T) (dir, address string, stop func() (int, string)) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	text := strings.Replace(demoConfig(), "simulate: world.json", "simulate: http://127.0.0.1:1", 1)
	text = strings.Replace(text, "rekey: 1\n", "rekey: 1\nidentity:\n  roles:\n    keeper: [{user: \""+me.Username+"\"}, {token: keeper}]\n    viewer: [{token: \"view*\"}]\n  grants:\n    - {role: keeper, may: [tokens]}\n    - {role: viewer, may: [look]}\n", 1)
	// Whoever keeps tokens makes none that could do what he cannot.
	text = strings.Replace(text, "may: [tokens]", "may: [tokens, look]", 1)
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	var log bytes.Buffer // read once the server has ended
	go func() {
		ended <- execute(ctx, []string{"-C", dir, "serve", "--json", "--listen", "127.0.0.1:0"}, streams{out: in, err: &log})
	}()
	var serving struct{ Address string }
	if err := json.NewDecoder(out).Decode(&serving); err != nil {
		t.Fatal(err)
	}
	return dir, serving.Address, sync.OnceValues(func() (int, string) {
		end()
		code := <-ended
		return code, log.String()
	})
}

// TestTokensOfAServer: each command of rekey token, and what its token may then, at a
// server of the same program: whoever has no role sees who he is and nothing else, and no
// text of a token stands anywhere but where it is shown once.
func TestTokensOfAServer(t *testing.T) {
	t.Parallel()
	dir, address, stop := tokenServer(t)
	var told, texts strings.Builder // everything, but for where a token is shown
	ours := regexp.MustCompile(`^rekey_[0-9A-Za-z]{46}$`)
	run := func(want int, words string, args ...string) string {
		t.Helper()
		var out, said bytes.Buffer
		code := execute(t.Context(), args, streams{out: &out, err: &said})
		if code != want || !strings.Contains(out.String()+said.String(), words) {
			t.Errorf("%v: exit %d and not %d, or it does not say %q:\n%s%s", args, code, want, words, out.String(), said.String())
		}
		told.WriteString(said.String())
		if line := strings.TrimSpace(out.String()); ours.MatchString(line) {
			texts.WriteString(line + "\n")
			return line
		}
		told.WriteString(out.String())
		return ""
	}
	held := func(name, token string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	root := run(exitDone, "it is not shown again", "-C", dir, "token", "create", "keeper")
	as := func(from string, args ...string) []string {
		return append([]string{"--server", address, "--token-from", from}, args...)
	}
	keeper := held("keeper", root)
	view := held("view", run(exitDone, "until ", as(keeper, "token", "create", "view", "--may", "look", "--expires", "30d")...))
	nobody := held("nobody", run(exitDone, "until ", as(keeper, "token", "create", "nobody")...))
	run(exitFailed, "there is a token of this name already", as(keeper, "token", "create", "view")...)
	run(exitDone, "never used", as(keeper, "token", "list")...)
	run(exitDone, "CF_ACCESS_SVC_CONSOLE", as(view, "status")...)
	run(exitDone, "change 0 of", as(view, "whoami")...)
	run(exitFailed, "is for look, not for tokens", as(view, "token", "list")...)
	run(exitFailed, "is for look, not for tokens", as(view, "token", "create", "x")...)
	run(exitDone, "change 0 of 0", as(nobody, "whoami")...)
	run(exitFailed, "nobody has no role", as(nobody, "status")...)
	run(exitFailed, "nobody has no role", as(nobody, "token", "revoke", "view")...)
	next := held("next", run(exitDone, "it is not shown again", as(view, "token", "rotate", "--overlap", "0s")...))
	run(exitDone, "CF_ACCESS_SVC_CONSOLE", as(view, "status")...)
	run(exitDone, "CF_ACCESS_SVC_CONSOLE", as(next, "status")...)
	run(exitFailed, "expired", as(view, "status")...)
	run(exitDone, "revoked  ", as(keeper, "token", "revoke", "view")...)
	run(exitFailed, "revoked", as(next, "status")...)
	run(exitFailed, "no token with this id", as(keeper, "token", "revoke", "none")...)
	run(exitUsage, "--expires", as(keeper, "token", "create", "late", "--expires", "soon")...)
	run(exitFailed, "366 days", as(keeper, "token", "create", "late", "--expires", "1000d")...)
	run(exitUsage, "a token rotates itself, at the server", "-C", dir, "token", "rotate")
	if n := strings.Count(texts.String(), "\n"); n != 4 {
		t.Errorf("%d tokens were shown", n)
	}
	code, log := stop()
	if code != exitDone {
		t.Errorf("the server ended with %d", code)
	}
	for text := range strings.FieldsSeq(texts.String()) {
		if strings.Contains(told.String(), text) || strings.Contains(log, text) {
			t.Errorf("%s… stands elsewhere too", text[:12])
		}
	}
}
