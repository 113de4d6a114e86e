package traces

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// aRun is one whose worker was killed while it made the new generation: another takes it
// up, finds that it was made, and ends it.
func aRun(run string, from int64) []rotation.Event {
	spec := sop.Spec{Name: "API_TOKEN", Issuer: sop.Issuer{Vendor: "cloudflare"}, Store: sop.Place{Key: "infisical:prod", Vendor: "infisical"}}
	plan := &rotation.Plan{Spec: spec, Steps: []rotation.Step{{ID: "create", Verb: rotation.Create}, {ID: "store infisical:prod", Verb: rotation.Store, Target: "infisical:prod"}, {ID: "quiet", Verb: rotation.Quiet}, {ID: "validate https://a.example.com/x?key=SECRET", Verb: rotation.Validate, Target: "https://a.example.com/x?key=SECRET"}}}
	events := []rotation.Event{
		{Kind: rotation.KindOpened, Opened: &rotation.Opened{Credential: "API_TOKEN", Spec: spec, Tool: "v1", Actor: "alice@laptop", Reason: "the reason"}},
		{Kind: rotation.KindPlanned, Planned: plan},
		{Kind: rotation.KindIntent, Intent: &rotation.Intent{Steps: []string{"create"}, Generation: 2}},
		{Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Worker: "two", Actor: "alice@laptop"}},
		{Kind: rotation.KindIntent, Intent: &rotation.Intent{Steps: []string{"create"}, Generation: 2}},
		{Kind: rotation.KindOutcome, Outcome: &rotation.Outcome{Step: "create", Generation: 2, Class: cred.Done, Already: true, Calls: 3, Why: "what a vendor says"}},
		{Kind: rotation.KindIntent, Intent: &rotation.Intent{Steps: []string{"store infisical:prod"}, Generation: 2}},
		{Kind: rotation.KindOutcome, Outcome: &rotation.Outcome{Step: "store infisical:prod", Generation: 2, Class: cred.Denied, Why: "what a vendor says"}},
		{Kind: rotation.KindStuck, Stuck: &rotation.Stuck{Why: "what a vendor says"}},
		{Kind: rotation.KindOutcome, Outcome: &rotation.Outcome{Step: "quiet", Generation: 2, Class: cred.Waiting}},
		{Kind: rotation.KindOutcome, Outcome: &rotation.Outcome{Step: "validate https://a.example.com/x?key=SECRET", Generation: 2, Class: cred.Done}},
		{Kind: rotation.KindClosed, Closed: &rotation.Closed{Ending: rotation.Rotated, Why: "what a vendor says"}},
	}
	for i := range events {
		events[i].Run, events[i].Seq, events[i].At = run, from+int64(i), noon.Add(time.Duration(i)*time.Second)
	}
	return events
}

func said(s Span) string {
	status := [...]string{"unset", "well", "failed"}[s.Status]
	if s.Why != "" {
		status += " (" + s.Why + ")"
	}
	words := []string{fmt.Sprintf("%s %s +%s, %s:", s.Name, s.Start.Format("05"), s.End.Sub(s.Start), status)}
	for _, a := range s.Attributes[2:] {
		words = append(words, fmt.Sprintf("%s=%v", strings.TrimPrefix(a.Key, "rekey."), a.Value))
	}
	return strings.Join(words, " ")
}

func TestARunIsOneTraceHoweverOftenItWasTakenUp(t *testing.T) {
	spans := Of(aRun("kv54ds", 10))
	want := []string{
		"taken up 03 +0s, unset: clean=false worker=two journal.seq=13",
		"create 02 +2s, unset: step=create generation=2 outcome=unknown changes=true vendor=cloudflare journal.seq=12 journal.seq.end=14",
		"create 04 +1s, well: step=create generation=2 outcome=done changes=true vendor=cloudflare already=true calls=3 journal.seq=14 journal.seq.end=15",
		"store 06 +1s, failed (denied): step=store infisical:prod generation=2 outcome=denied changes=true target=infisical:prod vendor=infisical already=false calls=0 journal.seq=16 journal.seq.end=17",
		"stuck 08 +0s, failed (it needs a person: rekey resume kv54ds): journal.seq=18",
		"quiet 09 +0s, unset: step=quiet generation=2 outcome=waiting changes=false already=false calls=0 journal.seq=19 journal.seq.end=19",
		"validate 10 +0s, well: step=validate https://a.example.com/x generation=2 outcome=done changes=false target=https://a.example.com/x already=false calls=0 journal.seq=20 journal.seq.end=20",
		"rotate 00 +11s, well: ending=rotated version=v1 simulated=false journal.seq=10 journal.seq.end=21",
	}
	ids := map[[8]byte]bool{}
	var got []string
	for _, s := range spans {
		got = append(got, said(s))
		if s.Trace != TraceOf("kv54ds") || ids[s.ID] {
			t.Errorf("%s: trace %x, id %x", s.Name, s.Trace, s.ID)
		}
		ids[s.ID] = true
		if root := s.Name == "rotate"; root != (s.Parent == [8]byte{}) || !root && s.Parent != rootOf("kv54ds") {
			t.Errorf("%s is below %x", s.Name, s.Parent)
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// TestWhatWasToldStaysAsItWas: a process that reads further makes the same spans of what
// another has told, so that they can be parted by the number of their entry.
func TestWhatWasToldStaysAsItWas(t *testing.T) {
	events := aRun("kv54ds", 1)
	whole := Of(events)
	for n := range events {
		part := Of(events[:n])
		if len(part) > 0 && !reflect.DeepEqual(part, whole[:len(part)]) {
			t.Errorf("after %d events: %v", n, part)
		}
		for _, s := range whole[len(part):] {
			if s.Seq <= int64(n) {
				t.Errorf("%s, of entry %d, was not there after %d events", s.Name, s.Seq, n)
			}
		}
	}
}

func TestNothingIsSaidThatSomebodyWrote(t *testing.T) {
	var all strings.Builder
	for _, s := range Of(aRun("kv54ds", 1)) {
		fmt.Fprintf(&all, "%+v\n", s)
	}
	for _, never := range []string{"vendor says", "alice", "the reason", "SECRET"} {
		if strings.Contains(all.String(), never) {
			t.Errorf("%q is told", never)
		}
	}
}
