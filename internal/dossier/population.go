package dossier

import (
	"context"
	"strconv"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// population is every credential in scope: those of rekey.yaml, and those of which
// only the journal knows.
func (d *Dossier) population(ctx context.Context, j *journal.Journal, ask Ask) error {
	runs, err := history.Book{J: j}.Overview(ctx)
	if err != nil {
		return err
	}
	asOf := ask.To
	if ask.Now.Before(asOf) {
		asOf = ask.Now
	}
	index := map[string]*Credential{}
	var all []*Credential
	add := func(c *Credential) {
		c.Type, c.Runs = "credential", map[string]int{}
		index[c.Name] = c
		all = append(all, c)
	}
	specs := map[string]sop.Spec{}
	for _, s := range ask.Specs {
		if !ask.wants(s.Name) {
			continue
		}
		specs[s.Name] = s
		c := &Credential{Name: s.Name, Former: s.Former, Registered: true, Owner: s.Owner, Role: s.Role, Issuer: s.Issuer.Vendor + " " + s.Issuer.Kind,
			Procedure: s.Procedure, Document: s.Document}
		if s.Cadence > 0 {
			c.Cadence = days(s.Cadence)
		}
		for _, k := range s.Consumers {
			c.Consumers = append(c.Consumers, k.Key)
		}
		add(c)
	}
	made, expires := map[string]time.Time{}, map[string]time.Time{}
	for _, r := range runs {
		if !ask.wants(r.Credential) || !r.Opened.Before(asOf) {
			continue
		}
		c := index[r.Credential]
		if c == nil {
			c = &Credential{Name: r.Credential}
			add(c)
		}
		if r.Closed.IsZero() || !r.Closed.Before(asOf) || r.Current == nil || r.Ending == rotation.RefusedRun {
			continue
		}
		expires[c.Name] = r.Current.Expires
		if r.Ending == rotation.Rotated {
			c.Rotated, made[c.Name] = r.Closed.UTC(), r.Closed
		} else if made[c.Name].IsZero() {
			made[c.Name] = r.Current.Created
		}
	}
	for _, r := range d.Runs {
		if c := index[r.Credential]; c != nil {
			c.Runs[r.Ending]++
			if c.Rotated.IsZero() && made[c.Name].IsZero() && r.Old != nil {
				made[c.Name] = r.Old.Created // as the issuer told, when it was last looked at
			}
		}
	}
	for _, x := range d.Drifts {
		if c := index[x.Credential]; c != nil {
			at := x.At
			c.Drift = &at
			c.Findings += serious(x)
		}
	}
	for _, c := range all {
		if c.Registered {
			c.Due = rotation.DueAt(specs[c.Name], made[c.Name], expires[c.Name])
			c.Overdue = !c.Due.At.IsZero() && !c.Due.At.After(asOf)
		} else {
			c.Due.Why = "unknown"
		}
		d.Credentials = append(d.Credentials, *c)
	}
	return nil
}

// days writes a cadence as it is written in rekey.yaml.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	return d.String()
}

func serious(x Drift) int {
	n := 0
	for _, f := range x.Findings {
		if f.Serious() {
			n++
		}
	}
	return n
}
