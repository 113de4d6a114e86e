package notify

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/discover"
	"rekey/internal/drift"
	"rekey/internal/report"
)

// found tells of what looks have found about a credential, each finding by itself, so that
// one more is told, and those are not told again that are there still.
func (k Known) found(r report.Row, add func(Notice)) {
	if r.Open != nil {
		return // what a run changes right now is no finding
	}
	n := Notice{Kind: Found, Credential: r.Credential, Owner: r.Owner}
	if c := k.Compared[r.Credential]; r.Drift != nil && !c.At.Before(r.Drift.At) { // or a run has put it right since
		for _, f := range c.Findings {
			if f.Serious() && !k.Acknowledged[report.OfDrift(c.Credential, f).ID] {
				add(drifted(n, c, f, since(r)))
			}
		}
		for _, s := range c.Strangers {
			if k.Acknowledged[report.OfStranger(r.Credential, s).ID] {
				continue
			}
			s := n.of("stranger/"+r.Credential+"/"+digest(s), r.Credential+": one bears its name of which the journal knows nothing", s, "rekey discover "+r.Credential)
			s.At = c.At
			add(s)
		}
	}
	if d := k.Discovered[r.Credential]; looked(r, d) {
		for _, f := range d.Findings {
			if f.Counts() && !k.Acknowledged[report.OfDiscovered(f).ID] {
				add(unregistered(n, d, f, since(r)))
			}
		}
	}
	if c := r.Checked; c != nil && !c.OK {
		c := n.of("check/"+r.Credential+"/"+since(r), fmt.Sprintf("a rotation of %s would be refused: %s", r.Credential, stands(c.Against)), "as its last check found", "rekey check "+r.Credential)
		c.At = r.Checked.At
		add(c)
	}
}

func stands(n int) string {
	if n == 1 {
		return "1 thing stands"
	}
	return fmt.Sprintf("%d things stand", n)
}

func (n Notice) of(id, title, text, next string) Notice {
	n.ID, n.Title, n.Text, n.Next = id, title, text, next
	return n
}

func drifted(n Notice, c report.Compared, f drift.Finding, since string) Notice {
	where := f.Where
	if where == "" {
		where = "its issuer"
	}
	n = n.of("drift/"+c.Credential+"/"+since+"/"+digest(strings.Join(append([]string{string(f.Kind), f.Where}, f.Slots...), "\n")), c.Credential+" has drifted at "+where, f.What, f.Repair)
	if n.At = c.At; !strings.HasPrefix(n.Next, "rekey ") {
		n.Text, n.Next = n.Text+"; "+f.Repair, "rekey drift "+c.Credential
	}
	return n
}

func unregistered(n Notice, d report.Discovered, f discover.Finding, since string) Notice {
	id := []string{string(f.Kind), f.Where}
	if f.Handle != nil {
		id = append(id, f.Handle.ID)
	}
	title := n.Credential + " is held at " + f.Where + ", which is not registered"
	switch f.Kind {
	case discover.Earlier:
		title = "an earlier value of " + n.Credential + " is kept at " + f.Where
	case discover.Orphan:
		title = "a run of " + n.Credential + " has made one that nobody has, at " + f.Where
	case discover.Unclaimed:
		title = f.Where + " lists one that is not a credential's"
	}
	n = n.of("others/"+n.Credential+"/"+since+"/"+digest(strings.Join(append(id, f.Slots...), "\n")), title, f.What, "rekey discover")
	if n.At = d.At; n.Credential != "" {
		n.Next += " " + n.Credential
	}
	return n
}

// ofNone tells of what is not a credential's, and of what could not be looked at at all:
// whoever holds something there would not be found.
func (k Known) ofNone(add func(Notice)) {
	d := k.Discovered[""]
	n := Notice{Kind: Found, At: d.At}
	for _, f := range d.Findings {
		switch {
		case k.Acknowledged[report.OfDiscovered(f).ID]:
		case f.Counts():
			add(unregistered(n, d, f, "first"))
		case f.Kind == discover.NotSeen:
			add(n.of("blind/"+digest(f.Where), "it cannot be seen what "+f.Where+" holds", f.What, "rekey discover"))
		}
	}
}

// looked tells whether others were looked for after the last run: before it they held
// something else.
func looked(r report.Row, d report.Discovered) bool {
	return !d.At.IsZero() && (r.Last == nil || d.At.After(r.Last.Closed))
}

// Unsure are the beginnings of the ids of findings of which it is not known now whether
// they are there still: a run is changing things, or something could not be looked at.
func Unsure(k Known) (out []string) {
	blind := slices.ContainsFunc(k.Discovered[""].Findings, func(f discover.Finding) bool { return f.Kind == discover.NotSeen })
	if blind {
		out = append(out, "others/")
	}
	for _, r := range k.Rows {
		if r.Open != nil || r.Drift == nil || r.Drift.Unseen > 0 {
			out = append(out, "drift/"+r.Credential+"/", "stranger/"+r.Credential+"/")
		}
		if r.Open != nil || r.Others != nil && r.Others.Unseen > 0 || !looked(r, k.Discovered[r.Credential]) {
			out = append(out, "others/"+r.Credential+"/")
		}
		if r.Open != nil {
			out = append(out, "check/"+r.Credential+"/")
		}
	}
	return out
}

// since tells findings of one time from those of the next: a run that ended in between
// has put things right, or not.
func since(r report.Row) string {
	if r.Last == nil {
		return "first"
	}
	return r.Last.Run
}
