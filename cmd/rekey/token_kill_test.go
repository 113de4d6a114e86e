//go:build !windows

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/access"
)

// full is a disk with no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestKilledAtAnyInstantOfItsRotationATokenLocksNobodyOut: a program has its token rotated,
// with no overlap, and is killed at any instant, or has no room for the answer. It goes on
// with what it has, which works, and at the end one token is live.
func TestKilledAtAnyInstantOfItsRotationATokenLocksNobodyOut(t *testing.T) {
	path := rekey(t)
	dir, address, stop := tokenServer(t)
	held := filepath.Join(dir, "held")
	ask := func(args ...string) (int, string, string) {
		var out, said bytes.Buffer
		code := execute(t.Context(), args, streams{out: &out, err: &said})
		return code, out.String(), said.String()
	}
	server := []string{"--server", address, "--token-from", "file:" + held}
	code, text, said := ask("-C", dir, "token", "create", "view", "--may", "look")
	if code != exitDone {
		t.Fatal(said)
	}
	keep := func(text string) {
		if err := os.WriteFile(held, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep(text)
	rotate := append(server, "token", "rotate", "--overlap", "0s")
	begun := time.Now()
	if err := exec.CommandContext(t.Context(), path, append(rotate, "--help")...).Run(); err != nil {
		t.Fatal(err)
	}
	usual := 3 * time.Since(begun)
	died, done := 0, 0
	for range 25 {
		c := exec.CommandContext(t.Context(), path, rotate...)
		var out bytes.Buffer
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(rand.N(usual), func() { _ = c.Process.Kill() })
		if err := c.Wait(); err != nil {
			died++
		} else {
			done++
		}
		if strings.HasSuffix(out.String(), "\n") {
			keep(out.String())
		}
		if code, _, said := ask(append(server, "whoami")...); code != exitDone {
			t.Fatalf("locked out after %d deaths and %d rotations: %s", died, done, said)
		}
	}
	t.Logf("killed %d times, rotated %d times", died, done)
	if died == 0 {
		t.Error("nobody was killed")
	}
	var complaint bytes.Buffer
	if code := execute(t.Context(), rotate, streams{out: full{}, err: &complaint}); code == exitDone || !strings.Contains(complaint.String(), "next") || !strings.Contains(complaint.String(), " token rotate   (the old one is good still)") {
		t.Errorf("it has no room, ends with %d and says %s", code, complaint.String())
	}
	if code, text, said = ask(rotate...); code != exitDone {
		t.Fatal(said)
	}
	keep(text)
	if code, _, said := ask(append(server, "whoami")...); code != exitDone {
		t.Error(said)
	}
	code, list, said := ask("-C", dir, "token", "list", "--json")
	var all struct{ Tokens []access.Token }
	if err := json.Unmarshal([]byte(list), &all); err != nil {
		t.Fatal(err)
	}
	live := 0
	for _, x := range all.Tokens {
		if x.Live(time.Now()) {
			live++
		}
	}
	if code != exitDone || live != 1 {
		t.Errorf("%d tokens are live (%s)", live, said)
	}
	_, _ = stop()
}
