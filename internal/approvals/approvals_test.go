package approvals

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func person(name string, more ...func(*rotation.Who)) rotation.Who {
	w := rotation.Who{Name: name, How: "https://id.example.com", Verified: true, Claims: map[string]string{"sub": name, "auth_time": fmt.Sprint(now.Add(-time.Minute).Unix())}, Roles: []string{"release"}}
	for _, m := range more {
		m(&w)
	}
	return w
}

func declared(w *rotation.Who) { w.Verified, w.How, w.Claims = false, "OS user", nil }
func roleless(w *rotation.Who) { w.Roles = []string{"dev"} }
func signedLong(w *rotation.Who) {
	w.Claims["auth_time"] = fmt.Sprint(now.Add(-6 * time.Minute).Unix())
}
func madeBy(name string) func(*rotation.Who) {
	return func(w *rotation.Who) { w.Claims[MadeBy] = name }
}
func signedNever(w *rotation.Who) { delete(w.Claims, "auth_time") }

func request(id string, more ...func(*Request)) Note {
	r := &Request{ID: id, Gate: Start, Credential: "X", Digest: "d1", By: person("bob"), At: now.Add(-time.Hour), Until: now.Add(time.Hour),
		Rule: sop.Approval{Start: true, HowMany: 1, Role: "release", Expire: 2 * time.Hour, Fresh: 5 * time.Minute}}
	for _, m := range more {
		m(r)
	}
	return Note{Kind: Asked, Request: r}
}

func two(r *Request)       { r.Rule.HowMany = 2 }
func byAsker(r *Request)   { r.Rule.ByAsker = true }
func bothGates(r *Request) { r.Rule.Retiring = true }
func retiring(r *Request)  { r.Gate, r.Run = Retiring, "r1" }
func late(r *Request)      { r.Until = now }

func answer(kind, id, who string) Note {
	return Note{Kind: kind, Answer: &Answer{ID: id, At: now, By: person(who)}}
}

// TestHowARequestStands by what the journal says of it.
func TestHowARequestStands(t *testing.T) {
	never := func(string) bool { return false }
	for name, tt := range map[string]struct {
		notes   []Note
		begun   func(string) bool
		want    Standing
		missing int
	}{
		"nothing was asked":                {nil, never, NotAsked, 0},
		"asked":                            {[]Note{request("a")}, never, Waiting, 1},
		"asked for two":                    {[]Note{request("a", two), answer(Given, "a", "carol")}, never, Waiting, 1},
		"two agree":                        {[]Note{request("a", two), answer(Given, "a", "carol"), answer(Given, "a", "dave")}, never, Agreed, 0},
		"one agrees twice":                 {[]Note{request("a", two), answer(Given, "a", "carol"), answer(Given, "a", "carol")}, never, Waiting, 1},
		"one agrees":                       {[]Note{request("a"), answer(Given, "a", "carol")}, never, Agreed, 0},
		"agreed to another request":        {[]Note{request("a"), answer(Given, "b", "carol")}, never, Waiting, 1},
		"agreed before it was asked":       {[]Note{answer(Given, "a", "carol"), request("a")}, never, Waiting, 1},
		"refused":                          {[]Note{request("a"), answer(Refused, "a", "carol")}, never, Denied, 0},
		"refused, then agreed":             {[]Note{request("a"), answer(Refused, "a", "carol"), answer(Given, "a", "dave")}, never, Denied, 0},
		"agreed, then refused by another":  {[]Note{request("a", two), answer(Given, "a", "carol"), answer(Refused, "a", "dave")}, never, Denied, 0},
		"agreed, and taken back":           {[]Note{request("a"), answer(Given, "a", "carol"), answer(TakenBack, "a", "carol")}, never, Waiting, 1},
		"taken back by who asked":          {[]Note{request("a"), answer(TakenBack, "a", "bob")}, never, NotWanted, 0},
		"asked again":                      {[]Note{request("a"), answer(Given, "a", "carol"), request("b")}, never, Waiting, 1},
		"agreed to what was asked before":  {[]Note{request("a"), request("b"), answer(Given, "a", "carol")}, never, Waiting, 1},
		"expired":                          {[]Note{request("a", late)}, never, Over, 0},
		"agreed, and not begun in time":    {[]Note{request("a", late), answer(Given, "a", "carol")}, never, Over, 0},
		"begun":                            {[]Note{request("a"), answer(Given, "a", "carol")}, func(id string) bool { return id == "a" }, Used, 0},
		"the retiring of a run is its own": {[]Note{request("a", retiring), answer(Given, "a", "carol")}, never, NotAsked, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := Of(tt.notes, Start, "", tt.begun, now)
			if s.Standing != tt.want || s.Missing != tt.missing {
				t.Errorf("%s, %d missing; want %s, %d", s.Standing, s.Missing, tt.want, tt.missing)
			}
			if s.Holds("d1") != (tt.want == Agreed) || s.Holds("d2") {
				t.Error("what may be begun is not what was agreed to")
			}
		})
	}
	if s := Of([]Note{request("a", retiring), answer(Given, "a", "carol")}, Retiring, "r1", nil, now); !s.Holds("d1") || s.Says() != "approved by carol (proven by https://id.example.com)" {
		t.Errorf("%+v %s", s, s.Says())
	}
	if s := Of([]Note{request("a", retiring)}, Retiring, "r2", nil, now); s.Standing != NotAsked {
		t.Errorf("another run's: %s", s.Standing)
	}
}

// TestWhoMayAnswer: by role, by proof, by a fresh sign-in for what cannot be undone, and
// never who asks, unless that is configured.
func TestWhoMayAnswer(t *testing.T) {
	one := []Note{request("a", two), answer(Given, "a", "carol")}
	for name, tt := range map[string]struct {
		notes []Note
		who   rotation.Who
		seen  string
		loose bool // the configuration has no identity
		want  Against
	}{
		"anybody of the role":                        {[]Note{request("a")}, person("carol"), "", false, None},
		"who has seen it":                            {[]Note{request("a")}, person("carol"), "d1", false, None},
		"who has seen something else":                {[]Note{request("a")}, person("carol"), "d0", false, OtherPlan},
		"nothing is asked":                           {nil, person("carol"), "", false, Nothing},
		"too late":                                   {[]Note{request("a", late)}, person("carol"), "", false, Nothing},
		"not of the role":                            {[]Note{request("a")}, person("carol", roleless), "", false, LacksRole},
		"not proven":                                 {[]Note{request("a")}, person("carol", declared), "", false, Unproven},
		"who asks":                                   {[]Note{request("a")}, person("bob"), "", false, IsAsker},
		"who asks, which is configured":              {[]Note{request("a", byAsker)}, person("bob"), "", false, None},
		"signed in long ago":                         {[]Note{request("a")}, person("carol", signedLong), "", false, Stale},
		"signed in, nobody knows when":               {[]Note{request("a")}, person("carol", signedNever), "", false, Stale},
		"signed in long ago, and is asked once more": {[]Note{request("a", bothGates)}, person("carol", signedLong), "", false, None},
		"signed in long ago, before the retiring":    {[]Note{request("a", retiring, bothGates)}, person("carol", signedLong), "", false, Stale},
		"a token that who asks has made":             {[]Note{request("a", bothGates)}, person("bot", madeBy("bob")), "", false, IsAsker},
		"a token that somebody else has made":        {[]Note{request("a", bothGates)}, person("bot", madeBy("erin")), "", false, None},
		"who made the token that asks":               {[]Note{request("a", bothGates, func(r *Request) { r.By = person("bot", madeBy("carol")) })}, person("carol"), "", false, IsAsker},
		"has agreed, and made this token":            {one, person("bot", madeBy("carol")), "", false, Already},
		"has agreed":                                 {one, person("carol"), "", false, Already},
		"the second one":                             {one, person("dave"), "", false, None},
		"without identity anybody":                   {[]Note{request("a")}, person("carol", declared, roleless), "", true, None},
		"without identity never who asks":            {[]Note{request("a")}, person("bob", declared, roleless), "", true, IsAsker},
		"without identity the same login elsewhere":  {[]Note{request("a", func(r *Request) { r.By = person("bob@laptop", declared) })}, person("bob@desktop", declared), "", true, IsAsker},
	} {
		t.Run(name, func(t *testing.T) {
			run := ""
			gate := Start
			if len(tt.notes) > 0 && tt.notes[0].Request.Gate == Retiring {
				run, gate = "r1", Retiring
			}
			got := MayGive(Of(tt.notes, gate, run, nil, now), Person{Who: tt.who, Roles: !tt.loose, Proof: !tt.loose, Seen: tt.seen}, now)
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	s := Of(one, Start, "", nil, now)
	strict := func(w rotation.Who) Person { return Person{Who: w, Roles: true, Proof: true} }
	if MayRefuse(s, strict(person("dave", signedLong))) != None || MayRefuse(s, strict(person("dave", roleless))) != LacksRole || MayRefuse(s, strict(person("bob"))) != None {
		t.Error("who may refuse")
	}
	if MayTakeBack(s, strict(person("carol"))) != None || MayTakeBack(s, strict(person("bob"))) != None || MayTakeBack(s, strict(person("dave"))) != NotTheirs {
		t.Error("who may take back")
	}
}

// TestWhenItIsAskedAgain: never while the same is asked, agreed to or refused.
func TestWhenItIsAskedAgain(t *testing.T) {
	of := func(notes ...Note) State {
		return Of(notes, Start, "", func(id string) bool { return id == "used" }, now)
	}
	for name, tt := range map[string]struct {
		s           State
		same, other bool
	}{
		"never asked":       {of(), true, true},
		"asked":             {of(request("a")), false, true},
		"agreed":            {of(request("a"), answer(Given, "a", "carol")), false, true},
		"refused":           {of(request("a"), answer(Refused, "a", "carol")), false, true},
		"refused, and over": {of(request("a", late), answer(Refused, "a", "carol")), true, true},
		"taken back":        {of(request("a"), answer(TakenBack, "a", "bob")), true, true},
		"expired":           {of(request("a", late)), true, true},
		"used":              {of(request("used")), true, true},
	} {
		if tt.s.Again("d1", now) != tt.same || tt.s.Again("d2", now) != tt.other {
			t.Errorf("%s: %v %v", name, tt.s.Again("d1", now), tt.s.Again("d2", now))
		}
	}
}

// TestNoOrderOfAnswersLetsTooFewAgree: of any notes in any order, what is agreed to has
// the agreement of as many different people as it wants, none of whom took it back, and
// nobody has refused it.
func TestNoOrderOfAnswersLetsTooFewAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	agreed := 0
	for range 20_000 {
		want := 1 + random.IntN(3)
		notes := []Note{request("a", func(r *Request) { r.Rule.HowMany = want })}
		for range random.IntN(8) {
			notes = append(notes, answer([]string{Given, Given, Given, TakenBack, Refused}[random.IntN(5)], []string{"a", "a", "a", "b"}[random.IntN(4)], []string{"carol", "dave", "eve", "bob"}[random.IntN(4)]))
		}
		s := Of(notes, Start, "", nil, now)
		if s.Standing != Agreed {
			continue
		}
		agreed++
		with := map[string]bool{}
		for _, n := range notes[1:] {
			if n.Answer.ID != "a" {
				continue
			}
			switch name := n.Answer.By.Name; {
			case n.Kind == Refused:
				t.Fatalf("refused, and agreed to: %v", kinds(notes))
			case n.Kind == Given:
				with[name] = true
			case with[name]:
				delete(with, name)
			default:
				t.Fatalf("taken back, and agreed to: %v", kinds(notes))
			}
		}
		if len(with) < want || len(s.Given) != len(with) {
			t.Fatalf("%d of %d agree: %v", len(with), want, kinds(notes))
		}
	}
	if agreed < 1000 {
		t.Errorf("only %d were agreed to", agreed)
	}
}

func kinds(notes []Note) string {
	var out []string
	for _, n := range notes[1:] {
		out = append(out, n.Answer.By.Name+" "+n.Kind+" "+n.Answer.ID)
	}
	return strings.Join(out, ", ")
}

func TestWhatWaitsAtAGate(t *testing.T) {
	rule := &sop.Approval{Start: true, Retiring: true, HowMany: 1}
	for _, purpose := range []sop.Purpose{sop.ToRevoke, sop.ToDelete, sop.ToRehearse, sop.ToRepair, sop.AfterRevoke} {
		if Wanted(sop.Spec{Approvals: rule, Purpose: purpose}, Start) || Wanted(sop.Spec{Approvals: rule, Purpose: purpose}, Retiring) {
			t.Errorf("%s waits", purpose)
		}
	}
	if !Wanted(sop.Spec{Approvals: rule}, Retiring) || !Wanted(sop.Spec{Approvals: rule, Purpose: sop.ToForget}, Start) || Wanted(sop.Spec{}, Start) || Wanted(sop.Spec{Approvals: &sop.Approval{Start: true}}, Retiring) {
		t.Error("a rotation")
	}
	plan := &rotation.Plan{Run: "r"}
	a := RetiringDigest(plan, rotation.Ask{Final: []string{"delete"}}, []string{"x", "y"})
	if a != RetiringDigest(plan, rotation.Ask{Final: []string{"delete"}}, []string{"y", "x"}) || a == RetiringDigest(plan, rotation.Ask{Final: []string{"delete"}}, []string{"x"}) || a == RetiringDigest(plan, rotation.Ask{For: []string{"delete"}}, []string{"x", "y"}) {
		t.Error("what is agreed to before the retiring")
	}
	if !slices.Contains(Kinds(), TakenBack) {
		t.Error("a kind is missing")
	}
}
