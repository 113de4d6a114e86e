package report

import (
	"sort"
	"time"

	"rekey/internal/cred"
	"rekey/internal/discover"
	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Row is one credential's status: from the journal alone, or with what the issuers
// list now.
type Row struct {
	Credential string           `json:"credential"`
	Owner      string           `json:"owner,omitempty"`
	Issuer     string           `json:"issuer"`    // vendor and kind
	Attention  string           `json:"attention"` // what it needs: stuck, revoked, lost, asks, open, overdue, drift, unready, unknown, undated, due, ""
	Made       time.Time        `json:"made,omitzero"`
	Rotated    time.Time        `json:"rotated,omitzero"` // last time by Rekey
	Expires    time.Time        `json:"expires,omitzero"`
	Due        rotation.Due     `json:"due"`
	Token      string           `json:"token,omitempty"` // name of the generation in use, as far as known
	Last       *history.Summary `json:"last,omitempty"`
	Open       *history.Summary `json:"open,omitempty"`
	Validated  *Validated       `json:"validated,omitempty"` // when the procedure was last seen to work
	Checked    *CheckedAt       `json:"checked,omitempty"`   // nil: never, or before the last run
	Drift      *Drifted         `json:"drift,omitempty"`     // nil: never compared
	Others     *Others          `json:"others,omitempty"`    // nil: never looked
	Problem    string           `json:"problem,omitempty"`   // what the issuer says against it
	Strangers  []string         `json:"strangers,omitempty"` // listed under its name, and unknown to the journal
	Working    bool             `json:"working,omitempty"`   // a process is at its open run now; of a worker always, of other processes only where that was asked
	ByHand     string           `json:"by_hand,omitempty"`   // what its open run asks somebody to do by hand
	Next       string           `json:"next"`                // command
	urgency    int
	agreed     time.Time // when a run last proved that every place holds the same
}

// CheckedAt is what the last check came to.
type CheckedAt struct {
	At      time.Time `json:"at"`
	OK      bool      `json:"ok"`
	Against int       `json:"against"` // what a run would be refused for, or could not see
}

// Drifted is what the last comparison found.
type Drifted struct {
	At       time.Time `json:"at"`
	Findings int       `json:"findings"` // disagreements
	Unseen   int       `json:"unseen"`   // what could not be looked at

	Acknowledged int `json:"acknowledged,omitempty"` // of the disagreements, those that somebody knows of and lets be
}

// Others is what the last rekey discover found about it.
type Others struct {
	At     time.Time `json:"at"`
	Found  int       `json:"found"`  // what nobody registered
	Unseen int       `json:"unseen"` // what could not be looked at

	Acknowledged int `json:"acknowledged,omitempty"` // of what nobody registered, what somebody knows of and lets be
}

func others(d Discovered, said Acknowledged, now time.Time) *Others {
	o := &Others{At: d.At}
	for _, f := range d.Findings {
		switch {
		case f.Counts():
			o.Found++
			if said.of(OfDiscovered(f), time.Time{}, now) != nil {
				o.Acknowledged++
			}
		case f.Kind == discover.NotSeen:
			o.Unseen++
		}
	}
	return o
}

// Live is what the issuer lists now for a credential.
type Live struct {
	Handle  *cred.Handle // the generation in use; nil: none is listed, or it was not seen
	Problem string       // why not
	// Strangers bear its name, and the journal knows nothing of them.
	Strangers []cred.Handle
}

// Known is everything that a status goes by besides the specs.
type Known struct {
	Runs     []history.Summary
	Compared map[string]Compared // the last one of each credential
	Checked  map[string]Checked  // the last one of each credential
	Live     map[string]Live     // nil: the issuers were not asked
	Evidence evidence.Standing   // how far the journal is signed and sent

	Discovered map[string]Discovered // the last one of each credential
	Working    map[string]bool       // credentials that a process is working on now
	Asks       map[string]bool       // credentials whose open run waits for a confirmation or approval
	Requested  map[string]string     // by credential, what others are asked to agree to: its run, or itself
	ByHand     map[string]string     // by credential, what its open run asks somebody to do by hand
	Unserved   bool                  // nobody can answer that: no process serves pages
	// Acknowledged is what people let be, by credential; of none in particular under "".
	Acknowledged map[string]Acknowledged
}

// Checked is the last rekey check of a credential.
type Checked struct {
	At time.Time
	history.Check
}

// Validated is the stamp of the written procedure: last validated, by which
// method, and how long it took.
type Validated struct {
	At   time.Time     `json:"at"`
	How  string        `json:"how"` // rotation, rehearsal
	Took time.Duration `json:"took"`
}

var validatedBy = map[rotation.Ending]string{rotation.Rotated: "rotation", rotation.Rehearsed: "rehearsal"}

// past is what the runs of one credential amount to.
type past struct {
	last, open, made *history.Summary
	touched          time.Time // when the last run ended that may have changed anything
	current          *cred.Handle
	agreed           time.Time // when a run last proved that every place holds the same
	revoked          time.Time // since when it is taken away; zero: it is not
	proven           *Validated
}

func (p *past) add(r *history.Summary) {
	if r.Open() {
		p.open = r
		return
	}
	p.last = r
	if r.Ending != rotation.RefusedRun {
		p.touched = r.Closed
	}
	switch r.Ending {
	case rotation.Rotated:
		p.made, p.revoked, p.agreed = r, time.Time{}, r.Closed
	case rotation.Repaired, rotation.NameGone:
		p.agreed = r.Closed
	case rotation.Revoked:
		p.revoked = r.Closed
	}
	if r.Current != nil && r.Ending != rotation.RefusedRun {
		p.current = r.Current
	}
	if how := validatedBy[r.Ending]; how != "" {
		p.proven = &Validated{At: r.Closed, How: how, Took: r.Closed.Sub(r.Opened)}
	}
}

// Rows puts specs and what is known together, what needs a person first.
func Rows(specs []sop.Spec, known Known, now time.Time) []Row {
	pasts := make(map[string]*past, len(specs))
	for i := range known.Runs {
		r := &known.Runs[i]
		p := pasts[r.Credential]
		if p == nil {
			p = &past{}
			pasts[r.Credential] = p
		}
		p.add(r)
	}
	rows := make([]Row, 0, len(specs))
	for _, sp := range specs {
		p := pasts[sp.Name]
		if p == nil {
			p = &past{}
		}
		rows = append(rows, rowOf(sp, p, known, now))
	}
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := &rows[i], &rows[j] // a row is large
		switch {
		case a.urgency != b.urgency:
			return a.urgency < b.urgency
		case !a.Due.At.Equal(b.Due.At):
			return a.Due.At.Before(b.Due.At)
		}
		return a.Credential < b.Credential
	})
	return rows
}

func rowOf(sp sop.Spec, p *past, known Known, now time.Time) Row {
	row := Row{
		Credential: sp.Name, Owner: sp.Owner, Issuer: sp.Issuer.Vendor + " " + sp.Issuer.Kind,
		Last: p.last, Open: p.open, Validated: p.proven, Next: "rekey plan " + sp.Name, agreed: p.agreed,
	}
	handle := p.current
	// A run that was refused has touched nothing: what was seen before it holds still.
	if c, ok := known.Compared[sp.Name]; ok && c.Current != nil && c.At.After(p.touched) {
		handle = c.Current
	}
	if c, ok := known.Checked[sp.Name]; ok {
		if p.last == nil || c.At.After(p.last.Closed) {
			row.Checked = &CheckedAt{At: c.At, OK: c.OK, Against: c.Against}
		}
		if c.Current != nil && c.At.After(p.touched) {
			handle = c.Current
		}
	}
	if live, asked := known.Live[sp.Name]; asked {
		row.Problem = live.Problem
		for _, h := range live.Strangers {
			row.Strangers = append(row.Strangers, rotation.Stranger(sp, h))
		}
		if live.Handle != nil {
			handle = live.Handle
		}
	}
	if p.made != nil {
		row.Rotated, row.Made = p.made.Closed, p.made.Closed
	}
	if handle != nil {
		row.Expires, row.Token = handle.Expires, handle.Name
		if row.Made.IsZero() {
			row.Made = handle.Created
		}
	}
	if c, ok := known.Compared[sp.Name]; ok {
		d := &Drifted{At: c.At}
		for _, f := range c.Findings {
			switch {
			case !f.Serious():
				d.Unseen++
			default:
				d.Findings++
				if known.Acknowledged[sp.Name].of(OfDrift(sp.Name, f), p.agreed, now) != nil {
					d.Acknowledged++
				}
			}
		}
		row.Drift = d
	}
	if d, ok := known.Discovered[sp.Name]; ok {
		row.Others = others(d, known.Acknowledged[sp.Name], now)
	}
	if p.agreed.After(driftAt(row.Drift)) {
		row.Drift = &Drifted{At: p.agreed} // every place was proven to hold the same
	}
	row.Due = rotation.DueAt(sp, row.Made, row.Expires)
	if !p.revoked.IsZero() {
		row.Due = rotation.Due{At: p.revoked, Why: "incident", Start: p.revoked}
	}
	row.Working = row.Open != nil && known.Working[sp.Name]
	row.ByHand = known.ByHand[sp.Name]
	row.attend(now, known.Asks[sp.Name], known.Requested[sp.Name])
	if row.ByHand != "" && known.Unserved && row.Attention == "asks" {
		row.Next = "rekey serve --role api"
	}
	return row
}
