package sim

import (
	"fmt"
	"strings"
	"time"
)

// Fleet adds n credentials FLEET_0, FLEET_1, …, each with a token, slots in the store
// and an app of its own, whose one process opens its site. So many share one policy,
// which guards the site of each of them.
func (s *State) Fleet(n, share int) {
	var policy Rules
	var named []map[string]any
	for i := range n {
		if i%share == 0 {
			policy, named = s.admitting(fmt.Sprintf("fleet %d", i/share)), nil
		}
		named = append(named, s.member(fmt.Sprintf("FLEET_%d", i), fmt.Sprintf("fleet-%d", i), policy))
		policy.Set("include", named)
	}
	s.Cloudflare.MaxLive = max(s.Cloudflare.MaxLive, 3*n)
	s.cloudflare().Publish()
}

// Service adds a credential with a token, slots in the store and a policy of its own, which
// guards app.raxx.app, and the app that uses it.
func (s *State) Service(name, app string) {
	policy := s.admitting(app)
	policy.Set("include", []map[string]any{s.member(name, app, policy)})
	s.cloudflare().Publish()
}

// Lend gives the app of one Service what that of another uses, under another name: a place
// that nobody has registered.
func (s *State) Lend(name, app, to, as string) {
	var value string
	for _, a := range s.Heroku.Apps {
		if a.Name == app {
			value = a.Current().Vars[name]
		}
	}
	for _, a := range s.Heroku.Apps {
		if a.Name == to {
			a.Current().Vars[as] = value // its processes hold the same map
		}
	}
}

// born is when what a world begins with was made.
func (s *State) born() time.Time { return s.At.AddDate(0, 0, -92) }

// admitting adds a policy that lets nobody in yet.
func (s *State) admitting(name string) Rules {
	policy := Rules{}
	policy.Set("id", s.UUID())
	policy.Set("name", name)
	policy.Set("decision", "non_identity")
	policy.Set("require", []any{})
	policy.Set("exclude", []any{})
	policy.Set("created_at", s.born())
	policy.Set("updated_at", s.born())
	s.Cloudflare.Policies = append(s.Cloudflare.Policies, policy)
	return policy
}

// member adds a credential and the app that uses it, and returns what a policy names its
// token by.
func (s *State) member(name, app string, policy Rules) map[string]any {
	born, host := s.born(), app+".raxx.app"
	t := s.cloudflare().NewToken(fmt.Sprintf("%s-%s", app, born.Format(time.DateOnly)), "8760h", 8760*time.Hour)
	t.CreatedAt, t.UpdatedAt, t.ExpiresAt = born, born, born.Add(8760*time.Hour)
	s.Cloudflare.Apps = append(s.Cloudflare.Apps, &App{ID: s.UUID(), Name: name, Domain: host, AUD: s.Random(32), Type: "self_hosted",
		Reusable: []string{policy.Text("id")}, Policies: []Rules{}})
	s.Edge.Sites[host], s.Edge.Uses[name] = &Site{}, host
	const path = "/MooseQuest/cloudflare"
	for slot, value := range map[string]string{name: t.Secret, name + "__CLIENT_ID": t.ClientID} {
		s.infisical().Put("prod", path, slot, "retired-long-ago")
		s.infisical().Put("prod", path, slot, value)
	}
	vars := map[string]string{name: t.ClientID + ":" + t.Secret}
	r := &Release{ID: s.UUID(), Version: 3, Status: "succeeded", Description: "Deploy 5c0f", CreatedAt: born, Vars: vars}
	p := &Process{ID: s.UUID(), Name: "web.1", Type: "web", Release: 3, Env: vars, Started: born, Up: born}
	s.Heroku.Apps = append(s.Heroku.Apps, &HerokuApp{ID: s.UUID(), Name: app, Releases: []*Release{r}, Processes: []*Process{p}})
	return map[string]any{"service_token": map[string]string{"token_id": t.ID}}
}

// FleetConfig is a rekey.yaml for so many credentials of Fleet, in the world at an address;
// timing is theirs.
func FleetConfig(n int, address, timing string) string {
	var b strings.Builder
	b.WriteString(`rekey: 1
simulate: ` + address + `
vendors:
  cloudflare: {token: env:CF_ACCESS_MGMT, account: env:CF_ACCOUNT_ID}
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
procedures:
  fleet:
    applies_to: FLEET_<SCOPE>
    discover: "off"
    timing: {` + timing + `}
    issuer: {vendor: cloudflare, kind: access-service-token, name: fleet-<scope>-<date>, duration: 8760h}
    store:
      vendor: infisical
      path: /MooseQuest/cloudflare/
      environment: prod
      slots: {<name>: "{client_secret}", <name>__CLIENT_ID: "{client_id}"}
    consumer:
      vendor: heroku
      grace: 80ms
      slots: {<name>: "{client_id}:{client_secret}"}
    validate:
      - url: https://fleet-<scope>.raxx.app/health
credentials:
`)
	for i := range n {
		fmt.Fprintf(&b, "  FLEET_%d:\n    consumers:\n      - app: fleet-%d\n", i, i)
	}
	return b.String()
}
