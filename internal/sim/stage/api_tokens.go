package stage

import (
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// apiTokens is a rekey.yaml for API tokens: one of a user, one of the account,
// and the very one with which Rekey reaches Cloudflare.
const apiTokens = `rekey: 1
vendors:
  cloudflare: {token: env:CF_ACCESS_MGMT, account: env:CF_ACCOUNT_ID}
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
procedures:
  api-token:
    issuer: {vendor: cloudflare, kind: user-api-token, name: raxx-<scope>-<date>}
    store:
      vendor: infisical
      path: /MooseQuest/cloudflare/
      environment: prod
      slots: {<name>: "{token}"}
    consumer:
      vendor: heroku
      slots: {<name>: "{token}"}
    consumers:
      - app: raxx-console-prod
credentials:
  CF_API_TOKEN_DNS: {procedure: api-token, scope: dns}
  CF_API_TOKEN_CI:
    procedure: api-token
    scope: ci
    issuer: {kind: account-api-token}
  CF_ACCESS_MGMT:
    procedure: api-token
    scope: management
    issuer: {name: rekey-management-<date>}
`

var apiTokenConfig = parsed(apiTokens)

// For returns a stage whose configuration knows a credential.
func For(name string, seed int64) *Stage {
	s := New(seed, Knobs)
	s.Config = configFor(name)
	return s
}

// configFor is the configuration that knows a credential.
func configFor(name string) *sop.Config {
	if _, err := apiTokenConfig().Spec(name); err == nil {
		return apiTokenConfig()
	}
	return example()
}

// judgeAPIToken: exactly one live token bears the name, store and app hold it, it
// may do what the one before might, and nothing else was ended.
func (s *Stage) judgeAPIToken(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	spec := st.Opened.Spec
	if st.Closed == nil && st.Stuck == nil {
		bad("promise 6: the run ended without an ending")
		return
	}
	if st.Stuck != nil {
		if len(st.Stuck.Live) < 2 || !strings.HasPrefix(st.Stuck.Next, "rekey ") || st.Stuck.Why == "" {
			bad("promise 6: stuck without saying what is live and what to do: %+v", st.Stuck)
		}
		return
	}
	fixed, _, _ := strings.Cut(spec.Issuer.Name, "<")
	var ours []*sim.APIToken
	for _, t := range w.Cloudflare.APITokens {
		if strings.HasPrefix(t.Name, fixed) || strings.HasPrefix(t.Name+"-", fixed) {
			ours = append(ours, t)
		}
	}
	if len(ours) != 1 {
		bad("promise 3: %d live API tokens bear our name", len(ours))
		return
	}
	live := ours[0]
	switch {
	case live.Status != "active":
		bad("promise 3: the live token is %s", live.Status)
	case stored(w, spec.Name) != live.Value:
		bad("promise 3: the store does not hold the live token")
	case current(w.Heroku.Apps[0])[spec.Name] != live.Value:
		bad("promise 3: the app does not hold the live token")
	}
	for _, gone := range w.Cloudflare.DeletedAPITokens {
		if !strings.HasPrefix(gone.Name+"-", fixed) {
			bad("%s was deleted, and it was not meant", gone.Name)
		}
		if !alike(gone, live) {
			bad("the new one may do something else than the old one: %s and %s", gone.Policies, live.Policies)
		}
	}
	if n := len(w.Cloudflare.APITokens); n != 3 {
		bad("%d API tokens, want 3", n)
	}
}

// registered reports whether rekey.yaml names this slot of a consumer.
func registered(st *rotation.State, key, slot string) bool {
	for _, c := range st.Opened.Spec.Consumers {
		if c.Key == key && slices.Contains(c.SlotNames(), slot) {
			return true
		}
	}
	return false
}

// alike compares what two tokens may do, without the server's own ids.
func alike(a, b *sim.APIToken) bool {
	groups := func(t *sim.APIToken) string {
		var out []string
		for _, part := range strings.Split(string(t.Policies), `"`) {
			if strings.Contains(part, "Write") || strings.HasPrefix(part, "com.") {
				out = append(out, part)
			}
		}
		return strings.Join(out, ",") + string(t.Condition)
	}
	return groups(a) == groups(b)
}

// outages judges promise 1. A roll at once has no overlap, which its plan says.
func (s *Stage) outages(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	leftWithout(w, st, bad)
	atOnce := st.Plan == nil && s.LostTail && st.Opened.Spec.Issuer.Strategy == "roll" && strings.HasSuffix(st.Opened.Spec.Issuer.Kind, "-api-token")
	if atOnce || st.Plan != nil && st.Plan.Strategy == rotation.RollAtOnce {
		return
	}
	for _, o := range w.Outages {
		if st.Plan != nil && slices.Contains(st.Despite(), "heroku:"+o.App) && !registered(st, "heroku:"+o.App, o.Var) {
			continue // a person has named it
		}
		if s.TakenByTheWay(o) {
			continue
		}
		bad("promise 1: outage of %s (%s) from %s: %s", o.Process, o.Var, o.From.Format(time.TimeOnly), o.Why)
	}
}
