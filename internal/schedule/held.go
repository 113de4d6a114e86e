package schedule

import (
	"slices"
	"time"

	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// proven is how long a run that ended well speaks for the others of its procedure.
const proven = 7 * 24 * time.Hour

// decider is a decision under way.
type decider struct {
	Known
	out Decided

	open    map[string]history.Going // by credential
	failed  map[string]ended         // newest run of a credential, where that ended badly
	groups  map[string]string        // credential -> the others that are made like it
	newest  map[string]ended         // of a group, the run that ended last
	canary  map[string]running       // of a group, who goes on or begins
	holders map[string]running       // consumer -> who changes it
	busy    int                      // runs that go on or begin
}

type ended struct {
	run  string
	end  time.Time
	well bool
}

type running struct{ credential, run string }

// group is what credentials have in common so that one may go first.
func group(s sop.Spec) string {
	if s.Procedure != "" {
		return s.Procedure
	}
	return s.Issuer.Vendor + " " + s.Issuer.Kind
}

// rotates: runs for another purpose say nothing about the procedure.
func rotates(p sop.Purpose) bool { return p == "" || p == sop.AfterRevoke }

// changes: a run of this purpose may restart consumers.
func changes(p sop.Purpose) bool {
	return p != sop.ToRevoke && p != sop.ToDelete && p != sop.ToRehearse
}

// Badly tells whether a run ended, or is stuck, so that a person has to look.
func Badly(r history.Summary) bool {
	return r.Stuck != "" || r.Ending == rotation.RolledBack || r.Ending == rotation.RefusedRun
}

// when is the time by which a run counts: its end, or its beginning where it is stuck.
func when(r history.Summary) time.Time {
	if r.Closed.IsZero() {
		return r.Opened
	}
	return r.Closed
}

// read makes of the runs what decisions go by.
func (d *decider) read() {
	d.open, d.failed, d.groups = map[string]history.Going{}, map[string]ended{}, map[string]string{}
	d.newest, d.canary, d.holders = map[string]ended{}, map[string]running{}, map[string]running{}
	for i := range d.Credentials {
		d.groups[d.Credentials[i].Spec.Name] = group(d.Credentials[i].Spec)
	}
	for _, o := range d.Open {
		d.open[o.Credential] = o
		who := running{o.Credential, o.Run}
		if o.Stuck == "" && !d.Waiting[o.Run] {
			d.busy++
		}
		if changes(o.Purpose) {
			for _, c := range o.Spec.Consumers {
				d.holders[c.Thing()] = who
			}
		}
		if g, known := d.groups[o.Credential]; known && rotates(o.Purpose) {
			if c := d.canary[g]; c.run == "" || o.Run < c.run {
				d.canary[g] = who
			}
		}
	}
	var bad []ended
	for _, r := range d.Runs {
		if !rotates(r.Purpose) {
			continue
		}
		e := ended{run: r.Run, end: when(r), well: r.Ending == rotation.Rotated}
		if Badly(r) && r.Actor == Actor && e.end.After(d.Continued) {
			bad = append(bad, e)
		}
		if r.Open() {
			continue
		}
		if f, seen := d.failed[r.Credential]; !seen || later(e, f) {
			d.failed[r.Credential] = e
		}
		if g, known := d.groups[r.Credential]; known {
			if n, seen := d.newest[g]; !seen || later(e, n) {
				d.newest[g] = e
			}
		}
	}
	for name, e := range d.failed {
		if e.well {
			delete(d.failed, name)
		}
	}
	d.budget(bad)
}

func later(a, b ended) bool { return a.end.After(b.end) || a.end.Equal(b.end) && a.run > b.run }

// budget finds the first moment at which more runs had ended badly than may. It stays
// stopped from then on, until somebody says that it may go on.
func (d *decider) budget(bad []ended) {
	slices.SortFunc(bad, func(a, b ended) int {
		if later(a, b) {
			return 1
		}
		return -1
	})
	for i := d.Settings.Failures; i < len(bad); i++ {
		if from := bad[i-d.Settings.Failures]; bad[i].end.Sub(from.end) <= d.Settings.Within {
			d.out.Stopped = bad[i].end
			for _, b := range bad[i-d.Settings.Failures : i+1] {
				d.out.Failed = append(d.out.Failed, b.run)
			}
			return
		}
	}
}

// heldBack tells because of which other one a credential is not begun now.
func (d *decider) heldBack(c *Credential) (Reason, bool) {
	for _, place := range c.Spec.Consumers {
		if who, held := d.holders[place.Thing()]; held {
			return Reason{Code: ConsumerBusy, Why: "another rotation changes " + place.Key, Of: who.credential, Run: who.run, Place: place.Key}, true
		}
	}
	g := group(c.Spec)
	if n, ran := d.newest[g]; d.Settings.Canary && (!ran || !n.well || d.Now.Sub(n.end) > proven) {
		if who, goes := d.canary[g]; goes {
			return Reason{Code: CanaryFirst, Why: "another credential of its procedure goes first, and has not succeeded yet", Of: who.credential, Run: who.run}, true
		}
	}
	if d.busy >= max(1, d.Settings.AtMost) {
		return Reason{Code: TooMany, Why: "the maximum number of runs is in progress (schedule.at_most)"}, true
	}
	return Reason{}, false
}

// begin notes that a credential begins.
func (d *decider) begin(c *Credential) {
	d.out.Begin = append(d.out.Begin, c.Spec.Name)
	d.busy++
	who := running{credential: c.Spec.Name}
	for _, place := range c.Spec.Consumers {
		d.holders[place.Thing()] = who
	}
	if _, goes := d.canary[group(c.Spec)]; !goes {
		d.canary[group(c.Spec)] = who
	}
}
