package schedule

import (
	"cmp"
	"slices"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Decide is total and deterministic: asked twice of the same it says the same, in
// whatever order the credentials and the runs come.
func Decide(k Known) Decided {
	d := decider{Known: k, out: Decided{At: k.Now, Begin: []string{}, Ask: []string{}, Paused: k.Paused}}
	d.read()
	all := make([]Standing, 0, len(k.Credentials))
	var ready []*Credential
	at := map[string]int{}
	for i := range k.Credentials {
		c := &k.Credentials[i]
		s := d.standing(c)
		at[s.Credential] = len(all)
		all = append(all, s)
		if len(s.Why) == 0 {
			ready = append(ready, c)
		}
	}
	slices.SortStableFunc(ready, func(a, b *Credential) int {
		return cmp.Or(first(a.Spec.Canary, b.Spec.Canary), a.due().At.Compare(b.due().At), cmp.Compare(a.Spec.Name, b.Spec.Name))
	})
	for _, c := range ready {
		s := &all[at[c.Spec.Name]]
		if why, held := d.heldBack(c); held {
			s.Why = append(s.Why, why)
			continue
		}
		s.Now = Begins
		d.begin(c)
	}
	for i := range all {
		if s := &all[i]; d.mayAsk(&k.Credentials[i], *s) {
			s.Now = Asks
			d.out.Ask = append(d.out.Ask, s.Credential)
		}
	}
	slices.Sort(d.out.Ask)
	d.out.TakeUp, d.out.AskAgain = those(k.Agreed), those(k.Lapsed)
	slices.SortFunc(all, func(a, b Standing) int {
		return cmp.Or(first(!a.Next.IsZero(), !b.Next.IsZero()), a.Next.Compare(b.Next), cmp.Compare(a.Credential, b.Credential))
	})
	d.out.Credentials = all
	return d.out
}

// those are the runs of which it is so, sorted.
func those(runs map[string]bool) []string {
	out := []string{}
	for run, so := range runs {
		if so {
			out = append(out, run)
		}
	}
	slices.Sort(out)
	return out
}

// first: true before false.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (c *Credential) due() rotation.Due {
	if !c.Revoked.IsZero() {
		return rotation.Due{At: c.Revoked, Why: "incident", Start: c.Revoked}
	}
	return rotation.DueAt(c.Spec, c.Made, c.Expires)
}

// from is the first moment at which a credential may begin by itself: the first of a
// window from when it is due on, and its draw later where the window is still open then.
func (d *decider) from(c *Credential, due time.Time) time.Time {
	from := sop.NextOpen(c.Spec.Windows, due)
	if from.IsZero() {
		return from
	}
	later := from.Add(rotation.Draw(c.Spec.Name+" "+due.UTC().Format(time.RFC3339), d.Settings.Spread))
	if sop.Open(c.Spec.Windows, later) {
		return later
	}
	return from
}

// standing is a credential with everything that stands against it by itself.
func (d *decider) standing(c *Credential) Standing {
	due := c.due()
	s := Standing{Credential: c.Spec.Name, Owner: c.Spec.Owner, Procedure: c.Spec.Procedure, Run: c.Spec.Run.String(), Due: due, Expires: c.Expires, After: c.Last, Why: []Reason{}}
	no := func(code Code, why string, more ...func(*Reason)) {
		r := Reason{Code: code, Why: why}
		for _, m := range more {
			m(&r)
		}
		s.Why = append(s.Why, r)
	}
	until := func(at time.Time) func(*Reason) { return func(r *Reason) { r.Until = at } }
	run := func(id string) func(*Reason) { return func(r *Reason) { r.Run = id } }

	from := time.Time{}
	if !due.At.IsZero() && c.Revoked.IsZero() {
		if from = d.from(c, due.At); from.Before(d.Now) && !from.IsZero() {
			from = sop.NextOpen(c.Spec.Windows, d.Now)
		} else if from.IsZero() && due.At.Before(d.Now) {
			from = sop.NextOpen(c.Spec.Windows, d.Now)
		}
	}
	s.Next, s.Warning = from, d.warning(c, due)

	// What only a person can change comes first, then what passes.
	switch {
	case !c.Revoked.IsZero():
		no(IsRevoked, "it is revoked and has no successor, and a person has to decide what replaces it")
	case c.Spec.Run == sop.ByHand:
		no(ByHand, "rekey.yaml says that a person starts it (run: by hand)")
	}
	switch {
	case due.Why == "never":
		no(NeverDue, "it has neither cadence nor before_expiry")
	case due.At.IsZero():
		no(UnknownAge, "it is unknown when it was made and when it expires: rekey check finds out")
	case due.At.After(d.Now):
		no(NotDue, "it is not due", until(due.At))
	}
	if o, open := d.open[c.Spec.Name]; open {
		switch {
		case o.Stuck != "":
			no(RunOpen, "its run is stuck", run(o.Run))
		case d.Waiting[o.Run]:
			no(RunOpen, "its run waits for a person", run(o.Run))
		default:
			no(RunOpen, "a run of it is in progress", run(o.Run))
		}
	}
	if d.Paused != nil {
		no(IsPaused, "the schedule is paused by "+d.Paused.By.Name)
	}
	if !d.out.Stopped.IsZero() {
		no(BudgetUsed, "too many scheduled runs failed; a person has to check them, then: rekey schedule continue")
	}
	if bad, failed := d.failed[c.Spec.Name]; failed && bad.end.Add(d.Settings.AgainAfter).After(d.Now) {
		no(FailedBefore, "its last run failed", run(bad.run), until(bad.end.Add(d.Settings.AgainAfter)))
	}
	if r := c.Refusal; r != nil && r.After == c.Last {
		s.Tried = max(r.Tries, 1)
		if r.Again().After(d.Now) {
			no(CannotBegin, "it could not be begun: "+r.Why, until(r.Again()))
		}
	}
	if c.Spec.Run == sop.AfterApproval {
		d.approval(c, no, until)
	}
	if !due.At.IsZero() && !due.At.After(d.Now) && c.Revoked.IsZero() {
		switch {
		case !sop.Open(c.Spec.Windows, d.Now):
			no(OutOfWindow, "none of its windows is open", until(sop.NextOpen(c.Spec.Windows, d.Now)))
		case from.After(d.Now):
			no(Spread, "starts are spread over time", until(from))
		}
	}
	return s
}

func (d *decider) approval(c *Credential, no func(Code, string, ...func(*Reason)), until func(time.Time) func(*Reason)) {
	switch a := c.Approval; a.Standing {
	case approvals.Agreed:
	case approvals.Waiting:
		no(NotAgreed, "it waits for approval", until(a.Until))
	case approvals.Denied:
		if a.Until.After(d.Now) {
			who := "somebody"
			if a.Refusal != nil {
				who = a.Refusal.By.Name
			}
			no(IsRefused, who+" has refused it", until(a.Until))
			return
		}
		no(NotAsked, "approval is needed, and nobody was asked yet")
	default:
		no(NotAsked, "approval is needed, and nobody was asked yet")
	}
}

// mayAsk: everything but an agreement and an open window is there, and what is agreed to now
// could still be begun in the window: half of the time that an agreement holds is for people,
// and half for the run.
func (d *decider) mayAsk(c *Credential, s Standing) bool {
	holds := 7 * 24 * time.Hour
	if c.Spec.Approvals != nil {
		holds = c.Spec.Approvals.Expire
	}
	asked := false
	for _, r := range s.Why {
		switch r.Code {
		case NotAsked:
			asked = true
		case OutOfWindow, Spread:
			if r.Until.IsZero() || r.Until.Sub(d.Now) > holds/2 {
				return false
			}
		default:
			return false
		}
	}
	return asked
}

// warning tells of a credential that would expire before it can be begun.
func (d *decider) warning(c *Credential, due rotation.Due) string {
	if c.Expires.IsZero() || due.At.IsZero() || !c.Revoked.IsZero() || len(c.Spec.Windows) == 0 {
		return ""
	}
	after := due.At
	if after.Before(d.Now) {
		after = d.Now
	}
	if _, fits := rotation.Opens(c.Spec, after, c.Expires); !fits {
		return "no window opens between when it is due and when it expires that leaves the time that a run takes: use a longer before_expiry or another window, or start it outside of its windows"
	}
	return ""
}
