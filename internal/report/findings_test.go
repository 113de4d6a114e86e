package report

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/discover"
	"rekey/internal/drift"
	"rekey/internal/rotation"
)

// TestAFindingKeepsItsIDAndItsStateTellsWhenItIsSomethingElse: what changes with every look
// changes neither.
func TestAFindingKeepsItsIDAndItsStateTellsWhenItIsSomethingElse(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	orphan := func(change func(*discover.Finding, *cred.Handle)) Finding {
		h := cred.Handle{ID: "t1", Name: "left-over", LastSeen: day}
		f := discover.Finding{Kind: discover.Orphan, Credential: "A", Where: "cloudflare token", What: "left-over (last used today)", Handle: &h, Rules: []string{`policy "x"`}}
		change(&f, &h)
		return OfDiscovered(f)
	}
	drifted := func(change func(*drift.Finding)) Finding {
		f := drift.Finding{Kind: drift.Changed, Where: "heroku:app", Slots: []string{"B", "A"}, What: "it holds something", Repair: "rekey repair A", As: "1"}
		change(&f)
		return OfDrift("A", f)
	}
	first, one := orphan(func(*discover.Finding, *cred.Handle) {}), drifted(func(*drift.Finding) {})
	for name, c := range map[string]struct {
		is, was           Finding
		sameID, sameState bool
	}{
		"used again":          {orphan(func(f *discover.Finding, h *cred.Handle) { h.LastSeen, f.What = day.Add(time.Hour), "other words" }), first, true, true},
		"never used, and now": {orphan(func(_ *discover.Finding, h *cred.Handle) { h.LastSeen = time.Time{} }), first, true, false},
		"switched off":        {orphan(func(_ *discover.Finding, h *cred.Handle) { h.Disabled = true }), first, true, false},
		"named by a rule":     {orphan(func(f *discover.Finding, _ *cred.Handle) { f.Rules = append(f.Rules, "y") }), first, true, false},
		"another orphan":      {orphan(func(_ *discover.Finding, h *cred.Handle) { h.ID = "t2" }), first, false, false},
		"a copy":              {orphan(func(f *discover.Finding, _ *cred.Handle) { f.Kind = discover.StoredCopy }), first, false, true},
		"in another order":    {drifted(func(f *drift.Finding) { f.Slots = []string{"A", "B"} }), one, true, true},
		"another command":     {drifted(func(f *drift.Finding) { f.Repair = "rekey resume x" }), one, true, true},
		"another value":       {drifted(func(f *drift.Finding) { f.As = "2" }), one, true, false},
		"another place":       {drifted(func(f *drift.Finding) { f.Where = "heroku:other" }), one, false, true},
		"another slot":        {drifted(func(f *drift.Finding) { f.Slots = []string{"A"} }), one, false, false},
	} {
		if (c.is.ID == c.was.ID) != c.sameID || (c.is.State == c.was.State) != c.sameState {
			t.Errorf("%s: %s %s, and was %s %s", name, c.is.ID, c.is.State, c.was.ID, c.was.State)
		}
	}
}

// TestALookThatDidNotSeeAllEndsNothing: only a whole one knows that something is gone.
func TestALookThatDidNotSeeAllEndsNothing(t *testing.T) {
	t.Parallel()
	f := OfDrift("A", drift.Finding{Kind: drift.Changed, Where: "x", What: "y"})
	standing := []Acknowledgement{{Finding: f.ID, State: f.State, Look: ByDrift}, {Finding: "other", State: "s", Look: ByDiscover}}
	changed := f
	changed.State = "else"
	for name, c := range map[string]struct {
		s    Sighting
		over int
	}{
		"gone":                     {SightingOf(Compared{}, false), 1},
		"there":                    {Sighting{Look: ByDrift, Whole: true, Found: []Finding{f}}, 0},
		"something else":           {Sighting{Look: ByDrift, Whole: true, Found: []Finding{changed}}, 1},
		"something else, not seen": {Sighting{Look: ByDrift, Found: []Finding{changed}}, 1},
		"a run is changing it":     {SightingOf(Compared{}, true), 0},
		"not all was seen":         {SightingOf(Compared{Findings: []drift.Finding{{Kind: drift.NotSeen}}}, false), 0},
		"a vendor was not seen":    {SightingsOf([]Discovered{{Credential: "A"}, {Findings: []discover.Finding{{Kind: discover.NotSeen}}}}, nil)[0], 0},
		"nobody else any more":     {SightingsOf([]Discovered{{Credential: "A"}, {}}, nil)[0], 1},
	} {
		left, over := c.s.Over(standing)
		if len(over) != c.over || len(left)+len(over) != 2 {
			t.Errorf("%s: %d are over, want %d", name, len(over), c.over)
		}
	}
}

// TestARunThatProvesThatAllAgreeEndsWhatWasLetBeOfDrift, and nothing of other holders.
func TestARunThatProvesThatAllAgreeEndsWhatWasLetBeOfDrift(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := OfDrift("A", drift.Finding{Kind: drift.Changed, Where: "x", What: "y"})
	o := OfDiscovered(discover.Finding{Kind: discover.StoredCopy, Credential: "A", Where: "x", What: "y"})
	said := Acknowledged{}
	for _, x := range []Finding{f, o} {
		said.Standing = append(said.Standing, Acknowledgement{Finding: x.ID, State: x.State, At: day, Until: day.Add(48 * time.Hour)})
	}
	now := day.Add(time.Hour)
	if said.of(f, day.Add(-time.Minute), now) == nil || said.of(f, day.Add(time.Minute), now) != nil || said.of(o, day.Add(time.Minute), now) == nil || said.of(o, time.Time{}, day.Add(48*time.Hour)) != nil {
		t.Error("it is not so")
	}
}

// TestFindingsInWords: those that nobody lets be with what to do, the others counted.
func TestFindingsInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	a := OfDrift("A", drift.Finding{Kind: drift.Changed, Where: "x", What: "it has drifted", Repair: "rekey repair A"})
	b := OfDiscovered(discover.Finding{Kind: discover.Unclaimed, Where: "x", What: "nobody's\u202e", Next: "ask"})
	b.Acknowledged = &Acknowledgement{By: rotation.Who{Name: "alice"}, Reason: "it moves", Until: now.Add(time.Hour)}
	text := FindingsText([]Finding{a, b}, false, Style{}, now)
	if !strings.Contains(text, "rekey acknowledge "+a.ID) || !strings.Contains(text, "1 finding that nobody has acknowledged; 1 finding acknowledged (rekey findings --all)") || strings.Contains(text, "nobody's") {
		t.Error(text)
	}
	if text = FindingsText([]Finding{a, b}, true, Style{}, now); !strings.Contains(text, "acknowledged by alice until 2026-11-02 01:00Z: it moves") || strings.Contains(text, "\u202e") || strings.Contains(text, "rekey acknowledge "+b.ID) {
		t.Error(text)
	}
	if text = FindingsText(nil, false, Style{}, now); text != "No finding is open\n" {
		t.Errorf("%q", text)
	}
}
