package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestARotationIsAgreedToOnTheCommandLine: who runs it is told whom to ask, what is asked
// is shown, and who agrees does so by the credential's name.
func TestARotationIsAgreedToOnTheCommandLine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	was, err := os.ReadFile(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b.write("rekey.yaml", strings.Replace(string(was), "    cadence: 90d", "    cadence: 90d\n    run: after approval\n    approvals: {before: both, by_asker: true}", 1))
	code, out := b.rekey("run", console, "--confirm", console, "--reason", "quarterly")
	if code != exitWaiting || !strings.Contains(out, "wants 1 agreement more before it continues") || !strings.Contains(out, "nothing was begun") || !strings.Contains(out, "approve "+console) {
		t.Fatalf("%d %s", code, out)
	}
	if code, out = b.rekey("approvals"); code != exitDone || !strings.Contains(out, "to begin a rotation") || !strings.Contains(out, "quarterly") || !strings.Contains(out, "1 agreement more of the role superadmin") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("schedule"); code != exitDone || !strings.Contains(out, console) || !strings.Contains(out, "after approval") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("check", console); code != exitDone {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("status"); code != exitDone || !strings.Contains(out, "due "+console+": it waits for approval, until ") || !strings.Contains(out, "approve "+console) {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("approve", console); code != exitUsage || !strings.Contains(out, "--confirm "+console) {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("approve", vault, "--confirm", vault); code != exitUsage || !strings.Contains(out, "no approval is requested for "+vault) {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("approve", console, "--confirm", console); code != exitDone || !strings.Contains(out, "agreed to") || !strings.Contains(out, "run "+console) {
		t.Errorf("%d %s", code, out)
	}
	// The run begins now, and waits before the old one is revoked.
	if code, out = b.rekey("run", console, "--confirm", console); code != exitWaiting || !strings.Contains(out, "when one person more has approved it") {
		t.Fatalf("%d %s", code, out)
	}
	if code, out = b.rekey("resume", "--confirm", console); code != exitWaiting || !strings.Contains(out, "both credentials are live") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("status"); code != exitDone || !strings.Contains(out, "approve ") || strings.Contains(out, "rekey resume") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("refuse", console); code != exitUsage || !strings.Contains(out, "--reason") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("approve", console, "--confirm", console); code != exitDone || !strings.Contains(out, "resume") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("resume"); code != exitDone || !strings.Contains(out, "rotated") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("approvals"); code != exitDone || !strings.Contains(out, "Nothing waits for approval") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("schedule", "pause", "--reason", "freeze"); code != exitDone {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("status"); code != exitDone || !strings.Contains(out, "paused nothing begins by itself") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("schedule"); code != exitDone || !strings.Contains(out, "Paused by") || !strings.Contains(out, "freeze") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("schedule", "continue"); code != exitDone {
		t.Errorf("%d %s", code, out)
	}
	if code, out = b.rekey("schedule", "--days", "200"); code != exitDone || strings.Contains(out, "Paused") || !strings.Contains(out, "due") {
		t.Errorf("%d %s", code, out)
	}
}
