package document_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/document"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

var update = flag.Bool("update", false, "write the golden pages anew; read the diff")

// everyKind is a credential of every kind and strategy that there is.
const everyKind = `rekey: 1
vendors:
  cloudflare: {token: [env:CF_ACCESS_MGMT, "file:secrets/cf token", "cmd:pass show cf"], account: [env:CF_ACCOUNT_ID, a11acc]}
  store-1: {vendor: infisical, client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  store-2: {vendor: infisical, base_url: https://infisical.example.com/, token: "infisical:store-1:prod/a/b/KEY", project: p1}
  heroku: {token: env:HEROKU_API_KEY}
  portal: {vendor: assisted, link: "https://portal.example.com/keys", title: The portal}
procedures:
  access:
    applies_to: CF_ACCESS_SVC_<SCOPE>
    owner: platform
    role: superadmin
    document: https://wiki.example.com/sop
    cadence: 90d
    jitter: 5d
    before_expiry: 14d
    windows: ["Mon-Thu 09:00-16:00 Europe/Berlin"]
    timing: {soak: 1h}
    issuer: {vendor: cloudflare, kind: access-service-token, name: raxx-<scope>-<date>, duration: 8760h}
    store: {vendor: store-1, path: /a/b, environment: prod, slots: {<name>: "{client_secret}", <name>__CLIENT_ID: "{client_id}"}}
    validate: [{url: "https://<scope>.raxx.app/health", status: 204}]
    verify: [{url: "https://console.raxx.app/api/status/sites?x=1", headers: {Cookie: env:OPS, X-Other: env:OTHER}, jq: '.sites[] | select(.id=="it''s") # a remark'}]
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{client_id}:{client_secret}"}}, {vendor: heroku, app: other, one_off_dynos: ignore, grace: 5s, slots: {<name>: "{{{client_id}}}"}}]
credentials:
  CF_ACCESS_SVC_REPLACE: {former: [OLD_NAME]}
  CF_ACCESS_SVC_ROLL: {issuer: {strategy: roll, grace: 3d}}
  CF_ACCESS_SVC_ZONE: {issuer: {strategy: roll, zone: z1, zones: [z2]}}
  CF_API_TOKEN_USER:
    issuer: {vendor: cloudflare, kind: user-api-token, name: user-<run>-x}
    store: {vendor: store-2, path: /t, environment: dev, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, pipeline: raxx, stage: review, slots: {<name>: "{token}"}}]
  CF_API_TOKEN_ACCOUNT:
    issuer: {vendor: cloudflare, kind: account-api-token, name: account-<date>, duration: 720h, strategy: roll}
    store: {vendor: store-2, path: /t, environment: dev, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, pipeline: 5f3a7c10-2b64-4d8e-9a51-0c6d7e8f9a01, stage: test, grace: 1m, existing_apps: tell, slots: {<name>: "{token}"}}]
  HEROKU_TOKEN:
    cadence: 30d
    issuer: {vendor: heroku, kind: oauth-authorization, name: raxx-<date>, scope: [identity, read-protected], expires_in: 180d}
    store: {vendor: store-1, path: /h, environment: prod, slots: {<name>: "{token}", <name>__ID: "{id}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{token}"}}]
  INFISICAL_LOGIN:
    issuer: {vendor: store-1, kind: universal-auth-client-secret, name: login-<date>, identity: [env:IDENTITY_ID, 1d], expires_in: 180d}
    store: {vendor: store-1, path: /i, environment: prod, slots: {<name>: "{client_secret}", <name>__ID: "{id}", <name>__CLIENT: "{client_id}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{client_id} {client_secret}"}}]
  PORTAL_KEY:
    issuer: {vendor: portal, kind: portal-key, name: key-<date>, create: ["New key, named {name}."], revoke: ["Delete {name}."], headers: {Authorization: "Bearer {value}"}}
    store: {vendor: store-1, path: /p, environment: prod, slots: {<name>: "{value}"}}
    validate: [{url: "https://portal.example.com/v1/me"}]
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{value}"}}]
  PORTAL_CLIENT:
    issuer: {vendor: portal, kind: portal-client, name: client-<date>, create: ["New client."], revoke: ["Delete it."], headers: {X-Id: "{client_id}", X-Secret: "{client_secret}"}}
    store: {vendor: store-1, path: /p, environment: prod, slots: {<name>: "{client_secret}", <name>_ID: "{client_id}"}}
    validate: [{url: "https://portal.example.com/v1/me"}]
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{client_id} {client_secret}"}}]
`

func parsed(t testing.TB, text string) *sop.Config {
	t.Helper()
	c, err := sop.Parse("rekey.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// input is what the command gives for a credential.
func input(t testing.TB, c *sop.Config, spec sop.Spec, now *document.Now) document.Input {
	t.Helper()
	hands, err := wire.ByHand(spec, c.Vendors)
	if err != nil {
		t.Fatal(err)
	}
	in := document.Input{Spec: spec, Can: hands.Can, Issuer: hands.Issuer, Store: hands.Store, Consumers: hands.Consumers, Pattern: c.Patterns[spec.Procedure], Now: now}
	for _, s := range c.Specs {
		if s.Name == spec.Name || spec.Procedure != "" && s.Procedure == spec.Procedure {
			in.Siblings = append(in.Siblings, s)
		}
	}
	return in
}

func build(t testing.TB, c *sop.Config, spec sop.Spec, now *document.Now) document.Document {
	t.Helper()
	d, err := document.Build(input(t, c, spec, now))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// played is the history of a rehearsal, two runs and a check in virtual time.
func played(t *testing.T) *document.Now {
	t.Helper()
	const name = "CF_ACCESS_SVC_CONSOLE"
	n := &document.Now{Journal: ".rekey", Refs: map[string]string{
		"env:CF_ACCESS_MGMT": "is set in this environment", "env:CLOUDFLARE_ACCESS_MGMT_TOKEN": "is not set in this environment",
		"env:OPS_SESSION_COOKIE": "is not set in this environment",
	}}
	add := func(run string, s *stage.Stage) {
		result, err := s.Resume()
		if err != nil {
			t.Fatal(err)
		}
		events, err := s.Log.Events()
		if err != nil {
			t.Fatal(err)
		}
		st := result.State
		n.At = events[len(events)-1].At
		n.Known.Runs = append(n.Known.Runs, history.Summary{Run: run, Credential: name, Actor: "stage", Opened: events[0].At, Closed: n.At, Ending: st.Closed.Ending, Current: st.Closed.Current})
		if st.Closed.Ending == rotation.Rotated {
			n.Plan, n.PlanAt = st.Plan, events[0].At
		}
	}
	rehearsal := stage.New(1, stage.Knobs)
	rehearsal.Purpose(sop.ToRehearse)
	run := stage.New(1, stage.Knobs)
	for _, x := range []struct {
		id string
		s  *stage.Stage
	}{{"h3ars1", rehearsal}, {"r0tat3", run}} {
		if err := x.s.Open(name, x.id); err != nil {
			t.Fatal(err)
		}
		add(x.id, x.s)
	}
	n.Known.Compared = map[string]report.Compared{}
	n.Check, n.CheckAt = &history.Check{OK: true, Took: 340 * time.Millisecond}, n.At.Add(time.Hour)
	n.At = n.CheckAt.Add(24 * time.Hour)
	return n
}

// TestGolden keeps the page of the demo's credential under review, next to the
// page that this project started from.
func TestGolden(t *testing.T) {
	c := parsed(t, sop.Example())
	d := build(t, c, c.Specs[0], played(t))
	for name, page := range map[string][]byte{"CF_ACCESS_SVC_CONSOLE.md": d.Markdown(), "CF_ACCESS_SVC_CONSOLE.html": d.HTML()} {
		path := filepath.Join("../../docs/sop", name)
		if *update {
			if err := os.WriteFile(path, page, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(page) {
			t.Errorf("%s is another page (-update writes it anew):\n%s", path, document.Differ(want, page))
		}
	}
	original, err := os.ReadFile("../../docs/sop/original.md")
	if err != nil {
		t.Fatal(err)
	}
	// Nothing that the original tells its reader is left out: its sections, in its order.
	page, at := string(d.Markdown()), 0
	for _, section := range []string{"Mode", "Last validated", "duration", "Required role", "Applies to", "When to run", "Prerequisites", "Steps", "1. Pre-rotation checks",
		"2. Generate the new credential", "3. Validate the new credential", "4. Store in Infisical", "5. Propagate to downstream consumers", "6. Verify downstream",
		"7. Revoke the old credential", "8. Audit log entry", "Rollback", "Vendor doc references", "Known gotchas"} {
		if !strings.Contains(string(original), section) {
			t.Errorf("the original has no %q", section)
		}
		i := strings.Index(page[at:], section)
		if i < 0 {
			t.Fatalf("the page has no %q after %q", section, page[max(0, at-40):at])
		}
		at += i
	}
	for what, value := range stage.New(1, stage.Knobs).Secrets() {
		if strings.Contains(page, value) {
			t.Errorf("%s is shown", what)
		}
	}
}

// onAPITokens is a stage with one API token that is rolled.
func onAPITokens(seed int64, knobs sim.Knobs) *stage.Stage {
	c, err := sop.Parse("rekey.yaml", []byte(`rekey: 1
vendors:
  cloudflare: {token: env:CF_ACCESS_MGMT, account: env:CF_ACCOUNT_ID}
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
credentials:
  CF_API_TOKEN_DNS:
    issuer: {vendor: cloudflare, kind: user-api-token, name: raxx-dns-<date>}
    store: {vendor: infisical, path: /MooseQuest/cloudflare/, environment: prod, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{token}"}}]
`))
	if err != nil {
		panic(err)
	}
	s := stage.New(seed, knobs)
	s.Config = c
	return s
}

// TestEveryStepOfThePlanIsOnThePage: what the program would do for a real
// observation is what the page says, in the same order, whatever the strategy and
// whether or not anybody looks who else holds it. A verb without a recipe, and a
// page whose steps differ from the plan's, are found here.
func TestEveryStepOfThePlanIsOnThePage(t *testing.T) {
	for _, c := range []struct {
		on         func(int64, sim.Knobs) *stage.Stage
		credential string
		strategy   string
		want       string // the first step that takes something away, with what stands before it
	}{
		{stage.New, "CF_ACCESS_SVC_CONSOLE", "", "survey disable"},
		{stage.New, "CF_ACCESS_SVC_CONSOLE", "roll", "survey expire"},
		{onAPITokens, "CF_API_TOKEN_DNS", "roll", "survey roll"},
		{stage.NewAuthorizations, stage.DeployToken, "", "survey delete"},
		{stage.NewClientSecrets, stage.AppLogin, "", "survey delete"},
	} {
		for _, discover := range []string{"", "off"} {
			s := c.on(1, stage.Knobs)
			s.Strategy(c.strategy)
			config := *s.Config // the stage's own is that of every stage
			config.Specs = slices.Clone(config.Specs)
			for i := range config.Specs {
				config.Specs[i].Discover = discover
			}
			s.Config = &config
			result, err := s.Play(c.credential)
			if err != nil || result.State.Closed.Ending != rotation.Rotated {
				t.Fatal(c.credential, err, result.State.Closed)
			}
			spec := result.State.Opened.Spec
			in := input(t, s.Config, spec, nil)
			outline, err := rotation.Outline(spec, in.Can)
			if err != nil {
				t.Fatal(err)
			}
			verbs := func(steps []rotation.Step) string {
				var out []string
				for _, st := range steps {
					out = append(out, string(st.Verb))
				}
				return strings.Join(out, " ")
			}
			real := result.State.Plan
			if a, b := verbs(real.Steps)+"|"+verbs(real.Back), verbs(outline.Steps)+"|"+verbs(outline.Back); a != b {
				t.Errorf("%s %s: the plan is\n%s\nand the page's\n%s", c.credential, c.strategy, a, b)
			}
			page := string(build(t, s.Config, spec, nil).Markdown())
			looks := discover == ""
			if strings.Contains(verbs(outline.Steps), c.want) != looks || strings.Contains(page, "_all /apps\njq -r") != looks || strings.Contains(page, "(`discover: off`)") == looks {
				t.Errorf("%s %s: discover %q, and the page does not look accordingly: %s", c.credential, c.strategy, discover, verbs(outline.Steps))
			}
		}
	}
}

// TestWhatCannotBeLookedThroughIsSaid: of an account that no recipe looks through
// the page says so, and has no block that would do nothing and end with ok.
func TestWhatCannotBeLookedThroughIsSaid(t *testing.T) {
	c := parsed(t, everyKind)
	spec := c.Specs[0]
	in := input(t, c, spec, nil)
	for key, r := range in.Consumers {
		r.Steps = maps.Clone(r.Steps)
		delete(r.Steps, "survey")
		in.Consumers[key] = r
	}
	d, err := document.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(d.Markdown()), "\n#### Check who else holds ")
	part, _, _ = strings.Cut(part, "\n### ")
	if !ok || !strings.Contains(part, "**Nothing can look through** the account of `heroku`.") || strings.Contains(part, "```") {
		t.Errorf("it says %q", part)
	}
}

// TestEveryPageIsShell: every block of every kind of page is bash, and none is
// empty: a step that nobody tells how to do would be one.
func TestEveryPageIsShell(t *testing.T) {
	c := parsed(t, everyKind)
	for _, spec := range c.Specs {
		t.Run(spec.Name, func(t *testing.T) {
			page := string(build(t, c, spec, nil).Markdown())
			found := blocks(page)
			if len(found) < 15 {
				t.Fatalf("only %d blocks", len(found))
			}
			for _, b := range found {
				valid(t, b)
				body := strings.TrimSuffix(strings.TrimPrefix(b, "( set -euo pipefail; cd \"$DESK\"\n"), ")")
				if strings.TrimSpace(body) == "" {
					t.Errorf("a block does nothing:\n%s", b)
				}
			}
			if strings.Contains(page, "@tool@") || strings.Contains(page, "@dir@") {
				t.Error("a placeholder is left")
			}
		})
	}
}

// blocks are the bash of a page, whatever the length of their fences.
func blocks(page string) []string {
	var out, lines []string
	fence := ""
	for _, line := range strings.Split(page, "\n") {
		switch {
		case fence == "" && strings.HasPrefix(line, "```"):
			fence = line[:len(line)-len(strings.TrimLeft(line, "`"))]
		case fence != "" && line == fence:
			out, lines, fence = append(out, strings.Join(lines, "\n")), nil, ""
		case fence != "":
			lines = append(lines, line)
		}
	}
	return out
}

func valid(t *testing.T, block string) {
	t.Helper()
	cmd := exec.Command("bash", "-n")
	cmd.Stdin = strings.NewReader(block)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") == "true" {
			t.Fatal("bash is missing")
		}
		t.Skip("NEEDS BASH: the blocks are not checked")
	}
	if err != nil {
		t.Errorf("this is no bash: %v\n%s\n%s", err, out, block)
	}
}

// TestStable: with and without what changes, a copy is the same; and a change of
// the configuration is told by its line.
func TestStable(t *testing.T) {
	c := parsed(t, sop.Example())
	spec := c.Specs[0]
	with, without := build(t, c, spec, played(t)), build(t, c, spec, nil)
	for _, p := range [][2][]byte{{with.Markdown(), without.Markdown()}, {with.HTML(), without.HTML()}} {
		if d := document.Differ(p[0], p[1]); d != "" {
			t.Errorf("what changes with time is compared:\n%s", d)
		}
		if string(p[0]) == string(p[1]) {
			t.Error("there is nothing that changes with time")
		}
		if n := strings.Count(string(p[1]), document.Marker); n != 0 {
			t.Errorf("%d marked lines are in the page that has none", n)
		}
	}
	other := spec
	other.Former = append(other.Former, "ANOTHER_NAME")
	other.Owner = "somebody else"
	d := document.Differ(with.Markdown(), build(t, c, other, nil).Markdown())
	for _, want := range []string{"- | Owner | none is configured |", "+ | Owner | somebody else |", "ANOTHER_NAME"} {
		if !strings.Contains(d, want) {
			t.Errorf("%q is not told:\n%s", want, d)
		}
	}
	// A marker in code hides nothing.
	hidden := strings.Replace(string(with.Markdown()), "umask 077", "umask 000 # "+document.Marker, 1)
	if document.Differ([]byte(hidden), without.Markdown()) == "" {
		t.Error("a marked line of code was passed over")
	}
	// A page from another system's editor is the same page.
	if d := document.Differ([]byte(strings.ReplaceAll(string(without.Markdown()), "\n", "\r\n")), without.Markdown()); d != "" {
		t.Errorf("line ends are told:\n%s", d)
	}
}

// TestNeverMeasured: what is not known is said, and nothing is made up.
func TestNeverMeasured(t *testing.T) {
	c := parsed(t, sop.Example())
	page := string(build(t, c, c.Specs[0], &document.Now{At: stage.Start}).Markdown())
	for _, want := range []string{"never by a run or a rehearsal", "never measured", "Not known when it is due", "never compared; never checked", "there is no journal yet", "No run of this credential has ended yet"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not said", want)
		}
	}
}

// TestMeasured: average and p95 are of runs that rotated only, and whose they are
// is said.
func TestMeasured(t *testing.T) {
	c := parsed(t, sop.Example())
	n := &document.Now{At: stage.Start}
	for i := 1; i <= 20; i++ {
		name, ending := "CF_ACCESS_SVC_CONSOLE", rotation.Rotated
		if i > 10 {
			name = "CF_ACCESS_SVC_VAULT"
		}
		took := time.Duration(i) * time.Minute
		n.Known.Runs = append(n.Known.Runs,
			history.Summary{Run: fmt.Sprint(i), Credential: name, Opened: stage.Start.Add(-took), Closed: stage.Start, Ending: ending},
			history.Summary{Run: fmt.Sprint("x", i), Credential: name, Opened: stage.Start.Add(-time.Hour * 99), Closed: stage.Start, Ending: rotation.RolledBack})
	}
	page := string(build(t, c, c.Specs[0], n).Markdown())
	for _, want := range []string{"average 5m30s, p95 10m, over 10 runs** of this credential", "average 10m30s, p95 19m, over 20 runs of all 2 credentials"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not said:\n%s", want, page[:1200])
		}
	}
}
