package infisical

import (
	_ "embed"
	"encoding/json"
	"strings"

	"rekey/internal/byhand"
)

// What a person would run: the requests of the program, from the same sources.
//
//go:embed byhand.sh
var storeByHand string

// byHand is the recipe of a store.
func byHand(q byhand.Question) (byhand.Recipe, error) {
	var c Connection
	if err := json.Unmarshal(q.Connection, &c); err != nil {
		return byhand.Recipe{}, err
	}
	var s Settings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return byhand.Recipe{}, err
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	r := byhand.Recipe{
		Title: "Infisical", Tool: q.Tool, Doc: doc, Sections: []string{""},
		Addresses: []byhand.Address{{Var: strings.ToUpper(q.Tool) + "_API", Default: strings.TrimRight(c.BaseURL, "/")}},
	}
	least := []string{"on that folder: read secrets with their values, create, edit", "delete (only for slots that a run has made and takes back)"}
	if len(c.Token) > 0 {
		r.Inputs = append(r.Inputs, byhand.Input{Title: "Infisical access token", File: q.Tool + ".token", Refs: byhand.Texts(c.Token), Least: least})
	} else {
		r.Inputs = append(r.Inputs,
			byhand.Input{Title: "Infisical machine identity, client id", File: q.Tool + ".client_id", Refs: byhand.Texts(c.ClientID), Least: least},
			byhand.Input{Title: "Infisical machine identity, client secret", File: q.Tool + ".client_secret", Refs: byhand.Texts(c.ClientSecret)})
	}
	r.Inputs = append(r.Inputs, byhand.Input{Title: "Infisical project id", File: q.Tool + ".project", Refs: c.Project, Plain: true})
	r.Steps = byhand.Read(storeByHand, q.Filled(map[string]string{
		"environment": byhand.Quote(s.Environment), "path": byhand.Quote("/" + strings.Trim(s.Path, "/")),
	}))
	r.Desk, r.Login = r.Steps["desk"].Shell, r.Steps["bearer"].Shell
	if len(c.Token) == 0 {
		r.Login = r.Steps["login"].Shell + "\n" + r.Login
	}
	const docs = "https://infisical.com/docs/"
	r.Links = []byhand.Link{
		{Label: "Machine identities: Universal Auth", URL: docs + "documentation/platform/identities/universal-auth"},
		{Label: "API: bulk update of secrets", URL: docs + "api-reference/endpoints/secrets/update-many"},
		{Label: "Secret versions", URL: docs + "documentation/platform/secret-versioning"},
	}
	return r, nil
}
