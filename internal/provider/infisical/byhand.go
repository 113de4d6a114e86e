package infisical

import (
	_ "embed"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"rekey/internal/byhand"
)

// What a person would run: the requests of the program, from the same sources.
var (
	//go:embed byhand.sh
	storeByHand string
	//go:embed byhand_client_secrets.sh
	clientSecretsByHand string
)

const docs = "https://infisical.com/docs/"

// byHand is the recipe of a store, or of the issuer of client secrets.
func byHand(q byhand.Question) (byhand.Recipe, error) {
	var c Connection
	if err := json.Unmarshal(q.Connection, &c); err != nil {
		return byhand.Recipe{}, err
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	r := byhand.Recipe{
		Title: "Infisical", Tool: q.Tool, Doc: doc, Sections: []string{""},
		Addresses: q.API(c.BaseURL),
	}
	least := []string{"on the folder of the store: read secrets with their values, create, edit", "delete (only for slots that a run has made and takes back)"}
	if q.Role == byhand.Issuer {
		least = []string{"on the machine identity that is rotated: read and edit it; it may be no more privileged than this one"}
	}
	if len(c.Token) > 0 {
		r.Inputs = append(r.Inputs, byhand.Input{Title: "Infisical access token", File: q.Tool + ".token", Refs: byhand.Texts(c.Token), Least: least})
	} else {
		r.Inputs = append(r.Inputs,
			byhand.Input{Title: "Infisical machine identity, client id", File: q.Tool + ".client_id", Refs: byhand.Texts(c.ClientID), Least: least},
			byhand.Input{Title: "Infisical machine identity, client secret", File: q.Tool + ".client_secret", Refs: byhand.Texts(c.ClientSecret)})
	}
	if q.Role == byhand.Issuer {
		err := clientSecretsIn(&r, q, len(c.Token) == 0)
		return r, err
	}
	var s Settings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return r, err
	}
	r.Inputs = append(r.Inputs, byhand.Input{Title: "Infisical project id", File: q.Tool + ".project", Refs: c.Project, Plain: true})
	r.Steps = byhand.Read(storeByHand, q.Filled(map[string]string{
		"environment": byhand.Quote(s.Environment), "path": byhand.Quote("/" + strings.Trim(s.Path, "/")),
	}))
	r.Desk, r.Login = r.Steps["desk"].Shell, loginByHand(r.Steps, len(c.Token) == 0)
	r.Links = []byhand.Link{
		{Label: "Machine identities: Universal Auth", URL: docs + "documentation/platform/identities/universal-auth"},
		{Label: "API: bulk update of secrets", URL: docs + "api-reference/endpoints/secrets/update-many"},
		{Label: "Secret versions", URL: docs + "documentation/platform/secret-versioning"},
	}
	return r, nil
}

// loginByHand makes the bearer's header, by a login where there is no ready token.
func loginByHand(steps map[string]byhand.Step, login bool) string {
	if login {
		return steps["login"].Shell + "\n" + steps["bearer"].Shell
	}
	return steps["bearer"].Shell
}

// clientSecretsIn fills in the recipe of client secrets.
func clientSecretsIn(r *byhand.Recipe, q byhand.Question, login bool) error {
	var s ClientSecretSettings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return err
	}
	common := byhand.Read(storeByHand, q.Filled(map[string]string{"environment": "", "path": ""}))
	r.Steps = byhand.Read(clientSecretsByHand, q.Filled(map[string]string{
		"ttl": strconv.Itoa(int(s.ExpiresIn.Or(0) / time.Second)), "retry": strconv.Itoa(int(retryAfter / time.Second)), "most": strconv.Itoa(mostFailures),
	}))
	r.Desk, r.Login = common["desk"].Shell+"\n\n"+r.Steps["desk"].Shell, loginByHand(common, login)
	r.Inputs = append(r.Inputs, byhand.Input{Title: "Infisical machine identity that is rotated, its id", File: q.Tool + ".identity", Refs: s.Identity, Plain: true})
	r.Sections = []string{"Client secrets of an identity"}
	r.Links = []byhand.Link{
		{Label: "Machine identities: Universal Auth", URL: docs + "documentation/platform/identities/universal-auth"},
		{Label: "API: client secrets of an identity", URL: docs + "api-reference/endpoints/universal-auth/create-client-secret"},
	}
	return nil
}
