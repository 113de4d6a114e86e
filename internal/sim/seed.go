package sim

import (
	"encoding/json"
	"time"

	cloudflare "rekey/internal/provider/cloudflare/double"
	webhook "rekey/internal/provider/webhook/double"
	"rekey/internal/world"
)

// Options of a new world.
type Options struct {
	Seed  int64
	Now   time.Time
	Knobs Knobs
}

// New returns the world of the SOP: both credentials under new and former names
// in Infisical, used by one Heroku app, the first admitted by a reusable policy,
// the second through a rule group; and things of others that must stay as they
// are.
func New(o Options) State {
	s := State{State: world.State{Seed: o.Seed, At: o.Now.UTC(), Knobs: o.Knobs, Calls: map[string]map[string]int{}}}
	born := o.Now.UTC().AddDate(0, 0, -92)

	c := &s.Cloudflare
	// Ids of Cloudflare have 32 digits (cloudflare.openapi.json, iam_account_identifier).
	c.Account, c.Zone, c.Token, c.MaxLive = "a11acc00000000000000000000000001", "a1120e00000000000000000000000001", "simulated-cloudflare-"+s.Random(12), 50
	const life = 8760 * time.Hour
	old := func(name string) *Token {
		t := s.cloudflare().NewToken(name+"-"+born.Format(time.DateOnly), "8760h", life)
		t.CreatedAt, t.UpdatedAt, t.ExpiresAt = born, born, born.Add(life)
		return t
	}
	console, vault, ci := old("raxx-console-svc"), old("raxx-vault-svc"), old("ci-deploy")

	names := func(ids ...string) []map[string]any {
		var out []map[string]any
		for _, id := range ids {
			out = append(out, map[string]any{"service_token": map[string]string{"token_id": id}})
		}
		return out
	}
	rules := func(name, decision string, include any, more map[string]any) Rules {
		r := Rules{}
		r.Set("id", s.UUID())
		r.Set("name", name)
		r.Set("include", include)
		r.Set("require", []any{})
		r.Set("exclude", []any{})
		r.Set("created_at", born)
		r.Set("updated_at", born)
		if decision != "" {
			r.Set("decision", decision)
		}
		for k, v := range more {
			r.Set(k, v)
		}
		return r
	}
	policy := rules("console service auth", "non_identity", names(ci.ID, console.ID), map[string]any{
		"reusable": true, "app_count": 1, "session_duration": "24h", "purpose_justification_required": false,
	})
	group := rules("vault probes", "", names(vault.ID), map[string]any{"is_default": []any{}})
	inGroup := []map[string]any{{"group": map[string]string{"id": group.Text("id")}}}
	vaultPolicy := rules("vault service auth", "non_identity", inGroup, map[string]any{"reusable": true, "app_count": 1, "session_duration": "24h"})
	people := rules("ops people", "allow", []map[string]any{{"email_domain": map[string]string{"domain": "raxx.app"}}}, map[string]any{
		"precedence": 2, "approval_required": false,
	})
	anyone := rules("any valid token", "non_identity", []map[string]any{{"any_valid_service_token": map[string]any{}}}, map[string]any{"precedence": 1})
	c.Policies, c.Groups = []Rules{policy, vaultPolicy}, []Rules{group}
	c.Apps = []*App{
		{ID: s.UUID(), Name: "Console", Domain: "console.raxx.app/health", AUD: s.Random(32), Type: "self_hosted",
			Reusable: []string{policy.Text("id")}, Policies: []Rules{people}},
		{ID: s.UUID(), Name: "Vault", Domain: "vault.raxx.app", AUD: s.Random(32), Type: "self_hosted",
			Reusable: []string{vaultPolicy.Text("id")}, Policies: []Rules{}},
		{ID: s.UUID(), Name: "Sandbox", Domain: "sandbox.raxx.app", AUD: s.Random(32), Type: "self_hosted",
			Reusable: []string{}, Policies: []Rules{anyone}},
	}

	session := "simulated-session-" + s.Random(12)
	s.Edge = Edge{Team: "raxx", Session: session,
		Sites: map[string]*Site{
			"console.raxx.app": {App: "raxx-console-prod", Status: map[string]string{
				"console-prod": "CF_ACCESS_SVC_CONSOLE", "vault-prod": "CF_ACCESS_SVC_VAULT",
			}},
			"vault.raxx.app":   {},
			"sandbox.raxx.app": {},
			"www.raxx.app":     {Public: true},
		},
		Uses: map[string]string{
			"CF_ACCESS_SVC_CONSOLE": "console.raxx.app", "CF_ACCESS_SERVICE_TOKEN_CONSOLE": "console.raxx.app",
			"CF_ACCESS_SVC_VAULT": "vault.raxx.app", "CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE": "vault.raxx.app",
		},
	}

	i := &s.Infisical
	i.ClientID, i.ClientSecret, i.Project = "simulated-identity-"+s.Random(6), "simulated-identity-secret-"+s.Random(12), s.UUID()
	i.Environments, i.Folders, i.TTL = []string{"dev", "prod"}, []string{"/MooseQuest", "/MooseQuest/cloudflare", "/rekey-rehearsal"}, Duration(30*24*time.Hour)
	const path = "/MooseQuest/cloudflare"
	pair := func(t *Token, names ...string) {
		for _, n := range names {
			s.infisical().Put("prod", path, n, "retired-long-ago")
			s.infisical().Put("prod", path, n, t.Secret)
			s.infisical().Put("prod", path, n+"__CLIENT_ID", "retired-long-ago")
			s.infisical().Put("prod", path, n+"__CLIENT_ID", t.ClientID)
		}
	}
	pair(console, "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE")
	pair(vault, "CF_ACCESS_SVC_VAULT", "CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE")
	s.infisical().Put("prod", path, "UNRELATED", "not ours")

	s.Heroku.Token = "simulated-heroku-" + s.Random(12)
	s.heroku().SeedAuthorizations(born)
	app := &HerokuApp{ID: s.UUID(), Name: "raxx-console-prod"}
	s.Heroku.Apps = []*HerokuApp{app}
	vars := map[string]string{"DATABASE_URL": "postgres://simulated", "WEB_CONCURRENCY": "2"}
	for _, n := range []string{"CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"} {
		vars[n] = console.ClientID + ":" + console.Secret
	}
	for _, n := range []string{"CF_ACCESS_SVC_VAULT", "CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE"} {
		vars[n] = vault.ClientID + ":" + vault.Secret
	}
	// Ids of its own, so that those of everything else stay as they were.
	s.Heroku.Pipelines = []*HerokuPipeline{{
		ID: "5f3a7c10-2b64-4d8e-9a51-0c6d7e8f9a01", Name: "raxx",
		Vars:      map[string]map[string]string{"review": {"NODE_ENV": "review", "DATABASE_URL": "postgres://simulated-review"}},
		Couplings: []*Coupling{{App: app.ID, Stage: "production"}},
	}}
	r := &Release{ID: s.UUID(), Version: 41, Status: "succeeded", Description: "Deploy 3f9ab2c1", CreatedAt: o.Now.Add(-6 * time.Hour).UTC(), Vars: vars}
	app.Releases = []*Release{r}
	for _, d := range []string{"web.1", "web.2", "worker.1"} {
		kind := d[:len(d)-2]
		app.Processes = append(app.Processes, &Process{ID: s.UUID(), Name: d, Type: kind, Release: 41, Env: vars, Started: r.CreatedAt, Up: r.CreatedAt})
	}

	s.seedAPITokens(born, app)
	s.Env = map[string]string{
		"CF_ACCESS_MGMT": c.Token, "CF_ACCOUNT_ID": c.Account,
		"INFISICAL_CLIENT_ID": i.ClientID, "INFISICAL_CLIENT_SECRET": i.ClientSecret, "INFISICAL_PROJECT_ID": i.Project,
		"HEROKU_API_KEY": s.Heroku.Token, "OPS_SESSION_COOKIE": "ops_session=" + session,
		"EVIDENCE_WEBHOOK": webhook.Address(s.Seed),
	}
	return s
}

// seedAPITokens adds the API token that Rekey itself is given, and one that the
// app uses for DNS: the sibling procedure.
func (s *State) seedAPITokens(born time.Time, app *HerokuApp) {
	may := func(groups ...string) json.RawMessage {
		var list []map[string]string
		for _, g := range groups {
			list = append(list, map[string]string{"id": g, "name": cloudflare.PermissionGroup(g)})
		}
		b, _ := json.Marshal([]map[string]any{{
			"id": s.Random(16), "effect": "allow", "permission_groups": list,
			"resources": map[string]string{"com.cloudflare.api.account." + s.Cloudflare.Account: "*"},
		}})
		return b
	}
	own := s.cloudflare().NewAPIToken("rekey-management", false)
	own.Value, own.Policies = s.Cloudflare.Token, may("00000000000000000000000000000001", "00000000000000000000000000000002")
	// The account's own tokens are managed with it as well.
	dns := s.cloudflare().NewAPIToken("raxx-dns-"+born.Format(time.DateOnly), false)
	dns.Policies, dns.Condition = may("00000000000000000000000000000003"), json.RawMessage(`{"request_ip":{"in":["192.0.2.0/24"]}}`)
	ci := s.cloudflare().NewAPIToken("raxx-ci-"+born.Format(time.DateOnly), true)
	ci.Policies = may("00000000000000000000000000000003")
	const path = "/MooseQuest/cloudflare"
	for name, t := range map[string]*APIToken{"CF_API_TOKEN_DNS": dns, "CF_API_TOKEN_CI": ci, "CF_ACCESS_MGMT": own} {
		t.IssuedOn, t.ModifiedOn = born, born
		app.Releases[0].Vars[name] = t.Value
		s.Edge.Uses[name] = UsesAPI
	}
	for _, x := range [][2]string{{"CF_API_TOKEN_DNS", dns.Value}, {"CF_API_TOKEN_CI", ci.Value}, {"CF_ACCESS_MGMT", own.Value}} {
		s.infisical().Put("prod", path, x[0], "retired-long-ago")
		s.infisical().Put("prod", path, x[0], x[1])
	}
}
