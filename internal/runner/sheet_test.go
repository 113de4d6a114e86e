package runner_test

import (
	"context"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// numbered is an issuer that gives its own names: key-1, key-2.
type numbered struct{ logins }

func (n numbered) Create(context.Context, string) (cred.Handle, secret.Bundle, error) {
	name := "key-" + string(rune('0'+len(n.x.order)))
	b := secret.Bundle{"user": secret.New(name), "password": secret.New("of-" + name)}
	err := n.x.effect("create", func() {
		n.x.logins[name] = &login{password: b["password"], version: 1}
		n.x.order = append(n.x.order, name)
	})
	if err != nil {
		return cred.Handle{}, nil, err
	}
	return n.handle(name), b, nil
}

func nameless(t *testing.T, own bool) *triple {
	x := newTriple(t)
	x.issuer, x.can.Nameless, x.can.OwnScope = numbered{logins{x}}, true, own
	x.logins["key-other"] = &login{password: secret.New("theirs"), version: 1}
	x.order = append(x.order, "key-other")
	x.fault = func(op string, n int, after bool) error {
		if op == "create" && n == 1 && after {
			return lostAnswer()
		}
		return nil
	}
	return x
}

// Where the issuer gives the names, what a lost answer left is what was not there
// before: it is cleaned up, and what was there is left alone.
func TestWhatALostAnswerLeftIsToldByDifference(t *testing.T) {
	x := nameless(t, true)
	x.ends(rotation.Rotated)
	if len(x.logins) != 2 || x.logins["key-other"] == nil || x.logins["db-old"] != nil {
		t.Errorf("live: %v, %v", x.logins, x.calls)
	}
}

// Where its list has others' too, nothing is guessed: what may be left is said.
func TestWhatCannotBeToldFromOthersIsLeftAloneAndSaid(t *testing.T) {
	x := nameless(t, false)
	st := x.ends(rotation.Rotated)
	if x.logins["key-other"] == nil || x.logins["key-2"] == nil || len(x.logins) != 3 {
		t.Errorf("live: %v, %v", x.logins, x.calls)
	}
	if !strings.Contains(strings.Join(st.Plan.Notes, "\n"), "cannot be told from theirs") || !strings.Contains(x.told("discard"), "look there by hand") {
		t.Error(st.Plan.Notes, x.told("discard"))
	}
}

// A grace that has no end by itself is ended by us, and nothing is extended meanwhile.
func TestAGraceWithoutAnEndIsEndedByUs(t *testing.T) {
	x := newTriple(t)
	x.issuer, x.can.Create, x.can.Roll, x.can.Lingers = roller{maker{logins{x}}}, false, rotation.RollWithGrace, true
	st := x.ends(rotation.Rotated)
	if _, has := st.Plan.Step("extend"); has || x.done("keep") != 1 || x.logins["db-old"].before.Present() {
		t.Error(x.calls)
	}
	if told := x.told("roll") + x.told("expire"); strings.Contains(told, "0001-") || !strings.Contains(told, "works until it is ended") {
		t.Error(told)
	}
	if notes := strings.Join(st.Plan.Notes, "\n"); !strings.Contains(notes, "works until Rekey ends it") {
		t.Error(notes)
	}
}

// What an end is called, and what a write costs, is said in the vendor's words.
func TestEndAndCostAreSaidInTheVendorsWords(t *testing.T) {
	x := newTriple(t)
	x.can.End, x.can.Places = "dropped", map[string]rotation.Keeping{"app:x": {Cost: "a new deployment", Piecewise: true}}
	st := x.ends(rotation.Rotated)
	if del, _ := st.Plan.Step("delete"); del.Title != "end the old credential: it is dropped" || !strings.Contains(x.told("delete"), "dropped db-old") {
		t.Error(del.Title, x.told("delete"))
	}
	if costs := strings.Join(st.Plan.Costs, "\n"); costs != "app:x: 1 write, so a new deployment" {
		t.Error(costs)
	}
}
