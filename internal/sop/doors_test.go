package sop

import (
	"strings"
	"testing"
)

const doorsFile = `rekey: 1
vendors:
  heroku: {token: env:HEROKU_API_KEY}
credentials: {}
`

// TestWhereSomebodyComesInIsChecked: every mistake at its line, all at once.
func TestWhereSomebodyComesInIsChecked(t *testing.T) {
	_, err := Parse("rekey.yaml", []byte(doorsFile+`identity:
  sign_in:
    issuer: http://login.example.com
    client_id: rekey
    scopes: [email]
    idle: 24h
  proxy:
    header: Cookie
    issuer: https://team.example.com?x=y
    audience: ""
    keys: ftp://keys
  roles:
    admin: [{claims: {email: a@example.com}}]
  grants:
    - {role: admni, may: [lok, rotate]}
    - {role: admin, may: []}
`))
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"rekey.yaml:7:13: identity.sign_in.issuer: this is not an issuer",
		"rekey.yaml:9:13: identity.sign_in.scopes: openid is missing",
		"rekey.yaml:10:11: identity.sign_in.idle: a session cannot be idle for longer than it lives",
		"rekey.yaml:12:13: identity.proxy.header: this header is sent by the client",
		"rekey.yaml:13:13: identity.proxy.issuer: this is not an issuer",
		"rekey.yaml:14:15: identity.proxy.audience: without an audience",
		"rekey.yaml:15:11: identity.proxy.keys: this is not an address of keys",
		"rekey.yaml:19:14: identity.grants.role: there is no role admni under identity.roles",
		"rekey.yaml:19:27: identity.grants.may: lok is not something that a role may do",
		"did you mean look",
		"rekey.yaml:20:26: identity.grants.1.may",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestDoorsAndGrantsAreRead(t *testing.T) {
	c, err := Parse("rekey.yaml", []byte(doorsFile+`identity:
  oidc: [{issuer: https://ci.example.com}]
  sign_in: {issuer: https://login.example.com, client_id: rekey, client_secret: env:X, idle: 2h}
  proxy: {header: Cf-Access-Jwt-Assertion, issuer: https://team.example.com, audience: tag, keys: https://team.example.com/cdn-cgi/access/certs}
  roles:
    admin: [{claims: {email: a@example.com}}]
    bot: [{token: nightly}]
    lost: [{user: alice}]
  grants:
    - {role: admin, may: [look, admin]}
    - {role: bot, may: [rotate], credentials: ["CF_*"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	id := c.Identity
	if id.SignIn.Idle != "2h" || id.Proxy.Audience != "tag" || id.Grants[1].Credentials[0] != "CF_*" || id.Roles["bot"][0].String() != "token nightly" {
		t.Errorf("%+v", id)
	}
	advice := c.Advice.Error()
	for _, want := range []string{"the role admin is given by a token of any of https://ci.example.com, https://login.example.com, https://team.example.com that says email a@example.com: add iss", "no credential requires the role lost"} {
		if !strings.Contains(advice, want) {
			t.Errorf("%q is missing in %s", want, advice)
		}
	}
	if strings.Contains(advice, "no credential requires the role bot") {
		t.Errorf("a role with a grant is wanted: %s", advice)
	}
}
