package sop

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// said is the example with more in its procedure, in its first credential, and at its end.
func said(procedure, credential, end string) (*Config, error) {
	src := strings.Replace(Example(), "    cadence: 90d\n", "    cadence: 90d\n"+procedure, 1)
	src = strings.Replace(src, "  CF_ACCESS_SVC_CONSOLE:\n", "  CF_ACCESS_SVC_CONSOLE:\n"+credential, 1)
	return Parse("rekey.yaml", []byte(src+"\n"+end))
}

// TestHowARotationBeginsIsReadFromProcedureAndCredential: what a credential says wins.
func TestHowARotationBeginsIsReadFromProcedureAndCredential(t *testing.T) {
	c, err := said("    run: after approval\n    owner: sre\n", "    run: automatically\n    approvals: {before: retiring, how_many: 2, role: release, by_asker: true, expire: 2d, fresh: 1m}\n    canary: true\n", "")
	if err != nil {
		t.Fatal(err)
	}
	first, second := c.Specs[0], c.Specs[1]
	want := Approval{Retiring: true, HowMany: 2, Role: "release", ByAsker: true, Expire: 48 * time.Hour, Fresh: time.Minute}
	if first.Run != Automatically || !first.Canary || first.Approvals == nil || *first.Approvals != want {
		t.Errorf("%q %v %+v", first.Run, first.Canary, first.Approvals)
	}
	// After approval says already that somebody has to agree: the role is the credential's.
	want = Approval{Start: true, HowMany: 1, Role: "superadmin", Expire: 7 * 24 * time.Hour, Fresh: 5 * time.Minute}
	if second.Run != AfterApproval || second.Canary || second.Approvals == nil || *second.Approvals != want {
		t.Errorf("%q %v %+v", second.Run, second.Canary, second.Approvals)
	}
	if c, err = Parse("rekey.yaml", []byte(Example())); err != nil {
		t.Fatal(err)
	}
	if s := c.Specs[0]; s.Run != ByHand || s.Run.String() != "by hand" || s.Approvals != nil {
		t.Errorf("where nothing is said: %q %+v", s.Run, s.Approvals)
	}
	usual := Scheduling{AtMost: 3, Canary: true, Failures: 2, Within: 24 * time.Hour, AgainAfter: 6 * time.Hour, Drift: 6 * time.Hour, Discover: 24 * time.Hour, Check: 24 * time.Hour}
	if c.Schedule != usual || c.Notify != nil {
		t.Errorf("%+v %+v", c.Schedule, c.Notify)
	}
}

func TestScheduleAndNotifyAreRead(t *testing.T) {
	c, err := said("    owner: sre\n", "", `schedule:
  at_most: 5
  canary: none
  spread: 30m
  error_budget: {failures: 0, within: 12h}
  again_after: 1h
  looks: {drift: 1h, discover: off, check: 2d}
notify:
  channels:
    team: {slack: env:SLACK}
    oncall: {pagerduty: {key: env:PD, region: eu}}
    siem: {webhook: {url: env:HOOK, secret: env:HOOK_SECRET, headers: {Authorization: env:T}}}
    mail: {email: {to: [sre@example.com], from: rekey@example.com, server: "smtp.example.com:587", user: env:SMTP_USER, password: env:SMTP_PASSWORD}}
  rules:
    - {when: [stuck, evidence], to: [oncall, team]}
    - {credentials: [CF_ACCESS_*], owners: [sre], to: [mail]}
  quiet_hours: ["daily 20:00-08:00 Europe/Berlin"]
  console: https://rekey.example.com/
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Scheduling{AtMost: 5, Spread: 30 * time.Minute, Failures: 0, Within: 12 * time.Hour, AgainAfter: time.Hour, Drift: time.Hour, Check: 48 * time.Hour}
	if c.Schedule != want {
		t.Errorf("%+v", c.Schedule)
	}
	n := c.Notify
	if len(n.Channels) != 4 || n.Channels["oncall"].PagerDuty.Region != "eu" || n.Channels["mail"].Email.Server != "smtp.example.com:587" || len(n.Channels["siem"].Webhook.Headers) != 1 ||
		len(n.Rules) != 2 || n.Rules[1].Owners[0] != "sre" || len(n.Quiet) != 1 || n.Console != "https://rekey.example.com" {
		t.Errorf("%+v", n)
	}
}

// TestMistakesOfScheduleApprovalsAndNotify are all told at once, each at its line, and
// no value that may be a secret is quoted.
func TestMistakesOfScheduleApprovalsAndNotify(t *testing.T) {
	_, err := said("    run: sometimes\n    approvals: {before: never, how_many: 0, expire: 5s}\n",
		"    run: after approval\n    approvals: {before: retiring}\n    canary: maybe\n", `schedule:
  at_most: 0
  canary: last
  error_budget: {failures: -1, within: 0s}
  again_after: soon
  looks: {drift: 5s, discover: never, dirft: 1h}
notify:
  channels:
    a: {slack: https://hooks.slack.com/services/hunter2}
    b: {pagerduty: {region: us}, slack: env:X}
    c: {}
    d: {webhook: {url: env:X, secret: hunter2}}
    e: {email: {to: ["Somebody <x@example.com>"], from: nobody, server: smtp.example.com, user: env:U}}
    f: {webhook: {url: env:X, secret: env:Y, headers: {"a b": env:Z}}}
  rules:
    - {when: [stcuk], to: [a, teem]}
    - {credentials: [XX*], owners: [nobody], to: []}
  quiet_hours: [at night]
  console: console
`)
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	text := problems.Error()
	for _, want := range []string{
		":34:10: procedures.cloudflare-access-service-token.run: want automatically or after approval or by hand",
		"approvals.before: want start or retiring or both", "approvals.how_many: this value is out of range", "approvals.expire: nobody can respond in less than a minute",
		"approvals.before: it says run: after approval, and that is an approval before the start", "canary: want boolean, not string",
		"schedule.at_most: this value is out of range", "schedule.canary: want first or none", "schedule.error_budget.failures: this value is out of range", "schedule.error_budget.within: zero makes no sense",
		"schedule.again_after: this is not a duration", "schedule.looks.drift: this is shorter than a minute", "schedule.looks.discover: this is not a duration", "schedule.looks.dirft: this key is unknown here (did you mean drift?)",
		"notify.channels.a.slack: a secret is named by reference", "notify.channels.b: expected slack, pagerduty, webhook or email", "channels.b.pagerduty: the key key is missing", "notify.channels.c: expected slack, pagerduty",
		"notify.channels.d.webhook.secret: a secret is named by reference", "email.to: one of these is not an e-mail address", "email.from: this is not an e-mail address", "email.server: expected a host and a port",
		"webhook.headers: this is not the name of a header", "rules.0.when.0: want approval or waits or stuck", "rules.0.to: there is no channel of this name under notify.channels",
		"rules.1.credentials: no credential has a name like this", "rules.1.owners: no credential has the owner nobody", "rules.1.to: this value is out of range", "quiet_hours.0: expected days, hours and a time zone", "notify.console: this is not an address",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %s", want)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Error("a value that should not have been in the file is quoted")
	}
	if t.Failed() {
		t.Log(text)
	}
	_, err = said("    run: automatically\n    approvals: {before: both}\n", "", "")
	if err == nil || !strings.Contains(err.Error(), "expected run: after approval, or before: retiring") {
		t.Errorf("a run that waits for approval before its start: %v", err)
	}
	_, err = said("", "    approvals: {}\n", "identity:\n  roles: {superadmin: [{user: alice}]}\n")
	if err != nil {
		t.Errorf("the credential's role: %v", err)
	}
	c, err := said("", "    approvals: {role: nobody}\n", "identity:\n  roles: {superadmin: [{user: alice}]}\n")
	if err != nil || !strings.Contains(c.Advice.Error(), "nobody has the role nobody, so nobody can agree to a rotation") {
		t.Errorf("%v %v", err, c)
	}
}

// TestWhatOnlyAPersonCanListIsNotPlannedWithoutOne: nobody is there when it falls due to say
// which are live, so the plan that people would agree to is never made. It is told by its line.
func TestWhatOnlyAPersonCanListIsNotPlannedWithoutOne(t *testing.T) {
	t.Parallel()
	text := func(run string) string {
		return strings.Replace(strings.Replace(Example(), "\nvendors:\n", "\nvendors:\n  portal: {vendor: assisted, link: \"https://portal.example.com/keys\"}\n", 1),
			"\ncredentials:\n", "\ncredentials:\n  BY_HAND:\n"+run+"    issuer: {vendor: portal, kind: portal-key, name: console-<date>, create: [Make it.], revoke: [Delete it.], headers: {Authorization: \"Bearer {value}\"}}\n    validate: [{url: \"https://portal.example.com/v1/me\"}]\n    store: {vendor: infisical, path: /x/, environment: prod, slots: {<name>: \"{value}\"}}\n    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: \"{value}\"}}]\n", 1)
	}
	_, err := Parse("rekey.yaml", []byte(text("    run: after approval\n")))
	line := 1 + strings.Count(text("")[:strings.Index(text(""), "  BY_HAND:\n")], "\n") + 1
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("rekey.yaml:%d", line)) || !strings.Contains(err.Error(), "only a person can tell which of these are live") {
		t.Errorf("line %d: %v", line, err)
	}
	for _, run := range []string{"    run: automatically\n    approvals: {before: retiring}\n", "    approvals: {before: start}\n", ""} {
		if _, err := Parse("rekey.yaml", []byte(text(run))); err != nil {
			t.Errorf("%s: %v", run, err)
		}
	}
}
