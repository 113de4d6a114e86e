package reference_test

import (
	"slices"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/stage"
	"rekey/internal/stage/reference"
	"rekey/internal/world"
)

// drop takes steps out of a plan.
func drop(verbs ...rotation.Verb) func(*rotation.Plan) {
	return func(p *rotation.Plan) {
		gone := map[string]bool{}
		for _, list := range []*[]rotation.Step{&p.Steps, &p.Back} {
			*list = slices.DeleteFunc(*list, func(s rotation.Step) bool {
				drops := slices.Contains(verbs, s.Verb)
				if drops {
					gone[s.ID] = true
				}
				return drops
			})
			for i := range *list {
				(*list)[i].Needs = slices.DeleteFunc(slices.Clone((*list)[i].Needs), func(n string) bool { return gone[n] })
			}
		}
	}
}

// leave takes one step out of a plan.
func leave(id string) func(*rotation.Plan) {
	return func(p *rotation.Plan) {
		for _, list := range []*[]rotation.Step{&p.Steps, &p.Back} {
			*list = slices.DeleteFunc(*list, func(s rotation.Step) bool { return s.ID == id })
			for i := range *list {
				(*list)[i].Needs = slices.DeleteFunc(slices.Clone((*list)[i].Needs), func(n string) bool { return n == id })
			}
		}
	}
}

// hasten lets one step of a plan go before another one that it waited for: it waits for
// what that one waits for.
func hasten(id, before string) func(*rotation.Plan) {
	return func(p *rotation.Plan) {
		for _, list := range [][]rotation.Step{p.Steps, p.Back} {
			at := slices.IndexFunc(list, func(s rotation.Step) bool { return s.ID == id })
			was := slices.IndexFunc(list, func(s rotation.Step) bool { return s.ID == before })
			if at < 0 || was < 0 {
				continue
			}
			list[at].Needs = list[was].Needs
			list[was].Needs = append(slices.Clone(list[was].Needs), id)
		}
	}
}

// back is what turns a run back once it has written everything.
func back(t *testing.T, can reference.Can) []stage.Fault {
	return []stage.Fault{{Call: callOf(t, can, "consumer", "follow") + 1, Kind: stage.RefusedForEver}}
}

// TestTheJudgeSees breaks the plan in ways that must break a promise: a judge that
// finds nothing here finds nothing anywhere.
func TestTheJudgeSees(t *testing.T) {
	for name, c := range map[string]struct {
		damage  func(*rotation.Plan)
		faults  []stage.Fault
		promise string
	}{
		"the consumer is never switched":     {drop(rotation.Propagate, rotation.Settle, rotation.Quiet), nil, "promise 1"},
		"old processes are not waited for":   {drop(rotation.Quiet), nil, "promise 1"},
		"the old one is never deleted":       {drop(rotation.Delete, rotation.Confirm), nil, "promise 3"},
		"the store is left out":              {drop(rotation.Store), nil, "promise 3"},
		"a store that follows is left out":   {leave("store mirror:copy"), nil, "promise 3"},
		"consumers do not wait for stores":   {hasten("propagate consumer:app", "store mirror:copy"), nil, "ahead of a store"},
		"a rollback forgets one of stores":   {leave("restore store:second"), back(t, followed), "promise"},
		"a rollback gives stores back early": {hasten("restore", "return consumer:app"), back(t, followed), "ahead of a store"},
		"a rollback forgets the new one":     {drop(rotation.Discard, rotation.Withdraw), back(t, full), "promise 3"},
		"a rollback forgets the consumer":    {drop(rotation.Return, rotation.Resettle), back(t, full), "promise"},
	} {
		t.Run(name, func(t *testing.T) {
			can := full
			if strings.Contains(name, "stores") || strings.Contains(name, "a store that") {
				can = followed
			}
			v, _ := scenario{variation: variation{can: can}, polite: true, faults: c.faults, damage: c.damage}.run()
			if !strings.Contains(strings.Join(v.Broken, "\n"), c.promise) {
				t.Errorf("ended %q (%v), and the judge found only %v (%v)", v.Ending, v.Stuck, v.Broken, v.Err)
			}
		})
	}
}

// TestTheJudgeSeesTheWorld: what a run did not do shows as well.
func TestTheJudgeSeesTheWorld(t *testing.T) {
	for name, c := range map[string]struct {
		meddle func(*reference.Double)
		says   string
	}{
		"a value of others": {func(d *reference.Double) { d.M.Vars["UNRELATED"] = reference.Var{Value: "ours now"} }, "not ours"},
		"a generation of others": {func(d *reference.Double) {
			for _, x := range d.M.Tokens {
				if x.Name == "theirs" {
					x.On = false
				}
			}
		}, "theirs is not ours"},
		"a second one of our name": {func(d *reference.Double) {
			d.M.Tokens = append(d.M.Tokens, &reference.Token{ID: "id-more", Name: "ours-too", Secret: "more-than-one", On: true})
		}, "promise 3"},
		"a rule that names one that is ended": {func(d *reference.Double) { d.M.Rules[0].Names = append(d.M.Rules[0].Names, ended(d)) }, "a rule still names"},
		"a secret in the journal": {func(d *reference.Double) {
			for _, x := range d.M.Tokens {
				x.Before, x.Forever = "REFERENCE_TOKEN", true
			}
		}, "promise 4"},
	} {
		t.Run(name, func(t *testing.T) {
			x := reference.New(1, full, world.Knobs{})
			result, err := x.Play(reference.Credential)
			if err != nil {
				t.Fatal(err)
			}
			if broken := x.Judge(result); len(broken) > 0 {
				t.Fatal(broken)
			}
			x.World.Do(func() { c.meddle(x.Double) })
			if broken := strings.Join(x.Judge(result), "\n"); !strings.Contains(broken, c.says) {
				t.Errorf("the judge found only %q", broken)
			}
		})
	}
}

// ended is the id of one that is.
func ended(d *reference.Double) string {
	for _, x := range d.M.Tokens {
		if x.Ended {
			return x.ID
		}
	}
	return "none"
}

// callOf is the number of the first such call in a polite run without faults.
func callOf(t *testing.T, can reference.Can, vendor, op string) (n int) {
	t.Helper()
	x := reference.New(1, can, scenario{polite: true}.rough())
	x.Hears = func(v, o string) {
		if n == 0 && v == vendor && o == op {
			n = x.Calls
		}
	}
	if _, err := x.Play(reference.Credential); err != nil || n == 0 {
		t.Fatalf("no call %s %s: %v", vendor, op, err)
	}
	return n
}
