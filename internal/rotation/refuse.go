package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Refusal is a reason not to start, with a way out. Nothing was changed.
type Refusal struct {
	Code string `json:"code"` // for `rekey explain`
	What string `json:"what"` // what is so
	Then string `json:"then"` // what to do about it
}

func (r Refusal) String() string { return r.What + "\n    → " + r.Then }

// The reasons, by code.
const (
	NothingStored   = "nothing-stored"
	StoreTorn       = "store-torn"
	StoreUnwritable = "store-unwritable"
	NoHistory       = "no-history"
	StoreRule       = "store-rule"
	EndRefused      = "end-refused"
	NotIssued       = "not-issued"
	SwitchedOff     = "switched-off"
	Expired         = "expired"
	PlaceStuck      = "place-stuck"
	ConsumerDrift   = "consumer-drift"
	ConsumerUnwell  = "consumer-unwell"
	OpenDoor        = "open-door"
	GateUnclear     = "gate-unclear"
	GateElsewhere   = "gate-elsewhere"
	GateDenies      = "gate-denies"
	CheckFalse      = "check-false"
	NotSeen         = "not-seen"
	MadeNotSeen     = "made-not-seen"
	RunTaken        = "run-taken"
	DoneNotKnown    = "done-not-known"

	// UnregisteredConsumer holds the old one and would be left with a dead one.
	UnregisteredConsumer = "unregistered-consumer"

	// UnknownPlace is named with --despite, and holds nothing.
	UnknownPlace = "unknown-place"
)

// refuse collects everything that stands against a run.
func refuse(spec sop.Spec, seen *Observation, can Capabilities, strategy, run string) []Refusal {
	var out []Refusal
	add := func(code, then, what string, args ...any) {
		out = append(out, Refusal{Code: code, What: fmt.Sprintf(what, args...), Then: then})
	}
	storeRefusals(spec, seen, add)
	furtherRefusals(spec, seen, add)
	consumerRefusals(spec, seen, add)
	issuerRefusals(spec, seen, can, strategy, run, add)

	for _, g := range seen.Gates {
		if strategy == Replace && g.Gate != "" && can.Admits && !guarded(seen, g.Gate) {
			add(GateElsewhere, "validate against an address that the rules of this credential protect", "%s is protected by another application than those that the rules of this credential decide on", g.Title())
		}
	}
	unregistered(spec, seen, add)
	gates(*seen, add)
	if spec.Purpose == sop.AfterRevoke {
		return out // its consumers have none that works, so no check can be true
	}
	for _, c := range seen.Checks {
		if c.Class != cred.Done {
			add(CheckFalse, "fix it first: a check that fails before the run proves nothing after it", "the check %s is not true now: %s", c.URL, c.Detail)
		}
	}
	return out
}

// gates: an address that accepts anybody proves nothing, and an unclear answer neither.
func gates(seen Observation, add adder) {
	for _, g := range seen.Gates {
		switch {
		case g.Without == cred.Open || g.Without == cred.Accepted:
			add(OpenDoor, "validate against an address that the credential really protects", "%s answers without any credential: nothing protects it, so it proves nothing", g.Title())
		case g.Wrong == cred.Accepted:
			add(OpenDoor, "validate against an address that the credential really protects", "%s accepts a made-up credential", g.Title())
		case g.InUse == cred.Rejected:
			add(GateDenies, "look what else the rules of that address demand: a network, a device. Validate against an address that accepts it from here, or run Rekey where it is accepted. If no rule names it any more, rekey drift says so",
				"%s denies the credential in use as well: a new one could not be proven there", g.Title())
		case g.Without != cred.Rejected || g.Wrong != cred.Rejected:
			add(GateUnclear, "look at the address with curl; something other than what protects it may answer there", "%s does not refuse clearly (%s)", g.Title(), g.Detail)
		}
	}
}

// guarded reports whether a rule that names the generation in use, or that accepts
// everyone, decides on a protected address.
func guarded(seen *Observation, gate string) bool {
	old, _ := seen.handle(seen.Issuer.Owner)
	for _, p := range slices.Concat(naming(seen.Admission.Places, old), seen.Admission.Lost, seen.Admission.Everyone) {
		if slices.Contains(p.Guards, gate) {
			return true
		}
	}
	return false
}

type adder func(code, then, what string, args ...any)

func storeRefusals(spec sop.Spec, seen *Observation, add adder) {
	for _, why := range seen.Store.Refused {
		add(StoreRule, "take the folder out of the rule's scope, or change the rule", "%s: %s", spec.Store.Key, why)
	}
	present := 0
	for _, s := range seen.Store.Slots {
		if s.Problem != "" {
			add(StoreUnwritable, "fix it in the store, or leave the slot out of rekey.yaml", "%s: slot %s: %s", spec.Store.Key, s.Slot, s.Problem)
		}
		if s.Present {
			present++
		}
	}
	if present == 0 {
		add(NothingStored, "put the credential in use into the store by hand once; from then on Rekey keeps it", "%s holds none of the slots %v: there is nothing to rotate", spec.Store.Key, spec.Store.SlotNames())
		return
	}
	for _, s := range seen.Store.Slots {
		if s.Present && s.Expected != "" && s.Fingerprint != s.Expected {
			add(StoreTorn, "set slot "+s.Slot+" to the value of the others, then run again",
				"%s is inconsistent: slot %s holds %s, but by the other slots it should hold %s", spec.Store.Key, s.Slot, s.Fingerprint.Short(), s.Expected.Short())
		}
	}
	switch {
	case seen.Store.History == "" || spec.Purpose == sop.ToForget:
	case seen.Store.HistoryUnseen:
		add(NotSeen, "give Rekey the right to read earlier values there: without them a rollback could not give the store its old values back",
			"whether %s can give back earlier values could not be seen: %s%s", spec.Store.Key, seen.Store.History, alsoHeld(seen))
	default:
		add(NoHistory, "without history a rollback could not give the store its old values back", "%s cannot give back earlier values: %s%s", spec.Store.Key, seen.Store.History, alsoHeld(seen))
	}
}

// alsoHeld says where the value of today is besides the store, which could not give
// it back once it is overwritten.
func alsoHeld(seen *Observation) string {
	var keys []string
	for _, c := range seen.Consumers {
		for _, s := range c.Slots {
			if s.Present && s.Expected != "" && s.Fingerprint == s.Expected {
				keys = append(keys, c.Key)
				break
			}
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return "; what it holds today is held by " + strings.Join(keys, " and ") + " as well"
}

func consumerRefusals(spec sop.Spec, seen *Observation, add adder) {
	for _, c := range seen.Consumers {
		held := 0
		for _, s := range c.Slots {
			switch {
			case s.Problem != "":
				add(ConsumerUnwell, "fix it first", "%s: slot %s: %s", c.Key, s.Slot, s.Problem)
			case !s.Present:
			case s.Expected != "" && s.Had() != s.Expected:
				held++
				how := "slot " + s.Slot
				if s.From != "" {
					how = s.From + " brought back an earlier value: slot " + s.Slot
				}
				add(ConsumerDrift, "find out who changed it; set it to what the store holds, then run again",
					"%s has drifted: %s holds %s, but by the store it should hold %s", c.Key, how, s.Fingerprint.Short(), s.Expected.Short())
			default:
				held++
			}
		}
		if held == 0 {
			add(ConsumerDrift, "is it really a consumer? If so, set one of its slots by hand once", "%s holds none of its slots", c.Key)
		}
		if spec.Purpose == sop.AfterRevoke {
			continue // it is unwell because it has no credential
		}
		for _, p := range c.Problems {
			add(ConsumerUnwell, "fix it first: a consumer that is unwell before the run proves nothing after it", "%s: %s", c.Key, p)
		}
	}
}

func issuerRefusals(spec sop.Spec, seen *Observation, can Capabilities, strategy, run string, add adder) {
	for _, h := range seen.Issuer.Live {
		// Whatever bears the label is taken for what this run has made, so it must have
		// made it, and nobody may work with it.
		if g := attemptOf(h, run); g > 0 && (g > seen.Lost || h.ID == seen.Issuer.Owner) {
			add(RunTaken, "look what is in use: rekey check "+spec.Name, "%s lists %q, which bears the label of this run, and the journal does not know it: somebody else made it, or the journal was restored to an earlier state", spec.Issuer.Vendor, h.Name)
		}
	}
	if seen.Issuer.Owner == "" {
		add(NotIssued, "find out which credential is in use, and put it into the store",
			"%s lists no live %s to which the stored credential belongs", spec.Issuer.Vendor, spec.Issuer.Kind)
		return
	}
	old, ok := seen.handle(seen.Issuer.Owner)
	if !ok {
		add(NotIssued, "run again", "%s no longer lists the credential in use", spec.Issuer.Vendor)
		return
	}
	if old.Disabled && spec.Purpose != sop.AfterRevoke {
		add(SwitchedOff, "was it revoked? rekey run "+spec.Name+" --after-revoke gives its consumers a new one; otherwise switch it on again", "the credential in use, %s, is switched off", old.Name)
	}
	if old.Expired(seen.Theirs()) && spec.Purpose != sop.AfterRevoke {
		add(Expired, "rekey run "+spec.Name+" --after-revoke gives its consumers a new one", "the credential in use, %s, expired on %s: it is denied everywhere", old.Name, old.Expires.UTC().Format(time.DateOnly))
	}
	for _, why := range seen.Issuer.Refused {
		add(EndRefused, "put that right first: nothing was made yet", "%s: %s", spec.Issuer.Vendor, why)
	}
	if strategy != Replace {
		return // the rules go on naming the same handle
	}
	for _, p := range naming(seen.Admission.Places, old) {
		for _, id := range []string{old.ID, old.Public} {
			if why := p.Problems[id]; why != "" && id != "" {
				add(PlaceStuck, "change it by hand first", "%s %q: %s", p.Kind, p.Name, why)
			}
		}
	}
}
