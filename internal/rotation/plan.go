// Package rotation is the pure core: compile a plan, fold events, decide what is next, tell what is due.
//
// It does no input or output, owns no clock and cannot reach a secret. Compile
// turns a spec and an observation into a plan; Apply folds one event into the
// state; Next looks at the state and the time and says what to do: exactly one
// decision. The same events give the same state and the same decision, in a
// resumed process as in the one that died.
package rotation

import (
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Verb is what a step does.
type Verb string

// Forward steps, in the order in which the strategies use them.
const (
	Create    Verb = "create"    // make the new generation
	Roll      Verb = "roll"      // give the same handle a new secret
	Extend    Verb = "extend"    // let the secret before it live on while proofs are open
	Admit     Verb = "admit"     // name it wherever the old one is named
	Validate  Verb = "validate"  // the protected address accepts it
	Store     Verb = "store"     // write every slot of the store
	Propagate Verb = "propagate" // write every slot of a consumer
	Apply     Verb = "apply"     // make what was written to a store or a consumer take effect
	Settle    Verb = "settle"    // everything the consumer runs has taken it up
	Check     Verb = "check"     // a check of the procedure comes out true
	Survey    Verb = "survey"    // nobody but the registered consumers holds the old generation
	Quiet     Verb = "quiet"     // nobody uses the old generation any more
	Disable   Verb = "disable"   // switch the old credential off, which can be undone
	Dismiss   Verb = "dismiss"   // remove the old generation from a rule
	Delete    Verb = "delete"    // end the old generation for good
	Expire    Verb = "expire"    // end the secret before the present one
	Confirm   Verb = "confirm"   // the protected address denies the old one and accepts the new one
	Sweep     Verb = "sweep"     // nothing else that this run has made is left
	Pause     Verb = "pause"     // let time pass, with both generations live
	Watch     Verb = "watch"     // let time pass, and look whether every consumer stays well on the new one
	Running   Verb = "running"   // store and consumers hold the new one at the end, and the consumers run
	Denied    Verb = "denied"    // the protected address denies the one that was taken away
	Take      Verb = "take"      // take what the source of a repair holds
	Gone      Verb = "gone"      // the issuer no longer lists it, or lists it as switched off
	Remove    Verb = "remove"    // take slots out of the store
)

// Steps on the way back.
const (
	Enable  Verb = "enable"  // switch the old generation on again
	Readmit Verb = "readmit" // name the old generation again
	// Revalidate: the protected address accepts the old one, before anybody is given it again.
	Revalidate Verb = "revalidate"
	Return     Verb = "return"   // give a consumer its old values back
	Reapply    Verb = "reapply"  // make the old values take effect
	Resettle   Verb = "resettle" // everything the consumer runs has taken them up
	Restore    Verb = "restore"  // give the store its old values back
	Withdraw   Verb = "withdraw" // remove the new generation from a rule
	Discard    Verb = "discard"  // end the new generation
	Prolong    Verb = "prolong"  // let the old secret live on for as long as allowed
	Look       Verb = "look"     // what is live and who holds what, after going back
)

// Effect reports whether the verb changes something outside.
func (v Verb) Effect() bool {
	switch v {
	case Validate, Settle, Check, Survey, Quiet, Pause, Watch, Running, Confirm, Resettle, Denied, Gone, Take, Revalidate, Look:
		return false
	}
	return true
}

// Step is one box on the checklist.
type Step struct {
	ID     string   `json:"id"`               // unique in the plan: "admit policy/1234"
	Verb   Verb     `json:"verb"`             //
	Target string   `json:"target,omitempty"` // place, consumer, probe or check, by its key
	Title  string   `json:"title"`            // for people
	Change string   `json:"change,omitempty"` // what it changes, for people; effects only
	Call   string   `json:"call,omitempty"`   // the request that changes it; effects only
	Needs  []string `json:"needs,omitempty"`  // steps that must be done first

	// After is how long to wait once the needs are done.
	After time.Duration `json:"after,omitempty"`
	// Long is how long a watch lasts; its first look is After its needs.
	Long time.Duration `json:"long,omitempty"`
	// Within is how long the step may keep saying "not yet".
	Within time.Duration `json:"within,omitempty"`
	// Undoes is the forward step whose trying makes this step necessary; only
	// on the way back.
	Undoes string `json:"undoes,omitempty"`
	// UndoesAny is Undoes for a step that any of several forward steps makes
	// necessary.
	UndoesAny []string `json:"undoes_any,omitempty"`
	// Ask: a person confirms with the credential's name before this step.
	Ask bool `json:"ask,omitempty"`
	// Recurs: the step is tried whenever the old secret's time runs low, and is
	// never done.
	Recurs bool `json:"recurs,omitempty"`
	// Final: with the intent to do this step, going back ends.
	Final bool `json:"final,omitempty"`
	// Strays (left-over tokens): the step is needed only if the fate of some creation is unknown.
	Strays bool `json:"strays,omitempty"`
}

// Plan is what will be done, and what a rollback would do. It is plain data
// without secrets: printed, compared, and kept in the journal.
type Plan struct {
	Version  int         `json:"version"`
	Strategy string      `json:"strategy"`
	Run      string      `json:"run"` // id, part of the new generation's name
	Spec     sop.Spec    `json:"spec"`
	Seen     Observation `json:"seen"`
	Old      cred.Handle `json:"old"`
	NewName  string      `json:"new_name"` // without the attempt
	Steps    []Step      `json:"steps"`
	Back     []Step      `json:"back"`
	Notes    []string    `json:"notes,omitempty"` // worth knowing before it starts
	Costs    []string    `json:"costs,omitempty"` // releases, restarts
}

// Maker is the step that makes the new secret.
func (p *Plan) Maker() string {
	switch p.Strategy {
	case Replace, Rehearse:
		return string(Create)
	case Revoke, Repair, RetireName:
		return "" // makes nothing
	}
	return string(Roll)
}

// Pattern is the generation after which a new one is made.
func (p *Plan) Pattern() cred.Handle {
	if p.Strategy == Rehearse {
		return cred.Handle{ID: p.Spec.Target, Name: "the one in use"}
	}
	return p.Old
}

// OfOurs reports whether the generation that is replaced is the one with which
// the issuer itself is reached.
func (p *Plan) OfOurs() bool { return p.Seen.Issuer.Self != "" && p.Seen.Issuer.Self == p.Old.ID }

// PlanVersion of this format.
const PlanVersion = 1

// Place returns the place with this key, as observed.
func (p *Plan) Place(key string) (cred.Place, bool) {
	for _, pl := range p.Seen.Admission.Places {
		if pl.Key() == key {
			return pl, true
		}
	}
	return cred.Place{}, false
}

// Step returns the step with this id, forward or back.
func (p *Plan) Step(id string) (Step, bool) {
	if p == nil { // a step that no plan knows of
		return Step{}, false
	}
	for _, list := range [][]Step{p.Steps, p.Back} {
		for _, s := range list {
			if s.ID == id {
				return s, true
			}
		}
	}
	return Step{}, false
}
