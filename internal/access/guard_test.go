package access

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/sop"
)

// as is a context in which somebody with these roles asks, who signed in just now.
func (w *world) as(t *testing.T, roles ...string) context.Context {
	return with(t.Context(), &caller{who: rotation.Who{Name: "somebody", Verified: true, Roles: roles}, person: true, at: w.time.now()})
}

// reached calls every operation with nothing in particular, on operations that are not
// there: whatever gets as far as them is told by its name.
func reached(t *testing.T, g *Guarded, ctx context.Context) (through []string) {
	t.Helper()
	v := reflect.ValueOf(g)
	of := reflect.TypeFor[Operations]()
	for i := range of.NumMethod() {
		m := of.Method(i)
		in := []reflect.Value{reflect.ValueOf(ctx)}
		for j := 1; j < m.Type.NumIn(); j++ {
			in = append(in, reflect.Zero(m.Type.In(j)))
			if m.Type.In(j) == reflect.TypeFor[estate.Answering]() {
				in[j] = reflect.ValueOf(estate.Answering{About: "CF_A"})
			}
		}
		func() {
			defer func() {
				if recover() != nil {
					through = append(through, m.Name)
				}
			}()
			out := v.MethodByName(m.Name).Call(in)
			err, _ := out[len(out)-1].Interface().(error)
			if err == nil {
				through = append(through, m.Name)
				return
			}
			if code := estate.CodeOf(err); code != estate.NoRole && code != estate.NotIdentified && code != estate.NotFresh && code != estate.NothingAsked {
				t.Errorf("%s: %v", m.Name, err)
			}
		}()
	}
	return through
}

// TestEveryOperationIsGuarded: nothing is reached by nobody, nor by somebody without a
// role, and everything by who may do everything. An operation that is added is asked too.
func TestEveryOperationIsGuarded(t *testing.T) {
	config := everything()
	config.Identity.Roles["all"] = []sop.Who{{Token: "all"}}
	var words []string
	for _, r := range sop.Rights() {
		words = append(words, r.Name)
	}
	config.Identity.Grants = append(config.Identity.Grants, sop.Grant{Role: "all", May: words})
	w := newWorld(t, config)
	g := w.Guard(few{})
	for name, ctx := range map[string]context.Context{"nobody": t.Context(), "without a role": w.as(t), "a role of another file": w.as(t)} {
		if got := reached(t, g, ctx); len(got) > 0 && !(name != "nobody" && slices.Equal(got, []string{"Answered", "Whoami"})) {
			t.Errorf("%s reaches %v", name, got)
		}
	}
	if got, all := reached(t, g, w.as(t, "all", "superadmin")), reflect.TypeFor[Operations]().NumMethod(); len(got) != all {
		t.Errorf("who may everything reaches %d of %d: %v", len(got), all, got)
	}
	// Who may look reaches what looks, and no more.
	got := strings.Join(reached(t, g, w.as(t, "viewer")), " ")
	if got != "Acknowledge Answered Approvals Document Findings Follow Log OneRun OpenRuns PlanBack Runs RunsOf Schedule Status TakeBack Whoami" {
		t.Errorf("who may look reaches %s", got)
	}
	// Without a fresh sign-in, what cannot be undone is not reached.
	stale := with(t.Context(), &caller{who: rotation.Who{Name: "somebody", Verified: true, Roles: []string{"all", "superadmin"}}, person: true, at: w.time.now().Add(-time.Hour)})
	if got := reached(t, g, stale); slices.Contains(got, "NewKey") || !slices.Contains(got, "Open") {
		t.Errorf("%v", got)
	}
	for name, o := range map[string]estate.Opening{
		"to revoke":         {Wish: estate.Wish{Credential: "CF_B", Purpose: sop.ToRevoke}},
		"confirmed at once": {Wish: estate.Wish{Credential: "CF_B"}, Confirm: "CF_B"},
		"without the role":  {Wish: estate.Wish{Credential: "CF_B", Purpose: sop.ToRevoke}, Without: true},
	} {
		if _, err := g.Begin(stale, o); estate.CodeOf(err) != estate.NotFresh {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.TakeUp(stale, estate.Advancing{Run: "run1", Confirm: "CF_B"}); estate.CodeOf(err) != estate.NotFresh {
		t.Errorf("confirming: %v", err)
	}
}

// few is operations with one run of CF_A that waits, and nothing else.
type few struct{ Operations }

func (few) Runs(context.Context) ([]estate.Summary, error) {
	return []estate.Summary{{Run: "run1", Credential: "CF_A"}}, nil
}
func (few) OneRun(_ context.Context, run string) (estate.Summary, error) {
	if run != "run1" && run != "" { // nothing in particular
		return estate.Summary{}, &estate.Error{Code: estate.NoRun, Run: run}
	}
	return estate.Summary{Run: "run1", Credential: "CF_A"}, nil
}
func (few) OpenRuns(context.Context) ([]estate.OpenRun, error) {
	return []estate.OpenRun{{Summary: estate.Summary{Run: "run1", Credential: "CF_A"}}}, nil
}
func (few) Approvals(context.Context) ([]estate.Approval, error) {
	return []estate.Approval{{Request: &approvals.Request{ID: "p1", Run: "run1", Credential: "CF_A"}}}, nil
}

// shelf is operations with something in them.
type shelf struct {
	Operations
	asked []string
}

func (s *shelf) Runs(context.Context) ([]estate.Summary, error) {
	return []estate.Summary{{Run: "run1", Credential: "CF_A"}, {Run: "run2", Credential: "DB_C"}, {Run: "run3", Credential: "GONE"}}, nil
}
func (s *shelf) RunsOf(_ context.Context, credential string) ([]estate.Summary, error) {
	return []estate.Summary{{Run: "run2", Credential: credential}}, nil
}
func (s *shelf) OneRun(ctx context.Context, run string) (estate.Summary, error) {
	all, _ := s.Runs(ctx)
	for _, r := range all {
		if r.Run == run {
			return r, nil
		}
	}
	return estate.Summary{}, &estate.Error{Code: estate.NoRun, Run: run}
}
func (s *shelf) OpenRuns(context.Context) ([]estate.OpenRun, error) {
	return []estate.OpenRun{{Summary: estate.Summary{Run: "run2", Credential: "DB_C"}}}, nil
}
func (s *shelf) Status(context.Context, estate.StatusAsked) (estate.Status, error) {
	return estate.Status{Rows: []report.Row{{Credential: "DB_C"}, {Credential: "CF_A"}, {Credential: "CF_B"}}}, nil
}
func (s *shelf) Approvals(context.Context) ([]estate.Approval, error) {
	return []estate.Approval{{Request: &approvals.Request{ID: "p1", Credential: "CF_A"}}, {Request: &approvals.Request{ID: "p2", Credential: "DB_C"}}}, nil
}
func (s *shelf) Schedule(context.Context) (estate.Schedule, error) {
	return estate.Schedule{Decided: schedule.Decided{Credentials: []estate.Scheduled{{Credential: "CF_A"}, {Credential: "DB_C"}}, Begin: []string{"DB_C"}, Ask: []string{"CF_A"}, TakeUp: []string{"run2"}}}, nil
}
func (s *shelf) Log(_ context.Context, run string) (estate.Logged, error) {
	s.asked = append(s.asked, "log "+run)
	return estate.Logged{}, nil
}
func (s *shelf) Compare(_ context.Context, names []string) (estate.Compared, error) {
	s.asked = append(s.asked, "compare "+strings.Join(names, ","))
	return estate.Compared{}, nil
}
func (s *shelf) Approve(_ context.Context, a estate.Answering) (estate.Approval, error) {
	s.asked = append(s.asked, "approve "+a.About)
	return estate.Approval{}, nil
}
func (s *shelf) Whoami(context.Context) (estate.Whoami, error) {
	return estate.Whoami{Refused: map[string]string{"CF_A": "superadmin", "DB_C": "superadmin"}, May: []estate.Ability{{Op: sop.OpRotate, On: []string{"CF_A", "DB_C"}}}}, nil
}
func (s *shelf) Begin(_ context.Context, o estate.Opening) (string, error) {
	s.asked = append(s.asked, "begin "+o.Credential+" "+o.Target)
	return "run9", nil
}

// TestListsLeaveOutWhatIsNotForWhoeverAsks, and what is of another credential is as if it
// were not there.
func TestListsLeaveOutWhatIsNotForWhoeverAsks(t *testing.T) {
	config := everything()
	config.Specs[0].Former, config.Specs[2].Former = []string{"OLD_A"}, []string{"OLD_C"}
	config.Identity.Roles["team"] = []sop.Who{{Token: "team"}}
	config.Identity.Grants = append(config.Identity.Grants, sop.Grant{Role: "team", May: []string{"look", "ask", "approve", "change"}, Credentials: []string{"CF_*"}})
	w := newWorld(t, config)
	s := &shelf{}
	g, ctx := w.Guard(s), w.as(t, "team")
	runs, err := g.Runs(ctx)
	if err != nil || len(runs) != 1 || runs[0].Run != "run1" {
		t.Errorf("%v %v", runs, err)
	}
	mine, err := g.RunsOf(ctx, "CF_A")
	if theirs, other := g.RunsOf(ctx, "DB_C"); err != nil || other != nil || len(mine) != 1 || len(theirs) != 0 {
		t.Errorf("%v %v %v", mine, theirs, []error{err, other})
	}
	if open, err := g.OpenRuns(ctx); err != nil || len(open) != 0 {
		t.Errorf("%v %v", open, err)
	}
	if st, err := g.Status(ctx, estate.StatusAsked{}); err != nil || len(st.Rows) != 2 || st.Rows[0].Credential != "CF_A" {
		t.Errorf("%v %v", st, err)
	}
	if _, err := g.Status(ctx, estate.StatusAsked{Live: true}); estate.CodeOf(err) != estate.NoRole {
		t.Errorf("live asks about all: %v", err)
	}
	if a, err := g.Approvals(ctx); err != nil || len(a) != 1 || a[0].Request.ID != "p1" {
		t.Errorf("%v %v", a, err)
	}
	if d, err := g.Schedule(ctx); err != nil || len(d.Credentials) != 1 || len(d.Begin) != 0 || d.Ask[0] != "CF_A" || d.TakeUp != nil {
		t.Errorf("%+v %v", d, err)
	}
	if me, err := g.Whoami(ctx); err != nil || me.Refused["DB_C"] != "" || me.Refused["CF_A"] == "" || !slices.Equal(me.May[0].On, []string{"CF_A"}) {
		t.Errorf("%+v %v", me, err)
	}
	_, err = g.Log(ctx, "run1")
	_, other := g.Log(ctx, "run2")
	_, none := g.Log(ctx, "run0")
	if err != nil || estate.CodeOf(other) != estate.NoRun || estate.CodeOf(none) != estate.NoRun {
		t.Errorf("%v, %v, %v", err, other, none)
	}
	if _, err := g.Compare(ctx, nil); err != nil {
		t.Error(err)
	}
	if _, err := g.Compare(ctx, []string{"CF_A", "DB_C"}); estate.CodeOf(err) != estate.NoRole {
		t.Errorf("%v", err)
	}
	if _, err := g.Approve(ctx, estate.Answering{About: "p1"}); err != nil {
		t.Error(err)
	}
	if _, err := g.Approve(ctx, estate.Answering{About: "p2"}); estate.CodeOf(err) != estate.NothingAsked {
		t.Errorf("%v", err)
	}
	// Nothing in particular is nothing: the operations beneath would take the first.
	if _, err := g.Approve(ctx, estate.Answering{}); estate.CodeOf(err) != estate.NothingAsked {
		t.Errorf("%v", err)
	}
	// What a wish is about is not what it says: the name belongs to another credential.
	for name, o := range map[string]estate.Opening{
		"another's former name": {Wish: estate.Wish{Credential: "CF_B", Purpose: sop.ToForget, Target: "OLD_C"}},
		"nobody's former name":  {Wish: estate.Wish{Credential: "CF_B", Purpose: sop.ToForget, Target: "OLD_X"}},
		"another's plan":        {Wish: estate.Wish{Credential: "CF_B"}, Reviewed: &rotation.Plan{Spec: sop.Spec{Name: "DB_C"}}},
		"another":               {Wish: estate.Wish{Credential: "DB_C"}},
		"without its role":      {Wish: estate.Wish{Credential: "CF_A"}},
		"in an emergency":       {Wish: estate.Wish{Credential: "CF_A", Purpose: sop.ToRevoke}, Without: true},
		"one that is not there": {Wish: estate.Wish{Credential: "DB_X"}},
	} {
		if _, err := g.Begin(ctx, o); estate.CodeOf(err) != estate.NoRole {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Begin(ctx, estate.Opening{Wish: estate.Wish{Credential: "CF_B"}}); err != nil {
		t.Error(err)
	}
	if got := strings.Join(s.asked, "; "); got != "log run1; compare CF_A,CF_B; approve p1; begin CF_B " {
		t.Errorf("asked %s", got)
	}
}
