package sop

import "slices"

// Op is one thing that somebody may ask for, by the word that rekey.yaml, tokens and
// `rekey whoami --can` use. An Op keeps its meaning.
type Op string

// What may be asked for. Those of one credential are asked about that one; without one
// they are asked about all.
const (
	OpWhoami Op = "whoami" // who am I, and what may I; end my own sessions and tokens

	OpStatus Op = "status" // every credential, as the journal knows it; runs; the calendar
	OpLog    Op = "log"    // what the journal holds of a run; follow one
	OpSop    Op = "sop"    // the written procedure
	OpDue    Op = "due"    // when each is due, and what begins by itself; who is asked to agree

	OpCheck    Op = "check"    // look at everything that a run would need
	OpPlan     Op = "plan"     // what a run would do
	OpDrift    Op = "drift"    // compare issuer, store and consumers; status --live
	OpDiscover Op = "discover" // who holds it without being registered
	OpNames    Op = "names"    // who still has a former name
	OpDoctor   Op = "doctor"   // what this installation lacks

	OpEvidence Op = "evidence" // what was done in a period, with proofs
	OpVerify   Op = "verify"   // hold the journal against its checkpoints

	OpRotate   Op = "rotate"
	OpRehearse Op = "rehearse"
	OpRepair   Op = "repair"
	OpRetire   Op = "retire-name"
	OpResume   Op = "resume" // and confirm
	OpRollback Op = "rollback"
	OpRevoke   Op = "revoke" // switch off, or delete, in an emergency
	OpPause    Op = "pause"  // have nothing begin by itself, and let it begin again

	OpAcknowledge Op = "acknowledge" // let what a look has found be, until a day

	OpWithoutRole Op = "without-role" // revoke, resume or roll back although the credential's role is lacking; wants a reason

	OpApprove Op = "approve" // what somebody else has asked for

	OpCheckpoint Op = "checkpoint" // sign the journal as it is
	OpNewKey     Op = "new-key"    // hand over to another signing key

	OpTokens   Op = "tokens"   // make, list and revoke tokens of Rekey's own
	OpSessions Op = "sessions" // end the sessions of others
	OpNotify   Op = "notify"   // send a notification to try it
)

// Right is a group of operations, by the word that stands for all of them.
type Right struct {
	Name string
	Ops  []Op
	// Changes: a credential's role is needed besides, where it names one.
	Changes bool
}

// Ability is one operation, and on what somebody may ask for it.
type Ability struct {
	Right string `json:"right"`
	Op    Op     `json:"op"`
	// All: on every credential, or it is about none.
	All bool `json:"all"`
	// On: on these credentials, where it is not all and not none.
	On []string `json:"credentials,omitempty"`
}

// Rights are all of them, in the order in which they are shown.
func Rights() []Right {
	return []Right{
		{Name: "look", Ops: []Op{OpStatus, OpLog, OpSop, OpDue}},
		{Name: "ask", Ops: []Op{OpCheck, OpPlan, OpDrift, OpDiscover, OpNames, OpDoctor}},
		{Name: "evidence", Ops: []Op{OpEvidence, OpVerify}},
		{Name: "change", Ops: []Op{OpRotate, OpRehearse, OpRepair, OpRetire, OpResume, OpRollback, OpRevoke, OpPause, OpAcknowledge}, Changes: true},
		{Name: "emergency", Ops: []Op{OpWithoutRole}},
		{Name: "approve", Ops: []Op{OpApprove}},
		{Name: "keys", Ops: []Op{OpCheckpoint, OpNewKey}},
		{Name: "admin", Ops: []Op{OpTokens, OpSessions, OpNotify}},
	}
}

// RightOf returns the group that an operation belongs to; nil: none, for everybody who
// is known may ask for it.
func RightOf(op Op) *Right {
	for _, r := range Rights() {
		if slices.Contains(r.Ops, op) {
			return &r
		}
	}
	return nil
}

// Means returns the operations that a word of rekey.yaml or of a token stands for; none
// where it is no such word.
func Means(word string) []Op {
	for _, r := range Rights() {
		if word == r.Name {
			return r.Ops
		}
		if slices.Contains(r.Ops, Op(word)) {
			return []Op{Op(word)}
		}
	}
	return nil
}

// Words are what Means knows.
func Words() (out []string) {
	for _, r := range Rights() {
		out = append(out, r.Name)
		for _, op := range r.Ops {
			if string(op) != r.Name {
				out = append(out, string(op))
			}
		}
	}
	return out
}

// OpOf is what opening a run for a purpose is.
func OpOf(p Purpose) Op {
	switch p {
	case ToRevoke, ToDelete:
		return OpRevoke
	case ToRehearse:
		return OpRehearse
	case ToRepair:
		return OpRepair
	case ToForget:
		return OpRetire
	}
	return OpRotate
}
