package cloudflare

import (
	_ "embed"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"rekey/internal/byhand"
)

// What a person would run: the requests of the program in its order, from the
// same sources.
//
//go:embed byhand.sh
var serviceTokensByHand string

//go:embed byhand_tokens.sh
var apiTokensByHand string

const docs = "https://developers.cloudflare.com/"

// byHand is the recipe of an issuer.
func byHand(q byhand.Question) (byhand.Recipe, error) {
	var c Connection
	if err := json.Unmarshal(q.Connection, &c); err != nil {
		return byhand.Recipe{}, err
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	r := byhand.Recipe{
		Title: "Cloudflare", Tool: q.Tool, Doc: doc,
		Addresses: q.API(c.BaseURL),
		Inputs: []byhand.Input{
			{Title: "Cloudflare API token", File: q.Tool + ".token", Refs: byhand.Texts(c.Token)},
			{Title: "Cloudflare account id", File: q.Tool + ".account", Refs: c.Account, Plain: true},
		},
	}
	account := "/accounts/$(<" + q.Tool + ".account)"
	if q.Kind == KindServiceToken {
		err := serviceTokenRecipe(&r, q, account)
		return r, err
	}
	err := apiTokenRecipe(&r, q, account)
	return r, err
}

// serviceTokenRecipe adds what is done with Access service tokens.
func serviceTokenRecipe(r *byhand.Recipe, q byhand.Question, account string) error {
	var s TokenSettings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return err
	}
	access, roots := account+"/access", `"`+account+`/access"`
	// rotate exists for accounts only; a zone's token is rolled by its version (docs/vendors/cloudflare.md).
	roll := `jq -n --argjson grace ` + q.Waits["grace"] + ` '{previous_client_secret_expires_at: (now + $grace | floor | todate)}' > roll.json
` + q.Tool + `_api POST "` + access + `/service_tokens/$(<old-id)/rotate" roll.json`
	zones := s.Zones
	if s.Zone != "" {
		access = "/zones/" + byhand.Segment(s.Zone) + "/access"
		zones = append([]string{s.Zone}, zones...)
		roll = `jq --argjson grace ` + q.Waits["grace"] + ` '{name, client_secret_version: (.client_secret_version + 1), previous_client_secret_expires_at: (now + $grace | floor | todate)}' old.json > roll.json
` + q.Tool + `_api PUT "` + access + `/service_tokens/$(<old-id)" roll.json`
	}
	for _, z := range zones {
		if root := ` "/zones/` + byhand.Segment(z) + `/access"`; !strings.Contains(roots, root) {
			roots += root
		}
	}
	r.Inputs[0].Least = []string{
		"Access: Service Tokens Write",
		"Access: Apps and Policies Write (where a policy names the token)",
		"Access: Organizations, Identity Providers, and Groups Write (where a rule group does)",
	}
	r.Steps = byhand.Read(serviceTokensByHand, q.Filled(map[string]string{
		"access": access, "roots": roots, "roll": roll, "duration": byhand.JQ(s.Duration),
	}))
	r.Desk = r.Steps["desk"].Shell + "\n\n" + r.Steps["ask"].Shell
	r.Login = r.Steps["login"].Shell
	r.Sections = []string{"", "Service tokens"}
	r.Links = []byhand.Link{
		{Label: "Service tokens", URL: docs + "cloudflare-one/access-controls/service-credentials/service-tokens/"},
		{Label: "API: create a service token", URL: docs + "api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/create/"},
		{Label: "API: update (switch off, move the end of a grace)", URL: docs + "api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/update/"},
		{Label: "API: rotate in place", URL: docs + "api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/rotate/"},
		{Label: "API: delete", URL: docs + "api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/delete/"},
		{Label: "Limits of an account", URL: docs + "cloudflare-one/account-limits/"},
	}
	return nil
}

// apiTokenRecipe adds what is done with API tokens of a user or an account.
func apiTokenRecipe(r *byhand.Recipe, q byhand.Question, account string) error {
	var s APITokenSettings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return err
	}
	root, may := "/user/tokens", "API Tokens Write, of the user whose tokens these are"
	if q.Kind == KindAccountToken {
		root, may = account+"/tokens", "Account API Tokens Write, as a token of the account"
	}
	life, _ := time.ParseDuration(s.Duration)
	seconds := strconv.Itoa(int(life / time.Second))
	if life == 0 { // as long as the one before it was made for
		seconds = `(if .expires_on then (.expires_on | sub("\\.[0-9]+"; "") | fromdateiso8601) - (.issued_on | sub("\\.[0-9]+"; "") | fromdateiso8601) else 0 end)`
	}
	r.Inputs[0].Least = []string{may}
	common := byhand.Read(serviceTokensByHand, q.Filled(map[string]string{"access": "", "roots": "", "roll": "", "duration": ""}))
	r.Steps = byhand.Read(apiTokensByHand, q.Filled(map[string]string{"root": root, "life": seconds}))
	r.Desk = common["desk"].Shell + "\n\n" + r.Steps["ask"].Shell
	r.Login = common["login"].Shell
	r.Sections = []string{"", "API tokens"}
	r.Links = []byhand.Link{
		{Label: "Create a token by API", URL: docs + "fundamentals/api/how-to/create-via-api/"},
		{Label: "Roll a token", URL: docs + "fundamentals/api/how-to/roll-token/"},
		{Label: "Formats of tokens", URL: docs + "fundamentals/api/get-started/token-formats/"},
	}
	return nil
}
