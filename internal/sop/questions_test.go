package sop

import (
	"strings"
	"testing"
)

const database = `rekey: 1
vendors:
  db: {vendor: postgres, host: db.example.com, user: rekey, password: env:P}
  replica: {vendor: postgres, host: replica.example.com, user: rekey, password: env:P}
  infisical: {client_id: env:I, client_secret: env:S, project: env:J}
  heroku: {token: env:H}
credentials:
  SHOP_DB:
    cadence: 30d
    issuer: {vendor: db, kind: login, name: app-<date>, group: app, database: shop}
    store:
      vendor: infisical
      environment: prod
      path: /shop/
      slots: {SHOP_USER: "{username}", SHOP_PASSWORD: "{password}"}
    consumers:
      - {vendor: heroku, app: shop, slots: {DATABASE_URL: "postgres://{username|url}:{password|url}@db/shop"}}
    validate:
      - vendor: db
      - vendor: replica
      - {vendor: replica, database: reports}
    verify:
      - {command: [/usr/local/bin/works, --since, $since], stdin: "{password}"}
      - {vendor: replica, query: "SELECT true"}
`

// A credential is proven by its issuer and by other servers that accept it, and checks
// are commands and queries as well as addresses.
func TestProbesAndChecksOfAnyKind(t *testing.T) {
	c, err := Parse("rekey.yaml", []byte(database))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Specs[0]
	var urls, titles []string
	for _, p := range s.Validate {
		urls, titles = append(urls, p.URL), append(titles, p.Title())
	}
	if got := strings.Join(urls, " "); got != "issuer vendor:replica vendor:replica-2" {
		t.Error(got)
	}
	if got := strings.Join(titles, ", "); got != "the issuer itself, replica, replica-2" {
		t.Error(got)
	}
	if p := s.Validate[1]; p.Kind != "login" || !strings.Contains(string(p.Settings), `"database":"shop"`) || !strings.Contains(string(p.Settings), `"group":"app"`) {
		t.Errorf("a replica has not the issuer's settings: %s", p.Settings)
	}
	if p := s.Validate[2]; !strings.Contains(string(p.Settings), `"database":"reports"`) {
		t.Errorf("%s", p.Settings)
	}
	if got := s.Verify[0].Title() + ", " + s.Verify[1].Title(); got != "the command works, the query at replica" {
		t.Error(got)
	}
}

// What cannot be asked is told at its line.
func TestQuestionsThatCannotBeAsked(t *testing.T) {
	for _, tt := range []struct{ old, by, want string }{
		{"- vendor: db\n", "- {}\n", "validate.0: want one of the keys url, vendor"},
		{"- vendor: db\n", "- {vendor: db, url: https://x.example.com/}\n", "validate.0: want one of the keys url, vendor"},
		{"- vendor: db\n", "- {url: https://x.example.com/, database: y}\n", "validate.0.database: this key cannot be combined with url"},
		{"- vendor: db\n", "- {vendor: dbb}\n", "validate.0.vendor: there is no vendor of this name under vendors (did you mean db?)"},
		{"- vendor: db\n", "- {vendor: db, status: 200}\n", "validate.0.status: this key belongs to an address"},
		{"- vendor: db\n", "- {vendor: heroku, grup: x}\n", "validate.0.grup: this key is unknown here"},
		{"--since, $since]", `"{password}"]`, "verify.0.command: a value never stands in an argument"},
		{`stdin: "{password}"`, `stdin: "{passwd}"`, "verify.0.stdin: the issuer gives no field {passwd}"},
		{`stdin: "{password}"`, `jq: "."`, "verify.0.jq: this key cannot be combined with command"},
		{"{vendor: replica, query:", "{vendor: replika, query:", "verify.1.vendor: a query is asked of a vendor that is named under vendors (did you mean replica?)"},
		{"{vendor: replica, query:", "{vendor: heroku, query:", "verify.1.vendor: heroku answers no queries"},
		{`query: "SELECT true"`, "status: 200", "verify.1: want one of the keys url, command, query"},
	} {
		if told := wrongIn(t, strings.Replace(database, tt.old, tt.by, 1)); !strings.Contains(told, tt.want) {
			t.Errorf("%s: want %s\n got %s", tt.by, tt.want, told)
		}
	}
}
