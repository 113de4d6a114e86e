package sop

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// twoProjects is a file with two vendors of type infisical; %s is where the Heroku
// token comes from.
const twoProjects = `rekey: 1
vendors:
  infisical: {client_id: env:A, client_secret: env:B, project: env:C}
  team-b: {vendor: infisical, client_id: env:D, client_secret: %s, project: env:F}
  cloudflare: {token: env:T, account: a}
  heroku:
    token:
      - env:HEROKU_API_KEY
      - %s
credentials: {}
`

// TestAReferenceNamesItsStore: with several, one that does not say which is a
// mistake, told with its line; so is one of a vendor that is not there, or of the very
// vendor that is reached by it.
func TestAReferenceNamesItsStore(t *testing.T) {
	for _, c := range []struct {
		b, heroku, want string
		line            int
	}{
		{"env:E", "infisical:infisical:prod/heroku/KEY", "", 0},
		{"env:E", "infisical:team-b:prod/KEY", "", 0},
		{"infisical:infisical:prod/team-b/SECRET", "infisical:team-b:prod/KEY", "", 0},
		{"env:E", "infisical:prod/heroku/KEY", "several vendors are of type infisical (infisical, team-b)", 9},
		{"env:E", "infisical:team-c:prod/heroku/KEY", "there is no vendor team-c of type infisical", 9},
		{"env:E", "infisical:cloudflare:prod/heroku/KEY", "there is no vendor cloudflare of type infisical", 9},
		{"env:E", "infisical:team-b:KEY", "want infisical:ENV/path/KEY", 9},
		{"infisical:team-b:prod/team-b/SECRET", "env:H", "vendor team-b is reached by this", 4},
	} {
		_, err := Parse("rekey.yaml", fmt.Appendf(nil, twoProjects, c.b, c.heroku))
		var p Problems
		errors.As(err, &p)
		found := false
		for _, x := range p {
			found = found || c.want != "" && strings.Contains(x.Msg, c.want) && x.Line == c.line
			if c.want == "" && strings.Contains(x.Msg, "infisical") {
				t.Errorf("%s, %s: %v", c.b, c.heroku, x)
			}
		}
		if c.want != "" && !found {
			t.Errorf("%s, %s: %v", c.b, c.heroku, err)
		}
	}
	one := strings.Replace(fmt.Sprintf(twoProjects, "env:E", "infisical:prod/KEY"), "team-b: {vendor: infisical, client_id: env:D, client_secret: env:E, project: env:F}", "", 1)
	if _, err := Parse("rekey.yaml", []byte(one)); err != nil && strings.Contains(err.Error(), "infisical:") {
		t.Errorf("with one store it has no need to say which: %v", err)
	}
}

// TestAReferenceNamesAValueOfAnyVendorThatCanBeAsked: by its type, and by its name
// where there are several, in the one way or the other.
func TestAReferenceNamesAValueOfAnyVendorThatCanBeAsked(t *testing.T) {
	for ref, want := range map[Ref][3]string{
		"infisical:prod/a/KEY":      {"infisical", "", "prod/a/KEY"},
		"infisical:team-b:prod/KEY": {"infisical", "", "team-b:prod/KEY"},
		"vault:secret/ci#token":     {"vault", "", "secret/ci#token"},
		"vault[prod]:secret/ci#t":   {"vault", "prod", "secret/ci#t"},
		"other-driver[x]:whatever":  {"other-driver", "x", "whatever"},
	} {
		kind, name, rest, ok := ref.Vendor()
		if got := [3]string{kind, name, rest}; !ok || got != want || ref.Check() != nil {
			t.Errorf("%s: %v %v", ref, got, ok)
		}
	}
	for _, ref := range []Ref{"env:X", "file:/x", "cmd:x", "other-driver:whatever", "vault:", "vault[]:x", "hunter2", "vault[a b]:x"} {
		if _, _, _, ok := ref.Vendor(); ok {
			t.Errorf("%s is one of a vendor", ref)
		}
	}
	for ref, want := range map[string]string{
		"vault:secret/ci": "want vault:MOUNT/PATH#KEY, or vault[NAME]:MOUNT/PATH#KEY", "vault:secret/ci#t": "there is no vendor of type vault under vendors",
		"infisical[team-c]:prod/KEY": "there is no vendor team-c of type infisical", "infisical[team-b]:prod/KEY": "",
	} {
		_, err := Parse("rekey.yaml", fmt.Appendf(nil, twoProjects, "env:E", ref))
		if told := fmt.Sprint(err); want != "" && (!strings.Contains(told, want) || !strings.Contains(told, "rekey.yaml:9")) || want == "" && strings.Contains(told, "infisical") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
