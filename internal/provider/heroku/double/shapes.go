package double

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
)

// Every answer shows every property that heroku.schema.json declares, null where
// there is nothing, as the reference's examples do.

// herokuBorn is when things were made of which nobody asks the age.
var herokuBorn = time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)

// operator is the account that everything belongs to.
const (
	operatorID    = "00000000-0000-4000-8000-000000000001"
	operatorEmail = "ops@example.com"
	operatorName  = "Ops"
)

// idOf is a UUID of a thing that has none of its own: the same in every world.
func idOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

// named is how one thing refers to another.
func named(kind, name string) map[string]any {
	return map[string]any{"id": idOf(kind, name), "name": name}
}

func (a *HerokuApp) shown() map[string]any {
	born, last := herokuBorn, herokuBorn
	if len(a.Releases) > 0 {
		born = a.Releases[0].CreatedAt
		last = a.Releases[len(a.Releases)-1].CreatedAt
	}
	second := func(t time.Time) time.Time { return t.UTC().Truncate(time.Second) } // as Heroku tells times
	return map[string]any{
		"id": a.ID, "name": a.Name, "maintenance": a.Maintenance, "acm": false, "archived_at": nil, "buildpack_provided_description": nil,
		"build_stack": named("stack", "heroku-24"), "stack": named("stack", "heroku-24"), "created_at": second(born), "updated_at": second(last), "released_at": second(last),
		"generation": named("generation", "cedar"), "git_url": "https://git.heroku.com/" + a.Name + ".git", "internal_routing": nil,
		"owner":        map[string]any{"email": operatorEmail, "id": operatorID},
		"organization": nil, "team": nil, "space": nil, "region": named("region", "us"), "repo_size": nil, "slug_size": nil,
		"web_url": "https://" + a.Name + ".herokuapp.com/",
	}
}

// formation is what Heroku keeps running: as many of each type as there are.
func (a *HerokuApp) formation() []map[string]any {
	counts := map[string]int{}
	for _, p := range a.Processes {
		if !p.Hidden && !p.oneOff() {
			counts[p.Type]++
		}
	}
	out := []map[string]any{}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, map[string]any{
			"id": idOf("formation", a.ID, kind), "type": kind, "quantity": counts[kind], "size": "Standard-1X", "command": "bin/" + kind,
			"app": map[string]string{"id": a.ID, "name": a.Name}, "created_at": herokuBorn, "updated_at": herokuBorn,
			"dyno_size": named("dyno-size", "Standard-1X"),
		})
	}
	return out
}

// feature is one of an app: preboot.
func feature(a *HerokuApp, name string, enabled bool) map[string]any {
	return map[string]any{
		"id": idOf("feature", a.ID, name), "name": name, "enabled": enabled, "state": "general", "created_at": herokuBorn, "updated_at": herokuBorn,
		"description": "Simulated.", "display_name": name, "doc_url": "https://devcenter.heroku.com/articles/" + name, "feedback_email": "feedback@example.com",
	}
}

// account is what a token that works is told of itself.
func account() map[string]any {
	return map[string]any{
		"id": operatorID, "email": operatorEmail, "name": operatorName, "two_factor_authentication": true, "verified": true,
		"allow_tracking": true, "beta": false, "federated": false, "identity_provider": nil, "country_of_residence": nil,
		"created_at": herokuBorn, "updated_at": herokuBorn, "last_login": nil, "sms_number": nil, "suspended_at": nil, "delinquent_at": nil,
		"default_organization": nil, "default_team": nil,
	}
}

func (p *HerokuPipeline) shown() map[string]any {
	return map[string]any{
		"id": p.ID, "name": p.Name, "created_at": herokuBorn, "updated_at": herokuBorn,
		"owner": map[string]any{"id": operatorID, "type": "user"}, "generation": named("generation", "cedar"),
	}
}

func (c *Coupling) shown(p *HerokuPipeline) map[string]any {
	return map[string]any{
		"id": idOf("coupling", p.ID, c.App), "app": map[string]string{"id": c.App}, "pipeline": map[string]string{"id": p.ID}, "stage": c.Stage,
		"created_at": herokuBorn, "updated_at": herokuBorn,
	}
}
