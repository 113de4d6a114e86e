package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
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

// mind is what a person has to know before an emergency.
func (s *State) mind() []string {
	if s.Plan.Strategy == Revoke {
		return s.Plan.Notes
	}
	return nil
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
