package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Decision is what to do now; exactly one field is set.
type Decision struct {
	Observe bool     // look at everything, read-only, and make the plan
	See     bool     // a resumed process: look at what is live before anything else
	Do      []Action // these, side by side
	Wait    *Wait    // until a time
	Ask     *Ask     // a person
	Turn    *Turned  // go on in another direction
	Stuck   *Stuck   // stop; a person is needed
	Close   *Closed  // it is over
}

// Action is one step to be tried now.
type Action struct {
	Step       Step `json:"step"`
	Generation int  `json:"generation"`
	// Look: an earlier attempt may have had its effect, or was taken as a request:
	// look first and write only if it is not so already.
	Look bool `json:"look,omitempty"`
	// LookOnly: an earlier attempt was taken and is being worked on: do not write.
	LookOnly bool `json:"look_only,omitempty"`
}

// Wait says until when, and for what.
type Wait struct {
	Until time.Time `json:"until"`
	For   []string  `json:"for"`
}

// Ask wants the credential's name from a person.
type Ask struct {
	Name string   `json:"name"`
	For  []string `json:"for,omitempty"` // titles of the steps that wait for it and can be undone
	// Final are titles of those that wait for it and cannot be undone.
	Final []string `json:"final,omitempty"`
	// Proven tells that every consumer was shown to run on the new one.
	Proven bool     `json:"proven,omitempty"`
	Mind   []string `json:"mind,omitempty"` // an emergency: who is without a credential afterwards
}

// Digest tells what is asked from anything else that could be: a confirmation answers
// one.
func (a Ask) Digest() string {
	b, _ := json.Marshal(a)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// How often a step is tried in one go, by direction. Going back and going on
// after the point of no return are worth more patience than starting.
const (
	triesForward = 5 // without a usable answer
	triesPatient = 9 // the same, going back or after the point of no return
	triesRefused = 3 // refused, with that patience; otherwise once
	limitsInARow = 20
	triesFound   = 4 // a creation whose answer was lost, and whose secret we have made
)

// MaxAttempts is how many generations one run makes at most, each under a label of
// its own.
const MaxAttempts = 4

// Next decides. holds tells whether this process has the new generation's secret
// in memory, which no journal can tell.
func Next(s *State, now time.Time, holds bool) Decision {
	switch {
	case s.Closed != nil:
		return Decision{Close: s.Closed}
	case s.Stuck != nil:
		return Decision{Stuck: s.Stuck}
	case s.Plan == nil:
		return s.observe(now)
	case s.Seeing:
		return s.see(now)
	case s.Asked != nil && s.Mode != Back && !s.Final:
		return s.turnBack("a person asked to go back")
	case s.Mode == Forward:
		return s.forward(now, holds)
	}
	return s.backward(now)
}

// observe is read-only and may be repeated; what it cannot see ends the run
// before anything is touched.
func (s *State) observe(now time.Time) Decision {
	p := s.Observing
	give := func(why string) Decision {
		c := &Closed{Ending: RefusedRun, Why: why}
		if p.Last != nil {
			for _, problem := range p.Last.Problems {
				c.Refusals = append(c.Refusals, Refusal{Code: NotSeen, What: problem, Then: "fix it, then look again with: rekey check " + s.Opened.Credential})
			}
			c.Refusals = append(c.Refusals, p.Last.Left...)
		}
		return Decision{Close: c}
	}
	switch {
	case p.Last == nil:
		return Decision{Observe: true}
	case s.Asked != nil:
		return give("a person asked to go back before anything was planned")
	case p.Status == Broken, p.Tries >= triesRefused, p.Limits > limitsInARow:
		return give("not everything could be seen")
	case p.Next.After(now):
		return Decision{Wait: &Wait{Until: p.Next, For: []string{"observe: " + p.Last.Why}}}
	}
	return Decision{Observe: true}
}

func (s *State) turnBack(why string) Decision {
	return Decision{Turn: &Turned{Mode: Back, Generation: s.Generation, Why: why}}
}

// startOver goes back to the start with a new generation, a bounded number of times.
func (s *State) startOver(why string) Decision {
	if s.Generation >= MaxAttempts {
		why = fmt.Sprintf("%s, %d times in a row", why, s.Generation)
		if s.Final {
			return Decision{Stuck: &Stuck{Why: why, Live: s.Live(), Next: "rekey resume " + s.Run}}
		}
		return s.turnBack(why)
	}
	return Decision{Turn: &Turned{Mode: Again, Generation: s.Generation, Why: why}}
}

// forward decides on the way to the end.
func (s *State) forward(now time.Time, holds bool) Decision {
	if s.Plan.Maker() != "" {
		if d, decided := s.secretLost(now, holds); decided {
			return d
		}
	}
	if s.ended() {
		return s.newIsGone()
	}
	r := s.round(now)
	switch {
	case r.failed != nil && r.failed.Verb == Validate && s.taken() && s.Generation < MaxAttempts:
		return Decision{Turn: &Turned{Mode: Forward, Generation: s.Generation + 1,
			Why: "what was taken for the new secret is none (" + r.failure() + "), and nothing runs on it: the new secret is lost"}}
	case r.failed != nil && !s.Final && s.Plan.Strategy != Revoke && s.Step(r.failed.ID).Last.speaksForOld():
		// Somebody holds the old one again, or lost the new one, or the new one does not
		// work any more: everybody is given the old one, which nobody has lost yet.
		return s.turnBack(r.failure())
	case r.failed != nil && !s.Final && r.failed.Verb == Roll && !s.tried(r.failed.ID):
		return s.turnBack(r.failure()) // it asks for a word, and nothing was done yet
	case r.failed != nil && (s.Final || r.failed.Ask || s.Plan.Strategy == Revoke):
		// Everything runs on the new one, and that is proven: going back would
		// restart every consumer for the sake of what a person has to fix anyway.
		// What was revoked never comes back by itself.
		return s.stuck(r)
	case r.failed != nil:
		return s.turnBack(r.failure())
	}
	return s.proceed(r, func() Decision {
		return Decision{Close: s.ending()}
	})
}

// secretLost decides what to do when nobody has the new secret: the answer that
// carried it was lost, or the process died that had it in memory.
func (s *State) secretLost(now time.Time, holds bool) (Decision, bool) {
	made := s.Step(s.Plan.Maker())
	store := s.Step(string(Store))
	limited := made.Last != nil && made.Last.Class == cred.Limited
	why := ""
	switch {
	case made.Status == Idle && s.CreateAt.After(now):
		return Decision{Wait: &Wait{Until: s.CreateAt, For: []string{"the issuer's rate limit"}}}, true
	case made.Status == Retry && limited && s.Plan.Strategy == Replace:
		why = "the issuer's rate limit was reached"
	case made.Status == Retry && limited && !made.Maybe:
		return Decision{}, false // certainly not rolled: it may be tried again
	case s.findable(made, holds):
		return Decision{}, false
	case made.Status == Retry || made.Status == Poll:
		why = "the answer that carried the new secret was lost"
	case s.Made != nil && !s.done(string(Store)) && !holds && !store.Maybe,
		s.foundLost():
		why = "the new secret died with the process that made it"
	default:
		return Decision{}, false
	}
	if s.Plan.Strategy == RollWithGrace {
		// Rolling again would drop the secret that consumers still use.
		return s.turnBack(why), true
	}
	return s.startOver(why), true
}

// findable reports whether what a lost answer may have left can be told by trying it:
// we have made the secret ourselves, and hold it still. It is looked for a few times,
// for a list may be late.
func (s *State) findable(made *Progress, holds bool) bool {
	return holds && s.Made == nil && (made.Status == Retry || made.Status == Poll) && made.Tries < triesFound
}

// taken reports whether the new secret of a roll at once was taken from what a store held
// when the run was taken up, and no consumer holds it: there is no way back, and if it is
// not the new one, another one has to be made.
func (s *State) taken() bool {
	return s.Plan.Strategy == RollAtOnce && s.Made != nil && s.Made.Step == ResumeStep &&
		!slices.ContainsFunc(s.Plan.Spec.Consumers, func(c sop.Place) bool { return s.tried(s.Plan.Writes(c.Key)) })
}

// foundLost reports whether a step that needs the new secret has found it nowhere.
func (s *State) foundLost() bool {
	for _, st := range s.Plan.Steps {
		p := s.Steps[st.ID]
		if (st.Verb == Store || st.Verb == Validate) && p != nil && p.Last != nil && p.Last.Lost && p.Status != Ended {
			return true
		}
	}
	return false
}

// ending is how a run closes that came through.
func (s *State) ending() *Closed {
	switch s.Plan.Strategy {
	case Revoke:
		return &Closed{Ending: Revoked, Why: s.Opened.Reason, Record: s.record("revoke")}
	case Rehearse:
		return &Closed{Ending: Rehearsed, Record: s.record("rehearse")}
	case Repair:
		return &Closed{Ending: Repaired, Current: &s.Plan.Old, Record: s.record("repair")}
	}
	if s.Plan.Strategy == RetireName {
		return &Closed{Ending: NameGone, Why: s.Plan.Spec.Target, Current: &s.Plan.Old, Record: s.record("retire-name")}
	}
	return &Closed{Ending: Rotated, Current: s.Made.Handle, Record: s.record("rotate")}
}

// mind is what a person has to know before an emergency.
func (s *State) mind() []string {
	if s.Plan.Strategy == Revoke {
		return s.Plan.Notes
	}
	return nil
}

// backward decides on the way back.
func (s *State) backward(now time.Time) Decision {
	if s.cutOff() {
		return s.oldIsGone()
	}
	r := s.round(now)
	if r.failed != nil {
		return s.stuck(r)
	}
	return s.proceed(r, func() Decision {
		if s.Mode == Again {
			return Decision{Turn: &Turned{Mode: Forward, Generation: s.Generation + 1, Why: "once more, with a new label"}}
		}
		return Decision{Close: &Closed{Ending: RolledBack, Why: s.TurnedWhy, Current: &s.Plan.Old}}
	})
}

// proceed turns a round without failures into a decision.
func (s *State) proceed(r round, end func() Decision) Decision {
	switch {
	case len(r.ready) > 0:
		return Decision{Do: r.ready}
	case r.ask && r.until.IsZero():
		return Decision{Ask: s.asking()}
	case !r.until.IsZero():
		return Decision{Wait: &Wait{Until: r.until, For: r.waits}}
	}
	return end()
}

// asking lists everything that a person confirms with one word.
func (s *State) asking() *Ask {
	out := &Ask{Name: s.Opened.Credential, Mind: s.mind()}
	settled, unsettled := 0, 0
	for _, st := range s.Active() {
		switch {
		case st.Verb == Settle && s.done(st.ID):
			settled++
		case st.Verb == Settle:
			unsettled++
		}
		if !st.Ask || !st.Verb.Effect() || s.done(st.ID) {
			continue
		}
		if len(out.Final) == 0 && !st.Final && slices.ContainsFunc(s.Plan.Back, func(b Step) bool { return b.Undoes == st.ID }) {
			out.For = append(out.For, st.Title)
		} else {
			out.Final = append(out.Final, st.Title)
		}
	}
	out.Proven = settled > 0 && unsettled == 0
	return out
}

// round is what all active steps together allow now.
type round struct {
	ready  []Action
	ask    bool      // something waits for a person
	until  time.Time // earliest time at which something can be tried
	waits  []string  // what is being waited for
	failed *Step
	why    string
}

func (r *round) failure() string { return r.failed.Title + ": " + r.why }

func (r *round) wait(until time.Time, what string) {
	if r.until.IsZero() || until.Before(r.until) {
		r.until = until
	}
	r.waits = append(r.waits, what)
}

// round looks at every active step once.
func (s *State) round(now time.Time) round {
	var r round
	var recurs *Step
	var recursAt time.Time
	active := s.Active()
	in := map[string]bool{}
	for _, st := range active {
		in[st.ID] = true
	}
	for i := range active {
		st := &active[i]
		p := s.Step(st.ID)
		if p.Status == Ended && !st.Recurs {
			continue
		}
		if why := s.giveUp(st, p, now); why != "" {
			r.failed, r.why = st, why
			return r
		}
		at, ok := s.readyAt(*st, in)
		if !ok {
			continue
		}
		if p.Next.After(at) {
			at = p.Next
		}
		if st.Recurs {
			recurs, recursAt = st, s.extendAt()
			if recursAt.After(now) || s.Keep.IsZero() {
				continue
			}
		}
		switch {
		case at.After(now):
			r.wait(at, waitingFor(*st, p))
		case st.Ask && s.Confirmed == nil && s.Mode == Forward:
			r.ask = true
		default:
			r.ready = append(r.ready, Action{
				Step: *st, Generation: s.Generation,
				Look: p.Maybe || p.Tries > 0 || s.Resumed, LookOnly: p.Status == Poll && p.Last != nil && p.Last.Class == cred.Waiting,
			})
		}
	}
	if recurs != nil && !r.until.IsZero() && recursAt.After(now) && recursAt.Before(r.until) {
		r.wait(recursAt, recurs.Title)
	}
	return r
}

// extendAt is when the old secret's time has run down to half of its grace.
func (s *State) extendAt() time.Time {
	return s.Keep.Add(-s.Plan.Spec.Issuer.Grace / 2)
}

// readyAt tells when a step's needs are done and its pause is over. Needs that
// are not active are no needs.
func (s *State) readyAt(st Step, active map[string]bool) (time.Time, bool) {
	var at time.Time
	waited := false
	for _, id := range st.Needs {
		if !active[id] {
			continue
		}
		p := s.Steps[id]
		if p == nil || p.Status != Ended {
			return time.Time{}, false
		}
		waited = true
		if p.Done.After(at) {
			at = p.Done
		}
	}
	if waited {
		at = at.Add(st.After)
	}
	return at, true
}

// giveUp says why a step is not to be tried any more; "" if it may be.
func (s *State) giveUp(st *Step, p *Progress, now time.Time) string {
	unanswered, refused := triesForward, 1
	if s.Mode != Forward || s.Final || st.Ask || s.Plan.Strategy == Revoke || st.Verb == Watch {
		unanswered, refused = triesPatient, triesRefused
	}
	if p.Last != nil && p.Last.Class == cred.Conflict && st.Verb != Create && st.Verb != Roll {
		refused = max(refused, 2) // after another look, which tells whether it was ours
	}
	if held := s.found(st.ID); len(held) > 0 {
		return words(p.Last) // looking again finds it again
	}
	switch {
	case p.Status == Broken && p.Tries >= refused,
		p.Status == Retry && (p.Tries >= unanswered || p.Limits > limitsInARow):
		return words(p.Last)
	case p.Status == Poll && st.Within > 0 && !p.First.IsZero() && now.Sub(p.First) > st.Within:
		return fmt.Sprintf("not within %s; last: %s", st.Within, words(p.Last))
	}
	return ""
}

func words(o *Outcome) string {
	if o.Why != "" {
		return o.Why
	}
	return o.Class.Says()
}

func waitingFor(st Step, p *Progress) string {
	if p.Last != nil && p.Last.Why != "" {
		return st.Title + ": " + p.Last.Why
	}
	return st.Title
}

func (s *State) record(action string) *Record {
	r := &Record{Action: "secret." + action + ".completed", Actor: s.Opened.Actor}
	r.Context.SecretName = s.Opened.Credential
	r.Context.OldTokenID = s.Plan.Old.ID
	if s.Made != nil {
		r.Context.NewTokenID = s.Made.Handle.ID
	}
	r.Context.Method = "programmatic"
	return r
}
