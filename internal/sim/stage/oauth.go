package stage

import (
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// Credentials that are Heroku OAuth authorizations: of one the store holds only
// the token, of the other the id as well.
const (
	DeployToken  = "HEROKU_TOKEN_DEPLOY"
	MetricsToken = "HEROKU_TOKEN_METRICS"
)

// authorizationSOP rotates them: no protected address asks for them, so Heroku itself
// is asked whether one works.
const authorizationSOP = `
rekey: 1
vendors:
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
procedures:
  heroku-token:
    applies_to: HEROKU_TOKEN_<SCOPE>
    cadence: 90d
    issuer: {vendor: heroku, kind: oauth-authorization, name: raxx-<scope>-<date>, scope: [identity, read-protected], expires_in: 180d}
    store: {vendor: infisical, path: /MooseQuest/heroku/, environment: prod, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{token}"}}]
credentials:
  HEROKU_TOKEN_DEPLOY: {former: [RAXX_DEPLOY_KEY]}
  HEROKU_TOKEN_METRICS:
    store: {slots: {<name>: "{token}", <name>__ID: "{id}"}}
`

var authorizations = parsed(authorizationSOP)

// NewAuthorizations returns a stage on which an app works on Heroku by two
// authorizations that are kept in Infisical.
func NewAuthorizations(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.Config = authorizations()
	s.World.Look(func(w *sim.State) {
		w.GiveAuthorization("raxx-deploy", []string{"identity", "read-protected"}, "", DeployToken, "RAXX_DEPLOY_KEY")
		w.GiveAuthorization("raxx-metrics", []string{"identity", "read-protected"}, MetricsToken+"__ID", MetricsToken)
	})
	return s
}

// endingOfAuthorization judges promises 3, 6 and 8 for one.
func (s *Stage) endingOfAuthorization(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	if st.Closed.Ending == rotation.RefusedRun {
		if len(w.Heroku.Revoked) > 0 || len(w.Heroku.Authorizations) != 3 || len(w.Heroku.Apps[0].Releases) != 1 {
			bad("promise 8: refused, but something was changed")
		}
		return
	}
	spec := st.Opened.Spec
	var ours []*sim.Authorization
	var others int
	for _, a := range w.Heroku.Authorizations {
		if strings.HasPrefix(a.Description, "raxx-"+spec.Scope+"-") {
			ours = append(ours, a)
		} else {
			others++
		}
	}
	if len(ours) != 1 {
		bad("promise 3: %d live authorizations bear our name", len(ours))
		return
	}
	live := ours[0]
	for _, n := range append([]string{spec.Name}, spec.Former...) {
		if stored(w, n) != live.Token {
			bad("promise 3: the store's %s is not of the live authorization", n)
		}
		if current(w.Heroku.Apps[0])[n] != live.Token {
			bad("promise 3: the app's %s is not of the live authorization", n)
		}
	}
	if id := stored(w, spec.Name+"__ID"); spec.Name == MetricsToken && id != live.ID {
		bad("promise 3: the store's id is not of the live authorization")
	}
	if isNew := strings.Contains(live.Description, st.Run); isNew != (st.Closed.Ending == rotation.Rotated) {
		bad("promise 6: the ending is %q, but %s is live", st.Closed.Ending, live.Description)
	}
	if others != 2 || stored(w, "UNRELATED") != "not ours" {
		bad("what is not ours was changed: %d other authorizations, UNRELATED is %q", others, stored(w, "UNRELATED"))
	}
}
