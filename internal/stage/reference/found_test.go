package reference_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/stage"
	"rekey/internal/stage/reference"
)

// nth is the number of the n-th such call of a run without faults.
func nth(t *testing.T, v variation, n int, vendor, op string) (call int) {
	t.Helper()
	x := reference.New(1, v.can, scenario{variation: v}.rough())
	x.Strategy(v.strategy)
	x.Purpose(v.purpose)
	x.Hears = func(who, what string) {
		if who == vendor && what == op {
			if n--; n == 0 {
				call = x.Calls
			}
		}
	}
	if _, err := x.Play(reference.Credential); err != nil || call == 0 {
		t.Fatalf("%s: no such call: %s %s (%v)", v.name, vendor, op, err)
	}
	return call
}

// TestWhatWasFound: each of these once broke a promise.
func TestWhatWasFound(t *testing.T) {
	type at func(n int, vendor, op string) int
	others := func(call int, act string) stage.Fault {
		return stage.Fault{Call: call, Kind: stage.OthersBefore, Act: act}
	}
	for name, c := range map[string]struct {
		variation string
		faults    func(at) []stage.Fault
		ends      string
		says      string // in the journal
	}{
		"the new one is switched off while everything waits, and the old one was ended all the same": {
			"no rules", func(at at) []stage.Fault {
				return []stage.Fault{others(at(1, "issuer", "switch off")-2, "switch the new one off")}
			},
			string(rotation.RolledBack), "does not accept the new one, ours-2026-11-23-test01-1",
		},
		"the new one is ended, and the old one was ended after it": {
			"no ladder, no last seen", func(at at) []stage.Fault {
				return []stage.Fault{others(at(1, "issuer", "revoke")-12, "end the new one")}
			},
			string(rotation.RolledBack), "no longer exists",
		},
		"somebody rolled it since it was observed, and another roll ended the secret in use": {
			"roll with grace", func(at at) []stage.Fault { return []stage.Fault{others(at(1, "issuer", "roll")-2, "roll it")} },
			string(rotation.RolledBack), "nothing was rolled: somebody else has changed the secrets of ours-2026-08-23",
		},
		"somebody rolled it before the earlier secret was ended, which was ours by then": {
			"roll with grace", func(at at) []stage.Fault { return []stage.Fault{others(at(1, "issuer", "keep")-5, "roll it")} },
			"stuck", "somebody else has changed the secrets of ours-2026-08-23",
		},
		"what is rolled was ended altogether, and was rolled on and on": {
			"roll with grace", func(at at) []stage.Fault { return []stage.Fault{others(at(1, "consumer", "write"), "end the old one")} },
			"stuck", "altogether: nothing is left to roll",
		},
		"a slot was removed in between, and nothing could be given back": {
			"everything", func(at at) []stage.Fault {
				return []stage.Fault{others(at(1, "store", "write")-1, "remove a slot of the store")}
			},
			string(rotation.RolledBack), "was removed by somebody else between the observation and this write",
		},
		"a consumer was written since it was observed, and was overwritten untold": {
			"everything", func(at at) []stage.Fault {
				return []stage.Fault{others(at(1, "store", "write"), "write a slot of the consumer")}
			},
			string(rotation.RolledBack), "slot REFERENCE_TOKEN was changed by somebody else since it was observed",
		},
		"the new one was taken out of the rules at the very end, and nobody named it again": {
			"no ladder, no last seen", func(at at) []stage.Fault {
				return []stage.Fault{others(at(1, "issuer", "revoke"), "take the new one out of every rule")}
			},
			string(rotation.Rotated), "the new one is no longer named in rule",
		},
		"too busy to answer was taken for an acceptance of the old one": {
			"with everything that can be asked", func(at at) []stage.Fault {
				check := at(3, "consumer", "query")
				return []stage.Fault{{Call: check, Kind: stage.NotThere}, {Call: check + 5, Kind: stage.Limited}}
			},
			string(rotation.RolledBack), "neither accepts nor denies the old one",
		},
		"twice set back, it was not seen that what is shown to nobody holds the new one": {
			"shown to nobody", func(at at) []stage.Fault {
				call := at(1, "consumer", "write")
				return []stage.Fault{{Call: call, Kind: stage.SetBack}, {Call: call + 1, Kind: stage.SetBack}}
			},
			string(rotation.Rotated), "perhaps by this run",
		},
		"a nameless one of an earlier attempt was left": {
			"nameless, in a scope of its own", func(at at) []stage.Fault {
				call := at(1, "issuer", "create") + 2
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "end the old one")}
			},
			string(rotation.Rotated), "there is nothing to go back to",
		},
		"the store was put back, and nobody had the new secret any more": {
			"no ladder, no last seen", func(at at) []stage.Fault {
				call := at(1, "issuer", "revoke") + 6
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "put the old value back into the store")}
			},
			string(rotation.Rotated), "the new one: accepted",
		},
		"what the store was given in between was taken for the new secret, and its end was swept for ever": {
			"roll with a grace without end, secrets that we make", func(at at) []stage.Fault {
				call := at(1, "issuer", "roll")
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "write a slot of the store")}
			},
			string(rotation.RolledBack), "ending the one that this run knows changed nothing",
		},
		"a store that follows was written, then written by somebody else, and going back forgot our part of it": {
			"three stores, rolled with grace", func(at at) []stage.Fault {
				call := at(1, "mirror", "write") - 1
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "write a slot of the second store")}
			},
			string(rotation.RolledBack), "slot REFERENCE_TOKEN of store:second holds ",
		},
		"a store that follows was written once more and not applied, and was said to hold the new one": {
			"three stores, one then applied", func(at at) []stage.Fault {
				call := at(1, "consumer", "write") - 1
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "put the old value back into the mirror")}
			},
			string(rotation.Rotated), "mirror:copy holds the old one in slot",
		},
		"rolled at once, what the store was given in between was no new secret, and no way led out": {
			"roll at once", func(at at) []stage.Fault {
				call := at(1, "issuer", "roll")
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "write a slot of the store")}
			},
			string(rotation.Rotated), "what was taken for the new secret is none",
		},
		"the new secret was in the store's history alone, and nobody looked there": {
			"shown to nobody", func(at at) []stage.Fault {
				call := at(1, "issuer", "revoke") + 1
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "put the old value back into the store")}
			},
			string(rotation.Rotated), "store:folder holds the old one in slot",
		},
		"somebody wrote beside ours where a write is applied, and the way back waited for that for ever": {
			"written, then applied", func(at at) []stage.Fault {
				call := at(1, "consumer", "follow")
				return []stage.Fault{{Call: call, Kind: stage.NotThere}, others(call+6, "write beside ours at the consumer")}
			},
			string(rotation.RolledBack), "runs on what was there before; the roll-out is made once more",
		},
		"the journal forgot that the old secret was ended, the issuer's clock is behind, and a person asked to go back": {
			"roll with grace", func(at at) []stage.Fault {
				call := at(1, "issuer", "keep")
				return []stage.Fault{{Call: call, Kind: stage.SetBack}, {Call: call + 5, Kind: stage.AskedBack}}
			},
			string(rotation.Rotated), "the secret of ours-2026-08-23 before the present one has ended",
		},
		"what somebody else wrote right before our write was taken away by it, and is given back": {
			"everything", func(at at) []stage.Fault {
				return []stage.Fault{others(at(1, "store", "write"), "write a slot of the store")}
			},
			string(rotation.RolledBack), "slot REFERENCE_TOKEN is given back what somebody else wrote as version",
		},
		"the new one was taken out of the rules while nobody was there, and is named again": {
			"everything", func(at at) []stage.Fault {
				call := at(1, "store", "write")
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "take the new one out of every rule")}
			},
			string(rotation.Rotated), "the new one is no longer named in rule",
		},
		"the new one was switched off while nobody was there, and is tried again before anybody is given it": {
			"everything", func(at at) []stage.Fault {
				call := at(1, "store", "write")
				return []stage.Fault{{Call: call, Kind: stage.CrashAfter}, others(call+1, "switch the new one off"), {Call: call + 1, Kind: stage.CrashAfter}}
			},
			string(rotation.RolledBack), "validate: https://gate.example.com/ accepts it: not within",
		},
		"the old one was switched off on the way back, when everybody had it again": {
			"everything", func(at at) []stage.Fault {
				call := at(1, "consumer", "follow")
				return []stage.Fault{{Call: call, Kind: stage.NotThere}, others(call+22, "switch the old one off")}
			},
			string(rotation.RolledBack), "is switched off",
		},
		"the journal forgot that the stores had been given back, and a consumer was given what the first did not hold": {
			"three stores", func(at at) []stage.Fault {
				call := at(1, "mirror", "write") - 2
				return []stage.Fault{{Call: call, Kind: stage.NotThere}, {Call: call + 19, Kind: stage.SetBack}}
			},
			string(rotation.Rotated), "store:folder holds the old one in slot",
		},
		"the journal forgot that the run had switched it off, a person asked to go back, and it was said to be back": {
			"three stores, revoked", func(at at) []stage.Fault {
				call := at(1, "issuer", "switch off") + 2
				return []stage.Fault{{Call: call, Kind: stage.SetBack}, {Call: call + 4, Kind: stage.AskedBack}}
			},
			string(rotation.RefusedRun), "does not know by whom",
		},
		"the creation was sent twice on its way, and the other one was left": {
			"everything", func(at at) []stage.Fault { return []stage.Fault{{Call: at(1, "issuer", "create"), Kind: stage.Twice}} },
			string(rotation.Rotated), `"step":"sweep"`,
		},
		"the creation of a throwaway was sent twice on its way, and the other one was left": {
			"rehearsed", func(at at) []stage.Fault { return []stage.Fault{{Call: at(1, "issuer", "create"), Kind: stage.Twice}} },
			string(rotation.Rehearsed), `deleted rekey-rehearsal-`,
		},
		"the creation of a throwaway was sent twice on its way, and the other one was listed late": {
			"rehearsed", func(at at) []stage.Fault {
				return []stage.Fault{{Call: at(1, "issuer", "create"), Kind: stage.TwiceLate}}
			},
			string(rotation.Rehearsed), `deleted rekey-rehearsal-`,
		},
		"a write to what does not show what it holds arrived late, was taken for somebody else's, and the new one was ended under it": {
			"shown to nobody", func(at at) []stage.Fault {
				return []stage.Fault{{Call: at(1, "consumer", "write"), Kind: stage.Later}}
			},
			string(rotation.RolledBack), "and is given the old value",
		},
		"a write was dated by an answer of before it, and was then taken for somebody else's": {
			"shown to nobody", func(at at) []stage.Fault {
				return []stage.Fault{{Call: at(1, "consumer", "write") + 1, Kind: stage.Stale}}
			},
			string(rotation.Rotated), "has the date of before it was written",
		},
		"a lost roll arrived after another one, ended its secret, and the run was said to be done": {
			"roll at once", func(at at) []stage.Fault { return []stage.Fault{{Call: at(1, "issuer", "roll"), Kind: stage.Later}} },
			string(rotation.Rotated), "may still: Rekey waits for it before trying another",
		},
		"the secret of a roll at once was ended by another roll, and no resume led out": {
			"roll at once", func(at at) []stage.Fault { return []stage.Fault{others(at(4, "issuer", "probe"), "roll it")} },
			"stuck", "and that one cannot be found",
		},
		"what does not show what it holds was put back, and the journal had forgotten the date of our write": {
			"shown to nobody, stamped", func(at at) []stage.Fault {
				call := at(1, "consumer", "follow") + 2
				return []stage.Fault{{Call: call, Kind: stage.SetBack}, others(call+20, "put the old value back at the consumer")}
			},
			string(rotation.RolledBack), "was written by somebody else",
		},
		"the new one was ended after the old one, no issuer could tell of one alone, and no resume led out": {
			"no ladder, no last seen", func(at at) []stage.Fault {
				call := at(1, "issuer", "revoke") + 3
				return []stage.Fault{others(call, "end the new one"), {Call: call + 9, Kind: stage.Late}}
			},
			"stuck", "somebody else ended the new one",
		},
		"of a store that does not show what it holds only a part was given back, and the dates of the other part were forgotten": {
			"three stores, one shown to nobody", func(at at) []stage.Fault {
				call := at(2, "mirror", "write")
				return []stage.Fault{others(call-8, "remove a slot of the second store"), {Call: call, Kind: stage.Later}}
			},
			string(rotation.RolledBack), "not read back: ",
		},
		"a store that does not show what it holds was seen to hold the old one, and a late write of ours came after": {
			"three stores, one shown to nobody", func(at at) []stage.Fault {
				call := at(1, "mirror", "write") - 1
				return []stage.Fault{others(call-8, "remove a slot of the second store"), {Call: call, Kind: stage.Later}}
			},
			string(rotation.RolledBack), "nothing was taken away: mirror:copy holds the new one in slot",
		},
		"a write died with its process, somebody else wrote what is shown to nobody, and that was taken for the write": {
			"shown to nobody", func(at at) []stage.Fault {
				call := at(1, "consumer", "write")
				return []stage.Fault{{Call: call, Kind: stage.CrashBefore}, others(call+1, "write a slot of the consumer")}
			},
			string(rotation.Rotated), "does not show what it holds, was written since it was observed, by this run or by somebody else, and is written once more",
		},
		"the run waited for a rate limit, the new one was ended meanwhile, and was given out by the proof from before": {
			"nothing but beside", func(at at) []stage.Fault {
				call := at(1, "store", "write")
				return []stage.Fault{others(call-1, "end the new one"), {Call: call + 1, Kind: stage.Limited}}
			},
			string(rotation.RolledBack), "the proof that the new one works is too old",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := the(t, c.variation)
			sc := scenario{variation: v, faults: c.faults(func(n int, vendor, op string) int { return nth(t, v, n, vendor, op) })}
			verdict, x := sc.run()
			log := x.Log.Text()
			if verdict.Ending != c.ends || len(verdict.Broken) > 0 || verdict.Err != nil || !strings.Contains(log, c.says) {
				t.Errorf("%s: %q, want %q and %q\n%v %v\n%s", sc, verdict.Ending, c.ends, c.says, verdict.Broken, verdict.Err, log[max(0, len(log)-2500):])
			}
		})
	}
}
