package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/console"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// many is a rekey.yaml of so many credentials.
func many(n int) string {
	var b strings.Builder
	b.WriteString(`rekey: 1
vendors:
  cloudflare: {token: env:CF_ACCESS_MGMT, account: env:CF_ACCOUNT_ID}
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
procedures:
  fleet:
    applies_to: FLEET_<SCOPE>
    cadence: 90d
    before_expiry: 14d
    issuer: {vendor: cloudflare, kind: access-service-token, name: fleet-<scope>-<date>, duration: 8760h}
    store: {vendor: infisical, path: /MooseQuest/cloudflare/, environment: prod, slots: {<name>: "{client_secret}", <name>__CLIENT_ID: "{client_id}"}}
    consumer: {vendor: heroku, slots: {<name>: "{client_id}:{client_secret}"}}
    validate:
      - url: https://fleet-<scope>.raxx.app/health
credentials:
`)
	for i := range n {
		_, _ = fmt.Fprintf(&b, "  FLEET_%d:\n    consumers:\n      - app: fleet-%d\n", i, i)
	}
	return b.String()
}

// statuses answers with rows that are there already.
type statuses struct {
	*service
	rows []report.Row
}

func (s *statuses) Status(context.Context, estate.StatusAsked) (estate.Status, error) {
	return estate.Status{Rows: s.rows}, nil
}

// TestTenThousandAreShownAHundredAtATime: every one of them on one page, and searched.
func TestTenThousandAreShownAHundredAtATime(t *testing.T) {
	t.Parallel()
	const all = 10_000
	b := newBench(t)
	ops := &statuses{service: b.service}
	for i := range all {
		ops.rows = append(ops.rows, report.Row{Credential: fmt.Sprintf("FLEET_%d", i), Owner: fmt.Sprintf("team-%d", i%7), Issuer: "cloudflare access-service-token", Attention: []string{"overdue", "due", ""}[i*3/all]})
	}
	b.handler = b.console(console.Options{Ops: ops})
	seen := map[string]bool{}
	path := "/"
	for path != "" {
		page := b.get(path)
		if len(page) > 250_000 {
			t.Fatalf("%s has %d bytes", path, len(page))
		}
		for _, part := range strings.Split(page, `href="/credentials/FLEET_`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			if !strings.Contains(name, "/") {
				seen[name] = true
			}
		}
		_, after, more := strings.Cut(page, `rel="next" href="`)
		if path = ""; more {
			path, _, _ = strings.Cut(after, `"`)
			path = strings.ReplaceAll(path, "&amp;", "&")
		}
	}
	if len(seen) != all {
		t.Errorf("%d of %d were shown", len(seen), all)
	}
	if page := b.get("/?q=fleet_777+team-0"); !strings.Contains(page, "FLEET_7770") || strings.Contains(page, "FLEET_778<") {
		t.Error("a search finds something else")
	}
	if page := b.get("/?needs=overdue&page=9999"); !strings.Contains(page, "3301–3334 of 3334") {
		t.Error("what needs a rotation ends elsewhere")
	}
	if page := b.get("/calendar"); len(page) > 250_000 {
		t.Errorf("the calendar has %d bytes", len(page))
	}
}

// BenchmarkEstateOfTenThousand is the estate's first page, read from rekey.yaml and an
// empty journal.
//
//	go test ./internal/console -run '^$' -bench TenThousand -benchtime 20x
func BenchmarkEstateOfTenThousand(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(many(10_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	config, err := sop.Load(filepath.Join(dir, "rekey.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	if len(config.Specs) != 10_000 {
		b.Fatalf("%d credentials", len(config.Specs))
	}
	e := estate.New(config, estate.Surroundings{})
	c, err := console.New(console.Options{Ops: onlyLooks{Estate: e}})
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/", "/?q=fleet_77", "/calendar", "/credentials/FLEET_7"} {
		b.Run(strings.ReplaceAll(path, "/", "|"), func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// onlyLooks begins nothing.
type onlyLooks struct{ *estate.Estate }

func (onlyLooks) Begin(context.Context, estate.Opening) (string, error)    { return "", errBegun }
func (onlyLooks) TakeUp(context.Context, estate.Advancing) (string, error) { return "", errBegun }
func (onlyLooks) TurnBack(context.Context, estate.Backing) (string, error) { return "", errBegun }
func (onlyLooks) Follow(context.Context, string, int64, estate.Face) (estate.Ended, error) {
	return estate.Ended{}, errBegun
}

var errBegun = &estate.Error{Code: estate.Failed}

// manyRuns answers with runs that are there already.
type manyRuns struct {
	*statuses
	runs []estate.Summary
}

func (m *manyRuns) Runs(context.Context) ([]estate.Summary, error) { return m.runs, nil }

// TestTheEvidenceOfManyRunsIsALightPage: it counts all of them and shows the newest, says
// so, and says of an open one how it stands.
func TestTheEvidenceOfManyRunsIsALightPage(t *testing.T) {
	t.Parallel()
	const all = 10_000
	b := newBench(t)
	ops := &manyRuns{statuses: &statuses{service: b.service}}
	for i := range all {
		s := estate.Summary{Run: fmt.Sprintf("r%05d", i), Credential: fmt.Sprintf("FLEET_%d", i), Opened: b.clock.Now(), Closed: b.clock.Now(), Ending: rotation.Rotated}
		row := report.Row{Credential: s.Credential}
		if i == all-1 {
			s.Ending, s.Closed = "", time.Time{}
			row.Open, row.Working = &s, true
		}
		ops.runs, ops.rows = append(ops.runs, s), append(ops.rows, row)
	}
	b.handler = b.console(console.Options{Ops: ops})
	page := b.get("/evidence")
	if len(page) > 250_000 {
		t.Errorf("it has %d bytes", len(page))
	}
	for _, want := range []string{"r09999", "r09900", "newest 100 of 10000", ">9999</b><span>rotated<", ">1</b><span>running<"} {
		if !strings.Contains(page, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if strings.Contains(page, "r09899") {
		t.Error("it shows more than the newest")
	}
}
