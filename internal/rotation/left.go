package rotation

import (
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// attemptOf is the attempt of the run whose label a generation bears; 0 if none.
func attemptOf(h cred.Handle, run string) int {
	for g := 1; g <= MaxAttempts && run != ""; g++ {
		if cred.Bears(h.Name, cred.Label(run, g)) {
			return g
		}
	}
	return 0
}

// LostAttempts is the last attempt of a run of which the issuer lists something: a
// process that takes the run up before its plan knows of none.
func LostAttempts(listed []cred.Handle, run string) int {
	last := 0
	for _, h := range listed {
		last = max(last, attemptOf(h, run))
	}
	return last
}

// lookAndEnd is what to do where something that the run had made may live on.
func lookAndEnd(spec sop.Spec) string {
	return "look what is in use: rekey check " + spec.Name + "; end what nobody uses at the issuer"
}

// Left names what the run itself had made before its journal was restored to an earlier state, where it
// does not go on for another reason: it would have been cleaned up at the end, and is
// not.
func Left(spec sop.Spec, seen *Observation, run string) []Refusal {
	var out []Refusal
	for _, h := range seen.Issuer.Live {
		if g := attemptOf(h, run); g > 0 && g <= seen.Lost && h.ID != seen.Issuer.Owner {
			out = append(out, Refusal{
				Code: RunTaken, Then: lookAndEnd(spec),
				What: fmt.Sprintf("%s lists %q, which this run has made before its journal was restored to an earlier state, and it lives on", spec.Issuer.Vendor, h.Name),
			})
		}
	}
	return out
}

// clocksDiffer bounds how far the clock of an issuer that does not tell it may be off.
const clocksDiffer = time.Hour

// LeftNameless is Left where the issuer shows no name that we choose, in a scope that is
// ours: whatever was made there since the run was begun, and is not known, may be of it.
// Of one whose beginning is not told, nobody can say when it was made.
func LeftNameless(spec sop.Spec, seen *Observation, past []Generation, begun time.Time) []Refusal {
	known := map[string]bool{seen.Issuer.Self: true}
	for _, g := range past {
		known[g.Handle.ID] = true
	}
	since := begun.Add(seen.Issuer.Ahead - clocksDiffer)
	var out []Refusal
	for _, h := range seen.Issuer.Live {
		// What the store holds may be of this run as well; what is undated is not blamed for that.
		undated := h.Created.IsZero() && h.ID != seen.Issuer.Owner
		if !known[h.ID] && (undated || h.Created.After(since)) {
			out = append(out, Refusal{
				Code: RunTaken, Then: lookAndEnd(spec),
				What: fmt.Sprintf("%s lists %s, which may have been made since this run was begun, and the journal does not know it: the journal was restored to an earlier state, or somebody else made it", spec.Issuer.Vendor, h.ID),
			})
		}
	}
	return out
}

// LeftUnlisted says of a run that was begun before, and finds what the store holds in no
// list, that it may have made that: a list may be late.
func LeftUnlisted(spec sop.Spec, run string) Refusal {
	return Refusal{
		Code: MadeNotSeen, Then: lookAndEnd(spec),
		What: fmt.Sprintf("run %s was begun before, and its journal knows of nothing made; %s does not list what the store holds, and whether this run made that was not seen, for a list may be late", run, spec.Issuer.Vendor),
	}
}

// OffUnexplained says of an emergency that was begun before, whose journal knows of nothing
// done, and which a person asks to go back: it may have switched off what is off, or somebody
// else may, and switching it on for him could give somebody access again who must not have
// it. nil where there is nothing to say.
func OffUnexplained(s *State, plan *Plan) []Refusal {
	if !s.Resumed || s.Asked == nil || plan.Strategy != Revoke || !plan.Old.Disabled {
		return nil
	}
	return []Refusal{{
		Code: DoneNotKnown, Then: "if it is to work again, switch it on at " + plan.Spec.Issuer.Vendor,
		What: fmt.Sprintf("%s is switched off, and the journal of run %s does not know by whom: by this run before its journal was restored to an earlier state, or by somebody else; it is left as it is", plan.Old.Named(), s.Run),
	}}
}

// LeftUnseen says of a run that was begun before that nobody knows what Left would tell.
func LeftUnseen(spec sop.Spec, run string) Refusal {
	return Refusal{
		Code: MadeNotSeen, Then: lookAndEnd(spec),
		What: fmt.Sprintf("run %s was begun before, and its journal knows of nothing made; whether anything that it made lives on was not seen, for %s did not give its list", run, spec.Issuer.Vendor),
	}
}
