// Package notify says what is told to whom and when, once each, and sends it; no notice holds a secret.
package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

// Kind of a notice, by the word of rekey.yaml.
type Kind string

// The kinds.
const (
	Approval Kind = "approval" // somebody has to agree
	Awaits   Kind = "waits"    // a run waits for a person
	Stuck    Kind = "stuck"    // a run cannot go on by itself
	Failed   Kind = "failed"   // a run ended badly, or could not be begun
	Overdue  Kind = "overdue"  // it is due, and nothing begins it
	Expiry   Kind = "expiry"   // it expires in 14, 7 or 1 days
	Window   Kind = "window"   // no window opens before it expires
	Found    Kind = "found"    // something has drifted, or somebody holds it who is not registered
	Evidence Kind = "evidence" // the journal does not verify
	Stopped  Kind = "stopped"  // the schedule starts nothing more: too many runs failed
	Try      Kind = "test"     // somebody tries a channel
)

// Pages reports whether a person is called, whatever the hour.
func (k Kind) Pages() bool { return k == Stuck || k == Evidence || k == Stopped || k == Channel }

// Notice is one thing that is told. It is the same notice as long as its ID is.
type Notice struct {
	ID         string    `json:"id"`
	Kind       Kind      `json:"kind"`
	Page       bool      `json:"page"` // a person is called
	Credential string    `json:"credential,omitempty"`
	Owner      string    `json:"owner,omitempty"`
	Run        string    `json:"run,omitempty"`
	At         time.Time `json:"at"`              // since when it is so
	Title      string    `json:"title"`           // one line
	Text       string    `json:"text,omitempty"`  // more of it
	Next       string    `json:"next,omitempty"`  // command
	Link       string    `json:"link,omitempty"`  // of the console
	Until      time.Time `json:"until,omitzero"`  // when it is over by itself, or too late
	Count      int       `json:"count,omitempty"` // of a summary: how many it stands for
}

// Known is everything that notices are made of, as it is now.
type Known struct {
	Now  time.Time
	Rows []report.Row
	Runs []history.Summary
	// What was last seen of each credential; of none in particular under "".
	Compared   map[string]report.Compared
	Discovered map[string]report.Discovered
	// Acknowledged are findings that somebody knows of and lets be, by report.Finding.ID.
	Acknowledged map[string]bool
	Schedule     schedule.Decided
	Approvals    []approvals.State
	Waiting      map[string]Waiting // open runs that do not go on by themselves, by id
	// Unverified is why the evidence does not verify; "": it does, or it was not looked at.
	Unverified string
	Console    string // address, for links; "": none
}

// Waiting is why an open run that is not stuck does not go on by itself.
type Waiting struct {
	For    string // what it waits for a person to say or to do
	ByHand bool   // something that no request can do
	// Unserved: no process serves the page on which it would be answered.
	Unserved bool
	Trouble  string // why it could not be carried out, many times in a row
	Left     bool   // it was interrupted, and nobody has resumed it
}

// recent is how long ago a run may have failed for somebody to be told who was not told
// yet: a service that begins on an old journal does not tell of years.
const recent = 24 * time.Hour

// before are the days before an expiry at which it is told.
var before = []int{1, 7, 14}

// Notices are all that is to be told now, by the state of things and not by what has just
// happened: what was not sent when it happened is not lost.
func Notices(k Known) []Notice {
	var out []Notice
	add := func(n Notice) {
		n.Page = n.Kind.Pages()
		n.Title, n.Text, n.Next = visible.Text(n.Title), visible.Text(n.Text), visible.Text(n.Next)
		if k.Console != "" {
			switch {
			case n.Kind == Approval:
				n.Link = k.Console + "/approvals"
			case n.Run != "":
				n.Link = k.Console + "/runs/" + n.Run
			case n.Credential != "":
				n.Link = k.Console + "/credentials/" + n.Credential
			default:
				n.Link = k.Console + "/"
			}
		}
		out = append(out, n)
	}
	owner, undated := map[string]string{}, map[string]bool{}
	for _, r := range k.Rows {
		owner[r.Credential], undated[r.Credential] = r.Owner, r.Attention == "undated"
		row(k, r, add)
		k.found(r, add)
	}
	k.ofNone(add)
	for _, s := range k.Runs {
		run(k, s, owner[s.Credential], add)
	}
	for _, c := range k.Schedule.Credentials {
		standing(k, c, add)
		if undated[c.Credential] && c.Run != sop.ByHand.String() {
			add(Notice{ID: "undated/" + c.Credential, Kind: Overdue, Credential: c.Credential, Owner: c.Owner, At: k.Now, Title: c.Credential + " never falls due: it is unknown when it was made and when it expires",
				Text: "a check has not found out either, so the schedule never starts it; after its first rotation that is known", Next: "rekey plan " + c.Credential})
		}
	}
	for _, a := range k.Approvals {
		if a.Standing != approvals.Waiting {
			continue
		}
		what, about := "to begin a rotation", a.Request.Credential
		if a.Request.Run != "" {
			what, about = "to revoke the old credential", a.Request.Run
		}
		add(Notice{ID: "approval/" + a.Request.ID, Kind: Approval, Credential: a.Request.Credential, Owner: owner[a.Request.Credential], Run: a.Request.Run, At: a.Request.At, Until: a.Until,
			Title: a.Request.Credential + ": somebody has to agree " + what,
			Text:  fmt.Sprintf("asked by %s; %d more until %s", a.Request.By.Name, a.Missing, a.Until.UTC().Format(time.RFC3339)), Next: "rekey approve " + about})
	}
	if at := k.Schedule.Stopped; !at.IsZero() {
		add(Notice{ID: "stopped/" + at.UTC().Format(time.RFC3339), Kind: Stopped, At: at, Title: "the schedule starts nothing more: too many runs failed",
			Text: "runs " + strings.Join(k.Schedule.Failed, ", "), Next: "rekey schedule"})
	}
	if p := k.Schedule.Paused; p.Doubted() {
		add(Notice{ID: "set-back/" + p.At.UTC().Format(time.RFC3339), Kind: Evidence, At: p.At, Title: "the journal has lost entries, and nothing starts automatically",
			Text: p.Reason + "; check what is live, then let the schedule continue: rekey schedule continue", Next: "rekey drift"})
	}
	if k.Unverified != "" {
		add(Notice{ID: "evidence/" + digest(k.Unverified), Kind: Evidence, At: k.Now, Title: "the journal does not verify", Text: k.Unverified, Next: "rekey verify"})
	}
	slices.SortStableFunc(out, func(a, b Notice) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// row tells of one credential's age and places.
func row(k Known, r report.Row, add func(Notice)) {
	n := Notice{Credential: r.Credential, Owner: r.Owner, At: k.Now}
	if !r.Expires.IsZero() && r.Due.Why != "incident" {
		for _, days := range before {
			if left := r.Expires.Sub(k.Now); left <= time.Duration(days)*24*time.Hour {
				n := n
				n.ID, n.Kind, n.Next = fmt.Sprintf("expiry/%s/%s/%d", r.Credential, r.Expires.UTC().Format(time.DateOnly), days), Expiry, "rekey plan "+r.Credential
				n.Title = r.Credential + " expires " + report.Ago(r.Expires, k.Now)
				if left <= 0 {
					n.Title = r.Credential + " has expired"
				}
				n.Text, n.Until = "on "+r.Expires.UTC().Format(time.RFC3339), r.Expires
				add(n)
				break // the nearest one says it all
			}
		}
	}
}

// run tells of one run.
func run(k Known, s history.Summary, owner string, add func(Notice)) {
	n := Notice{Credential: s.Credential, Owner: owner, Run: s.Run}
	switch {
	case s.Stuck != "":
		n.ID, n.Kind, n.At, n.Next = "stuck/"+s.Run+"/"+digest(steady(s.Stuck)), Stuck, s.Opened, "rekey resume "+s.Run
		n.Title, n.Text = s.Credential+" is stuck in the middle of a run", s.Stuck
	case s.Open():
		if !waits(k, s, &n) {
			return
		}
	case k.Now.Sub(s.Closed) < recent && (s.Ending == rotation.RolledBack || s.Ending == rotation.RefusedRun):
		n.ID, n.Kind, n.At, n.Next = "failed/"+s.Run, Failed, s.Closed, "rekey log "+s.Run
		n.Title, n.Text = fmt.Sprintf("a run of %s ended: %s", s.Credential, s.Ending), s.Why
	default:
		return
	}
	add(n)
}

// standing tells of what the schedule does not begin.
func standing(k Known, c schedule.Standing, add func(Notice)) {
	n := Notice{Credential: c.Credential, Owner: c.Owner, At: k.Now}
	if c.Warning != "" {
		w := n
		w.ID, w.Kind, w.Next = "window/"+c.Credential+"/"+c.Expires.UTC().Format(time.DateOnly), Window, "rekey schedule"
		w.Title, w.Text = c.Credential+" would expire before a window opens", c.Warning
		add(w)
	}
	for _, r := range c.Why {
		switch r.Code {
		case schedule.CannotBegin:
			f := n
			f.ID, f.Kind, f.Next = "failed/"+c.Credential+"/"+digest(c.After+steady(r.Why)), Failed, "rekey check "+c.Credential
			f.Title, f.Text = "a rotation of "+c.Credential+" could not be begun", r.Why
			add(f)
		case schedule.ByHand:
			going := slices.ContainsFunc(c.Why, func(r schedule.Reason) bool { return r.Code == schedule.RunOpen })
			if !going && !c.Due.At.IsZero() && !c.Due.At.After(k.Now) {
				o := n
				o.ID, o.Kind, o.At, o.Next = "overdue/"+c.Credential+"/"+c.Due.At.UTC().Format(time.DateOnly), Overdue, c.Due.At, "rekey plan "+c.Credential
				o.Title, o.Text = c.Credential+" is overdue since "+c.Due.At.UTC().Format(time.DateOnly), "a person starts it"
				add(o)
			}
		}
	}
	// Begun by itself it is overdue once a whole day has passed in which it was not.
	if c.Run != sop.ByHand.String() && !c.Due.At.IsZero() && k.Now.Sub(c.Due.At) > 24*time.Hour && len(c.Why) > 0 && c.Due.Why != "incident" {
		o := n
		o.ID, o.Kind, o.At, o.Next = "overdue/"+c.Credential+"/"+c.Due.At.UTC().Format(time.DateOnly), Overdue, c.Due.At, "rekey schedule"
		o.Title, o.Text = c.Credential+" is overdue since "+c.Due.At.UTC().Format(time.DateOnly), c.Why[0].Why
		add(o)
	}
}

// steady is a reason without its numbers: how long to wait, which request it was and what
// time it is are other ones each time, and the matter is the same.
func steady(why string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, why)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
