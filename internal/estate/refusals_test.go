package estate_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// TestWhatIsAskedWronglyIsRefusedBeforeAnythingIsTouched: each has its code, and nobody
// is asked and nothing is written.
func TestWhatIsAskedWronglyIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    rehearse:", "    windows: [Sun 03:00-04:00 UTC]\n    rehearse:")
	b.before = func(req *http.Request) { t.Errorf("somebody was asked: %s %s", req.Method, req.URL) }
	wish := func(w estate.Wish) estate.Opening {
		return estate.Opening{Wish: w, Reason: "why", Outside: true}
	}
	for _, c := range []struct {
		code estate.Code
		o    estate.Opening
	}{
		{estate.NoCredential, wish(estate.Wish{Credential: "NOBODY"})},
		{estate.NoCredential, wish(estate.Wish{Credential: former})},
		{estate.NoFormerName, wish(estate.Wish{Purpose: sop.ToForget, Target: "NOBODY"})},
		{estate.NotFormer, wish(estate.Wish{Purpose: sop.ToForget, Target: console})},
		{estate.NoConsumer, wish(estate.Wish{Credential: console, Purpose: sop.ToRepair, Target: "heroku:nobody"})},
		{estate.BadStrategy, wish(estate.Wish{Credential: console, Strategy: "refresh"})},
		{estate.UnknownPlace, wish(estate.Wish{Credential: console, Despite: []string{"hreoku:x"}})},
		{estate.UnknownPlace, wish(estate.Wish{Credential: console, Despite: []string{"heroku:"}})},
		{estate.OtherName, estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: vault, Outside: true}},
		{estate.NoReason, estate.Opening{Wish: estate.Wish{Credential: console, Purpose: sop.ToDelete}}},
		{estate.NoReason, estate.Opening{Wish: estate.Wish{Credential: console}, Without: true}},
		{estate.WindowClosed, estate.Opening{Wish: estate.Wish{Credential: console}}},
	} {
		_, err := b.operations().Open(t.Context(), c.o, &told{})
		b.refused(err, c.code)
	}
	for code, a := range map[estate.Code]estate.Advancing{estate.NoneOpen: {}, estate.NoRun: {Run: "222222"}, estate.NoReason: {Run: "222222", Without: true}} {
		_, err := b.operations().Advance(t.Context(), a, &told{})
		b.refused(err, code)
	}
	_, err := b.operations().GoBack(t.Context(), estate.Backing{Run: "222222"}, &told{})
	b.refused(err, estate.NoRun)
	_, err = b.operations().Log(t.Context(), "222222")
	b.refused(err, estate.NoJournal)
	if _, err := os.Stat(filepath.Join(b.dir, ".rekey")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a journal was begun: %v", err)
	}
}

// TestWhoHasNotTheRoleIsRefusedAndToldWhoHas; in an emergency he may go without it.
func TestWhoHasNotTheRoleIsRefusedAndToldWhoHas(t *testing.T) {
	t.Parallel()
	b := newBench(t, "# What all credentials", "identity:\n  roles:\n    superadmin: [{user: bob@desk}]\n\n# What all credentials")
	open := func(o estate.Opening) error {
		o.Credential, o.Confirm = console, console
		_, err := b.operations().Open(t.Context(), o, &told{})
		return err
	}
	if e := b.refused(open(estate.Opening{}), estate.NoRole); e.Who == nil || e.Who.Name != "alice@laptop" || len(e.Known) != 1 || !strings.Contains(e.Known[0], "bob") {
		t.Errorf("refused is %+v, and %v have it", e.Who, e.Known)
	}
	emergency := estate.Opening{Wish: estate.Wish{Purpose: sop.ToRevoke}, Reason: "stolen"}
	if e := b.refused(open(emergency), estate.NoRole); e.Purpose != sop.ToRevoke {
		t.Errorf("the purpose is %q", e.Purpose)
	}
	emergency.Without = true
	if err := open(emergency); err != nil {
		t.Errorf("an emergency is refused: %v", err)
	}
	_, err := b.operations().NewKey(t.Context(), estate.NewKey{})
	b.refused(err, estate.NoRole)
	if runs, err := b.operations().Runs(t.Context()); err != nil || len(runs) != 1 {
		t.Errorf("%d runs were opened (%v)", len(runs), err)
	}
	me, err := b.operations().Whoami(t.Context())
	if err != nil || !me.Enforced || me.Refused[console] != "superadmin" {
		t.Errorf("who asks: %+v (%v)", me, err)
	}
}

// TestAServiceSaysWhoAsks: what it found out goes into the journal, and counts for roles;
// whom it does not know may do nothing that asks for a name.
func TestAServiceSaysWhoAsks(t *testing.T) {
	t.Parallel()
	b := newBench(t, "# What all credentials", "identity:\n  roles:\n    superadmin: [{user: bob@desk}]\n\n# What all credentials")
	type caller struct{}
	b.who = func(ctx context.Context) (rotation.Who, error) {
		switch name := ctx.Value(caller{}); name {
		case "bob":
			return rotation.Who{Name: "bob@corp", How: "https://id.example", Verified: true, Roles: []string{"superadmin"}}, nil
		case "eve":
			return rotation.Who{Name: "eve@corp", How: "https://id.example", Verified: true}, nil
		}
		return rotation.Who{}, errors.New("nobody is signed in")
	}
	as := func(name string) context.Context { return context.WithValue(t.Context(), caller{}, name) }
	open := func(ctx context.Context) error {
		_, err := b.operations().Open(ctx, estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console}, &told{})
		return err
	}
	b.refused(open(t.Context()), estate.NotIdentified)
	if e := b.refused(open(as("eve")), estate.NoRole); e.Who == nil || e.Who.Name != "eve@corp" {
		t.Errorf("refused is %+v", e.Who)
	}
	if err := open(as("bob")); err != nil {
		t.Fatal(err)
	}
	runs, err := b.operations().Runs(t.Context())
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs were opened (%v)", len(runs), err)
	}
	logged, err := b.operations().Log(t.Context(), runs[0].Run)
	if err != nil || logged.Events[0].Opened.By == nil || !logged.Events[0].Opened.By.Verified || logged.Events[0].Opened.Actor != "bob@corp" {
		t.Errorf("the journal says that the run was opened by %+v (%v)", logged.Events[0].Opened, err)
	}
}

// TestWhatCannotBeSeenOrStandsAgainstARunIsNamed.
func TestWhatCannotBeSeenOrStandsAgainstARunIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	down := &sim.Fault{Vendor: "heroku", Endpoint: "GET", Status: 503, Times: -1}
	b.world.Look(func(s *sim.State) { s.Faults = append(s.Faults, down) })
	_, err := b.operations().Plan(t.Context(), estate.Wish{Credential: console})
	if e := b.refused(err, estate.NotSeen); e.Credential != console || len(e.Problems) == 0 {
		t.Errorf("not seen: %+v", e)
	}
	_, err = b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console, Purpose: sop.ToRehearse}}, &told{})
	b.refused(err, estate.RunUnseen)
	if checked, err := b.operations().Check(t.Context(), estate.Wish{Credential: console}); err != nil || checked.OK() || len(checked.Problems) == 0 {
		t.Errorf("check: %+v (%v)", checked, err)
	}
	if seen, err := b.operations().FormerNames(t.Context(), nil); err != nil || !seen.Unseen {
		t.Errorf("former names: %+v (%v)", seen, err)
	}
	b.world.Look(func(s *sim.State) { s.Faults = nil; s.Infisical.Secrets = nil })
	_, err = b.operations().Plan(t.Context(), estate.Wish{Credential: console})
	if e := b.refused(err, estate.Refused); len(e.Refusals) == 0 || e.Refusals[0].Code == "" {
		t.Errorf("nothing is stored, and refused is %+v", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.once("GET", "", cancel)
	_, err = b.operations().Compare(ctx, nil)
	b.refused(err, estate.Interrupted)
}

// TestPractisedAndRealAreNotMixed in one journal.
func TestPractisedAndRealAreNotMixed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rotate(console)
	text, err := os.ReadFile(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), append([]byte("simulate: world.json\njournal: .rekey\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(estate.Operations) error{
		"runs":   func(ops estate.Operations) error { _, err := ops.Runs(t.Context()); return err },
		"status": func(ops estate.Operations) error { _, err := ops.Status(t.Context(), estate.StatusAsked{}); return err },
		"log":    func(ops estate.Operations) error { _, err := ops.Log(t.Context(), "222222"); return err },
	} {
		if e := b.refused(ask(b.operations()), estate.OtherWorld); e.Simulated || len(e.Advice) == 0 || e.Dir == "" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// TestAllCodesAreListed: a face translates each, and would miss one.
func TestAllCodesAreListed(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []estate.Code
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Code" {
				codes = append(codes, estate.Code(strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)))
			}
		}
		return true
	})
	listed := estate.Codes()
	slices.Sort(codes)
	slices.Sort(listed)
	if !slices.Equal(codes, listed) || len(slices.Compact(listed)) != len(codes) {
		t.Errorf("declared are %v, listed %v", codes, listed)
	}
}

// TestWhatGoesInAndComesOutIsPlainData, so that it can go over a network: it can be
// encoded, and no secret, function or channel is in it.
func TestWhatGoesInAndComesOutIsPlainData(t *testing.T) {
	ops := reflect.TypeFor[estate.Operations]()
	seen := map[reflect.Type]bool{}
	var look func(where string, x reflect.Type)
	look = func(where string, x reflect.Type) {
		if seen[x] || x == reflect.TypeFor[time.Time]() || x == reflect.TypeFor[json.RawMessage]() {
			return
		}
		seen[x] = true
		if strings.HasSuffix(x.PkgPath(), "internal/secret") {
			t.Errorf("%s is a secret", where)
		}
		switch x.Kind() {
		case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Interface:
			t.Errorf("%s is a %s", where, x.Kind())
		case reflect.Pointer, reflect.Slice, reflect.Array:
			look(where, x.Elem())
		case reflect.Map:
			if x.Key().Kind() != reflect.String {
				t.Errorf("%s has keys that are not text", where)
			}
			look(where, x.Elem())
		case reflect.Struct:
			for i := range x.NumField() {
				if f := x.Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
					look(where+"."+f.Name, f.Type)
				}
			}
		}
	}
	for i := range ops.NumMethod() {
		m := ops.Method(i)
		for j := range m.Type.NumIn() {
			switch in := m.Type.In(j); {
			case in == reflect.TypeFor[context.Context](), in == reflect.TypeFor[estate.Face](), in == reflect.TypeFor[func(estate.Page) error](), in == reflect.TypeFor[func([]byte) error](): // what is handed on piece by piece
			default:
				look(m.Name+" takes "+in.Name(), in)
			}
		}
		for j := range m.Type.NumOut() {
			if out := m.Type.Out(j); out != reflect.TypeFor[error]() {
				look(m.Name+" returns "+out.Name(), out)
			}
		}
	}
	look("Error", reflect.TypeFor[estate.Error]())
	look("Page", reflect.TypeFor[estate.Page]())
	if len(seen) < 100 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}

// TestTheContractNamesEveryCode, and no other: whoever implements it a second time goes
// by these words.
func TestTheContractNamesEveryCode(t *testing.T) {
	read := func(name string) *ast.File {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	codes := map[string]bool{}
	ast.Inspect(read("errors.go"), func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Code" {
				codes[v.Names[0].Name] = false
			}
		}
		return true
	})
	var contract strings.Builder
	for _, c := range read("operations.go").Comments {
		contract.WriteString(c.Text())
	}
	for _, word := range regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b`).FindAllString(contract.String(), -1) {
		_, is := codes[word]
		_, method := reflect.TypeFor[estate.Operations]().MethodByName(word)
		if !is && !method && word != "ErrNotConfirmed" {
			t.Errorf("the contract names %s, which there is not", word)
		}
	}
	for code := range codes {
		if !regexp.MustCompile(`\b` + code + `\b`).MatchString(contract.String()) {
			t.Errorf("no operation is said to end with %s", code)
		}
	}
}

// TestWhateverFailsHasACode: nothing comes out that a face cannot translate.
func TestWhateverFailsHasACode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := os.WriteFile(filepath.Join(b.dir, ".rekey"), nil, 0o600); err != nil { // no folder
		t.Fatal(err)
	}
	ops, ctx := b.operations(), t.Context()
	called := 0
	for name, ask := range map[string]func() error{
		"Open": func() error {
			_, err := ops.Open(ctx, estate.Opening{Wish: estate.Wish{Credential: console}}, &told{})
			return err
		},
		"Advance":     func() error { _, err := ops.Advance(ctx, estate.Advancing{}, &told{}); return err },
		"GoBack":      func() error { _, err := ops.GoBack(ctx, estate.Backing{Run: "222222"}, &told{}); return err },
		"Check":       func() error { _, err := ops.Check(ctx, estate.Wish{Credential: console}); return err },
		"Plan":        func() error { _, err := ops.Plan(ctx, estate.Wish{Credential: console}); return err },
		"PlanBack":    func() error { _, err := ops.PlanBack(ctx, "222222"); return err },
		"Compare":     func() error { _, err := ops.Compare(ctx, nil); return err },
		"Discover":    func() error { _, err := ops.Discover(ctx, nil); return err },
		"FormerNames": func() error { _, err := ops.FormerNames(ctx, nil); return err },
		"Status":      func() error { _, err := ops.Status(ctx, estate.StatusAsked{}); return err },
		"Document":    func() error { return ops.Document(ctx, estate.Documenting{}, func(estate.Page) error { return nil }) },
		"Evidence": func() error {
			_, err := ops.Evidence(ctx, estate.Period{From: b.clock.Now(), To: b.clock.Now()}, nil)
			return err
		},
		"Verify":   func() error { _, err := ops.Verify(ctx, estate.Verifying{}); return err },
		"Sign":     func() error { _, err := ops.Sign(ctx); return err },
		"Key":      func() error { _, err := ops.Key(ctx); return err },
		"NewKey":   func() error { _, err := ops.NewKey(ctx, estate.NewKey{}); return err },
		"Runs":     func() error { _, err := ops.Runs(ctx); return err },
		"RunsOf":   func() error { _, err := ops.RunsOf(ctx, console); return err },
		"OneRun":   func() error { _, err := ops.OneRun(ctx, "222222"); return err },
		"OpenRuns": func() error { _, err := ops.OpenRuns(ctx); return err },
		"Log":      func() error { _, err := ops.Log(ctx, "222222"); return err },

		"Findings": func() error { _, err := ops.Findings(ctx); return err },
		"Acknowledge": func() error {
			_, err := ops.Acknowledge(ctx, estate.Acknowledging{Finding: "x", Reason: "why", Until: b.clock.Now().Add(time.Hour)})
			return err
		},
		"Schedule":  func() error { _, err := ops.Schedule(ctx); return err },
		"Pause":     func() error { return ops.Pause(ctx, "why") },
		"Continue":  func() error { return ops.Continue(ctx, "why") },
		"Approvals": func() error { _, err := ops.Approvals(ctx); return err },
		"Approve":   func() error { _, err := ops.Approve(ctx, estate.Answering{About: console}); return err },
		"Refuse":    func() error { _, err := ops.Refuse(ctx, estate.Answering{About: console, Reason: "why"}); return err },
		"TakeBack":  func() error { _, err := ops.TakeBack(ctx, estate.Answering{About: console}); return err },
	} {
		called++
		if e, ok := ask().(*estate.Error); !ok || !slices.Contains(estate.Codes(), e.Code) || strings.TrimSpace(e.Error()) == "" {
			t.Errorf("%s ends with %v", name, ask())
		}
	}
	if n := reflect.TypeFor[estate.Operations]().NumMethod(); called != n-2 { // Doctor finds it, Whoami needs none
		t.Errorf("%d of %d operations were asked", called, n)
	}
	if all, err := ops.Doctor(ctx, nil); err != nil || !slices.ContainsFunc(all, func(f estate.Finding) bool { return f.About == "journal" && !f.OK }) {
		t.Errorf("the doctor says %+v (%v)", all, err)
	}
}

// TestAReferenceIsReadByAnyVendorOfItsType: the instance is named where there are several.
func TestAReferenceIsReadByAnyVendorOfItsType(t *testing.T) {
	t.Parallel()
	const where = "prod/MooseQuest/cloudflare/HEROKU"
	for _, ref := range []string{"infisical:" + where, "infisical:infisical:" + where, "infisical[infisical]:" + where} {
		b := newBench(t, "token: env:HEROKU_API_KEY", "token: "+ref)
		key := b.world.Env()["HEROKU_API_KEY"]
		b.world.Look(func(s *sim.State) {
			one := *s.Infisical.Secrets[0]
			one.ID, one.Key, one.Path, one.Environment = "ops-heroku", "HEROKU", "/MooseQuest/cloudflare", "prod"
			one.Versions = slices.Clone(one.Versions)
			one.Versions[len(one.Versions)-1].Value = key
			s.Infisical.Secrets = append(s.Infisical.Secrets, &one)
		})
		checked, err := b.operations().Check(t.Context(), estate.Wish{Credential: console})
		if err != nil || !checked.OK() || !strings.Contains(strings.Join(checked.Used, " "), ref) {
			t.Errorf("%s: problems %v, used %v (%v)", ref, checked.Problems, checked.Used, err)
		}
	}
}

// TestAReferenceIsReadByADriverOutside: a token that another vendor needs is what a
// program of somebody else's keeps.
func TestAReferenceIsReadByADriverOutside(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("jq"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("jq is missing")
		}
		t.Skip("NEEDS jq: no driver outside is asked")
	}
	program, err := os.ReadFile("../../examples/drivers/rekey-driver-versioned")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	const vendors = "vendors:\n"
	b := newBench(t, "token: env:HEROKU_API_KEY", "token: 'versioned[here]:KEPT#HEROKU'",
		vendors, vendors+"  here: {vendor: external, command: ./rekey-driver-versioned, sha256: "+hex.EncodeToString(sum[:])+"}\n")
	path := filepath.Join(b.dir, "kept.json")
	yaml := filepath.Join(b.dir, "rekey.yaml")
	text, err := os.ReadFile(yaml)
	if err != nil {
		t.Fatal(err)
	}
	described, err := exec.Command("sh", "-c", `echo '{"rekey":1,"op":"describe"}' | sh ../../examples/drivers/rekey-driver-versioned | jq .result`).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		yaml: strings.Replace(string(text), "KEPT", path, 1), filepath.Join(b.dir, "rekey-driver-versioned"): string(program),
		filepath.Join(b.dir, "rekey-driver-versioned.json"): string(described),
		path: `{"last":1,"slots":{"HEROKU":[{"version":1,"value":"` + b.world.Env()["HEROKU_API_KEY"] + `","stamp":{}}]}}`,
	} {
		if err := os.WriteFile(name, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	checked, err := b.operations().Check(t.Context(), estate.Wish{Credential: console})
	if err != nil || !checked.OK() || !strings.Contains(strings.Join(checked.Used, " "), "versioned[here]:") {
		t.Errorf("problems %v, used %v (%v)", checked.Problems, checked.Used, err)
	}
}

// TestAWorldThatIsNotThereIsToldWithWhatMakesOne.
func TestAWorldThatIsNotThereIsToldWithWhatMakesOne(t *testing.T) {
	t.Parallel()
	b := newBench(t, "rekey: 1\n", "rekey: 1\nsimulate: ./gone.json\n")
	if _, err := b.operations().Compare(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no simulated world in ./gone.json") || !strings.Contains(err.Error(), "rekey demo") {
		t.Errorf("it is told as %v", err)
	}
}
