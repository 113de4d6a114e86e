package console

import (
	"slices"
	"time"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
)

// need is what a credential needs, in a word, with its colour and its drawing.
type need struct {
	Word string // "Stuck"
	Says string // what that means, for whoever hovers over it or cannot see it
	Tone string // bad, mind, good, info
	Icon string
}

// needs of report.Row.Attention, in the order in which they are shown.
var needs = []struct {
	attention string
	need
}{
	{"stuck", need{"Stuck", "Its run cannot continue automatically", "bad", "alert"}},
	{"revoked", need{"Revoked", "It was taken away, and has no successor yet", "bad", "off"}},
	{"lost", need{"Lost", "The issuer says something against it", "bad", "alert"}},
	{"asks", need{"Waits for you", "Its run continues when somebody confirms or approves it", "mind", "person"}},
	{agrees, need{"Approval wanted", "It begins once enough people have agreed", "mind", "person"}},
	{"open", need{"Run open", "A run of it is not over", "info", "half"}},
	{"drift", need{"Drifted", "Issuer, store and consumers do not agree", "bad", "drift"}},
	{"overdue", need{"Overdue", "It should have been rotated by now", "bad", "clock"}},
	{"unready", need{"Not ready", "The last check found what a run would be refused for", "mind", "cross"}},
	{"unknown", need{"Not known", "Nobody has looked at it yet", "mind", "question"}},
	{"undated", need{"Undated", "The issuer does not tell when it was made", "mind", "question"}},
	{"due", need{"Due soon", "It is due within a week", "mind", "clock"}},
	{"", need{"In order", "Nothing needs to be done", "good", "check"}},
}

// agrees is the attention of a credential whose rotation may begin once somebody agrees.
const agrees = "agrees"

func needOf(attention string) need {
	for _, n := range needs {
		if n.attention == attention {
			return n.need
		}
	}
	return need{attention, "", "mind", "question"}
}

// running is an open run that a worker is at.
var running = need{"Running", "It continues automatically", "info", "half"}

// Listed is a credential as a line of the estate. It is exported for visible.Copy, which
// spells out what is embedded under an exported name only.
type Listed struct {
	report.Row
	Need  need
	Share float64 // of its time that has passed; below 0: not known
	Doing string  // the next thing, as a link
	To    string

	Because string    // why it needs a person, in one sentence; "": its Need says so
	When    time.Time // until then, where Because is of a time
}

func rowOf(r report.Row, now time.Time) Listed {
	out := Listed{Row: r, Need: needOf(r.Attention), Share: share(r.Made, r.Due.At, now)}
	switch at := credentialAt(r.Credential); r.Attention {
	case "stuck":
		out.Doing, out.To, out.Because = "See why", runAt(r.Open.Run), r.Open.Stuck
	case "asks":
		out.Doing, out.To, out.Because = "Decide", runAt(r.Open.Run), "the old one is revoked when somebody confirms it"
	case "open":
		out.Doing, out.To = "Watch", runAt(r.Open.Run)
		if r.Working {
			out.Need = running
		}
	case "revoked":
		out.Doing, out.To = "Plan a new one", at+"/plan?purpose="+queryEscape("after revoke")
	case "overdue", "due", "undated":
		out.Doing, out.To = "Plan", at+"/plan"
	case "drift", "lost", "unready", "unknown":
		out.Doing, out.To = "Look", at
	}
	switch {
	case r.Attention == "lost":
		out.Because = r.Problem
	case r.Attention == "drift" && r.Drift != nil:
		out.Because = count(r.Drift.Findings, "disagreement") + " between issuer, store and consumers"
	case r.Attention == "overdue" && r.Due.Start.After(now):
		out.Because, out.When = "its next window opens", r.Due.Start
	}
	return out
}

// wanted leads to who has to agree, where that is what it waits for.
func (x *Listed) wanted(s estate.Approval) {
	when := " when somebody agrees"
	if s.Missing > 1 {
		when = " when " + count(s.Missing, "person") + " more agree"
	}
	if retiring(s) {
		x.Because = "the old one is revoked" + when
		return
	}
	x.Because, x.Doing, x.To = "begins"+when, "Answer", "/approvals#"+s.Request.ID
}

// share of the time between two moments that has passed; below 0 where one is not known.
func share(from, to, now time.Time) float64 {
	if from.IsZero() || !to.After(from) {
		return -1
	}
	return float64(now.Sub(from)) / float64(to.Sub(from))
}

// urgent needs are those for which somebody is called.
func urgent(attention string) bool {
	return slices.Contains([]string{"stuck", "revoked", "lost", "asks", agrees, "drift", "overdue"}, attention)
}

// asking are the rows with those that may begin once somebody agrees beside those that
// wait for a person: the plan would not help them.
func asking(rows []report.Row, wanted map[string]estate.Approval) []report.Row {
	if len(wanted) == 0 {
		return rows
	}
	first := []string{"stuck", "revoked", "lost", "asks"}
	var out, ask, rest []report.Row
	for _, r := range rows {
		s, is := wanted[r.Credential]
		switch {
		case slices.Contains(first, r.Attention):
			out = append(out, r)
		case is && !retiring(s) && r.Open == nil:
			r.Attention = agrees
			ask = append(ask, r)
		default:
			rest = append(rest, r)
		}
	}
	return append(append(out, ask...), rest...)
}

// ending is how a run stands, in a word.
func ending(s estate.Summary) need {
	switch {
	case s.Stuck != "":
		return need{"Stuck", s.Stuck, "bad", "alert"}
	case s.Open():
		return need{"Open", "It is not over", "info", "half"}
	}
	return endingOf(s.Ending)
}

func endingOf(e rotation.Ending) need {
	switch e {
	case rotation.Rotated:
		return need{"Rotated", "The new one is in use, the old one is gone", "good", "check"}
	case rotation.RolledBack:
		return need{"Rolled back", "Everybody has the old one again", "mind", "back"}
	case rotation.RefusedRun:
		return need{"Refused", "Nothing was touched", "mind", "cross"}
	case rotation.Revoked:
		return need{"Revoked", "It was taken away in an emergency", "mind", "off"}
	case rotation.Rehearsed:
		return need{"Rehearsed", "Practised on a throwaway credential", "good", "check"}
	case rotation.Repaired:
		return need{"Repaired", "Every place holds the same again", "good", "check"}
	case rotation.NameGone:
		return need{"Name retired", "A former name was taken out everywhere", "good", "check"}
	}
	return need{string(e), "", "mind", "question"}
}
