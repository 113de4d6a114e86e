package estate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/discover"
	"rekey/internal/estate"
	"rekey/internal/kept"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// TestLooksChangeNothing: all of them, over a real history, with no request that could.
func TestLooksChangeNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	run := b.rotate(console).State.Run
	_ = b.clock.Sleep(t.Context(), time.Hour)
	world := func() (out string) {
		b.world.Look(func(s *sim.State) {
			j, err := json.Marshal(map[string]any{"cloudflare": s.Cloudflare.Tokens, "rules": s.Cloudflare.Policies, "infisical": s.Infisical.Secrets, "heroku": s.Heroku.Apps})
			if err != nil {
				t.Fatal(err)
			}
			out = string(j)
		})
		return out
	}
	before := world()
	b.before = func(req *http.Request) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead && !strings.Contains(req.URL.Path, "/login") {
			t.Errorf("a look asked for %s %s", req.Method, req.URL.Path)
		}
	}
	ops, ctx := b.operations(), t.Context()

	checked, err := ops.Check(ctx, estate.Wish{Credential: console})
	if err != nil || !checked.OK() || checked.Seen.Issuer.Owner == "" || len(checked.Used) == 0 || len(checked.Calls) == 0 {
		t.Errorf("check: %+v (%v)", checked, err)
	}
	for _, w := range []estate.Wish{{Credential: console}, {Credential: vault, Strategy: "replace"}, {Credential: console, Purpose: sop.ToRevoke}, {Credential: console, Purpose: sop.ToRehearse}, {Purpose: sop.ToForget, Target: former}} {
		planned, err := ops.Plan(ctx, w)
		if err != nil || len(planned.Plan.Steps) == 0 || len(planned.Calls) == 0 {
			t.Errorf("plan %+v: %+v (%v)", w, planned.Plan, err)
		}
	}
	_, err = ops.Plan(ctx, estate.Wish{Credential: console, Purpose: sop.ToRepair})
	if e := b.refused(err, estate.Refused); e.Refusals[0].Code != rotation.NothingToRepair {
		t.Errorf("nothing has drifted, and it is refused because of %v", e.Refusals)
	}
	compared, err := ops.Compare(ctx, nil)
	if err != nil || len(compared.Credentials) != 2 || compared.Credentials[0].Drifted() || !compared.At.Equal(b.clock.Now()) {
		t.Errorf("compare: %+v (%v)", compared, err)
	}
	if compared, err = ops.Compare(ctx, []string{vault}); err != nil || len(compared.Credentials) != 1 || compared.Credentials[0].Credential != vault {
		t.Errorf("compare one: %+v (%v)", compared, err)
	}
	found, err := ops.Discover(ctx, []string{console})
	if err != nil || len(found.Credentials) != 1 || slices.ContainsFunc(found.Findings, func(f discover.Finding) bool { return f.Credential == vault }) {
		t.Errorf("discover: %+v (%v)", found, err)
	}
	names, err := ops.FormerNames(ctx, nil)
	if err != nil || names.Unseen || len(names.Names) != 2 {
		t.Errorf("former names: %+v (%v)", names, err)
	}
	seen, err := ops.Status(ctx, estate.StatusAsked{Live: true})
	if err != nil || len(seen.Rows) != 2 || len(seen.Calls) == 0 {
		t.Errorf("status: %+v (%v)", seen, err)
	}
	for _, r := range seen.Rows {
		// What was noted by the looks above is told.
		if r.Drift == nil || r.Others == nil || r.Problem != "" || (r.Credential == console) != (r.Checked != nil) {
			t.Errorf("status of %s: %+v", r.Credential, r)
		}
	}
	quiet, err := ops.Status(ctx, estate.StatusAsked{})
	if err != nil || quiet.Calls != nil {
		t.Errorf("a status that asks nobody made calls: %v (%v)", quiet.Calls, err)
	}
	runs, err := ops.Runs(ctx)
	if err != nil || len(runs) != 1 || runs[0].Run != run || runs[0].Open() {
		t.Errorf("runs: %+v (%v)", runs, err)
	}
	if after := world(); after != before {
		t.Error("the world is not what it was")
	}
}

func TestTheProcedureIsRenderedPageByPage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rotate(console)
	b.before = func(req *http.Request) { t.Errorf("somebody was asked: %s", req.URL) }
	pages := map[string]string{}
	keep := func(p estate.Page) error { pages[p.Credential] = string(p.Text); return nil }
	if err := b.operations().Document(t.Context(), estate.Documenting{}, keep); err != nil || len(pages) != 2 {
		t.Fatalf("%d pages (%v)", len(pages), err)
	}
	told := pages[console]
	if err := b.operations().Document(t.Context(), estate.Documenting{Credentials: []string{console}, Stable: true}, keep); err != nil || len(pages[console]) >= len(told) || !strings.HasPrefix(pages[console], "#") {
		t.Errorf("without what changes it has %d bytes, with it %d (%v)", len(pages[console]), len(told), err)
	}
	if err := b.operations().Document(t.Context(), estate.Documenting{Credentials: []string{console}, HTML: true}, keep); err != nil || !strings.HasPrefix(pages[console], "<!doctype") {
		t.Errorf("the page begins %.20q (%v)", pages[console], err)
	}
	_, full := pages[console], estate.Error{Code: estate.Failed}
	err := b.operations().Document(t.Context(), estate.Documenting{}, func(estate.Page) error { return &full })
	if e := b.refused(err, estate.Failed); e != &full {
		t.Errorf("who writes the pages has failed, and told is %v", err)
	}
}

func TestWhatWasDoneIsProven(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ops, ctx := b.operations(), t.Context()
	period := estate.Period{From: b.clock.Now().Add(-time.Hour), To: b.clock.Now().Add(24 * time.Hour)}
	_, err := ops.Verify(ctx, estate.Verifying{})
	if e := b.refused(err, estate.NoJournal); e.Dir != filepath.Join(b.dir, ".rekey") {
		t.Errorf("there is no journal in %s", e.Dir)
	}
	_, err = ops.Evidence(ctx, period, nil)
	b.refused(err, estate.NoEntries)
	b.rotate(console)
	_, err = ops.Evidence(ctx, estate.Period{From: period.From, To: period.To, Credential: "NOBODY"}, nil)
	b.refused(err, estate.Unnamed)
	var lines bytes.Buffer
	found, err := ops.Evidence(ctx, period, func(p []byte) error { lines.Write(p); return nil })
	if err != nil || len(found.Dossier.Runs) != 1 || !strings.HasPrefix(lines.String(), "{") {
		t.Fatalf("evidence: %d bytes (%v)", lines.Len(), err)
	}
	signed, err := ops.Sign(ctx)
	if err != nil || !signed.OK() || signed.Made {
		t.Errorf("there is nothing new to sign: %+v (%v)", signed, err)
	}
	was, err := ops.Key(ctx)
	if err != nil || was == "" || was != signed.Key {
		t.Errorf("the key is %q, and %q has signed (%v)", was, signed.Key, err)
	}
	fresh, err := ops.NewKey(ctx, estate.NewKey{Reason: "yearly"})
	if err != nil || !fresh.Vouched || fresh.Key == was || fresh.Key == "" {
		t.Errorf("handed over: %+v (%v)", fresh, err)
	}
	proven, err := ops.Verify(ctx, estate.Verifying{})
	if err != nil || !proven.Report.OK() || !proven.Beside || proven.Simulated {
		t.Errorf("verified: %+v (%v)", proven, err)
	}
	copied, err := estate.VerifyCopy(ctx, filepath.Join(b.dir, ".rekey"), estate.Verifying{})
	if err != nil || copied.Report.Entries != proven.Report.Entries {
		t.Errorf("a copy verifies as %+v (%v)", copied, err)
	}
	me, err := ops.Whoami(ctx)
	if err != nil || me.Who.Name != "alice@laptop" || me.Enforced || me.Of != 2 || len(me.Refused) > 0 {
		t.Errorf("who asks: %+v (%v)", me, err)
	}
}

// TestTheDoctorTellsWhereNoCheckpointCanGo: a service is often started where rekey.yaml is
// another user's, and finds out with the first run otherwise.
func TestTheDoctorTellsWhereNoCheckpointCanGo(t *testing.T) {
	t.Parallel()
	for file, ok := range map[string]bool{"checkpoints.txt": true, "no-folder/checkpoints.txt": false, ".": false} {
		b := newBench(t, "rekey: 1\n", "rekey: 1\nevidence: {checkpoints: [{file: "+file+"}]}\n")
		all, err := b.operations().Doctor(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(all, func(f estate.Finding) bool {
			return f.About == "evidence" && f.OK == ok && strings.Contains(f.What, "file:"+file) && !strings.Contains(f.What, "rekey-doctor") && (ok || f.Then != "")
		}) {
			t.Errorf("%s: %+v", file, all)
		}
		if left, err := filepath.Glob(filepath.Join(b.dir, "*doctor*")); err != nil || len(left) > 0 {
			t.Errorf("it leaves %v (%v)", left, err)
		}
	}
}

// TestTheDoctorTellsEverythingAtOnce, and sends no credential.
func TestTheDoctorTellsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "env:HEROKU_API_KEY", "env:NOT_SET", "env:INFISICAL_CLIENT_SECRET", "cmd:no-such-program read", "env:CLOUDFLARE_ACCOUNT_ID", "env:NO_ACCOUNT", "env:CF_ACCOUNT_ID", "env:NONE")
	b.before = func(req *http.Request) {
		if req.Method != http.MethodHead || req.Header.Get("Authorization") != "" {
			t.Errorf("a doctor asked for %s %s with %v", req.Method, req.URL, req.Header)
		}
	}
	all, err := b.operations().Doctor(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ about, what string }{{"variables", "NOT_SET"}, {"tools", "no-such-program"}} {
		if !slices.ContainsFunc(all, func(f estate.Finding) bool {
			return f.About == want.about && !f.OK && f.Then != "" && strings.Contains(f.What, want.what)
		}) {
			t.Errorf("it does not tell of %s: %+v", want.what, all)
		}
	}
	if !slices.ContainsFunc(all, func(f estate.Finding) bool { return f.About == "network" && f.OK }) || !slices.ContainsFunc(all, func(f estate.Finding) bool { return f.About == "journal" && f.OK }) {
		t.Errorf("it tells nothing good: %+v", all)
	}
	_, err = b.operations().Check(t.Context(), estate.Wish{Credential: console})
	if e := b.refused(err, estate.Unwired); len(e.Problems) == 0 || !strings.Contains(strings.Join(e.Problems, " "), "NOT_SET") {
		t.Errorf("what is missing is %v", e.Problems)
	}
	_, err = b.operations().Compare(t.Context(), nil)
	if e, told := b.refused(err, estate.Unwired), ""; e != nil {
		if told = strings.Join(e.Problems, " "); !strings.Contains(told, "NOT_SET") || !strings.Contains(told, "NO_ACCOUNT") {
			t.Errorf("a comparison tells of %v", e.Problems)
		}
	}
}

// TestTheDoctorMissesTheKeyOfAJournal that was moved into a folder: no run can go on there.
func TestTheDoctorMissesTheKeyOfAJournal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rotate(console)
	dir := filepath.Join(b.dir, ".rekey")
	j, err := kept.Place{Folder: dir}.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Check(t.Context(), "fingerprint key", "of the key that lies elsewhere")
	if err := errors.Join(err, j.Close(), os.Remove(filepath.Join(dir, kept.KeyFile))); err != nil {
		t.Fatal(err)
	}
	all, err := b.operations().Doctor(t.Context(), nil)
	if err != nil || !slices.ContainsFunc(all, func(f estate.Finding) bool {
		return f.About == "journal" && !f.OK && strings.Contains(f.Then, "copy the file there")
	}) {
		t.Errorf("%+v (%v)", all, err)
	}
}
