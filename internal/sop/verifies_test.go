package sop

import (
	"fmt"
	"strings"
	"testing"
)

// deploy is a procedure of an issuer that verifies itself: no validate.
const deploy = `
rekey: 1
vendors:
  heroku: {token: env:HEROKU_API_KEY}
  infisical: {client_id: env:A, client_secret: env:B, project: env:C}
  cloudflare: {token: env:D, account: a}
credentials:
  DEPLOY_TOKEN:
    cadence: 90d
    issuer: {vendor: heroku, kind: oauth-authorization, name: "deploy-<date>", scope: [identity]}
    store: {vendor: infisical, path: /x, environment: prod, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, app: a, slots: {<name>: "{token}"}}]
`

// TestIssuerThatVerifiesItself: validate may be left out, and only there.
func TestIssuerThatVerifiesItself(t *testing.T) {
	c, err := Parse("rekey.yaml", []byte(deploy))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Specs[0]
	if len(s.Validate) != 1 || s.Validate[0].URL != IssuerItself || strings.Join(s.Issuer.Fields, ",") != "token" {
		t.Errorf("%+v, fields %v", s.Validate, s.Issuer.Fields)
	}
	other := strings.NewReplacer(
		"issuer: {vendor: heroku, kind: oauth-authorization", "issuer: {vendor: cloudflare, kind: access-service-token",
		"scope: [identity]", "duration: 8760h", "{token}", "{client_secret}").Replace(deploy)
	if _, err := Parse("rekey.yaml", []byte(other)); err == nil || !strings.Contains(err.Error(), "it has no validate") {
		t.Errorf("one that does not verify itself: %v", err)
	}
	with := strings.Replace(deploy, "    cadence", "    validate: []\n    cadence", 1)
	if _, err := Parse("rekey.yaml", []byte(with)); err == nil || !strings.Contains(err.Error(), "it has no validate") {
		t.Errorf("an empty list: %v", err)
	}
}

// TestLifeAgainstCadence: what ends before it is due is an outage in waiting.
func TestLifeAgainstCadence(t *testing.T) {
	for life, want := range map[string]string{"30d": "say before_expiry", "180d": "", "365d": "twice the cadence is enough"} {
		c, err := Parse("rekey.yaml", []byte(strings.Replace(deploy, "scope: [identity]", "scope: [identity], expires_in: "+life, 1)))
		if err != nil {
			t.Fatal(err)
		}
		told := c.Advice.Error()
		if strings.Contains(told, "expires_in") != (want != "") || !strings.Contains(told, want) {
			t.Errorf("%s: %s", life, told)
		}
	}
}

// TestLengthsThatMakeNoSense: what would always be due is a mistake, with its line.
func TestLengthsThatMakeNoSense(t *testing.T) {
	const cadence = "cadence: 90d"
	if !strings.Contains(deploy, cadence) {
		t.Fatal("the example has another cadence")
	}
	for with, want := range map[string]string{
		"cadence: 90d, jitter: 90d":         "jitter: this is not shorter than the cadence (90d)",
		"cadence: 90d, jitter: 100d":        "jitter: this is not shorter than the cadence (90d)",
		"cadence: 90d, jitter: 89d":         "",
		"cadence: 90d, before_expiry: 180d": "before_expiry: a credential does not live longer than that (issuer.expires_in is 180d)",
		"cadence: 90d, before_expiry: 200d": "it would always be due",
		"cadence: 90d, before_expiry: 30d":  "",
	} {
		text := strings.Replace(deploy, cadence, strings.ReplaceAll(with, ", ", "\n    "), 1)
		_, err := Parse("rekey.yaml", []byte(strings.Replace(text, "scope: [identity]", "scope: [identity], expires_in: 180d", 1)))
		if told := fmt.Sprint(err); (err != nil) != (want != "") || !strings.Contains(told, want) || err != nil && !strings.HasPrefix(told, "rekey.yaml:") {
			t.Errorf("%s: %v", with, err)
		}
	}
	c, err := Parse("rekey.yaml", []byte(strings.Replace(deploy, cadence, "before_expiry: 9d\n    jitter: 9d", 1)))
	if err != nil || !strings.Contains(c.Advice.Error(), "without a cadence") {
		t.Errorf("%v %v", err, c)
	}
}

// TestOptionalFields: a slot may hold one, and then the store must give it back.
func TestOptionalFields(t *testing.T) {
	if _, err := Parse("rekey.yaml", []byte(strings.Replace(deploy, `slots: {<name>: "{token}"}`, `slots: {<name>: "{token}", <name>__ID: "{id}"}`, 1))); err != nil {
		t.Error(err)
	}
	_, err := Parse("rekey.yaml", []byte(strings.Replace(deploy, `app: a, slots: {<name>: "{token}"}`, `app: a, slots: {<name>: "{id}:{token}"}`, 1)))
	if err == nil || !strings.Contains(err.Error(), "no slot holds {id} alone") {
		t.Errorf("a consumer holds what the store could not give back: %v", err)
	}
	_, err = Parse("rekey.yaml", []byte(strings.Replace(deploy, `"{token}"`, `"{tokn}"`, 1)))
	if err == nil || !strings.Contains(err.Error(), "it gives {token}, {id} (did you mean token?)") {
		t.Errorf("a field that there is not: %v", err)
	}
	_, err = Parse("rekey.yaml", []byte(strings.Replace(deploy, "[identity]", "[everything]", 1)))
	if err == nil || !strings.Contains(err.Error(), "want global or identity") {
		t.Errorf("a scope that there is not: %v", err)
	}
}
