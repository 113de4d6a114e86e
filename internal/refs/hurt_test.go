//go:build !windows

package refs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"rekey/internal/secret"
	"rekey/internal/sop"
)

// from resolves one reference that gives these bytes in each of the ways in which
// a reference can.
func from(t *testing.T, given string) map[sop.Ref]error {
	t.Helper()
	f := finder(t, map[string]string{"SET": given})
	if err := os.WriteFile(filepath.Join(f.Dir, "token"), []byte(given), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Store = func(context.Context, sop.Ref) (secret.Value, error) { return secret.New(given), nil }
	out := map[sop.Ref]error{}
	for _, r := range []sop.Ref{"env:SET", "file:token", sop.Ref("cmd:cat '" + filepath.Join(f.Dir, "token") + "'"), "infisical:prod/KEY"} {
		scheme, _ := r.Split()
		if strings.Contains(given, "\x00") && scheme == "env" {
			continue // no environment holds one
		}
		v, _, err := f.Secret(t.Context(), sop.Refs{r})
		if err == nil && v.Reveal() != canary {
			err = errors.New("it gives something else")
		} else if err != nil && !strings.HasPrefix(err.Error(), r.String()+": ") {
			t.Errorf("which reference it is is not said: %v", err)
		} else if err != nil && strings.Contains(err.Error(), canary[:6]) {
			t.Errorf("the value is told: %v", err)
		}
		out[r] = err
	}
	return out
}

// TestWhatEditorsAndShellsAddIsDropped: whichever way a value comes.
func TestWhatEditorsAndShellsAddIsDropped(t *testing.T) {
	for _, given := range []string{canary, canary + "\n", canary + "\r\n", canary + "\n\n", "\ufeff" + canary, "\ufeff" + canary + "\r\n"} {
		for r, err := range from(t, given) {
			if err != nil {
				t.Errorf("%s of %q: %v", r, given, err)
			}
		}
	}
}

// TestAValueThatNoRequestCanCarryIsToldByItsReference: before anything is sent,
// and never as a connection that failed.
func TestAValueThatNoRequestCanCarryIsToldByItsReference(t *testing.T) {
	wide := func(big bool, s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			if lo, hi := byte(u), byte(u>>8); big {
				b.WriteString(string([]byte{hi, lo}))
			} else {
				b.WriteString(string([]byte{lo, hi}))
			}
		}
		return b.String()
	}
	for given, want := range map[string]string{
		canary + "\n" + canary:               "it has 2 lines",
		"\n" + canary:                        "it has 2 lines",
		canary + "\x1b[0m":                   "a control character (U+001B)",
		canary + "\x00":                      "a control character (U+0000)",
		canary + "\tx":                       "a control character (U+0009)",
		canary + "\xff":                      "not UTF-8",
		canary + "\ufeff":                    "a byte order mark",
		"\ufeff\n":                           "it is empty",
		"\r\n":                               "it is empty",
		wide(false, "\ufeff"+canary+"\r\n"):  "it is UTF-16 text",
		wide(true, "\ufeff"+canary):          "it is UTF-16 text",
		wide(false, canary):                  "it is UTF-16 text",
		wide(true, canary):                   "it is UTF-16 text",
		canary + strings.Repeat("x", 100000): "",
	} {
		for r, err := range from(t, given) {
			if want == "" { // a large value: where it comes from outside
				if scheme, _ := r.Split(); scheme == "file" || scheme == "cmd" {
					want := "it gives more than 64 KB"
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %v", r, err)
					}
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %.30q: want %s, got %v", r, given, want, err)
			}
		}
	}
}

// TestNoFileHoldsTheProgram: folders, devices, pipes without a writer, and files
// without an end.
func TestNoFileHoldsTheProgram(t *testing.T) {
	f := finder(t, nil)
	f.Patience = 100 * time.Millisecond
	if err := errors.Join(
		syscall.Mkfifo(filepath.Join(f.Dir, "pipe"), 0o600), os.Mkdir(filepath.Join(f.Dir, "folder"), 0o700),
		os.WriteFile(filepath.Join(f.Dir, "large"), nil, 0o600), os.Truncate(filepath.Join(f.Dir, "large"), 1<<30),
		os.Symlink("loop", filepath.Join(f.Dir, "loop")),
	); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[sop.Ref]string{
		"file:pipe": "it is a pipe, and nobody has written it", "file:folder": "it is a folder", "file:large": "it gives more than 64 KB",
		"file:/dev/zero": "it is a device", "file:/dev/null": "it is a device", "file:/dev/urandom": "it is a device", "file:loop": "too many levels",
		"file:large/x": "not a directory",
	} {
		_, _, err := f.Secret(t.Context(), sop.Refs{ref})
		if err == nil || !strings.HasPrefix(err.Error(), string(ref)+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := finder(t, nil)
	if _, _, err := g.Secret(ctx, sop.Refs{sop.Ref("file:" + filepath.Join(f.Dir, "pipe"))}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted read: %v", err)
	}
}

// TestAPipeIsReadToItsEnd: also when its writer comes later.
func TestAPipeIsReadToItsEnd(t *testing.T) {
	f := finder(t, nil)
	path := filepath.Join(f.Dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		_, _ = w.WriteString(canary[:5])
		time.Sleep(20 * time.Millisecond)
		_, _ = w.WriteString(canary[5:] + "\n")
		_ = w.Close()
	}()
	v, _, err := f.Secret(t.Context(), sop.Refs{"file:pipe"})
	if err != nil || v.Reveal() != canary {
		t.Error(err)
	}
}

// TestNoCommandHoldsTheProgram: not one that never ends, that prints without end,
// or that leaves children behind which hold its output; none of them lives on.
func TestNoCommandHoldsTheProgram(t *testing.T) {
	for name, tt := range map[string]struct{ command, want string }{
		"never ends":               {"echo $$ > '%'; sleep 600; echo x", "the command did not end within"},
		"prints without end":       {"echo $$ > '%'; yes " + canary, "it gives more than 64 KB"},
		"ignores that it is ended": {"echo $$ > '%'; trap '' TERM INT HUP PIPE; while :; do sleep 600; done", "the command did not end within"},
		"a child holds its output": {"sleep 600 & echo $! > '%'; echo " + canary, ""},
		"a child and a failure":    {"sleep 600 & echo $! > '%'; echo " + canary + "; exit 4", "the command failed: exit status 4"},
		"a child of a child":       {"(sleep 600 & echo $! > '%'; wait) & sleep 600", "the command did not end within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := finder(t, nil)
			f.Patience = 1500 * time.Millisecond
			pid := filepath.Join(f.Dir, "pid")
			ref := sop.Ref("cmd:" + strings.ReplaceAll(tt.command, "%", pid))
			v, _, err := f.Secret(t.Context(), sop.Refs{ref})
			switch {
			case tt.want == "" && (err != nil || v.Reveal() != canary):
				t.Errorf("what it printed is lost: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("want %s, got %v", tt.want, err)
			case err != nil && strings.Contains(err.Error(), canary):
				t.Errorf("what it printed is told: %v", err)
			}
			if tty, err := os.Open("/dev/tty"); err == nil {
				_ = tty.Close()
				return // at a terminal they stay in our group
			}
			b, err := os.ReadFile(pid)
			n, err2 := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			for range 200 {
				if stat, err := os.ReadFile("/proc/" + strconv.Itoa(n) + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("process %d lives on", n)
		})
	}
}

// TestEachReferenceIsAskedOnceWhoeverNeedsIt: side by side, by two finders of one
// command, and when it fails.
func TestEachReferenceIsAskedOnceWhoeverNeedsIt(t *testing.T) {
	for name, end := range map[string]string{"given": "echo " + canary, "refused": "exit 1"} {
		var asked Asked
		clock := time.Unix(0, 0)
		var mu sync.Mutex
		now := func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
		a, b := finder(t, nil), finder(t, nil)
		a.Asked, b.Asked, a.Now, b.Now = &asked, &asked, now, now
		count := filepath.Join(a.Dir, "count")
		ref := sop.Ref("cmd:echo x >> '" + count + "'; sleep 0.1; " + end)
		times := func() int { b, _ := os.ReadFile(count); return strings.Count(string(b), "x") }
		var all sync.WaitGroup
		for i := range 12 {
			f := a
			if i%2 == 0 {
				f = b
			}
			all.Go(func() { _, _, _ = f.Secret(t.Context(), sop.Refs{ref}) })
		}
		all.Wait()
		if n := times(); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
		mu.Lock()
		clock = clock.Add(time.Hour)
		mu.Unlock()
		_, _, _ = a.Secret(t.Context(), sop.Refs{ref})
		if n, want := times(), map[string]int{"given": 1, "refused": 2}[name]; n != want {
			t.Errorf("%s: an hour later asked %d times, want %d", name, n, want)
		}
	}
}

// TestAProcessThatLastsNoticesWhatWasRotated: a file at once, a command after a while, and
// a pipe, which gives it once only, never.
func TestAProcessThatLastsNoticesWhatWasRotated(t *testing.T) {
	asked := Asked{Holds: Lasting}
	clock := time.Unix(0, 0)
	f := finder(t, nil)
	f.Asked, f.Now = &asked, func() time.Time { return clock }
	path := filepath.Join(f.Dir, "token")
	value := func(r sop.Ref) string {
		t.Helper()
		v, _, err := f.Secret(t.Context(), sop.Refs{r})
		if err != nil {
			t.Fatal(err)
		}
		return v.Reveal()
	}
	file, command := sop.Ref("file:token"), sop.Ref("cmd:cat '"+path+"'")
	for _, step := range []struct {
		writes, file, command string
		after                 time.Duration
	}{{"first", "first", "first", 0}, {"second", "second", "first", Lasting - 1}, {"second", "second", "second", 1}} {
		clock = clock.Add(step.after)
		if err := os.WriteFile(path, []byte(step.writes), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := value(file); got != step.file {
			t.Errorf("the file gives %s, not %s", got, step.file)
		}
		if got := value(command); got != step.command {
			t.Errorf("the command gives %s, not %s", got, step.command)
		}
	}
	pipe := filepath.Join(f.Dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("once"), 0o600) }()
	for range 2 { // at the second time nobody writes
		if got := value("file:pipe"); got != "once" {
			t.Errorf("the pipe gives %s", got)
		}
		clock = clock.Add(Lasting)
	}
}

// TestAnInterruptedQuestionIsAskedAgain: its failure is nobody else's.
func TestAnInterruptedQuestionIsAskedAgain(t *testing.T) {
	f := finder(t, nil)
	ref := sop.Ref("cmd:test -e '" + f.Dir + "/go' || sleep 600; echo " + canary)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := f.Secret(ctx, sop.Refs{ref}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(f.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Secret(t.Context(), sop.Refs{ref}); err != nil {
		t.Error(err)
	}
}

// TestTheTextOfAReferenceIsNeverTold: people write passwords into commands, and
// secrets where references belong.
func TestTheTextOfAReferenceIsNeverTold(t *testing.T) {
	f := finder(t, map[string]string{"LAST": "x\ny"})
	for _, r := range []sop.Ref{
		"cmd:false --password " + canary, "cmd:PASSWORD=" + canary + " false", "cmd:'" + canary + "'", canary, "ghp:" + canary, "cmd:false\t" + canary, "cmd:false|" + canary,
	} {
		_, src, err := f.Secret(t.Context(), sop.Refs{r})
		if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(src.String(), canary) {
			t.Errorf("%v", err)
		}
		if _, _, err = f.Secret(t.Context(), sop.Refs{"env:NONE", r, "env:LAST"}); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
	if _, err := f.Text(sop.Text{"env:LAST"}); err == nil || !strings.Contains(err.Error(), "env:LAST is not one line") {
		t.Errorf("%v", err)
	}
}

// FuzzReference: whatever stands in rekey.yaml is a reference or is refused, and
// what is shown of it is one line without a command's words.
func FuzzReference(f *testing.F) {
	for _, s := range []string{"env:NAME", "file:/dev/zero", "infisical:prod/a/KEY", "cmd:op read x", "", ":", "env:", "infisical:/", "infisical:a//", "cmd:\x1b[2J", "file:a\x00b"} {
		f.Add(s, "value\n")
	}
	f.Add("cmd:8888888888op 888888", "value\n") // the program is called like its words
	f.Add("cmd:\x00op\x00read cmd:", "value\n") // its words are called like the scheme
	f.Fuzz(func(t *testing.T, ref, value string) {
		r := sop.Ref(ref)
		if scheme, _ := r.Split(); scheme == "cmd" {
			first, more, found := strings.Cut(ref, " ")
			if found && len(more) > 3 && strings.Contains(strings.TrimPrefix(strings.TrimPrefix(r.String(), first), "cmd:"), more) {
				t.Errorf("%q shows its words", r)
			}
			return // not to be run
		}
		find := Finder{Dir: t.TempDir(), Env: func(string) (string, bool) { return value, true }, Patience: time.Millisecond}
		find.Store = func(context.Context, sop.Ref) (secret.Value, error) { return secret.New(value), nil }
		if scheme, rest := r.Split(); scheme == "file" && filepath.IsAbs(rest) {
			return // nothing of this machine
		}
		v, _, err := find.Secret(t.Context(), sop.Refs{r})
		if err == nil && strings.ContainsAny(v.Reveal(), "\r\n\x00") {
			t.Errorf("%q gives %q", ref, v.Reveal())
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("told as %q", err)
		}
	})
}
