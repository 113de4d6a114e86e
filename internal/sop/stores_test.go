package sop

import (
	"errors"
	"strings"
	"testing"
)

const several = `rekey: 1
vendors:
  cloudflare: {token: env:T, account: a}
  infisical: {client_id: env:A, client_secret: env:B, project: env:C}
  vault: {base_url: "https://vault.example.com", token: env:V}
  heroku: {token: env:H}
procedures:
  access:
    cadence: 90d
    issuer: {vendor: cloudflare, kind: access-service-token, name: raxx-<scope>-svc-<date>, duration: 4320h}
    @stores@
    consumer: {vendor: heroku, slots: {<name>: "{client_id}:{client_secret}"}}
    validate: [{url: "https://example.com/health"}]
    verify: [{url: "https://example.com/works"}]
credentials:
  CF_ACCESS_SVC_CONSOLE:
    procedure: access
    scope: console
    former: [OLD]
    @own@
    consumers: [{app: raxx-console-prod}]
`

const three = `stores:
      - vendor: infisical
        path: /cloudflare/
        environment: prod
        slots: {<name>: "{client_secret}", <name>__CLIENT_ID: "{client_id}"}
      - {vendor: infisical, path: /cloudflare/, environment: dev}
      - {vendor: vault, path: ci/cloudflare, slots: {token: "{client_id}:{client_secret}"}}`

func stores(three, own string) ([]Problem, Spec) {
	c, err := Parse("rekey.yaml", []byte(strings.NewReplacer("@stores@", three, "    @own@\n", own).Replace(several)))
	var p Problems
	errors.As(err, &p)
	if len(p) > 0 || err != nil {
		return p, Spec{}
	}
	return nil, c.Specs[0]
}

// TestTheFirstStoreIsTheTruthAndTheOthersFollow: one without slots of its own has those
// of the first, and each has a key of its own.
func TestTheFirstStoreIsTheTruthAndTheOthersFollow(t *testing.T) {
	p, s := stores(three, "")
	if p != nil {
		t.Fatal(p)
	}
	if s.Store.Key != "infisical:/cloudflare/" || len(s.Store.Slots) != 4 || len(s.Further) != 2 {
		t.Fatalf("%+v", s)
	}
	if f := s.Further[0]; f.Key != "infisical:/cloudflare/,environment=dev" || len(f.Slots) != 4 || f.Slots[2].Name != "OLD" {
		t.Errorf("%+v", f)
	}
	if f := s.Further[1]; len(f.Slots) != 1 || f.Slots[0].Template.String() != "{client_id}:{client_secret}" {
		t.Errorf("%+v", f)
	}
	if keys := s.Places(); len(keys) != 4 || keys[3].Key != "heroku:raxx-console-prod" {
		t.Errorf("%+v", keys)
	}
	one, _ := stores(strings.Replace(three, "stores:\n      - vendor", "store:\n        vendor", 1)[:strings.Index(three, "      - {vendor: infisical")-2], "")
	if one != nil {
		t.Errorf("one store is one store: %v", one)
	}
	if _, _, ok := s.OneOfStores("heroku:raxx-console-prod"); ok {
		t.Error("a consumer is no store")
	}
}

// TestWhatIsWrongWithStoresIsToldWithItsLine, whatever it is.
func TestWhatIsWrongWithStoresIsToldWithItsLine(t *testing.T) {
	rehearse := "    rehearse:\n      stores: [{path: /rehearsal/}, {path: /rehearsal/}%]\n"
	for _, c := range []struct {
		three, own, want string
		line             int
	}{
		{three, "    store: {vendor: infisical, path: /other/, environment: prod, slots: {<name>: \"{client_secret}\"}}\n", "store and stores (line 12) are both given", 26},
		{three + "\n    store: {vendor: infisical, path: /a/, environment: prod}", "", "store and stores (line 12) are both given", 18},
		{"stores: []", "", "expected a list of stores", 11},
		{"stores: {a: 1}", "", "expected a list of stores", 11},
		{strings.Replace(three, "path: ci/cloudflare", "pth: ci/cloudflare", 1), "    store: {vendor: infisical, path: /other/, environment: prod, slots: {<name>: \"{client_secret}\"}}\n", "this key is unknown here", 17},
		{strings.Replace(three, "environment: dev", "environment: prod", 1), "", "infisical:/cloudflare/ is given twice", 16},
		{strings.Replace(three, "{vendor: vault, path: ci/cloudflare, ", "{vendor: heroku, app: raxx-console-prod, ", 1), "", "heroku cannot be a store", 17},
		{strings.Replace(three, "{client_id}:{client_secret}", "{nothing}", 1), "", "the issuer gives no field {nothing}", 17},
		{strings.Replace(three, ", <name>__CLIENT_ID: \"{client_id}\"", "", 1), "", "no slot holds {client_id} alone", 15},
		{strings.Replace(three, "path: ci/cloudflare", "pth: ci/cloudflare", 1), "", "this key is unknown here", 17},
		{three, strings.Replace(rehearse, "%", "", 1), "", 0},
		{three, strings.Replace(rehearse, "%", ", {path: secret/x}, {path: secret/y}", 1), "the credential has 3 of them only", 27},
		{three, "    rehearse: {store: {path: /rehearsal/}, stores: [{path: /rehearsal/}]}\n", "stores and store (line 26) are both given", 26},
		{three, "    rehearse: {stores: [{path: /rehearsal/}, {}]}\n", "this is where the real one is stored", 26},
	} {
		p, s := stores(c.three, c.own)
		found := c.want == "" && (c.line == 0) == (p == nil)
		for _, x := range p {
			if strings.Contains(x.Msg, "out of range") || strings.HasPrefix(x.Msg, "want array") {
				t.Errorf("told twice: %v", p)
			}
			found = found || c.want != "" && strings.Contains(x.Msg, c.want) && x.Line == c.line || c.want == "" && x.Line == c.line
		}
		if !found {
			t.Errorf("want line %d %q, got %v", c.line, c.want, p)
		}
		if c.want == "" && c.line == 0 && (s.Rehearse == nil || len(s.Rehearse.Further) != 1 || s.Rehearse.Further[0].Key == s.Rehearse.Store.Key) {
			t.Errorf("%+v", s.Rehearse)
		}
	}
}
