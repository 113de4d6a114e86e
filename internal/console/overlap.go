package console

import (
	"cmp"
	"strings"
	"time"

	"rekey/internal/report"
	"rekey/internal/rotation"
)

// overlap is the picture of both credentials side by side, on one axis of time.
type overlap struct {
	Bars       []bar
	Marks      []mark
	From, To   time.Time
	Running    bool // it ends now, and goes on
	Both       time.Duration
	Goes       bool    // both are valid still
	NowAt      float64 // of the axis; 0 where the run is over
	offAt      time.Time
	Returnless float64 // where the point of no return is; 0: not yet, or none
}

// bar is one credential: valid from, until.
type bar struct {
	What      string // old, new, same
	Name, ID  string
	At, Wide  float64 // of the axis
	Y         int
	Open      bool // it is valid still
	Off       span // while it is switched off, and not ended yet
	Ended     string
	From, End time.Time
}

// mark is something that happened, on the axis.
type mark struct {
	At    float64
	When  time.Time
	N     int
	Title string
	Tone  string
}

type span struct{ At, Wide float64 }

// overlapView is what its template wants.
type overlapView struct {
	O    *overlap
	Now  time.Time
	Band span // while both are valid
}

func overlapViewOf(o *overlap, now time.Time) overlapView {
	v := overlapView{O: o, Now: now}
	from, to := 0.0, 1.0
	for _, b := range o.Bars {
		from, to = max(from, b.At), min(to, b.At+b.Wide)
	}
	v.Band = span{from, max(to-from, 0)}
	return v
}

func barClass(what string) string {
	if strings.HasPrefix(what, "old") {
		return "old"
	}
	return "new"
}

func shownTone(k report.ShownKind) string {
	return map[report.ShownKind]string{report.Proof: "good", report.NotKnown: "mind", report.Otherwise: "bad"}[k]
}

func shownIcon(k report.ShownKind) string {
	return map[report.ShownKind]string{report.Proof: "check", report.NotKnown: "question", report.Otherwise: "cross"}[k]
}

// overlapOf draws a run that replaces a credential, or gives it another secret.
func overlapOf(st *rotation.State, times map[string]stepTimes, now time.Time) *overlap {
	p := st.Plan
	maker := p.Maker()
	made, wasMade := times[maker]
	if maker == "" || !wasMade || st.Made == nil && st.Step(maker).Status != rotation.Ended {
		return nil
	}
	end := now
	if st.Closed != nil {
		end = st.ClosedAt
	}
	o := &overlap{From: st.OpenedAt, To: end, Running: st.Closed == nil}
	length := end.Sub(st.OpenedAt)
	if length <= 0 {
		return nil
	}
	// A little room at both ends: what was before, and what is after.
	const room = 0.05
	at := func(t time.Time) float64 {
		return room + (1-2*room)*float64(t.Sub(st.OpenedAt))/float64(length)
	}
	ended := func(verbs ...rotation.Verb) (time.Time, bool) {
		var last time.Time
		for _, list := range [][]rotation.Step{p.Steps, p.Back} {
			for _, s := range list {
				for _, v := range verbs {
					if s.Verb == v && st.Step(s.ID).Status == rotation.Ended && times[s.ID].ended.After(last) {
						last = times[s.ID].ended
					}
				}
			}
		}
		return last, !last.IsZero()
	}
	old := bar{What: "old", Name: p.Old.Name, ID: p.Old.ID, At: 0, Wide: 1, Y: 6, Open: true, From: p.Old.Created}
	if p.Strategy != rotation.Replace && p.Strategy != rotation.Rehearse {
		old.What, old.Name = "old secret", p.Old.Name
	}
	if t, gone := ended(rotation.Delete, rotation.Expire); gone {
		old.Wide, old.Open, old.End, old.Ended = at(t), false, t, "ended"
	} else if p.Strategy == rotation.RollAtOnce {
		old.Wide, old.Open, old.End, old.Ended = at(made.ended), false, made.ended, "ended"
	}
	if t, off := ended(rotation.Disable); off {
		if back, on := ended(rotation.Enable); !on || back.Before(t) {
			if old.Open {
				old.Ended = "switched off"
			}
			old.Off = span{at(t), old.Wide - at(t)}
			old.Wide, old.Open, old.End = at(t), false, cmp.Or(old.End, t)
			o.offAt = t
		}
	}
	fresh := bar{What: "new", At: at(made.ended), Y: 30, Open: true, From: made.ended}
	if st.Made != nil && st.Made.Handle != nil {
		fresh.Name, fresh.ID = st.Made.Handle.Name, st.Made.Handle.ID
	}
	if p.Strategy != rotation.Replace && p.Strategy != rotation.Rehearse {
		fresh.What = "new secret"
	}
	fresh.Wide = 1 - fresh.At
	if t, gone := ended(rotation.Discard); gone {
		fresh.Wide, fresh.Open, fresh.End, fresh.Ended = at(t)-fresh.At, false, t, "taken away again"
	}
	o.Bars = []bar{old, fresh}
	both := end
	for _, b := range o.Bars {
		if !b.Open && b.End.Before(both) {
			both = b.End
		}
	}
	if !o.offAt.IsZero() && o.offAt.Before(both) {
		both = o.offAt
	}
	o.Both, o.Goes = both.Sub(made.ended), o.Running && both.Equal(end)
	o.marks(st, times, at)
	if o.Running {
		o.NowAt = at(end)
	}
	return o
}

// marked are the steps worth a mark, and what is said of them.
var marked = map[rotation.Verb]string{
	rotation.Create: "made", rotation.Roll: "made", rotation.Validate: "accepted", rotation.Store: "stored", rotation.Settle: "in use", rotation.Quiet: "unused",
	rotation.Disable: "off", rotation.Delete: "deleted", rotation.Expire: "ended", rotation.Confirm: "denied", rotation.Discard: "taken back", rotation.Resettle: "back",
}

func (o *overlap) marks(st *rotation.State, times map[string]stepTimes, at func(time.Time) float64) {
	for _, list := range [][]rotation.Step{st.Plan.Steps, st.Plan.Back} {
		for _, s := range list {
			t := times[s.ID]
			if s.Final && !t.began.IsZero() && o.Returnless == 0 {
				o.Returnless = at(t.began)
			}
			if marked[s.Verb] == "" || st.Step(s.ID).Status != rotation.Ended {
				continue
			}
			tone := "good"
			switch s.Verb {
			case rotation.Delete, rotation.Expire, rotation.Disable, rotation.Discard:
				tone = "mind"
			}
			o.Marks = append(o.Marks, mark{At: at(t.ended), When: t.ended, N: len(o.Marks) + 1, Title: s.Title, Tone: tone})
		}
	}
}
