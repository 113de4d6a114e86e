package refs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"rekey/internal/secret"
	"rekey/internal/sop"
)

const canary = "canary-value-a90e"

func finder(t *testing.T, env map[string]string) *Finder {
	t.Helper()
	return &Finder{Dir: t.TempDir(), Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}
}

func TestEveryKindOfReference(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NEEDS A POSIX SHELL for cmd:; CI runs it on Linux")
	}
	f := finder(t, map[string]string{"SET": canary})
	if err := os.WriteFile(filepath.Join(f.Dir, "token"), []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := ""
	f.Store = func(_ context.Context, r sop.Ref) (secret.Value, error) {
		asked = r.String()
		return secret.New(canary), nil
	}
	for _, ref := range []sop.Ref{"env:SET", "file:token", sop.Ref("file:" + filepath.Join(f.Dir, "token")), sop.Ref("cmd:printf '%s\\n' " + canary), "infisical:prod/a/b/KEY"} {
		v, src, err := f.Secret(t.Context(), sop.Refs{ref})
		if err != nil || v.Reveal() != canary || src.Ref != ref || src.Fallback {
			t.Errorf("%s: %v %v", ref, src, err)
		}
	}
	if asked != "infisical:prod/a/b/KEY" {
		t.Errorf("the store was asked for %q", asked)
	}
	if used := strings.Join(f.Used(), "\n"); strings.Contains(strings.ReplaceAll(used, "cmd:printf '%s\\n' "+canary, ""), canary) {
		t.Errorf("the list of what was used holds the value: %s", used)
	}
}

// TestNothingFallsThroughInSilence: what is set and cannot be read ends the search.
func TestNothingFallsThroughInSilence(t *testing.T) {
	f := finder(t, map[string]string{"SECOND": "second", "THIRD": "third", "EMPTY": ""})
	v, src, err := f.Secret(t.Context(), sop.Refs{"env:FIRST", "env:EMPTY", "env:SECOND", "env:THIRD"})
	if err != nil || v.Reveal() != "second" || !src.Fallback {
		t.Fatalf("%v %v", src, err)
	}
	if got := src.String(); got != "env:SECOND (not the first choice, which is not set), env:THIRD is set too and was not tried" {
		t.Errorf("told as %q", got)
	}
	empty := filepath.Join(f.Dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Store = func(context.Context, sop.Ref) (secret.Value, error) {
		return secret.Value{}, errors.New("not to be reached")
	}
	for ref, want := range map[sop.Ref]string{
		"file:empty": "it is empty", "cmd:printf " + canary + "; exit 3": "the command failed: exit status 3", "cmd:true": "it is empty",
		"infisical:prod/KEY": "not to be reached", "vault:x": "",
	} {
		_, _, err := f.Secret(t.Context(), sop.Refs{ref, "env:SECOND"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		} else if strings.Contains(strings.ReplaceAll(err.Error(), string(ref), ""), canary) {
			t.Errorf("what the command printed is told: %v", err)
		}
	}
	if _, _, err := f.Secret(t.Context(), sop.Refs{"file:none"}); err == nil || err.Error() != "file:none: there is no file "+filepath.Join(f.Dir, "none") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, _, err := f.Secret(t.Context(), sop.Refs{"env:A", "file:none"}); err == nil || err.Error() != "neither env:A nor file:none is set" {
		t.Errorf("nothing set: %v", err)
	}
}

// TestACommandIsAskedOnce: a password manager may ask a person each time.
func TestACommandIsAskedOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NEEDS A POSIX SHELL for cmd:; CI runs it on Linux")
	}
	f := finder(t, nil)
	count := filepath.Join(f.Dir, "count")
	ref := sop.Ref("cmd:echo x >> '" + count + "'; echo " + canary)
	for range 3 {
		if _, _, err := f.Secret(t.Context(), sop.Refs{ref}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(count); err != nil || string(b) != "x\n" {
		t.Errorf("asked %q: %v", b, err)
	}
}

// TestASimulationRunsNoCommandAndReadsNoFile: a command may ask a real server, and a
// file hold a real secret; the simulated world's own variables are enough.
func TestASimulationRunsNoCommandAndReadsNoFile(t *testing.T) {
	f := finder(t, map[string]string{"OF_THE_WORLD": canary})
	f.Simulated = true
	ran := filepath.Join(f.Dir, "ran")
	if err := os.WriteFile(filepath.Join(f.Dir, "token"), []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range []sop.Ref{sop.Ref("cmd:echo x > '" + ran + "'; echo x"), "file:token"} {
		if v, _, err := f.Secret(t.Context(), sop.Refs{r}); err == nil || v.Present() || !strings.Contains(err.Error(), "simulation") {
			t.Errorf("%s: %v", r, err)
		}
		if f.IsSet(r) {
			t.Errorf("%s is called set, and is not read", r)
		}
		if v, src, err := f.Secret(t.Context(), sop.Refs{"env:OF_THE_WORLD", r}); err != nil || v.Reveal() != canary || src.Fallback {
			t.Errorf("before %s: %v %v", r, src, err)
		}
	}
	if _, err := os.Stat(ran); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a command was run: %v", err)
	}
}

// TestWhatIsNotSetIsToldWithoutTheWordsOfItsCommand, alone and among others.
func TestWhatIsNotSetIsToldWithoutTheWordsOfItsCommand(t *testing.T) {
	for _, refs := range []sop.Refs{{"cmd:op read op://vault/item/hunter2"}, {"env:A\n", "cmd:op read op://vault/item/hunter2"}} {
		if said := notSet(refs); strings.Contains(said, "hunter2") || strings.Contains(said, "\n") {
			t.Errorf("it is told as %q", said)
		}
	}
}
