package stage

import (
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// Credentials that are client secrets of machine identities: of one the store
// holds the secret alone, of another its id as well, and by the third a vendor of
// the configuration itself is reached.
const (
	AppLogin     = "INFISICAL_LOGIN_APP"
	MetricsLogin = "INFISICAL_LOGIN_METRICS"
	OwnLogin     = "INFISICAL_LOGIN_OPS"
)

const clientSecretSOP = `
rekey: 1
vendors:
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  ops: {vendor: infisical, client_id: env:RAXX_OPS_CLIENT_ID, client_secret: env:RAXX_OPS_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
procedures:
  infisical-login:
    applies_to: INFISICAL_LOGIN_<SCOPE>
    cadence: 90d
    issuer: {vendor: infisical, kind: universal-auth-client-secret, name: raxx-<scope>-<date>, identity: env:RAXX_APP_IDENTITY_ID, expires_in: 180d}
    store: {vendor: infisical, path: /MooseQuest/infisical/, environment: prod, slots: {<name>: "{client_secret}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{client_secret}"}}]
    rehearse: {store: {path: /rekey-rehearsal/}}
credentials:
  INFISICAL_LOGIN_APP: {former: [RAXX_APP_LOGIN]}
  INFISICAL_LOGIN_METRICS:
    issuer: {identity: env:RAXX_METRICS_IDENTITY_ID}
    store: {slots: {<name>: "{client_secret}", <name>__ID: "{id}"}}
  INFISICAL_LOGIN_OPS:
    issuer: {vendor: ops, identity: env:RAXX_OPS_IDENTITY_ID}
`

var clientSecrets = parsed(clientSecretSOP)

// NewClientSecrets returns a stage on which an app logs in to Infisical as three
// machine identities, whose client secrets Infisical keeps itself.
func NewClientSecrets(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.Config = clientSecrets()
	s.World.Look(func(w *sim.State) {
		w.GiveClientSecret("raxx-app", "", AppLogin, "RAXX_APP_LOGIN")
		w.GiveClientSecret("raxx-metrics", MetricsLogin+"__ID", MetricsLogin)
		w.GiveClientSecret("raxx-ops", "", OwnLogin).Tokens = true
	})
	return s
}

// endingOfClientSecret judges promises 3, 6 and 8 for one.
func (s *Stage) endingOfClientSecret(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	spec := st.Opened.Spec
	var ours []*sim.ClientSecret
	var others, revoked int
	for _, who := range w.Infisical.Identities {
		for _, c := range who.Secrets {
			switch {
			case c.Revoked:
				revoked++
			case strings.HasPrefix(c.Description, "raxx-"+spec.Scope+"-"):
				ours = append(ours, c)
			default:
				others++
			}
		}
	}
	if st.Closed.Ending == rotation.RefusedRun {
		if revoked > 0 || len(ours) != 1 || len(w.Heroku.Apps[0].Releases) != 1 {
			bad("promise 8: refused, but something was changed")
		}
		return
	}
	if len(ours) != 1 {
		bad("promise 3: %d live client secrets bear our name", len(ours))
		return
	}
	live := ours[0]
	for _, n := range append([]string{spec.Name}, spec.Former...) {
		if stored(w, n) != live.Value {
			bad("promise 3: the store's %s is not the live client secret", n)
		}
		if current(w.Heroku.Apps[0])[n] != live.Value {
			bad("promise 3: the app's %s is not the live client secret", n)
		}
	}
	if id := stored(w, spec.Name+"__ID"); spec.Name == MetricsLogin && id != live.ID {
		bad("promise 3: the store's id is not of the live client secret")
	}
	if isNew := strings.Contains(live.Description, st.Run); isNew != (st.Closed.Ending == rotation.Rotated) {
		bad("promise 6: the ending is %q, but %s is live", st.Closed.Ending, live.Description)
	}
	if others != 3 || stored(w, "UNRELATED") != "not ours" {
		bad("what is not ours was changed: %d other client secrets", others)
	}
}

// purposeOfClientSecret: of a rehearsal nothing is left and nothing real is
// revoked; an emergency says revoked only when the one that is meant is.
func (s *Stage) purposeOfClientSecret(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	journal := s.Log.Text()
	for _, who := range w.Infisical.Identities {
		if who.Locks > 0 {
			bad("promise 1: failed logins locked the identity %s for everybody", who.ClientID)
		}
		for _, c := range who.Secrets {
			if strings.Contains(journal, c.Value) {
				bad("promise 4: the client secret %s stands in the journal", c.Description)
			}
			if st.Closed == nil {
				continue
			}
			meant := st.Plan != nil && c.ID == st.Plan.Old.ID
			switch made := strings.HasPrefix(c.Description, sop.RehearsalPrefix); {
			case made && !c.Revoked:
				bad("promise 3: %s is left of the rehearsal", c.Description)
			case !made && c.Revoked && (st.Opened.Spec.Purpose == sop.ToRehearse || !meant):
				bad("%s was revoked, and it was not meant", c.Description)
			case st.Closed.Ending == rotation.Revoked && meant && !c.Revoked:
				bad("it says revoked, and it works")
			}
		}
	}
}
