package console

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/rotation"
)

// TestMomentsInASentenceAreTheReadersToo: and nothing else of it is taken for HTML.
func TestMomentsInASentenceAreTheReadersToo(t *testing.T) {
	t.Parallel()
	got := string(toldHTML(`<b>old</b> is live (seen at 2026-11-28 06:11:36 UTC), until 2026-12-05T06:11:00Z, not 2026-99-99 06:11:36 UTC`))
	want := `&lt;b&gt;old&lt;/b&gt; is live (seen at <time datetime="2026-11-28T06:11:36Z" data-time="exact" title="2026-11-28 06:11:36 UTC">28 Nov 06:11:36 UTC</time>), until <time datetime="2026-12-05T06:11:00Z" data-time="exact" title="2026-12-05 06:11:00 UTC">5 Dec 06:11:00 UTC</time>, not 2026-99-99 06:11:36 UTC`
	if got != want {
		t.Errorf("\n%s\nand not\n%s", got, want)
	}
	if got := string(callHTML("PUT /a/<b>")); got != "PUT /<wbr>a/<wbr>&lt;b&gt;" {
		t.Error(got)
	}
}

// TestAStepThatWasFoundDoneTookNoTime: no outcome of its own tells when it ended.
func TestAStepThatWasFoundDoneTookNoTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)
	step := rotation.Step{ID: "create", Verb: rotation.Create, Title: "create the new credential"}
	st := rotation.NewState()
	st.Plan = &rotation.Plan{Steps: []rotation.Step{step}}
	st.Steps["create"] = &rotation.Progress{Status: rotation.Ended, Done: at.Add(time.Minute)}
	times := known(map[string]stepTimes{"create": {began: at.Add(2 * time.Minute)}}, st)
	if v := viewOf(step, st.Step("create"), times["create"], st); v.Took != 0 || v.Ended.IsZero() {
		t.Errorf("it took %s and ended at %s", v.Took, v.Ended)
	}
}

// TestTheSameLineOfTheLogIsSaidOnce: a run that waits for long has few lines.
func TestTheSameLineOfTheLogIsSaidOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)
	var events []rotation.Event
	for i := range 40 {
		events = append(events, rotation.Event{At: at.Add(time.Duration(i) * time.Second), Kind: rotation.KindOutcome, Outcome: &rotation.Outcome{Step: "settle", Class: "pending", Why: "not yet"}})
	}
	lines := linesOf(events)
	if len(lines) != 1 || lines[0].Again != 39 || !lines[0].Last.Equal(at.Add(39*time.Second)) || !strings.Contains(lines[0].Text, "not yet") {
		t.Errorf("%+v", lines)
	}
}

// TestPeriodsAreWholeQuartersAndYears, on the first and the last day of one, too.
func TestPeriodsAreWholeQuartersAndYears(t *testing.T) {
	t.Parallel()
	for day, want := range map[string][2]string{
		"2026-11-28": {"from=2026-07-01&to=2026-09-30", "from=2025-01-01&to=2025-12-31"},
		"2027-01-01": {"from=2026-10-01&to=2026-12-31", "from=2026-01-01&to=2026-12-31"},
		"2027-05-31": {"from=2027-01-01&to=2027-03-31", "from=2026-01-01&to=2026-12-31"},
		"2028-06-30": {"from=2028-01-01&to=2028-03-31", "from=2027-01-01&to=2027-12-31"},
	} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		got := periods("", "", "", now.Add(23*time.Hour))
		if got[2].To != "/evidence?"+want[0] || got[4].To != "/evidence?"+want[1] {
			t.Errorf("on %s: %s, %s", day, got[2].To, got[4].To)
		}
	}
	if got := periods("2026-07-01", "2026-09-30", "A_TOKEN", time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)); !got[2].On || got[0].On || got[2].To != "/evidence?credential=A_TOKEN&from=2026-07-01&to=2026-09-30" {
		t.Errorf("%+v", got)
	}
}

// TestHowRunsStandWithTheWorkersIsCounted.
func TestHowRunsStandWithTheWorkersIsCounted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	got := queueOf([]engine.Lease{{Holder: "one"}, {Holder: "two", Lapsed: true}, {Wake: now}, {Wake: now, Late: true}, {}, {Waits: "somebody"}})
	for i, want := range []int{1, 2, 1, 2} {
		if got[i].N != want {
			t.Errorf("%s: %d and not %d", got[i].Text, got[i].N, want)
		}
	}
}
