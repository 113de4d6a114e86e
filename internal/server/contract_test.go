package server_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// deed is one operation of the contract: what is asked, one thing after the other.
type deed struct {
	name string
	op   string // of estate.Operations
	code estate.Code
	ask  func(ctx context.Context, ops estate.Operations) (any, error)
}

// scene is a journal in some state, and what is asked of it.
type scene struct {
	name   string
	change []string // of the example
	deeds  []deed
}

// how a run came out, as far as every face tells it.
func how(ended estate.Ended, f *told, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, e := range f.events {
		if !ofService(e) {
			kinds = append(kinds, string(e.Kind))
		}
	}
	// Every member of Ended, so that one that is new is compared too. A worker looks once
	// more when it takes a run up, and writes that down: how often each vendor was asked, and
	// how long the journal is, are its own.
	var members []string
	for i := range reflect.TypeFor[estate.Ended]().NumField() {
		members = append(members, reflect.TypeFor[estate.Ended]().Field(i).Name)
	}
	if !slices.Equal(members, []string{"State", "Waiting", "Detached", "Parked", "Clean", "Others", "Calls", "Evidence"}) {
		return nil, fmt.Errorf("how a run ended has other members than are compared: %v", members)
	}
	seen := ended.Evidence
	signed := map[string]any{"ok": seen.OK(), "made": seen.Made, "key": len(seen.Key), "fresh": seen.NewKey, "there": seen.Checkpoint != nil, "sinks": len(seen.Sinks), "problem": seen.Problem, "behind": seen.SetBack}
	return map[string]any{"others": ended.Others, "asked of": slices.Sorted(maps.Keys(ended.Calls)), "signed": signed, "detached": ended.Detached, "parked": ended.Parked, "why": ended.Waiting,
		"closed": ended.State.Closed, "stuck": ended.State.Stuck, "waits": ended.Waiting != "", "final": ended.State.Final, "steps": steps(ended.State),
		"events": kinds, "before": len(f.past) > 0, "asked": f.asked, "first": f.order[0], "last": f.order[len(f.order)-1]}, nil
}

// steps are those that were tried; a look on taking up is not one of the plan.
func steps(st *rotation.State) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for id := range st.Steps {
			if id != rotation.ResumeStep && !yield(id) {
				return
			}
		}
	})
}

func open(o estate.Opening, confirms bool) func(context.Context, estate.Operations) (any, error) {
	return func(ctx context.Context, ops estate.Operations) (any, error) {
		f := &told{confirms: confirms}
		ended, err := ops.Open(ctx, o, f)
		return how(ended, f, err)
	}
}

func advance(a estate.Advancing) func(context.Context, estate.Operations) (any, error) {
	return func(ctx context.Context, ops estate.Operations) (any, error) {
		f := &told{}
		ended, err := ops.Advance(ctx, a, f)
		return how(ended, f, err)
	}
}

func goBack(run string) func(context.Context, estate.Operations) (any, error) {
	return func(ctx context.Context, ops estate.Operations) (any, error) {
		f := &told{}
		ended, err := ops.GoBack(ctx, estate.Backing{Run: cmp.Or(run, last(ctx, ops)), Reason: "why not"}, f)
		return how(ended, f, err)
	}
}

// last is the newest run.
func last(ctx context.Context, ops estate.Operations) string {
	runs, err := ops.Runs(ctx)
	if err != nil || len(runs) == 0 {
		return "222222"
	}
	return runs[len(runs)-1].Run
}

func of(c string) estate.Wish { return estate.Wish{Credential: c} }

// refusedDeeds touch nothing.
func refusedDeeds() []deed {
	wish := func(w estate.Wish) estate.Opening { return estate.Opening{Wish: w, Reason: "why", Outside: true} }
	ctxOnly := func(f func(context.Context, estate.Operations) error) func(context.Context, estate.Operations) (any, error) {
		return func(ctx context.Context, ops estate.Operations) (any, error) { return nil, f(ctx, ops) }
	}
	return []deed{
		{"nobody's", "Open", estate.NoCredential, open(wish(of("NOBODY")), false)},
		{"no former name", "Open", estate.NoFormerName, open(wish(estate.Wish{Purpose: sop.ToForget, Target: "NOBODY"}), false)},
		{"no former name of anybody", "Open", estate.NotFormer, open(wish(estate.Wish{Purpose: sop.ToForget, Target: console}), false)},
		{"no consumer", "Open", estate.NoConsumer, open(wish(estate.Wish{Credential: console, Purpose: sop.ToRepair, Target: "heroku:nobody"}), false)},
		{"no strategy", "Open", estate.BadStrategy, open(wish(estate.Wish{Credential: console, Strategy: "refresh"}), false)},
		{"no place", "Open", estate.UnknownPlace, open(wish(estate.Wish{Credential: console, Despite: []string{"hreoku:x"}}), false)},
		{"another's name", "Open", estate.OtherName, open(estate.Opening{Wish: of(console), Confirm: vault, Outside: true}, false)},
		{"no reason", "Open", estate.NoReason, open(estate.Opening{Wish: estate.Wish{Credential: console, Purpose: sop.ToDelete}}, false)},
		{"no reason without the role", "Open", estate.NoReason, open(estate.Opening{Wish: of(console), Without: true}, false)},
		{"window", "Open", estate.WindowClosed, open(estate.Opening{Wish: of(console)}, false)},
		{"none open", "Advance", estate.NoneOpen, advance(estate.Advancing{})},
		{"no run", "Advance", estate.NoRun, advance(estate.Advancing{Run: "222222"})},
		{"hostile id", "Advance", estate.NoRun, advance(estate.Advancing{Run: "../../metrics?x=1#"})},
		{"no run", "GoBack", estate.NoRun, goBack("222222")},
		{"no run", "PlanBack", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.PlanBack(ctx, "222222") }},
		{"no run", "Log", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Log(ctx, "222222") }},
		{"no reason", "Pause", estate.NoReason, ctxOnly(func(ctx context.Context, ops estate.Operations) error { return ops.Pause(ctx, "") })},
		{"nothing", "Approvals", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Approvals(ctx) }},
		{"nothing is asked", "Approve", estate.NothingAsked, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.Approve(ctx, estate.Answering{About: console})
		}},
		{"no reason", "Refuse", estate.NoReason, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.Refuse(ctx, estate.Answering{About: console})
		}},
		{"nothing is asked", "Refuse", estate.NothingAsked, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.Refuse(ctx, estate.Answering{About: console, Reason: "why"})
		}},
		{"nothing is asked", "TakeBack", estate.NothingAsked, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.TakeBack(ctx, estate.Answering{About: console})
		}},
		{"nobody's", "Check", estate.NoCredential, func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Check(ctx, of("NOBODY")) }},
		{"nobody's", "Plan", estate.NoCredential, func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Plan(ctx, of("NOBODY")) }},
		{"nobody's", "Compare", estate.NoCredential, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.Compare(ctx, []string{"NOBODY"})
		}},
		{"nobody's", "Discover", estate.NoCredential, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.Discover(ctx, []string{"NOBODY"})
		}},
		{"nobody's", "FormerNames", estate.NoCredential, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.FormerNames(ctx, []string{"NOBODY"})
		}},
		{"nobody's", "Doctor", estate.NoCredential, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.Doctor(ctx, []string{"NOBODY"})
		}},
		{"nobody's", "Document", estate.NoCredential, ctxOnly(func(ctx context.Context, ops estate.Operations) error {
			return ops.Document(ctx, estate.Documenting{Credentials: []string{"NOBODY"}}, func(estate.Page) error { return nil })
		})},
		{"no entries", "Evidence", estate.NoEntries, func(ctx context.Context, ops estate.Operations) (any, error) {
			return ops.Evidence(ctx, estate.Period{From: time.Unix(0, 0), To: time.Unix(1<<33, 0)}, nil)
		}},
	}
}

// TestTheContract asks every operation through every face, each on a world of its own, and
// compares what is returned, what is refused, and what the journal says afterwards.
func TestTheContract(t *testing.T) {
	t.Parallel()
	scenes := []scene{
		{name: "refused", change: []string{"    rehearse:", "    windows: [Sun 03:00-04:00 UTC]\n    rehearse:"}, deeds: refusedDeeds()},
		{name: "rotated", deeds: []deed{
			{"", "Whoami", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Whoami(ctx) }},
			{"", "Check", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Check(ctx, of(console)) }},
			{"", "Plan", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Plan(ctx, of(console)) }},
			{"confirmed before", "Open", "", open(estate.Opening{Wish: of(console), Confirm: console, Reason: "scheduled", Ticket: "T-1"}, false)},
			{"over", "Advance", estate.RunOver, func(ctx context.Context, ops estate.Operations) (any, error) {
				return advance(estate.Advancing{Run: last(ctx, ops)})(ctx, ops)
			}},
			{"over", "PlanBack", estate.RunOver, func(ctx context.Context, ops estate.Operations) (any, error) {
				return ops.PlanBack(ctx, last(ctx, ops))
			}},
			{"", "Log", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				l, err := ops.Log(ctx, last(ctx, ops))
				return kinds(l.Events), err
			}},
			{"", "Runs", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Runs(ctx) }},
			{"", "RunsOf", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.RunsOf(ctx, console) }},
			{"", "OneRun", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				return ops.OneRun(ctx, last(ctx, ops))
			}},
			{"unknown", "OneRun", estate.NoRun, func(ctx context.Context, ops estate.Operations) (any, error) {
				return ops.OneRun(ctx, "nobody")
			}},
			{"", "OpenRuns", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.OpenRuns(ctx) }},
			{"", "Compare", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Compare(ctx, nil) }},
			{"", "Discover", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Discover(ctx, nil) }},
			{"", "FormerNames", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.FormerNames(ctx, nil) }},
			{"", "Status", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				return ops.Status(ctx, estate.StatusAsked{})
			}},
			{"", "Schedule", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Schedule(ctx) }},
			{"", "Pause", "", func(ctx context.Context, ops estate.Operations) (any, error) { return nil, ops.Pause(ctx, "a freeze") }},
			{"", "Continue", "", func(ctx context.Context, ops estate.Operations) (any, error) { return nil, ops.Continue(ctx, "") }},
			{"live", "Status", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				return ops.Status(ctx, estate.StatusAsked{Live: true, Working: true})
			}},
			{"", "Doctor", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Doctor(ctx, nil) }},
			{"", "Document", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				var pages []estate.Page
				err := ops.Document(ctx, estate.Documenting{Stable: true}, func(p estate.Page) error { pages = append(pages, p); return nil })
				return pages, err
			}},
			{"", "Sign", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				_, err := ops.Sign(ctx)
				return nil, err
			}},
			{"", "Key", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				key, err := ops.Key(ctx)
				return len(key), err
			}},
			{"", "Evidence", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				var lines bytes.Buffer
				x, err := ops.Evidence(ctx, estate.Period{From: time.Unix(0, 0), To: time.Unix(1<<33, 0)}, func(p []byte) error { lines.Write(p); return nil })
				if err != nil {
					return nil, err
				}
				return []any{strings.Contains(lines.String(), `"type":"signature"`), len(x.Dossier.Runs), x.Dossier.Runs[0].Proofs}, nil
			}},
			{"", "Verify", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				v, err := ops.Verify(ctx, estate.Verifying{})
				return []any{v.Report != nil && v.Report.OK(), v.Beside, v.Simulated}, err
			}},
			{"", "NewKey", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				h, err := ops.NewKey(ctx, estate.NewKey{Reason: "yearly"})
				return []any{h.Vouched, len(h.Key)}, err
			}},
			{"unnamed", "Evidence", estate.Unnamed, func(ctx context.Context, ops estate.Operations) (any, error) {
				return ops.Evidence(ctx, estate.Period{From: time.Unix(0, 0), To: time.Unix(1<<33, 0), Credential: "NOBODY"}, nil)
			}},
		}},
		{name: "found", deeds: foundDeeds()},
		{name: "waiting", deeds: []deed{
			{"nobody confirms", "Open", "", open(estate.Opening{Wish: of(console)}, false)},
			{"", "OpenRuns", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.OpenRuns(ctx) }},
			{"beside it", "Open", estate.RunOpen, open(estate.Opening{Wish: of(console)}, false)},
			{"another's name", "Advance", estate.OtherName, advance(estate.Advancing{Confirm: vault})},
			{"without the role", "Advance", estate.RoleNeeded, advance(estate.Advancing{Without: true, Reason: "why"})},
			{"not held", "Advance", estate.NotHeld, advance(estate.Advancing{Despite: []string{"heroku:nobody"}})},
			{"", "PlanBack", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				p, err := ops.PlanBack(ctx, last(ctx, ops))
				if err != nil {
					return nil, err
				}
				return []any{p.Credential, p.Steps, p.State.Plan.Digest()}, nil
			}},
			{"confirmed", "Advance", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				return advance(estate.Advancing{Run: last(ctx, ops), Confirm: console, Reason: "looks well"})(ctx, ops)
			}},
			{"past", "PlanBack", estate.RunOver, func(ctx context.Context, ops estate.Operations) (any, error) {
				return ops.PlanBack(ctx, last(ctx, ops))
			}},
		}},
		{name: "back", deeds: []deed{
			{"nobody confirms", "Open", "", open(estate.Opening{Wish: of(console)}, false)},
			{"", "GoBack", "", goBack("")},
			{"over", "GoBack", estate.RunOver, goBack("")},
		}},
		{name: "confirmed by the face", deeds: []deed{
			{"", "Open", "", open(estate.Opening{Wish: of(vault)}, true)},
		}},
		{name: "reviewed", deeds: []deed{
			{"a plan that was reviewed", "Open", "", func(ctx context.Context, ops estate.Operations) (any, error) {
				planned, err := ops.Plan(ctx, of(vault))
				if err != nil {
					return nil, err
				}
				return open(estate.Opening{Wish: of(vault), Reviewed: planned.Plan, Confirm: vault}, false)(ctx, ops)
			}},
		}},
	}
	named := map[string]bool{}
	for _, sc := range scenes {
		for _, d := range sc.deeds {
			named[d.op] = true
		}
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			faces := []struct {
				name string
				ops  func(*bench) estate.Operations
			}{
				{"the estate", func(b *bench) estate.Operations { return b.estate() }},
				{"the engine", func(b *bench) estate.Operations { return b.engine() }},
				{"the client", func(b *bench) estate.Operations { return b.client(b.live(b.options(b.engine())).URL, nil) }},
			}
			var first [][]string
			var journal []string
			for _, face := range faces {
				b := newBench(t, sc.change...)
				said := play(b, face.ops(b), sc.deeds, face.name)
				entries := b.journal()
				if first == nil {
					first, journal = said, entries
					continue
				}
				for i, d := range sc.deeds {
					if diff := differ(first[i], said[i]); diff != "" {
						t.Errorf("%s %s is not the same by %s (-) and by %s (+):\n%s", d.op, d.name, faces[0].name, face.name, diff)
					}
				}
				if diff := differ(journal, entries); diff != "" {
					t.Errorf("the journal does not say the same of %s (-) and %s (+):\n%s", faces[0].name, face.name, diff)
				}
			}
		})
	}
	ops := reflect.TypeFor[estate.Operations]()
	for i := range ops.NumMethod() {
		if !named[ops.Method(i).Name] {
			t.Errorf("%s is not in the contract", ops.Method(i).Name)
		}
	}
}

// play asks for everything, and returns what came of it in words.
func play(b *bench, ops estate.Operations, deeds []deed, face string) (said [][]string) {
	b.Helper()
	for _, d := range deeds {
		out, err := d.ask(b.Context(), ops)
		if err != nil {
			e, is := err.(*estate.Error)
			if !is || d.code == "" && d.name != "no run" || d.code != "" && e.Code != d.code {
				b.Fatalf("%s: %s %s: %v, and it should be %q", face, d.op, d.name, err, d.code)
			}
			if out = api.Refuse(err, ""); e.Code == estate.NoJournal && d.name == "no run" {
				out = api.Refuse(&estate.Error{Code: estate.NoRun, Run: "222222"}, "") // a service has always a journal
			}
		} else if d.code != "" {
			b.Fatalf("%s: %s %s is not refused", face, d.op, d.name)
		}
		text, err := json.Marshal(out)
		if err != nil {
			b.Fatal(err)
		}
		var tree any
		if err := json.Unmarshal(text, &tree); err != nil {
			b.Fatal(err)
		}
		if text, err = json.MarshalIndent(comparable(tree), "", " "); err != nil {
			b.Fatal(err)
		}
		said = append(said, strings.Split(b.alike(string(text)), "\n"))
	}
	return said
}

// journal is what the journal says, without what is another on each world, and without
// that a worker took a run up.
func (b *bench) journal() (out []string) {
	b.Helper()
	runs, err := b.estate().Runs(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, run := range runs {
		logged, err := b.estate().Log(b.Context(), run.Run)
		if err != nil {
			b.Fatal(err)
		}
		from := len(out)
		for _, e := range logged.Events {
			if ofService(e) {
				continue
			}
			if line := b.entry(e); e.Outcome == nil {
				out, from = append(out, line), len(out)+1
			} else { // steps side by side end in any order
				out = append(out, line)
				slices.Sort(out[from:])
			}
		}
	}
	return out
}

// entry is one in words: who did what. Which request asked for it, and that a word was
// given before it was needed, is a service's own.
func (b *bench) entry(e rotation.Event) string {
	switch {
	case e.Opened != nil:
		o := e.Opened
		return fmt.Sprintf("opened %s by %s because %q (%s) despite %v", o.Credential, o.Actor, o.Reason, o.Ticket, o.Overrides)
	case e.Resumed != nil:
		return fmt.Sprintf("resumed by %s because %q despite %v", e.Resumed.Actor, e.Resumed.Reason, e.Resumed.Despite)
	case e.Confirmed != nil:
		return fmt.Sprintf("confirmed %s by %s", e.Confirmed.Name, e.Confirmed.Actor)
	case e.Asked != nil:
		return fmt.Sprintf("asked back by %s because %q", e.Asked.Actor, e.Asked.Reason)
	case e.Intent != nil:
		return fmt.Sprintf("meant %v", e.Intent.Steps)
	case e.Outcome != nil:
		return fmt.Sprintf("outcome %s %s", e.Outcome.Step, e.Outcome.Class)
	case e.Closed != nil:
		return fmt.Sprintf("closed %s", e.Closed.Ending)
	}
	return string(e.Kind)
}

// ofService tells whether an event is there only because workers carry the run out: one
// says that it is at it, and looks before it acts; and what a person confirms while he
// follows is written down for the worker.
func ofService(e rotation.Event) bool {
	switch {
	case e.Resumed != nil:
		return e.Resumed.Worker != "" || e.Resumed.Word != nil && e.Resumed.Reason == ""
	case e.Outcome != nil:
		return e.Outcome.Step == rotation.ResumeStep
	}
	return false
}

func kinds(events []rotation.Event) (out []rotation.Kind) {
	for _, e := range events {
		if !ofService(e) {
			out = append(out, e.Kind)
		}
	}
	return out
}

// comparable takes out what is another in every world, or of a service only: ids, keys and
// signatures, when something was used last, and which request asked.
func comparable(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"evidence", "request", "last_seen", "run", "new_name", "change"} {
			if _, is := v[key]; is {
				v[key] = "…"
			}
		}
		delete(v, "request")
		delete(v, "last_seen")
		for k := range v {
			v[k] = comparable(v[k])
		}
	case []any:
		for i := range v {
			v[i] = comparable(v[i])
		}
	}
	return v
}

// unlike is what differs between two worlds in which the same happened: ids, times, hashes,
// folders.
var unlike = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|\b[0-9a-f]{12,64}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b`)

func (b *bench) alike(text string) string {
	text = strings.ReplaceAll(text, b.dir, "DIR")
	if runs, err := b.estate().Runs(b.Context()); err == nil {
		for i, r := range runs {
			text = strings.ReplaceAll(text, r.Run, fmt.Sprintf("RUN%d", i))
		}
	}
	return unlike.ReplaceAllString(text, "…")
}

// differ tells the first lines that differ; "": none do.
func differ(a, b []string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) && n == len(b) {
		return ""
	}
	var out strings.Builder
	for _, side := range []struct {
		sign string
		list []string
	}{{" ", a[max(n-3, 0):n]}, {"-", a[n:min(n+6, len(a))]}, {"+", b[n:min(n+6, len(b))]}} {
		for _, line := range side.list {
			out.WriteString(side.sign + line + "\n")
		}
	}
	return out.String()
}
