package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
)

// A secret that we make is found out by trying it: a lost answer makes no second one.
func TestACreationWhoseAnswerIsLostIsTriedAndTakenUp(t *testing.T) {
	x := newTriple(t)
	x.fault = func(op string, n int, after bool) error {
		if op == "create" && after || op == "works" && n < 3 {
			return lostAnswer() // the server starts again, and answers nobody meanwhile
		}
		return nil
	}
	st := x.ends(rotation.Rotated)
	if n := x.done("create"); n != 1 || x.count["make"] != 1 {
		t.Errorf("%d creations, %d secrets made", n, x.count["make"])
	}
	if st.Generation != 1 || len(x.logins) != 1 {
		t.Errorf("generation %d, live %v", st.Generation, x.logins)
	}
	if told := x.told("create"); !strings.Contains(told, "the answer was lost, and it works") {
		t.Error(told)
	}
}

// Where nothing came of it, another one is made under another label, as ever; and what
// bears the label without working is discarded.
func TestACreationThatDidNotHappenIsMadeAnew(t *testing.T) {
	for _, late := range []bool{false, true} {
		x := newTriple(t)
		x.fault = func(op string, n int, after bool) error {
			if op == "create" && n == 1 && !after {
				if late { // by halves: there is a login, and nobody gets in with it
					x.logins["db-r1-1"] = &login{version: 1}
					x.order = append(x.order, "db-r1-1")
				}
				return lostAnswer()
			}
			return nil
		}
		st := x.ends(rotation.Rotated)
		if st.Generation != 2 || len(x.logins) != 1 || x.done("create") != 2 {
			t.Errorf("generation %d, %v, live %v", st.Generation, x.calls, x.logins)
		}
	}
}

// That the name is taken may be the second of two requests that were one: it is tried.
func TestANameThatIsTakenIsTriedBeforeItIsGivenUp(t *testing.T) {
	x := newTriple(t)
	x.fault = func(op string, n int, after bool) error {
		if op == "create" && after {
			return &cred.Error{Vendor: "db", Op: "create", Class: cred.Conflict, Why: "it exists"}
		}
		return nil
	}
	x.ends(rotation.Rotated)
	if x.done("create") != 1 {
		t.Error(x.calls)
	}
}

// A plain refusal is one.
func TestARefusedCreationIsNotTried(t *testing.T) {
	x := newTriple(t)
	x.fault = func(op string, n int, after bool) error {
		if op == "create" && !after {
			return &cred.Error{Vendor: "db", Op: "create", Class: cred.Denied}
		}
		return nil
	}
	x.ends(rotation.RolledBack)
	if x.count["works"] != 0 || x.done("create") != 1 || len(x.logins) != 1 {
		t.Error(x.calls, x.count)
	}
}

// A process that dies with the secret leaves nothing behind.
func TestAProcessThatDiesWithASecretItMade(t *testing.T) {
	for _, after := range []bool{false, true} {
		x := newTriple(t)
		x.fault = func(op string, n int, is bool) error {
			if op == "create" && n == 1 && is == after {
				panic(stage.Crash{})
			}
			return nil
		}
		x.ends(rotation.Rotated)
		if len(x.logins) != 1 || x.logins["db-old"] != nil {
			t.Errorf("live: %v", x.logins)
		}
	}
}

// A roll whose answer is lost is tried with the secret that was sent; it is never
// rolled a second time, which would drop the one in use.
func TestARollWhoseAnswerIsLostIsTried(t *testing.T) {
	for _, grace := range []string{rotation.RollWithGrace, rotation.RollAtOnce} {
		x := newTriple(t)
		x.issuer, x.can.Create, x.can.Roll = roller{maker{logins{x}}}, false, grace
		x.fault = func(op string, n int, after bool) error {
			if op == "roll" && after || op == "works" && n < 2 {
				return lostAnswer()
			}
			return nil
		}
		if grace == rotation.RollAtOnce {
			x.app.running = map[string]kept{}
		}
		st := x.play1(t)
		if st.Closed == nil || st.Closed.Ending != rotation.Rotated || x.done("roll") != 1 {
			t.Fatalf("%s: %+v %+v %v", grace, st.Closed, st.Stuck, x.calls)
		}
	}
}

// One that did not happen is not sent again with a grace: everything stays as it was.
func TestARollThatDidNotHappenIsNotRepeated(t *testing.T) {
	x := newTriple(t)
	x.issuer, x.can.Create, x.can.Roll = roller{maker{logins{x}}}, false, rotation.RollWithGrace
	x.fault = func(op string, n int, after bool) error {
		if op == "roll" && !after {
			return lostAnswer()
		}
		return nil
	}
	x.ends(rotation.RolledBack)
	if x.done("roll") != 1 || x.logins["db-old"].version != 1 {
		t.Error(x.calls)
	}
}

func (x *triple) play1(t *testing.T) *rotation.State {
	t.Helper()
	st, died := x.play()
	if died {
		t.Fatal("it died")
	}
	return st
}
