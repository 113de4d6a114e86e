package main

import (
	"strings"
	"sync/atomic"
	"testing"

	"rekey/internal/sim"
)

// TestOfOneCredentialFromTwoFoldersTheLoserIsToldWhatTheWinnerDid: it goes back
// without taking from anybody what the winner gave them, and names that.
func TestOfOneCredentialFromTwoFoldersTheLoserIsToldWhatTheWinnerDid(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	other := *w
	other.dir, _ = folder(t, w.base)
	var begun atomic.Bool // the other's own creation passes through here too
	w.before = func(call string) {
		if call == "POST /cloudflare/client/v4/accounts/a11acc00000000000000000000000001/access/service_tokens" {
			if begun.Swap(true) {
				return
			}
			if code, out := other.rekey("run", console, "--confirm", console); code != exitDone {
				t.Errorf("the winner: exit %d\n%s", code, out)
			}
		}
	}
	code, out := w.rekey("run", console, "--confirm", console)
	if code != exitRolledBack && code != exitStuck || !strings.Contains(out, "which this run has not written: somebody else has rotated it meanwhile") {
		t.Errorf("the loser: exit %d\n%s", code, out)
	}
	if strings.Contains(out, "the old one is in use everywhere") {
		t.Errorf("the loser says what is not so:\n%s", out)
	}
	if code, out := other.rekey("drift", console); code != exitDone {
		t.Errorf("the winner's work is undone: exit %d\n%s", code, out)
	}
}

// TestWhatBearsOurNameAndIsUnknownToTheJournalIsNamed by everything that lists it,
// and by nothing once the journal knows it.
func TestWhatBearsOurNameAndIsUnknownToTheJournalIsNamed(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	const stranger = "raxx-console-svc-2026-11-01-zzzzzz-1"
	w.world.Look(func(s *sim.State) {
		copied := *s.Cloudflare.Tokens[0]
		copied.ID, copied.Name, copied.ClientID, copied.Secret = "5f0c2a9b-0000-4000-8000-000000000001", stranger, "other.access", "other"
		s.Cloudflare.Tokens = append(s.Cloudflare.Tokens, &copied)
	})
	const says = stranger + " (5f0c2a9b-0000-4000-8000-000000000001"
	named := func(want bool, args ...string) {
		t.Helper()
		code, out := w.rekey(args...)
		if code != exitDone || strings.Contains(out, says) != want || want && !strings.Contains(out, "of which this journal knows nothing") {
			t.Errorf("%v: exit %d\n%s", args, code, out)
		}
	}
	named(true, "check", console)
	named(true, "plan", console)
	named(true, "drift", console)
	named(true, "status", "--live")
	if code, out := w.rekey("run", console, "--confirm", console); code != exitDone || !strings.Contains(out[strings.LastIndex(out, "rotated"):], says) || !strings.Contains(out, "and left alone") {
		t.Errorf("the ending does not name what lives beside the new one: exit %d\n%s", code, out)
	}
	named(false, "check", vault)
	w.world.Look(func(s *sim.State) {
		for i, token := range s.Cloudflare.Tokens {
			if token.Name == stranger {
				s.Cloudflare.Tokens = append(s.Cloudflare.Tokens[:i:i], s.Cloudflare.Tokens[i+1:]...)
				break
			}
		}
	})
	for _, args := range [][]string{{"check", console}, {"plan", console}, {"drift", console}, {"status", "--live"}} {
		if code, out := w.rekey(args...); code != exitDone || strings.Contains(out, "this journal knows nothing") {
			t.Errorf("%v names what the journal knows: exit %d\n%s", args, code, out)
		}
	}
}
