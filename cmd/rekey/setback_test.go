package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const vault = "CF_ACCESS_SVC_VAULT"

// TestAJournalThatWasSetBackIsHeldAgainstWhatHasLeftTheMachine: a second history is
// signed under the same name by nothing, is sent nowhere, and a run says so before
// anything is done.
func TestAJournalThatWasSetBackIsHeldAgainstWhatHasLeftTheMachine(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.rewrite(func(text string) string { return text + "\nevidence:\n  checkpoints:\n    - file: sent.txt\n" })
	journal, backup, sent := filepath.Join(w.dir, ".rekey"), filepath.Join(t.TempDir(), "backup"), filepath.Join(w.dir, "sent.txt")
	read := func() string {
		b, err := os.ReadFile(sent)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	must := func(want int, args ...string) string {
		t.Helper()
		code, out := w.rekey(args...)
		if code != want {
			t.Fatalf("%v: exit %d\n%s", args, code, out)
		}
		return out
	}
	must(exitDone, "run", console, "--confirm", console)
	if err := os.CopyFS(backup, os.DirFS(journal)); err != nil {
		t.Fatal(err)
	}
	must(exitDone, "run", vault, "--confirm", vault)
	before := read()
	if err := os.RemoveAll(journal); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(journal, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	older := regexp.MustCompile(`the journal is older than what has left this machine: it has \d+ entries, and sent.txt has a checkpoint over \d+ that this journal's key has signed\n +next +restore the newer journal`)
	for _, args := range [][]string{{"checkpoint"}, {"checkpoint", "key", "--new"}} {
		if out := must(exitFailed, args...); !older.MatchString(out) {
			t.Errorf("%v says\n%s", args, out)
		}
	}
	out := must(exitDone, "run", console, "--confirm", console)
	if at := older.FindStringIndex(out); at == nil || at[0] > strings.Index(out, "opened by") {
		t.Errorf("run says\n%s", out)
	}
	if out := must(exitDone, "run", console, "--confirm", console, "--json"); !strings.Contains(out, `"code":"journal-set-back"`) {
		t.Errorf("run --json says\n%s", out)
	}
	// As long as before, and not what it was.
	must(exitDone, "run", console, "--confirm", console)
	if out := must(exitFailed, "checkpoint"); !strings.Contains(out, "the journal is not the one of which a checkpoint has left this machine") {
		t.Errorf("checkpoint says\n%s", out)
	}
	if read() != before {
		t.Error("something was sent")
	}
	// Moved away, another one begins under a name of its own.
	if err := os.RemoveAll(journal); err != nil {
		t.Fatal(err)
	}
	if out := must(exitDone, "run", console, "--confirm", console); strings.Contains(out, "left this machine") || !strings.Contains(out, "if it is the same journal, it was restored") {
		t.Errorf("a new journal is told\n%s", out)
	}
	if out := must(exitDone, "run", console, "--confirm", console); strings.Contains(out, "set back") {
		t.Errorf("a new journal that has signed is told\n%s", out)
	}
	if read() == before {
		t.Error("nothing was sent of the new journal")
	}
}

// TestANewSigningKeyWantsTheRoleAndStandsInTheJournal.
func TestANewSigningKeyWantsTheRoleAndStandsInTheJournal(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	if code, out := w.rekey("run", console, "--confirm", console); code != exitDone {
		t.Fatal(out)
	}
	w.rewrite(func(text string) string {
		return text + "\nidentity:\n  name: env:NOBODY_SETS_THIS\n  roles:\n    superadmin:\n      - name: dave@raxx.app\n"
	})
	key := func() string { _, out := w.rekey("checkpoint", "key"); return out }
	was := key()
	if code, out := w.rekey("checkpoint", "key", "--new"); code != exitFailed || !strings.Contains(out, "is changed by the role superadmin") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out := w.rekey("checkpoint", "key", "--new", "--without-role"); code != exitUsage || !strings.Contains(out, "needs a reason, which is recorded") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if key() != was || w.entries("new-key") != 0 {
		t.Fatal("another key is in use")
	}
	if code, out := w.rekey("checkpoint", "key", "--new", "--without-role", "--reason", "the old one leaked"); code != exitDone {
		t.Errorf("exit %d\n%s", code, out)
	}
	if key() == was || w.entries("new-key") != 1 {
		t.Errorf("%d entries, key %s", w.entries("new-key"), key())
	}
	for _, args := range [][]string{{"verify"}, {"evidence", "--from", "2026-01-01"}, {"status"}, {"log"}, {"sop", console}} {
		if code, out := w.rekey(args...); code != exitDone {
			t.Errorf("%v with that entry: exit %d\n%s", args, code, out)
		}
	}
}

// TestHalfAFingerprintKeyIsToldAndNotUsed.
func TestHalfAFingerprintKeyIsToldAndNotUsed(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	if code, out := w.rekey("check", console); code != exitDone {
		t.Fatalf("exit %d\n%s", code, out)
	}
	path := filepath.Join(w.dir, ".rekey", "fingerprint.key")
	if err := os.Truncate(path, 20); err != nil {
		t.Fatal(err)
	}
	if code, out := w.rekey("check", console); code != exitFailed || !strings.Contains(out, "fingerprint.key is damaged") || !strings.Contains(out, "restore it from a backup") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestTheLogShowsARunThatIsOpen, whether it waits or its process is gone.
func TestTheLogShowsARunThatIsOpen(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	ctx, interrupt := context.WithCancel(context.Background())
	w.ctx = ctx
	w.before = func(call string) {
		if strings.HasPrefix(call, "PATCH /heroku/") {
			interrupt()
		}
	}
	if code, out := w.rekey("run", console, "--confirm", console); code != exitWaiting {
		t.Fatalf("exit %d\n%s", code, out)
	}
	w.ctx = context.Background()
	if code, out := w.rekey("log"); code != exitDone || !regexp.MustCompile(`(?m)`+console+` +open +\S`).MatchString(out) {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out := w.rekey("log", "--json"); code != exitDone {
		t.Errorf("exit %d\n%s", code, out)
	}
}
