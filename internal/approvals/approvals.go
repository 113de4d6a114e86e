// Package approvals decides whether a run waits for somebody's agreement, and who may give it.
package approvals

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Gate is what waits for an agreement.
type Gate string

// The gates.
const (
	Start    Gate = "start"    // a run begins
	Retiring Gate = "retiring" // something is taken from the old credential
)

// Kinds of notes in the journal. The body of Asked is a Request, that of the others an
// Answer.
const (
	Asked     = "approval-asked"
	Given     = "approval-given"
	Refused   = "approval-refused"
	TakenBack = "approval-taken-back" // an agreement by who gave it, or a request by who asked
	Expired   = "approval-expired"    // nobody had agreed, or nothing was begun, in time
)

// Kinds are those of all notes about approvals.
func Kinds() []string { return []string{Asked, Given, Refused, TakenBack, Expired} }

// Wanted tells whether runs of this spec wait at a gate. Only what is begun at leisure
// waits: a rotation, and the end of a former name. An emergency and what follows it, a
// repair and a rehearsal do not.
func Wanted(spec sop.Spec, gate Gate) bool {
	if spec.Approvals == nil || spec.Purpose != "" && spec.Purpose != sop.ToForget {
		return false
	}
	return gate == Start && spec.Approvals.Start || gate == Retiring && spec.Approvals.Retiring
}

// Request is what somebody is to agree to.
type Request struct {
	ID         string         `json:"id"`            // of a start, the id of the plan, which is carried out once
	Gate       Gate           `json:"gate"`          // start or retiring
	Credential string         `json:"credential"`    //
	Run        string         `json:"run,omitempty"` // retiring: the run that waits
	Digest     string         `json:"digest"`        // of what is agreed to, by StartDigest or RetiringDigest
	Plan       *rotation.Plan `json:"plan,omitempty"`
	Final      []string       `json:"final,omitempty"`   // retiring: what cannot be undone, in words
	Changed    []string       `json:"changed,omitempty"` // in what it differs from what was asked before
	By         rotation.Who   `json:"by"`                // who asks: who began the run, or wants to
	Reason     string         `json:"reason,omitempty"`
	Ticket     string         `json:"ticket,omitempty"`
	Rule       sop.Approval   `json:"rule"` // as it was when it was asked
	At         time.Time      `json:"at"`
	Until      time.Time      `json:"until"` // after that nobody can agree, and nothing be begun
}

// Answer is what somebody said to a request.
type Answer struct {
	ID       string       `json:"id"` // of the request
	At       time.Time    `json:"at"`
	By       rotation.Who `json:"by,omitzero"`        // how it is known who he is stands there
	SignedIn time.Time    `json:"signed_in,omitzero"` // when he last proved it, where that is known
	AsAsker  bool         `json:"as_asker,omitempty"` // he asks for it himself, which by_asker allows
	Reason   string       `json:"reason,omitempty"`
}

// Note is one of the journal's notes; exactly one of the pointers is set.
type Note struct {
	Kind    string
	Request *Request
	Answer  *Answer
}

// StartDigest is what agreeing to the start of a plan means: what it does, and in which
// windows it may begin. When it falls due is not part of it: it is begun because it was
// approved.
func StartDigest(plan *rotation.Plan) string {
	if len(plan.Spec.Windows) == 0 {
		return plan.Digest()
	}
	sum := sha256.Sum256([]byte(plan.Digest() + "\n" + windows(plan)))
	return hex.EncodeToString(sum[:])
}

// Changed says in what agreeing to the start of two plans is not the same.
func Changed(before, now *rotation.Plan) []string {
	out := rotation.Differences(before, now)
	if was, is := windows(before), windows(now); was != is {
		out = append(out, "the windows in which it may begin were "+was+" and are "+is)
	}
	return out
}

func windows(p *rotation.Plan) string {
	if len(p.Spec.Windows) == 0 {
		return "always"
	}
	var out []string
	for _, w := range p.Spec.Windows {
		out = append(out, w.String())
	}
	return strings.Join(out, "; ")
}

// asks reports whether a request is about this digest. What an earlier version has written
// down is told by its plan, whatever that one took into the digest.
func (r *Request) asks(digest string) bool {
	return r.Digest == digest || r.Gate == Start && r.Plan != nil && StartDigest(r.Plan) == digest
}

// RetiringDigest is what agreeing to the end of the old credential means: the plan, what
// is lost by it, and who is left with a dead one knowingly.
func RetiringDigest(plan *rotation.Plan, ask rotation.Ask, named []string) string {
	lines := []string{plan.Digest()}
	for _, list := range [][]string{ask.For, ask.Final, slices.Sorted(slices.Values(named))} {
		lines = append(lines, strings.Join(list, "\n"), "")
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])
}

// Standing of the newest request of a gate.
type Standing string

// The standings.
const (
	NotAsked  Standing = "not asked"
	Waiting   Standing = "waiting" // for as many as State.Missing
	Agreed    Standing = "agreed"
	Denied    Standing = "refused"
	Over      Standing = "expired"
	Used      Standing = "used" // its run was begun
	NotWanted Standing = "taken back"
)

// State is how a request stands.
type State struct {
	Standing Standing  `json:"standing"`
	Request  *Request  `json:"request,omitempty"` // nil: never asked
	Given    []Answer  `json:"given,omitempty"`   // those that count, oldest first
	Missing  int       `json:"missing"`           // how many people more
	Refusal  *Answer   `json:"refusal,omitempty"` // of a request that is refused or was taken back
	Until    time.Time `json:"until,omitzero"`
}

// Of tells how the newest request of a gate stands: of a run where run is named,
// otherwise of a start. begun tells that the request with this id was carried out.
// notes are of one credential, in the journal's order. It is total and changes nothing.
func Of(notes []Note, gate Gate, run string, begun func(id string) bool, now time.Time) State {
	s := State{Standing: NotAsked}
	for _, n := range notes {
		switch {
		case n.Request != nil && n.Request.Gate == gate && n.Request.Run == run:
			s = State{Standing: Waiting, Request: n.Request, Until: n.Request.Until}
		case n.Answer != nil && s.Request != nil && n.Answer.ID == s.Request.ID:
			s.add(n.Kind, *n.Answer)
		}
	}
	if s.Request == nil {
		return s
	}
	s.Missing = max(0, s.Request.Rule.HowMany-len(s.Given))
	switch {
	case begun != nil && begun(s.Request.ID):
		s.Standing = Used
	case s.Standing == Denied, s.Standing == NotWanted:
	case !now.Before(s.Request.Until):
		s.Standing = Over
	case s.Missing == 0:
		s.Standing = Agreed
	}
	if s.Standing != Waiting {
		s.Missing = 0
	}
	return s
}

// add folds an answer. What was refused or taken back is over, whatever is said later.
func (s *State) add(kind string, a Answer) {
	if s.Standing != Waiting {
		return
	}
	theirs := func(g Answer) bool { return Same(g.By, a.By) }
	switch kind {
	case Given:
		if !slices.ContainsFunc(s.Given, theirs) {
			s.Given = append(s.Given, a)
		}
	case Refused:
		s.Standing, s.Refusal = Denied, &a
	case TakenBack:
		if slices.ContainsFunc(s.Given, theirs) {
			s.Given = slices.DeleteFunc(s.Given, theirs)
			return
		}
		s.Standing, s.Refusal = NotWanted, &a
	}
}

// Holds tells whether what was agreed to is what is about to be done.
func (s State) Holds(digest string) bool { return s.Standing == Agreed && s.Request.asks(digest) }

// Live tells whether somebody can still answer, or has agreed.
func (s State) Live() bool { return s.Standing == Waiting || s.Standing == Agreed }

// Says names those who agreed, for the record.
func (s State) Says() string {
	names := make([]string, len(s.Given))
	for i, a := range s.Given {
		names[i] = a.By.String()
	}
	return "approved by " + strings.Join(names, " and ")
}

// Again tells whether a request has to be made: nothing was asked, what was asked is
// something else by now, or it is over. A refusal of the same holds until the request
// would have expired: nobody is asked until they give in.
func (s State) Again(digest string, now time.Time) bool {
	switch s.Standing {
	case Waiting, Agreed:
		return !s.Request.asks(digest)
	case Denied:
		return !s.Request.asks(digest) || !now.Before(s.Request.Until)
	}
	return true
}
