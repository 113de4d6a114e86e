package schedule

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// estateOf makes up credentials, of which several share procedures and consumers.
func estateOf(t *testing.T, random *rand.Rand) []Credential {
	windows := [][]sop.Window{nil, nil, {window(t, "Mon-Fri 09:00-16:00 Europe/Berlin")}, {window(t, "daily 22:00-04:00 UTC")}, {window(t, "Sat,Sun 10:00-11:00 America/New_York"), window(t, "Wed 08:00-09:00 UTC")}}
	var out []Credential
	for i := range 3 + random.IntN(12) {
		c := Credential{Spec: sop.Spec{
			Name: fmt.Sprintf("C%02d", i), Procedure: []string{"p", "q", ""}[random.IntN(3)], Run: []sop.Begin{sop.ByHand, sop.Automatically, sop.Automatically, sop.AfterApproval}[random.IntN(4)],
			Cadence: time.Duration(1+random.IntN(20)) * day, Windows: windows[random.IntN(len(windows))], Canary: random.IntN(6) == 0,
		}, Made: now.Add(-time.Duration(random.IntN(20*24)) * time.Hour)}
		for range random.IntN(3) {
			c.Spec.Consumers = append(c.Spec.Consumers, sop.Place{Key: fmt.Sprintf("app:%d", random.IntN(6))})
		}
		if random.IntN(3) == 0 {
			c.Expires = c.Made.Add(time.Duration(10+random.IntN(20)) * day)
			c.Spec.BeforeExpiry = time.Duration(1+random.IntN(5)) * day
		}
		out = append(out, c)
	}
	return out
}

// TestWhatHoldsOfEveryDecision: weeks of made-up estates, hour by hour, in which runs end
// well, badly, get stuck, wait, and are agreed to or not.
func TestWhatHoldsOfEveryDecision(t *testing.T) {
	begun, asked, stopped, held := 0, 0, 0, map[Code]int{}
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 7))
		k := Known{Now: now, Settings: sop.Scheduling{AtMost: 1 + random.IntN(3), Canary: random.IntN(3) > 0, Failures: random.IntN(3), Within: day, AgainAfter: time.Duration(1+random.IntN(12)) * time.Hour, Spread: time.Duration(random.IntN(3)) * time.Hour},
			Credentials: estateOf(t, random), Waiting: map[string]bool{}}
		ends := map[string]time.Time{}
		for n := range 24 * 14 {
			k.Now = now.Add(time.Duration(n) * time.Hour)
			d := Decide(k)
			holds(t, k, d)
			shuffled := k
			shuffled.Credentials, shuffled.Open = slices.Clone(k.Credentials), slices.Clone(k.Open)
			random.Shuffle(len(shuffled.Credentials), func(i, j int) {
				shuffled.Credentials[i], shuffled.Credentials[j] = shuffled.Credentials[j], shuffled.Credentials[i]
			})
			random.Shuffle(len(shuffled.Open), func(i, j int) { shuffled.Open[i], shuffled.Open[j] = shuffled.Open[j], shuffled.Open[i] })
			if again := Decide(shuffled); !reflect.DeepEqual(again, d) {
				t.Fatalf("seed %d: in another order it is decided otherwise:\n%+v\n%+v", seed, d, again)
			}
			begun, asked = begun+len(d.Begin), asked+len(d.Ask)
			for _, s := range d.Credentials {
				for _, r := range s.Why {
					held[r.Code]++
				}
			}
			if !d.Stopped.IsZero() {
				stopped++
				if random.IntN(20) == 0 {
					k.Continued = k.Now
				}
			}
			live(&k, d, random, ends, n)
		}
	}
	if begun < 500 || asked < 50 || stopped < 50 {
		t.Errorf("%d begun, %d asked, %d hours stopped: too little to say something", begun, asked, stopped)
	}
	for _, c := range []Code{NotDue, ByHand, RunOpen, OutOfWindow, Spread, FailedBefore, NotAgreed, NotAsked, IsRefused, ConsumerBusy, CanaryFirst, TooMany, BudgetUsed} {
		if held[c] == 0 {
			t.Errorf("nothing was ever held back by %s", c)
		}
	}
}

// holds is what has to be so.
func holds(t *testing.T, k Known, d Decided) {
	t.Helper()
	for _, s := range d.Credentials {
		i := slices.IndexFunc(k.Credentials, func(c Credential) bool { return c.Spec.Name == s.Credential })
		c := k.Credentials[i]
		if s.Due.At.IsZero() || s.Due.At.Before(k.Now) || !c.Revoked.IsZero() {
			continue
		}
		// What status shows as its start and what is warned of come to the same.
		want := sop.NextOpen(c.Spec.Windows, s.Due.At)
		if s.Warning != "" {
			want = s.Due.At
		}
		late := len(c.Spec.Windows) > 0 && !c.Expires.IsZero() && want.Add(rotation.Room(c.Spec)).After(c.Expires)
		if !s.Due.Start.Equal(want) || late && s.Warning == "" {
			t.Fatalf("%s: due %s, start %s, want %s, expires %s: %q", s.Credential, s.Due.At, s.Due.Start, want, c.Expires, s.Warning)
		}
	}
	spec := map[string]Credential{}
	for _, c := range k.Credentials {
		spec[c.Spec.Name] = c
	}
	places, groups, busy := map[string]bool{}, map[string]bool{}, 0
	good := map[string]time.Time{}
	bad := map[string]time.Time{}
	for _, r := range k.Runs {
		g := group(spec[r.Credential].Spec)
		if r.Closed.IsZero() {
			continue
		}
		if r.Ending == rotation.Rotated {
			good[g] = r.Closed
		} else {
			bad[g] = r.Closed
		}
	}
	for _, o := range k.Open {
		for _, p := range o.Spec.Consumers {
			places[p.Key] = true
		}
		groups[group(o.Spec)] = true
		if o.Stuck == "" && !k.Waiting[o.Run] {
			busy++
		}
	}
	for _, name := range d.Begin {
		c := spec[name]
		due := rotation.DueAt(c.Spec, c.Made, c.Expires)
		if c.Spec.Run == sop.ByHand || due.At.IsZero() || due.At.After(k.Now) || !sop.Open(c.Spec.Windows, k.Now) || k.Paused != nil || !d.Stopped.IsZero() {
			t.Fatalf("%s begins", name)
		}
		if c.Spec.Run == sop.AfterApproval && c.Approval.Standing != approvals.Agreed {
			t.Fatalf("%s begins, and it is %s", name, c.Approval.Standing)
		}
		for _, p := range c.Spec.Consumers {
			if places[p.Key] {
				t.Fatalf("two change %s", p.Key)
			}
		}
		for _, p := range c.Spec.Consumers {
			places[p.Key] = true
		}
		g := group(c.Spec)
		if shown := good[g].After(bad[g]) && k.Now.Sub(good[g]) <= proven; k.Settings.Canary && groups[g] && !shown {
			t.Fatalf("%s begins beside another of %s, and none has ended well", name, g)
		}
		groups[g] = true
		if busy++; busy > k.Settings.AtMost {
			t.Fatalf("%d go on", busy)
		}
		if slices.ContainsFunc(k.Open, func(o history.Going) bool { return o.Credential == name }) {
			t.Fatalf("a second run of %s", name)
		}
	}
	for _, s := range d.Credentials {
		if (s.Now == Begins) != (len(s.Why) == 0) || (s.Now == Begins) != slices.Contains(d.Begin, s.Credential) || (s.Now == Asks) != slices.Contains(d.Ask, s.Credential) {
			t.Fatalf("%+v", s)
		}
		for _, r := range s.Why {
			if !r.Until.IsZero() && r.Until.Before(k.Now) {
				t.Fatalf("%s is held back until %s, and it is %s: %+v", s.Credential, r.Until, k.Now, r)
			}
		}
	}
}

// live is what happens in the hour after a decision.
func live(k *Known, d Decided, random *rand.Rand, ends map[string]time.Time, n int) {
	at := map[string]int{}
	for i, c := range k.Credentials {
		at[c.Spec.Name] = i
	}
	for i, o := range k.Open {
		switch {
		case o.Stuck != "" && random.IntN(10) == 0, o.Stuck == "" && !k.Now.Before(ends[o.Run]):
		case o.Stuck == "" && random.IntN(60) == 0:
			k.Open[i].Stuck = "x"
			continue
		default:
			k.Waiting[o.Run] = random.IntN(8) == 0
			continue
		}
		s := o.Summary
		s.Closed, s.Stuck, s.Ending = k.Now.Add(time.Minute), "", rotation.Rotated
		if random.IntN(6) == 0 {
			s.Ending = rotation.RolledBack
		} else {
			k.Credentials[at[o.Credential]].Made = s.Closed
			if c := &k.Credentials[at[o.Credential]]; !c.Expires.IsZero() {
				c.Expires = s.Closed.Add(12 * day)
			}
		}
		k.Credentials[at[o.Credential]].Approval = approvals.State{Standing: approvals.Used}
		k.Runs = append(slices.Clone(k.Runs), s)
		k.Open[i].Run = ""
	}
	k.Open = slices.DeleteFunc(slices.Clone(k.Open), func(o history.Going) bool { return o.Run == "" })
	k.Runs = slices.DeleteFunc(k.Runs, func(r history.Summary) bool { return r.Closed.IsZero() })
	for j, name := range d.Begin {
		run := fmt.Sprintf("r%04d-%d", n, j)
		ends[run] = k.Now.Add(time.Duration(1+random.IntN(6)) * time.Hour)
		k.Open = append(k.Open, history.Going{Summary: history.Summary{Run: run, Credential: name, Opened: k.Now, Actor: Actor}, Spec: k.Credentials[at[name]].Spec})
	}
	for _, o := range k.Open {
		k.Runs = append(k.Runs, o.Summary)
	}
	for _, name := range d.Ask {
		k.Credentials[at[name]].Approval = approvals.State{Standing: approvals.Waiting, Until: k.Now.Add(10 * time.Hour)}
	}
	for i := range k.Credentials {
		a := &k.Credentials[i].Approval
		switch {
		case a.Standing == approvals.Waiting && random.IntN(6) == 0:
			a.Standing = approvals.Agreed
		case a.Standing == approvals.Waiting && random.IntN(20) == 0:
			a.Standing = approvals.Denied
		case a.Standing == approvals.Waiting && !k.Now.Add(time.Hour).Before(a.Until):
			a.Standing = approvals.Over
		}
	}
}
