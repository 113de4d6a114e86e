package schedule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) // a Friday

const day = 24 * time.Hour

var usual = sop.Scheduling{AtMost: 3, Canary: true, Failures: 2, Within: day, AgainAfter: 6 * time.Hour}

func window(t testing.TB, s string) sop.Window {
	t.Helper()
	w, err := sop.ParseWindow(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// credential is one that is due, is begun automatically, and has a consumer of its own.
func credential(name string, more ...func(*Credential)) Credential {
	c := Credential{Spec: sop.Spec{Name: name, Procedure: "p", Run: sop.Automatically, Cadence: 90 * day, Consumers: []sop.Place{{Key: "app:" + name}}}, Made: now.Add(-91 * day)}
	for _, m := range more {
		m(&c)
	}
	return c
}

func known(credentials ...Credential) Known {
	return Known{Now: now, Settings: usual, Credentials: credentials}
}

func (k Known) with(more func(*Known)) Known { more(&k); return k }

func of(d Decided, name string) Standing {
	for _, s := range d.Credentials {
		if s.Credential == name {
			return s
		}
	}
	return Standing{}
}

func codes(s Standing) string {
	var out []string
	for _, r := range s.Why {
		out = append(out, string(r.Code))
	}
	return strings.Join(out, " ")
}

func going(credential, run string, spec sop.Spec, more ...func(*history.Going)) history.Going {
	g := history.Going{Summary: history.Summary{Run: run, Credential: credential, Opened: now.Add(-time.Hour), Actor: Actor}, Spec: spec}
	for _, m := range more {
		m(&g)
	}
	return g
}

func ran(credential, run string, ago time.Duration, ending rotation.Ending) history.Summary {
	return history.Summary{Run: run, Credential: credential, Actor: Actor, Opened: now.Add(-ago - time.Minute), Closed: now.Add(-ago), Ending: ending}
}

// TestWhyACredentialIsNotBegun: each reason by itself, and what of it passes by itself.
func TestWhyACredentialIsNotBegun(t *testing.T) {
	handy := func(c *Credential) { c.Spec.Run = sop.ByHand }
	wants := func(s approvals.Standing) func(*Credential) {
		return func(c *Credential) {
			c.Spec.Run = sop.AfterApproval
			c.Approval = approvals.State{Standing: s, Until: now.Add(day), Request: &approvals.Request{}}
		}
	}
	in := func(w string) func(*Credential) {
		return func(c *Credential) { c.Spec.Windows = []sop.Window{window(t, w)} }
	}
	fresh := func(c *Credential) { c.Made = now.Add(-80 * day) }
	for name, tt := range map[string]struct {
		c     Credential
		more  func(*Known)
		want  string
		until time.Time
		does  Does
	}{
		"it may":            {credential("A"), nil, "", time.Time{}, Begins},
		"in its window":     {credential("A", in("Fri 09:00-16:00 UTC")), nil, "", time.Time{}, Begins},
		"by hand":           {credential("A", handy), nil, "by-hand", time.Time{}, Nothing},
		"not due":           {credential("A", fresh), nil, "not-due", now.Add(10 * day), Nothing},
		"not due, by hand":  {credential("A", fresh, handy), nil, "by-hand not-due", now.Add(10 * day), Nothing},
		"never due":         {credential("A", func(c *Credential) { c.Spec.Cadence = 0 }), nil, "never-due", time.Time{}, Nothing},
		"nobody knows":      {credential("A", func(c *Credential) { c.Made = time.Time{} }), nil, "unknown", time.Time{}, Nothing},
		"revoked":           {credential("A", func(c *Credential) { c.Revoked = now.Add(-day) }), nil, "revoked", time.Time{}, Nothing},
		"out of its window": {credential("A", in("Mon-Thu 09:00-16:00 UTC")), nil, "window", time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC), Nothing},
		"its run goes on":   {credential("A"), func(k *Known) { k.Open = []history.Going{going("A", "r1", sop.Spec{})} }, "run-open", time.Time{}, Nothing},
		"its run is stuck": {credential("A"), func(k *Known) {
			k.Open = []history.Going{going("A", "r1", sop.Spec{}, func(g *history.Going) { g.Stuck = "x" })}
		}, "run-open", time.Time{}, Nothing},
		"paused":             {credential("A"), func(k *Known) { k.Paused = &Pause{By: rotation.Who{Name: "alice"}} }, "paused", time.Time{}, Nothing},
		"failed an hour ago": {credential("A"), func(k *Known) { k.Runs = []history.Summary{ran("A", "r1", time.Hour, rotation.RolledBack)} }, "failed", now.Add(5 * time.Hour), Nothing},
		"failed 7 hours ago": {credential("A"), func(k *Known) { k.Runs = []history.Summary{ran("A", "r1", 7*time.Hour, rotation.RolledBack)} }, "", time.Time{}, Begins},
		"failed, then went well": {credential("A"), func(k *Known) {
			k.Runs = []history.Summary{ran("A", "r1", 2*time.Hour, rotation.RolledBack), ran("A", "r2", time.Hour, rotation.Rotated)}
		}, "", time.Time{}, Begins},
		"a rehearsal failed": {credential("A"), func(k *Known) {
			r := ran("A", "r1", time.Hour, rotation.RolledBack)
			r.Purpose = sop.ToRehearse
			k.Runs = []history.Summary{r}
		}, "", time.Time{}, Begins},
		"nobody was asked":         {credential("A", wants(approvals.NotAsked)), nil, "not-asked", time.Time{}, Asks},
		"the request is over":      {credential("A", wants(approvals.Over)), nil, "not-asked", time.Time{}, Asks},
		"the request was used":     {credential("A", wants(approvals.Used)), nil, "not-asked", time.Time{}, Asks},
		"nobody asked, paused":     {credential("A", wants(approvals.NotAsked)), func(k *Known) { k.Paused = &Pause{} }, "paused not-asked", time.Time{}, Nothing},
		"asked out of a window":    {credential("A", wants(approvals.NotAsked), in("Mon 09:00-16:00 UTC")), nil, "not-asked window", time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC), Asks},
		"too early for its window": {credential("A", wants(approvals.NotAsked), in("Wed 09:00-16:00 UTC")), nil, "not-asked window", time.Date(2026, 12, 2, 9, 0, 0, 0, time.UTC), Nothing},
		"asked":                    {credential("A", wants(approvals.Waiting)), nil, "approval", now.Add(day), Nothing},
		"refused":                  {credential("A", wants(approvals.Denied)), nil, "refused", now.Add(day), Nothing},
		"agreed":                   {credential("A", wants(approvals.Agreed)), nil, "", time.Time{}, Begins},
		"agreed, not due":          {credential("A", wants(approvals.NotAsked), fresh), nil, "not-due not-asked", now.Add(10 * day), Nothing},
	} {
		t.Run(name, func(t *testing.T) {
			k := known(tt.c)
			if tt.more != nil {
				tt.more(&k)
			}
			d := Decide(k)
			s := of(d, "A")
			if codes(s) != tt.want || s.Now != tt.does {
				t.Errorf("%q, %q; want %q, %q", codes(s), s.Now, tt.want, tt.does)
			}
			if slices.Contains(d.Begin, "A") != (tt.does == Begins) || slices.Contains(d.Ask, "A") != (tt.does == Asks) {
				t.Errorf("begin %v, ask %v", d.Begin, d.Ask)
			}
			var until time.Time
			for _, r := range s.Why {
				if r.Why == "" {
					t.Errorf("%s says nothing", r.Code)
				}
				if !r.Until.IsZero() {
					until = r.Until
				}
			}
			if !until.Equal(tt.until) {
				t.Errorf("until %s, want %s", until, tt.until)
			}
		})
	}
}

// TestOneGoesFirst: where several of a procedure are due, one goes alone until one has
// ended well; who is marked goes before others.
func TestOneGoesFirst(t *testing.T) {
	marked := func(c *Credential) { c.Spec.Canary = true }
	other := func(c *Credential) { c.Spec.Procedure = "q" }
	soon := func(c *Credential) { c.Made = c.Made.Add(-day) }
	for name, tt := range map[string]struct {
		k    Known
		want string
	}{
		"the one that is due longest": {known(credential("A"), credential("B", soon), credential("C")), "B"},
		"the one that is marked":      {known(credential("A"), credential("B", soon), credential("C", marked)), "C"},
		"one of each procedure":       {known(credential("A"), credential("B"), credential("C", other)), "A C"},
		"none goes first":             {known(credential("A"), credential("B")).with(func(k *Known) { k.Settings.Canary = false }), "A B"},
		"while it goes on, nobody":    {known(credential("A"), credential("B")).with(func(k *Known) { k.Open = []history.Going{going("A", "r1", sop.Spec{})} }), ""},
		"while it is stuck, nobody": {known(credential("A"), credential("B")).with(func(k *Known) {
			k.Open = []history.Going{going("A", "r1", sop.Spec{}, func(g *history.Going) { g.Stuck = "x" })}
		}), ""},
		"after one has ended well, all": {known(credential("A"), credential("B"), credential("Z", func(c *Credential) { c.Made = now })).with(func(k *Known) { k.Runs = []history.Summary{ran("Z", "r1", time.Hour, rotation.Rotated)} }), "A B"},
		"that was long ago":             {known(credential("A"), credential("B"), credential("Z", func(c *Credential) { c.Made = now })).with(func(k *Known) { k.Runs = []history.Summary{ran("Z", "r1", 8*day, rotation.Rotated)} }), "A"},
		"it has ended badly: another":   {known(credential("A"), credential("B"), credential("C")).with(func(k *Known) { k.Runs = []history.Summary{ran("A", "r1", time.Hour, rotation.RolledBack)} }), "B"},
		"an emergency proves nothing": {known(credential("A"), credential("B"), credential("Z", func(c *Credential) { c.Made = now })).with(func(k *Known) {
			r := ran("Z", "r1", time.Hour, rotation.Revoked)
			r.Purpose = sop.ToRevoke
			k.Runs = []history.Summary{r}
		}), "A"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(Decide(tt.k).Begin, " "); got != tt.want {
				t.Errorf("%q begin, want %q", got, tt.want)
			}
		})
	}
}

// TestNeverTwoOfOneConsumer, whoever changes it, and at most so many at a time; what
// waits for a person keeps nobody back.
func TestNeverTwoOfOneConsumerAndAtMostSoMany(t *testing.T) {
	app := func(key string) func(*Credential) {
		return func(c *Credential) { c.Spec.Consumers = append(c.Spec.Consumers, sop.Place{Key: key}) }
	}
	none := func(k *Known) { k.Settings.Canary = false }
	k := known(credential("A", app("app:x")), credential("B", app("app:x")), credential("C"), credential("D"), credential("E")).with(none)
	d := Decide(k)
	if got := strings.Join(d.Begin, " "); got != "A C D" || codes(of(d, "B")) != "consumer" || of(d, "B").Why[0].Of != "A" || codes(of(d, "E")) != "at-most" {
		t.Errorf("%q begin; B: %+v, E: %+v", got, of(d, "B").Why, of(d, "E").Why)
	}
	held := sop.Spec{Consumers: []sop.Place{{Key: "app:x"}}}
	repair := func(g *history.Going) { g.Purpose = sop.ToRepair }
	revoke := func(g *history.Going) { g.Purpose = sop.ToRevoke }
	stuck := func(g *history.Going) { g.Stuck = "x" }
	k.Open = []history.Going{going("Y", "r1", held, repair)}
	if d := Decide(k); strings.Join(d.Begin, " ") != "C D" || of(d, "A").Why[0].Run != "r1" || of(d, "A").Why[0].Place != "app:x" {
		t.Errorf("beside a repair %v begin, A: %+v", d.Begin, of(d, "A").Why)
	}
	k.Open = []history.Going{going("Y", "r1", held, revoke)}
	if d := Decide(k); strings.Join(d.Begin, " ") != "A C" {
		t.Errorf("beside an emergency, which restarts nothing, %v begin", d.Begin)
	}
	k.Open = []history.Going{going("Y", "r1", sop.Spec{}, stuck), going("Z", "r2", sop.Spec{})}
	k.Waiting = map[string]bool{"r2": true}
	if d := Decide(k); strings.Join(d.Begin, " ") != "A C D" {
		t.Errorf("beside one that is stuck and one that waits, %v begin", d.Begin)
	}
	k.Waiting = nil
	if d := Decide(k); strings.Join(d.Begin, " ") != "A C" {
		t.Errorf("beside one that goes on, %v begin", d.Begin)
	}
}

// TestTheErrorBudget: with one bad end more than may be within the time, nothing begins
// until somebody says so, however long that takes.
func TestTheErrorBudget(t *testing.T) {
	bad := func(run string, ago time.Duration) history.Summary {
		return ran("Z"+run, run, ago, rotation.RolledBack)
	}
	alice := bad("r3", time.Hour)
	alice.Actor = "alice@laptop"
	stuck := history.Summary{Run: "r3", Credential: "Z", Actor: Actor, Opened: now.Add(-time.Hour), Stuck: "x"}
	for name, tt := range map[string]struct {
		runs      []history.Summary
		continued time.Duration // ago; 0: never
		stopped   bool
	}{
		"as many as may be":        {[]history.Summary{bad("r1", 3*time.Hour), bad("r2", 2*time.Hour)}, 0, false},
		"one more":                 {[]history.Summary{bad("r1", 3*time.Hour), bad("r2", 2*time.Hour), bad("r3", time.Hour)}, 0, true},
		"one more is stuck":        {[]history.Summary{bad("r1", 3*time.Hour), bad("r2", 2*time.Hour), stuck}, 0, true},
		"one is a person's":        {[]history.Summary{bad("r1", 3*time.Hour), bad("r2", 2*time.Hour), alice}, 0, false},
		"not within the time":      {[]history.Summary{bad("r1", 30*time.Hour), bad("r2", 2*time.Hour), bad("r3", time.Hour)}, 0, false},
		"days ago, and nobody saw": {[]history.Summary{bad("r1", 53*time.Hour), bad("r2", 52*time.Hour), bad("r3", 51*time.Hour)}, 0, true},
		"somebody said go on":      {[]history.Summary{bad("r1", 53*time.Hour), bad("r2", 52*time.Hour), bad("r3", 51*time.Hour)}, 50 * time.Hour, false},
		"and two more since":       {[]history.Summary{bad("r1", 53*time.Hour), bad("r2", 52*time.Hour), bad("r3", 51*time.Hour), bad("r4", 8*time.Hour), bad("r5", 7*time.Hour)}, 50 * time.Hour, false},
		"and three more since":     {[]history.Summary{bad("r3", 51*time.Hour), bad("r4", 9*time.Hour), bad("r5", 8*time.Hour), bad("r6", 7*time.Hour)}, 50 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := known(credential("A")).with(func(k *Known) { k.Runs = tt.runs })
			if tt.continued > 0 {
				k.Continued = now.Add(-tt.continued)
			}
			d := Decide(k)
			if stopped := !d.Stopped.IsZero(); stopped != tt.stopped || stopped != (len(d.Begin) == 0) || stopped != (codes(of(d, "A")) == "error-budget") || stopped != (len(d.Failed) == 3) {
				t.Errorf("stopped %s because of %v, %v begin, %s", d.Stopped, d.Failed, d.Begin, codes(of(d, "A")))
			}
		})
	}
}

// TestAWindowThatWouldMissTheExpiryIsToldWeeksBefore it is due.
func TestAWindowThatWouldMissTheExpiryIsToldWeeksBefore(t *testing.T) {
	monday := []sop.Window{window(t, "Mon 09:00-10:00 UTC")}
	expiring := func(before time.Duration, windows []sop.Window, in time.Duration) Credential {
		return credential("A", func(c *Credential) {
			c.Spec.Cadence, c.Spec.BeforeExpiry, c.Spec.Windows = 0, before, windows
			c.Made, c.Expires = now.Add(-day), now.Add(in)
		})
	}
	thursday := 76 * day // from a Friday: a Thursday 11 weeks later
	for name, tt := range map[string]struct {
		c    Credential
		want bool
	}{
		"due on Tuesday, expires on Thursday, opens on Monday": {expiring(2*day, monday, thursday), true},
		"due a week before":           {expiring(8*day, monday, thursday), false},
		"at any time":                 {expiring(2*day, nil, thursday), false},
		"opens an hour before":        {expiring(2*day, monday, 73*day-2*time.Hour-time.Minute), true},
		"overdue, and opens too late": {expiring(8*day, monday, 2*day), true},
	} {
		s := of(Decide(known(tt.c)), "A")
		if (s.Warning != "") != tt.want {
			t.Errorf("%s: due %s, next %s, expires %s: %q", name, s.Due.At, s.Next, s.Expires, s.Warning)
		}
	}
}

// TestNotAllBeginAtOneMoment: the draw is one of the credential and of the time, stays
// within the window, and is over some time.
func TestNotAllBeginAtOneMoment(t *testing.T) {
	var list []Credential
	for _, name := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
		list = append(list, credential(name, func(c *Credential) {
			c.Made, c.Spec.Procedure = now.Add(-90*day), name
			c.Spec.Windows = []sop.Window{window(t, "daily 12:00-12:40 UTC")}
		}))
	}
	k := known(list...).with(func(k *Known) { k.Settings.Spread, k.Settings.AtMost = time.Hour, 100 })
	first := Decide(k)
	next := map[time.Time]bool{}
	for _, s := range first.Credentials {
		if s.Next.Before(now) || !s.Next.Before(now.Add(40*time.Minute)) {
			t.Errorf("%s begins at %s", s.Credential, s.Next)
		}
		next[s.Next] = true
		if s.Next.After(now) && codes(s) != "spread" {
			t.Errorf("%s: %s", s.Credential, codes(s))
		}
	}
	if len(next) < 3 {
		t.Errorf("they begin at %d moments", len(next))
	}
	k.Now = now.Add(39*time.Minute + 59*time.Second)
	if d := Decide(k); len(d.Begin) != len(list) {
		t.Errorf("%v begin at the end of the window", d.Begin)
	}
	later := k
	later.Credentials = slices.Clone(list)
	for i := range later.Credentials {
		later.Credentials[i].Made = now.Add(-89 * day)
	}
	later.Now = now
	moved := 0
	for _, s := range Decide(later).Credentials {
		if !s.Next.Equal(of(first, s.Credential).Next.Add(day)) {
			moved++
		}
	}
	if moved == 0 {
		t.Error("another time has the same draws")
	}
}

// TestTheWordOfTheScheduleIsOnRecord: it has the role of what rekey.yaml lets it begin.
func TestTheWordOfTheScheduleIsOnRecord(t *testing.T) {
	w := Who(sop.Spec{Run: sop.AfterApproval, Role: "release"})
	if w.Name != Actor || w.Verified || w.String() != "the schedule (self-declared: run: after approval)" || !slices.Equal(w.Roles, []string{"release"}) {
		t.Errorf("%+v", w)
	}
}
