package sop

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestExampleHoldsTheWholeSOP(t *testing.T) {
	c, err := Parse("rekey.yaml", []byte(Example()))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Specs) != 2 {
		t.Fatalf("specs = %d, want 2", len(c.Specs))
	}
	s, err := c.Spec("CF_ACCESS_SVC_CONSOLE")
	if err != nil {
		t.Fatal(err)
	}
	if s.Cadence != 90*24*time.Hour || s.BeforeExpiry != 14*24*time.Hour || s.Role != "superadmin" {
		t.Errorf("cadence %s, before expiry %s, role %s", s.Cadence, s.BeforeExpiry, s.Role)
	}
	wantStore := "CF_ACCESS_SVC_CONSOLE={client_secret} CF_ACCESS_SVC_CONSOLE__CLIENT_ID={client_id} CF_ACCESS_SERVICE_TOKEN_CONSOLE={client_secret} CF_ACCESS_SERVICE_TOKEN_CONSOLE__CLIENT_ID={client_id}"
	if got := slotText(s.Store); got != wantStore {
		t.Errorf("store slots\n got %s\nwant %s", got, wantStore)
	}
	wantApp := "CF_ACCESS_SVC_CONSOLE={client_id}:{client_secret} CF_ACCESS_SERVICE_TOKEN_CONSOLE={client_id}:{client_secret}"
	if got := slotText(s.Consumers[0]); got != wantApp || s.Consumers[0].Key != "heroku:raxx-console-prod" {
		t.Errorf("consumer %s: %s", s.Consumers[0].Key, got)
	}
	if s.Validate[0].URL != "https://console.raxx.app/health" {
		t.Errorf("validate %s", s.Validate[0].URL)
	}
	if want := `.sites[] | select(.id=="console-prod").liveness.ok`; s.Verify[0].JQ != want {
		t.Errorf("jq %s", s.Verify[0].JQ)
	}
	if s.Issuer.Name != "raxx-console-svc-<date>" || string(s.Issuer.Settings) != `{"duration":"8760h"}` {
		t.Errorf("issuer %s %s", s.Issuer.Name, s.Issuer.Settings)
	}
	if _, err := c.Spec("CF_ACCESS_SERVICE_TOKEN_CONSOLE"); err == nil || !strings.Contains(err.Error(), "former name of CF_ACCESS_SVC_CONSOLE") {
		t.Errorf("former name: %v", err)
	}
	if _, err := c.Spec("CF_ACCESS_SVC_CONSLOE"); err == nil || !strings.Contains(err.Error(), "did you mean CF_ACCESS_SVC_CONSOLE?") {
		t.Errorf("typo: %v", err)
	}
}

func slotText(p Place) string {
	var out []string
	for _, s := range p.Slots {
		out = append(out, s.Name+"="+s.Template.String())
	}
	return strings.Join(out, " ")
}

// TestConsumersHaveOneNameEach: an app, or a stage of a pipeline, whole and not
// both; their keys cannot be taken for each other.
func TestConsumersHaveOneNameEach(t *testing.T) {
	with := func(consumer string) (*Config, error) {
		return Parse("rekey.yaml", []byte(strings.Replace(Example(), "- app: raxx-console-prod", "- "+consumer, 1)))
	}
	for consumer, key := range map[string]string{"{app: raxx}": "heroku:raxx", "{pipeline: raxx, stage: review}": "heroku:raxx/review"} {
		c, err := with(consumer)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Specs[0].Consumers[0].Key; got != key {
			t.Errorf("%s is %s", consumer, got)
		}
	}
	for _, bad := range []string{"{grace: 1m}", "{app: a, pipeline: p, stage: review}", "{app: a, stage: review}", "{pipeline: p}", "{stage: review}"} {
		_, err := with(bad)
		if err == nil || !strings.Contains(err.Error(), "consumers.0: want app, or pipeline and stage") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := with("{pipeline: p, stage: prod}"); err == nil || !strings.Contains(err.Error(), "want test or review or") {
		t.Errorf("a stage that there is not: %v", err)
	}
}

// TestNextTokenCostsAFewLines: what is common is said once (T28).
func TestT28NextTokenCostsAFewLines(t *testing.T) {
	more := Example() + `
  CF_ACCESS_SVC_BILLING:
    consumers: [{app: raxx-billing-prod}]
`
	c, err := Parse("rekey.yaml", []byte(more))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.Spec("CF_ACCESS_SVC_BILLING")
	b, _ := json.Marshal(s)
	for _, other := range []string{"CONSOLE", "VAULT", "<scope>", "<SCOPE>", "<name>"} {
		if strings.Contains(strings.ReplaceAll(string(b), "console.raxx.app", ""), other) {
			t.Errorf("the third credential still says %s: %s", other, b)
		}
	}
	if s.Validate[0].URL != "https://billing.raxx.app/health" || s.Store.Slots[0].Name != "CF_ACCESS_SVC_BILLING" {
		t.Errorf("%s %s", s.Validate[0].URL, s.Store.Slots[0].Name)
	}
}

func TestEveryMistakeIsToldAtOnceWithItsPlace(t *testing.T) {
	src, err := os.ReadFile("testdata/wrong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/wrong.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("wrong.yaml", src)
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	// Which vendors there are is the schema's to say: another one changes nothing here.
	known, err := newSchemas(false, false)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.NewReplacer("<types>", strings.Join(append(known.having("connection."), External), ", "), "<consumers>", strings.Join(known.having("consumer."), ", "), "<refs>", strings.Join(kinds()[3:], ":…, ")+":…").Replace(string(want))
	if got := problems.Error() + "\n"; got != said {
		t.Errorf("got\n%s\nwant\n%s", got, said)
	}
	if strings.Contains(problems.Error(), "hunter2") {
		t.Error("a value that should not have been in the file is quoted")
	}
}

func TestBrokenYAMLIsOneMistakeWithItsLine(t *testing.T) {
	_, err := Parse("x.yaml", []byte("rekey: 1\nvendors:\n  a: [\n"))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line < 3 {
		t.Fatalf("got %v", err)
	}
	if _, err := Parse("x.yaml", nil); err == nil {
		t.Error("an empty file was accepted")
	}
	deep := strings.Repeat("[", 200_000)
	if _, err := Parse("x.yaml", []byte(deep)); err == nil {
		t.Error("a bomb was accepted")
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "2w1d": 15 * 24 * time.Hour, "1h30m": 90 * time.Minute, "500ms": time.Second / 2, "0s": 0} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%s = %s, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "90", "d", "3 fortnights", "-1d", "1y"} {
		if _, err := ParseDuration(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

// TestANameThatIsGivenTwiceIsToldOnceAtItsLine: a credential that has its own name, or one
// former name twice, under former.
func TestANameThatIsGivenTwiceIsToldOnceAtItsLine(t *testing.T) {
	head, _, _ := strings.Cut(Example(), "\ncredentials:\n")
	for _, former := range []string{"CF_ACCESS_SVC_A", "OLD_A, OLD_A"} {
		text := head + "\ncredentials:\n  CF_ACCESS_SVC_A:\n    former: [" + former + "]\n    consumers: [{app: shop}]\n"
		_, err := Parse("rekey.yaml", []byte(text))
		var told Problems
		if !errors.As(err, &told) || len(told) != 1 || told[0].Line != strings.Count(text, "\n")-1 || !strings.Contains(told[0].Msg, "is already a name of this credential") {
			t.Errorf("former: [%s]: %v", former, err)
		}
	}
}
