package service_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"rekey/internal/report"
)

var (
	figure   = regexp.MustCompile(`\b(rekey|process)_[a-z0-9_]+`)
	selected = regexp.MustCompile(`\b(rekey_[a-z0-9_]+)\{([^}]*)\}`)
	label    = regexp.MustCompile(`\b(needs|state|within|of)="([^"]*)"`)
)

// expressions are what the alerts and the dashboard ask Prometheus for, by where.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Expr        string
				Annotations map[string]string
			}
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	for name, into := range map[string]any{"prometheus/rekey.rules.yaml": &rules, "grafana/rekey.json": &board} {
		b, err := os.ReadFile("../../deploy/" + name)
		if err == nil && strings.HasSuffix(name, "json") {
			err = json.Unmarshal(b, into)
		} else if err == nil {
			err = yaml.Unmarshal(b, into)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	page, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			out["the alert "+r.Alert] = r.Expr
			if r.Annotations["live"] == "" || !strings.HasPrefix(r.Annotations["next"], "rekey ") || r.Annotations["summary"] == "" {
				t.Errorf("%s says not what is live, or no command that comes next: %v", r.Alert, r.Annotations)
			}
			first, _, _ := strings.Cut(r.Annotations["next"], ";")
			if row := "| `" + r.Alert + "` | "; !strings.Contains(string(page), row) || !strings.Contains(string(page), " | "+r.Annotations["live"]+" | `"+first+"`") {
				t.Errorf("docs/alerts.md says something else of %s", r.Alert)
			}
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d alerts", len(out))
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			out["the panel "+p.Title] += target.Expr + "\n"
		}
	}
	return out
}

// TestWhatAlertsAndDashboardAskForIsThere: every figure and every label that they name is
// one that /metrics offers, so that no alert is silent because of a name.
func TestWhatAlertsAndDashboardAskForIsThere(t *testing.T) {
	t.Parallel()
	p := serveWith(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
	for _, late := range []string{"rekey_schedule_ticked_timestamp_seconds 1", "rekey_evidence_verified_timestamp_seconds ", `rekey_trace_spans_sent{of="journal"}`, "rekey_workers 1", `operation="metrics"`} {
		p.until("/metrics", late)
	}
	_, offered := p.get("/metrics")
	var there []string
	for line := range strings.Lines(offered) {
		if !strings.HasPrefix(line, "#") {
			there = append(there, line)
		}
	}
	asked := 0
	for where, expr := range expressions(t) {
		names := figure.FindAllString(expr, -1)
		if len(names) == 0 {
			t.Errorf("%s asks for no figure: %s", where, expr)
		}
		for _, name := range names {
			asked++
			if !slices.ContainsFunc(there, func(l string) bool { return strings.HasPrefix(l, name+"{") || strings.HasPrefix(l, name+" ") }) {
				t.Errorf("%s asks for %s, which /metrics does not offer", where, name)
			}
		}
		for _, s := range selected.FindAllStringSubmatch(expr, -1) {
			for _, l := range label.FindAllString(s[2], -1) {
				if !slices.ContainsFunc(there, func(line string) bool { return strings.HasPrefix(line, s[1]+"{") && strings.Contains(line, l) }) {
					t.Errorf("%s asks for %s with %s, which /metrics does not offer", where, s[1], l)
				}
			}
		}
	}
	if asked < 30 {
		t.Errorf("only %d figures were asked for", asked)
	}
	for _, need := range append(report.Attentions(), "nothing") {
		if !strings.Contains(offered, `rekey_credentials{needs="`+need+`"} `) {
			t.Errorf("/metrics says nothing of credentials that need %q while there are none", need)
		}
	}
	promtool(t, offered, "check", "metrics")
	if strings.Contains(offered, "rekey_schedule_ticked_timestamp_seconds 0\n") {
		t.Error("the schedule never ticked")
	}
}

// TestTheAlertsAreJudgedByPrometheus: its own tool checks the rules, and plays them on
// figures that are well and that are not.
func TestTheAlertsAreJudgedByPrometheus(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"check", "rules", "rekey.rules.yaml"}, {"test", "rules", "rekey.rules.test.yaml"}} {
		promtool(t, "", args...)
	}
}

// promtool has Prometheus' own tool judge something: figures, or files beside the alerts.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is missing: apt-get install prometheus")
		}
		t.Skip("PROMTOOL IS MISSING (apt-get install prometheus): figures and alerts were not judged")
	}
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = "../../deploy/prometheus"
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil || input == "" && !strings.Contains(string(out), "SUCCESS") {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
