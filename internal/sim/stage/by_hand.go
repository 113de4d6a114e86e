package stage

import (
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// PortalKey is a credential that a person makes and ends in a portal.
const PortalKey = "PORTAL_KEY_CONSOLE"

const byHandSOP = `
rekey: 1
vendors:
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
  portal: {vendor: assisted, link: "https://portal.example.com/keys"}
credentials:
  PORTAL_KEY_CONSOLE:
    cadence: 90d
    issuer:
      vendor: portal
      kind: portal-key
      name: console-<date>
      create: ["New key, named {name}, with the right to read."]
      revoke: ["Find {name}, Delete."]
      headers: {Authorization: "Bearer {value}"}
    validate: [{url: "https://portal.example.com/v1/me"}]
    store: {vendor: infisical, path: /MooseQuest/portal/, environment: prod, slots: {<name>: "{value}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, slots: {<name>: "{value}"}}]
`

var byHand = parsed(byHandSOP)

// NewByHand returns a stage on which a person works in a portal.
func NewByHand(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.Config = byHand()
	s.World.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", PortalKey) })
	return s
}

// endingByHand judges promises 3, 6 and 8 for a key of the portal.
func (s *Stage) endingByHand(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	p := &w.Portal
	if st.Closed.Ending == rotation.RefusedRun {
		if len(p.Ended) > 0 || len(p.Keys) != 1 || len(w.Heroku.Apps[0].Releases) != 1 {
			bad("promise 8: refused, but something was changed")
		}
		return
	}
	if len(p.Keys) != 1 {
		bad("promise 3: %d keys are live in the portal", len(p.Keys))
		return
	}
	live := p.Keys[0]
	if stored(w, PortalKey) != live.Value {
		bad("promise 3: the store's is not the live key")
	}
	if current(w.Heroku.Apps[0])[PortalKey] != live.Value {
		bad("promise 3: the app's is not the live key")
	}
	if isNew := strings.Contains(live.Name, st.Run); isNew != (st.Closed.Ending == rotation.Rotated) {
		bad("promise 6: the ending is %q, but %s is live", st.Closed.Ending, live.Name)
	}
}
