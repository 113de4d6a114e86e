package heroku

import (
	_ "embed"
	"encoding/json"
	"strconv"
	"time"

	"rekey/internal/byhand"
)

// What a person would run: the requests of the program in its order, from the
// same sources.
var (
	//go:embed byhand.sh
	appByHand string
	//go:embed byhand_stage.sh
	stageByHand string
	//go:embed byhand_oauth.sh
	authorizationsByHand string
)

const devcenter = "https://devcenter.heroku.com/articles/"

// byHand is the recipe of a consumer or of an issuer.
func byHand(q byhand.Question) (byhand.Recipe, error) {
	var c Connection
	if err := json.Unmarshal(q.Connection, &c); err != nil {
		return byhand.Recipe{}, err
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	r := byhand.Recipe{
		Title: "Heroku", Tool: q.Tool, Doc: doc,
		Addresses: q.API(c.BaseURL),
		Inputs:    []byhand.Input{{Title: "Heroku token", File: q.Tool + ".token", Refs: byhand.Texts(c.Token)}},
		Links:     []byhand.Link{{Label: "Platform API", URL: devcenter + "platform-api-reference"}},
	}
	if q.Role == byhand.Issuer {
		err := issuerByHand(&r, q)
		return r, err
	}
	var s Settings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return r, err
	}
	r.Inputs[0].Least = []string{"read-protected and write-protected: only these reach config vars; they are account-wide, so of a collaborator account that sees only these apps"}
	consumerByHand(&r, q, s)
	return r, nil
}

func consumerByHand(r *byhand.Recipe, q byhand.Question, s Settings) {
	grace := ""
	if s.Grace != "" {
		grace = "sleep " + decimal(s.Grace.Or(0))
	}
	dynos := "."
	if s.OneOffDynos == "ignore" {
		dynos = `select(.type != "run" and .type != "scheduler" and (.name | test("[.][0-9]{4}") | not))`
	}
	app := "/apps/" + byhand.Segment(s.App)
	own := grace
	if own == "" { // with preboot old web dynos keep serving, unlisted [devcenter.heroku.com/articles/preboot]
		own = "if " + q.Tool + "_api GET " + app + "/features/preboot && jq -e .enabled " + q.Tool + ".json > /dev/null; then\n" +
			"  sleep " + decimal(prebootGrace) + " # old web dynos keep serving, unlisted\nelse\n  sleep " + decimal(shutdownGrace) + "\nfi"
	}
	fill := map[string]string{"app": app, "appname": byhand.Quote(s.App), "dynos": dynos, "grace_shell": own}
	r.Steps = byhand.Read(appByHand, q.Filled(fill))
	r.Desk, r.Login = r.Steps["desk"].Shell, r.Steps["login"].Shell
	r.Sections = []string{""}
	if s.App != "" {
		r.Links = append(r.Links, byhand.Link{Label: "Config vars", URL: devcenter + "config-vars"},
			byhand.Link{Label: "Release phase", URL: devcenter + "release-phase"}, byhand.Link{Label: "Preboot", URL: devcenter + "preboot"})
		return
	}
	id := q.Dir + "/pipeline"
	find := "printf %s " + byhand.Quote(s.Pipeline) + " > " + id
	if !uuid.MatchString(s.Pipeline) {
		// Names are not unique: one that several pipelines have is refused.
		find = "VARIANT=.pipelines " + q.Tool + "_api GET " + byhand.Quote("/pipelines?eq%5Bname%5D="+byhand.Segment(s.Pipeline)) + "\n" +
			"jq -rj " + byhand.Quote("[.[] | select(.name == "+byhand.JQ(s.Pipeline)+")] | if length == 1 then .[0].id else error(\"\\(length) pipelines have this name, want 1\") end") + " " + q.Tool + ".json > " + id
	}
	existing := `stop "app $app of this stage holds the credential and is no consumer: register it, or it is left with a dead one"`
	kept := "" // a stage runs nothing itself; its apps are looked at like all others
	if s.ExistingApps == "tell" {
		kept = "jq -c '.[] | {at: ., kept: true}' " + q.Dir + "/apps.json >> " + q.Tool + ".known"
		existing = `echo "app $app of this stage keeps the old value until it is recreated"`
	}
	if grace == "" {
		grace = ":"
	}
	account := r.Steps["survey"]
	r.Steps = byhand.Read(stageByHand, q.Filled(map[string]string{"stage": byhand.Segment(s.Stage), "find": find, "existing": existing, "kept": kept, "grace_shell": grace}))
	r.Steps["survey"] = account
	r.Sections = append(r.Sections, "Stages of a pipeline")
	r.Links = append(r.Links, byhand.Link{Label: "Review apps", URL: devcenter + "github-integration-review-apps"})
}

func issuerByHand(r *byhand.Recipe, q byhand.Question) error {
	var s AuthorizationSettings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return err
	}
	expires := ""
	if s.ExpiresIn != "" {
		expires = ", expires_in: " + strconv.Itoa(int(s.ExpiresIn.Or(0)/time.Second))
	}
	r.Inputs[0].Least = []string{"global, as far as is known: of an authorization of its own, never the one that is rotated"}
	common := byhand.Read(appByHand, q.Filled(map[string]string{"app": "", "appname": "", "dynos": "", "grace_shell": ""}))
	r.Steps = byhand.Read(authorizationsByHand, q.Filled(map[string]string{"scope": byhand.JQ(s.Scope), "expires": expires}))
	r.Desk, r.Login = common["desk"].Shell+"\n\n"+r.Steps["ask"].Shell, common["login"].Shell
	r.Sections = []string{"Authorizations"}
	r.Links = append(r.Links, byhand.Link{Label: "OAuth: scopes and tokens", URL: devcenter + "oauth"})
	return nil
}

// decimal says a length of time in seconds, as sleep takes it.
func decimal(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
