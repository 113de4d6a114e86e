package report

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Row is one credential's status, from the journal alone.
type Row struct {
	Credential string           `json:"credential"`
	Attention  string           `json:"attention"` // what it needs: stuck, revoked, open, overdue, due, unknown, ""
	Made       time.Time        `json:"made,omitzero"`
	Expires    time.Time        `json:"expires,omitzero"`
	Due        rotation.Due     `json:"due"`
	Token      string           `json:"token,omitempty"` // name of the generation in use, as far as known
	Last       *history.Summary `json:"last,omitempty"`
	Open       *history.Summary `json:"open,omitempty"`
	Validated  *Validated       `json:"validated,omitempty"` // when the procedure was last seen to work
	Next       string           `json:"next"`                // command
	urgency    int
}

// soon is how long before it is due a credential is shown as due.
const soon = 7 * 24 * time.Hour

// Validated is the stamp of the written procedure: last validated, by which
// method, and how long it took.
type Validated struct {
	At   time.Time     `json:"at"`
	How  string        `json:"how"` // rotation, rehearsal
	Took time.Duration `json:"took"`
}

var validatedBy = map[rotation.Ending]string{rotation.Rotated: "rotation", rotation.Rehearsed: "rehearsal"}

// Rows puts specs and runs together, what needs a person first.
func Rows(specs []sop.Spec, runs []history.Summary, now time.Time) []Row {
	last, open := map[string]*history.Summary{}, map[string]*history.Summary{}
	made := map[string]*history.Summary{}
	dark, proven := map[string]bool{}, map[string]Validated{}
	for i := range runs {
		r := &runs[i]
		switch {
		case r.Open():
			open[r.Credential] = r
		default:
			last[r.Credential] = r
			switch r.Ending {
			case rotation.Rotated:
				made[r.Credential], dark[r.Credential] = r, false
			case rotation.Revoked:
				dark[r.Credential] = true
			}
			if how := validatedBy[r.Ending]; how != "" {
				proven[r.Credential] = Validated{At: r.Closed, How: how, Took: r.Closed.Sub(r.Opened)}
			}
		}
	}
	rows := make([]Row, 0, len(specs))
	for _, sp := range specs {
		row := Row{Credential: sp.Name, Last: last[sp.Name], Open: open[sp.Name], Next: "rekey plan " + sp.Name}
		if m := made[sp.Name]; m != nil {
			row.Made = m.Closed
			if m.Current != nil {
				row.Expires, row.Token = m.Current.Expires, m.Current.Name
			}
		}
		row.Due = rotation.DueAt(sp, row.Made, row.Expires)
		if v, ok := proven[sp.Name]; ok {
			row.Validated = &v
		}
		row.attend(now)
		if dark[sp.Name] && row.Open == nil {
			row.Attention, row.urgency, row.Next = "revoked", 0, "rekey run "+sp.Name+" --after-revoke"
		}
		rows = append(rows, row)
	}
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := rows[i], rows[j]
		if a.urgency != b.urgency {
			return a.urgency < b.urgency
		}
		if !a.Due.At.Equal(b.Due.At) {
			return a.Due.At.Before(b.Due.At)
		}
		return a.Credential < b.Credential
	})
	return rows
}

// attend says what the credential needs.
func (r *Row) attend(now time.Time) {
	switch {
	case r.Open != nil && r.Open.Stuck != "":
		r.Attention, r.urgency, r.Next = "stuck", 0, "rekey resume "+r.Open.Run
	case r.Open != nil:
		r.Attention, r.urgency, r.Next = "open", 1, "rekey resume "+r.Open.Run
	case !r.Due.At.IsZero() && !r.Due.At.After(now):
		r.Attention, r.urgency = "overdue", 2
	case r.Due.Why == "unknown":
		r.Attention, r.urgency, r.Next = "unknown", 3, "rekey check "+r.Credential
	case !r.Due.At.IsZero() && r.Due.At.Before(now.Add(soon)):
		r.Attention, r.urgency = "due", 4
	default:
		r.urgency = 5
	}
}

// Status is the table of all credentials.
func Status(rows []Row, s Style, now time.Time) string {
	if len(rows) == 0 {
		return "rekey.yaml names no credentials yet.\n"
	}
	lines := [][]string{{s.Dim("credential"), s.Dim("needs"), s.Dim("made"), s.Dim("due"), s.Dim("validated"), s.Dim("last run"), s.Dim("next")}}
	for _, r := range rows {
		needs := map[string]string{"stuck": s.Bad("you"), "revoked": s.Bad("a new one"), "open": s.Mind("resuming"), "overdue": s.Bad("rotation"), "due": s.Mind("rotation soon"), "unknown": s.Dim("a first look"), "": s.Good("nothing")}[r.Attention]
		due := r.Due.Why
		if !r.Due.At.IsZero() {
			due = Ago(r.Due.At, now) + s.Dim(" ("+r.Due.Why+")")
		}
		last := s.Dim("none")
		if r.Last != nil {
			last = fmt.Sprintf("%s %s %s", r.Last.Run, r.Last.Ending, s.Dim(Ago(r.Last.Closed, now)))
		}
		made := s.Dim("not known")
		if !r.Made.IsZero() {
			made = Ago(r.Made, now)
		}
		validated := s.Dim("never")
		if v := r.Validated; v != nil {
			validated = Ago(v.At, now) + s.Dim(" ("+v.How+")")
		}
		next := ""
		if r.Attention != "" {
			next = r.Next
		}
		lines = append(lines, []string{s.Bold(r.Credential), needs, made, due, validated, last, next})
	}
	out := table(lines, 2)
	for _, r := range rows {
		if r.Attention == "stuck" {
			out = append(out, "", s.Bad("stuck")+" "+r.Credential+": "+r.Open.Stuck)
		}
	}
	return strings.Join(out, "\n") + "\n"
}
