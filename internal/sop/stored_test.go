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

func TestStoredReference(t *testing.T) {
	for ref, want := range map[Ref]Stored{
		"infisical:prod/KEY":             {"", "prod", "/", "KEY"},
		"infisical:prod/a/b/KEY":         {"", "prod", "/a/b", "KEY"},
		"infisical:team-b:prod/a/KEY":    {"team-b", "prod", "/a", "KEY"},
		"infisical:team-b:prod//a/b/KEY": {"team-b", "prod", "/a/b", "KEY"},
	} {
		if got, ok := ref.Stored(); !ok || got != want {
			t.Errorf("%s: %+v %v", ref, got, ok)
		}
	}
	for _, ref := range []Ref{"infisical:KEY", "infisical:prod/", "infisical:/a/KEY", "infisical::prod/KEY", "env:prod/KEY", "infisical:b:KEY"} {
		if got, ok := ref.Stored(); ok {
			t.Errorf("%s: %+v", ref, got)
		}
	}
}
