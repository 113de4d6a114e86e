package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// handVendors reach every simulated vendor, and waits that can be watched.
const handVendors = `rekey: 1
vendors:
  cloudflare: {token: env:CF_ACCESS_MGMT, account: [env:CF_ACCOUNT_ID]}
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
  portal: {vendor: assisted, link: "https://portal.example.com/keys"}
procedures:
  any: {timing: {quiet: 60ms, watch: 20ms, poll: 20ms}}
credentials:
`

// consoleInPlace is the console's token, with a stage of a pipeline besides its app.
const consoleInPlace = handVendors + `
  CF_ACCESS_SVC_CONSOLE:
    procedure: any
    scope: console
    former: [CF_ACCESS_SERVICE_TOKEN_CONSOLE]
    issuer: {vendor: cloudflare, kind: access-service-token, name: raxx-console-svc-<date>, duration: 8760h, STRATEGY}
    store: {vendor: infisical, path: /MooseQuest/cloudflare/, environment: prod, slots: {<name>: "{client_secret}", <name>__CLIENT_ID: "{client_id}"}}
    consumers:
      - {vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{client_id}:{client_secret}"}}
      - {vendor: heroku, pipeline: raxx, stage: review, slots: {<name>: "{client_id}:{client_secret}"}}
    validate: [{url: "https://console.raxx.app/health"}]
`

// withReview gives the stage what the app holds.
func withReview(s *sim.State) {
	for _, name := range []string{"CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"} {
		s.Heroku.Pipelines[0].Vars["review"][name] = s.Heroku.Apps[0].Releases[0].Vars[name]
	}
}

// TestByHandInPlace follows the page of the other strategy: the token stays, its
// secret becomes another, and the one before is ended early.
func TestByHandInPlace(t *testing.T) {
	onlyWhole(t, "what it shares with TestByHandInPlaceThereIsAWayBack, and the end with TestByHandAPITokens/CF_API_TOKEN_CI")
	h := atHand(t, strings.Replace(consoleInPlace, "STRATEGY", "strategy: roll, grace: 3d", 1), "", withReview)
	before := h.world()
	h.all()
	w := h.world()
	live, broken := stage.Agreement(w, h.spec)
	if len(broken) > 0 {
		t.Fatalf("%v\n%s", broken, h.said.String())
	}
	old := before.Cloudflare.Tokens[0]
	if live.ID != old.ID || live.Secret == old.Secret || live.SecretVersion != 2 || live.PrevUntil.After(w.At) {
		t.Errorf("the token is %+v", live)
	}
	if got, want := w.Heroku.Pipelines[0].Vars["review"]["CF_ACCESS_SVC_CONSOLE"], live.ClientID+":"+live.Secret; got != want {
		t.Error("the stage does not hold the new one")
	}
}

// TestByHandInPlaceThereIsAWayBack: everybody has the old secret again, and it
// lives on for as long as the grace.
func TestByHandInPlaceThereIsAWayBack(t *testing.T) {
	t.Parallel()
	h := atHand(t, strings.Replace(consoleInPlace, "STRATEGY", "strategy: roll, grace: 3d", 1), "", withReview)
	old := h.world().Cloudflare.Tokens[0].Secret
	if err := h.follow("", h.steps("\n### 7. ")); err != nil {
		t.Fatalf("%v\n%s", err, h.said.String())
	}
	if err := h.follow("", h.again(), h.back()); err != nil {
		t.Fatalf("%v\n%s", err, h.said.String())
	}
	w := h.world()
	tok := w.Cloudflare.Tokens[0]
	if tok.PrevSecret != old || tok.PrevUntil.Sub(w.At) < 71*time.Hour {
		t.Errorf("the old secret does not live on: until %s", tok.PrevUntil)
	}
	for _, vars := range []map[string]string{w.Heroku.Apps[0].Releases[len(w.Heroku.Apps[0].Releases)-1].Vars, w.Heroku.Pipelines[0].Vars["review"]} {
		if vars["CF_ACCESS_SVC_CONSOLE"] != tok.ClientID+":"+old {
			t.Error("somebody does not have the old one back")
		}
	}
	h.clean(false)
}

const apiTokensByHand = handVendors + `
  CF_API_TOKEN_CI:
    procedure: any
    issuer: {vendor: cloudflare, kind: account-api-token, name: raxx-ci-<date>, strategy: roll}
    store: {vendor: infisical, path: /MooseQuest/cloudflare/, environment: prod, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{token}"}}]
  CF_ACCESS_MGMT:
    procedure: any
    issuer: {vendor: cloudflare, kind: user-api-token, name: rekey-management-<date>}
    store: {vendor: infisical, path: /MooseQuest/cloudflare/, environment: prod, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{token}"}}]
`

// TestByHandAPITokens follows the pages of API tokens: one of the account that is
// rolled, and one of the user, the very one that the hand works with: any other is
// replaced by the same blocks.
func TestByHandAPITokens(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{"CF_API_TOKEN_CI": "raxx-ci-", "CF_ACCESS_MGMT": "rekey-management"} {
		t.Run(name, func(t *testing.T) {
			if name == "CF_ACCESS_MGMT" {
				onlyWhole(t, "CF_API_TOKEN_CI is")
			} else {
				t.Parallel()
			}
			h := atHand(t, apiTokensByHand, name, nil)
			was := map[string]string{}
			for _, x := range h.world().Cloudflare.APITokens {
				was[x.Name] = x.Value
			}
			h.all()
			w := h.world()
			var live []*sim.APIToken
			for _, x := range w.Cloudflare.APITokens {
				if strings.HasPrefix(x.Name, prefix) {
					live = append(live, x)
				} else if was[x.Name] != x.Value {
					t.Errorf("%s was changed, and it was not meant", x.Name)
				}
			}
			if len(live) != 1 || live[0].Status != "active" || was[live[0].Name] == live[0].Value || len(w.Cloudflare.APITokens) != 3 {
				t.Fatalf("live: %+v of %d\n%s", live, len(w.Cloudflare.APITokens), h.said.String())
			}
			if vars := w.Heroku.Apps[0].Releases[len(w.Heroku.Apps[0].Releases)-1].Vars; vars[name] != live[0].Value {
				t.Error("the app does not hold the live one")
			}
		})
	}
}

const authorizationByHand = handVendors + `
  HEROKU_TOKEN_DEPLOY:
    procedure: any
    issuer: {vendor: heroku, kind: oauth-authorization, name: raxx-deploy-<date>, scope: [identity, read-protected], expires_in: 180d}
    store: {vendor: infisical, path: /MooseQuest/heroku/, environment: prod, slots: {<name>: "{token}", <name>__ID: "{id}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{token}"}}]
  HEROKU_TOKEN_METRICS:
    procedure: any
    issuer: {vendor: heroku, kind: oauth-authorization, name: raxx-metrics-<date>, scope: [identity, read-protected]}
    store: {vendor: infisical, path: /MooseQuest/heroku/, environment: prod, slots: {<name>: "{token}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{token}"}}]
`

// TestByHandAuthorizations follows the pages of Heroku authorizations: of one the
// id is stored, of the other only the token, whose two ends tell which it is; from
// there the pages are the same.
func TestByHandAuthorizations(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{"HEROKU_TOKEN_DEPLOY": "raxx-deploy-", "HEROKU_TOKEN_METRICS": "raxx-metrics-"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := atHand(t, authorizationByHand, name, func(s *sim.State) {
				s.GiveAuthorization("raxx-deploy", []string{"identity", "read-protected"}, "HEROKU_TOKEN_DEPLOY__ID", "HEROKU_TOKEN_DEPLOY")
				s.GiveAuthorization("raxx-metrics", []string{"identity", "read-protected"}, "", "HEROKU_TOKEN_METRICS")
			})
			if name == "HEROKU_TOKEN_METRICS" {
				if err := h.follow("", h.steps("\n### 2. ")); err != nil {
					t.Fatalf("%v\n%s", err, h.said.String())
				}
				id, err := os.ReadFile(filepath.Join(h.desk(), "old-id"))
				for _, a := range h.world().Heroku.Authorizations {
					if strings.HasPrefix(a.Description, prefix) != (a.ID == string(id)) {
						t.Errorf("%s is taken for %s (%v)", id, a.Description, err)
					}
				}
				return
			}
			h.all()
			w := h.world()
			var live []*sim.Authorization
			for _, a := range w.Heroku.Authorizations {
				if strings.HasPrefix(a.Description, prefix) {
					live = append(live, a)
				}
			}
			if len(live) != 1 || len(w.Heroku.Revoked) != 1 || !strings.Contains(live[0].Description, "-hand") {
				t.Fatalf("live: %v, revoked: %v\n%s", live, w.Heroku.Revoked, h.said.String())
			}
			if vars := w.Heroku.Apps[0].Releases[len(w.Heroku.Apps[0].Releases)-1].Vars; vars[name] != live[0].Token {
				t.Error("the app does not hold the live one")
			}
		})
	}
}

const clientSecretByHand = handVendors + `
  INFISICAL_LOGIN_APP:
    procedure: any
    issuer: {vendor: infisical, kind: universal-auth-client-secret, name: raxx-app-<date>, identity: env:RAXX_APP_IDENTITY_ID, expires_in: 180d}
    store: {vendor: infisical, path: /MooseQuest/infisical/, environment: prod, slots: {<name>: "{client_secret}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{client_secret}"}}]
  INFISICAL_LOGIN_METRICS:
    procedure: any
    issuer: {vendor: infisical, kind: universal-auth-client-secret, name: raxx-metrics-<date>, identity: env:RAXX_METRICS_IDENTITY_ID}
    store: {vendor: infisical, path: /MooseQuest/infisical/, environment: prod, slots: {<name>: "{client_secret}", <name>__ID: "{id}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{client_secret}"}}]
`

// withClientSecrets gives the app and the store the login of two identities: of
// one the secret alone, of the other its id as well.
func withClientSecrets(s *sim.State) {
	s.GiveClientSecret("raxx-app", "", "INFISICAL_LOGIN_APP")
	s.GiveClientSecret("raxx-metrics", "INFISICAL_LOGIN_METRICS__ID", "INFISICAL_LOGIN_METRICS")
}

// TestByHandClientSecrets follows the pages of Infisical's own client secrets, to
// the end and back. What the page promises of all others is looked at besides: no
// login failed, so nobody was brought nearer to a lock, and the old one was logged
// in with once at most, to tell which it is.
func TestByHandClientSecrets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix string
		logins int // with the old one, by the page
		back   bool
	}{
		"INFISICAL_LOGIN_APP":     {"raxx-app-", 1, false},
		"INFISICAL_LOGIN_METRICS": {"raxx-metrics-", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.back {
				onlyWhole(t, "INFISICAL_LOGIN_APP is, to the end; the way back in TestByHandInPlaceThereIsAWayBack")
			} else {
				t.Parallel()
			}
			h := atHand(t, clientSecretByHand, name, withClientSecrets)
			if !c.back {
				h.all()
			} else if err := h.follow("", h.steps("\n> ⚠ **Point of no return"), h.back()); err != nil {
				t.Fatalf("%v\n%s", err, h.said.String())
			}
			w := h.world()
			var live, revoked []*sim.ClientSecret
			for _, who := range w.Infisical.Identities {
				if len(who.Failures) > 0 || who.Locks > 0 {
					t.Errorf("%d logins failed", len(who.Failures))
				}
				for _, x := range who.Secrets {
					switch {
					case x.Revoked:
						revoked = append(revoked, x)
					case strings.HasPrefix(x.Description, c.prefix):
						live = append(live, x)
					}
				}
			}
			if len(live) != 1 || len(revoked) != 1 || strings.Contains(live[0].Description, "-hand") == c.back {
				t.Fatalf("live: %v, revoked: %v\n%s", live, revoked, h.said.String())
			}
			old, made := revoked[0], live[0]
			if c.back {
				old, made = made, old
			}
			if old.Uses != c.logins || made.Uses == 0 {
				t.Errorf("%d logins with the old one, %d with the new one", old.Uses, made.Uses)
			}
			if ttl := int64(180 * 24 * 3600); !c.back && made.TTL != ttl {
				t.Errorf("it lives for %d s, want %d", made.TTL, ttl)
			}
			if vars := w.Heroku.Apps[0].Releases[len(w.Heroku.Apps[0].Releases)-1].Vars; vars[name] != live[0].Value {
				t.Error("the app does not hold the live one")
			}
			for _, o := range w.Outages {
				t.Errorf("outage of %s (%s): %s", o.Process, o.Var, o.Why)
			}
			if c.back {
				h.clean(false)
			}
		})
	}
}

// TestByHandNoDeadClientSecretIsTried: the stored one was revoked by somebody, or
// is another than the list shows; the page stops, and at most one login was spent.
func TestByHandNoDeadClientSecretIsTried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arrange  func(*sim.Identity)
		says     string
		failures int
	}{
		"it was revoked":          {func(who *sim.Identity) { who.Secrets[0].Revoked = true }, "no live client secret is like the stored one", 0},
		"another begins like it":  {func(who *sim.Identity) { who.Secrets[0].Value = who.Secrets[0].Value[:4] + strings.Repeat("0", 60) }, "do not try again", 1},
		"its logins are limited":  {func(who *sim.Identity) { who.Secrets[0].Limit = 9 }, "store its id as well", 0},
		"it is what we work with": {nil, "this is the client secret that you work with", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := clientSecretByHand
			if c.arrange == nil {
				config = strings.Replace(config, "client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET", "client_id: env:RAXX_APP_CLIENT_ID, client_secret: env:RAXX_APP_CLIENT_SECRET", 1)
			}
			h := atHand(t, config, "INFISICAL_LOGIN_APP", func(s *sim.State) {
				withClientSecrets(s)
				if c.arrange == nil {
					appIdentity(s).Tokens = true
				} else {
					c.arrange(appIdentity(s))
				}
			})
			if err := h.follow("", h.steps("\n### 2. ")); err == nil || !strings.Contains(h.said.String(), c.says) {
				t.Errorf("it does not say %q (%v):\n%s", c.says, err, h.said.String())
			}
			if who := appIdentity(h.world()); len(who.Failures) != c.failures || len(who.Secrets) != 1 {
				t.Errorf("%d failed logins, %d client secrets", len(who.Failures), len(who.Secrets))
			}
		})
	}
}

// appIdentity is the machine identity of INFISICAL_LOGIN_APP.
func appIdentity(s *sim.State) *sim.Identity {
	for _, who := range s.Infisical.Identities {
		if strings.HasPrefix(who.Secrets[0].Description, "raxx-app-") {
			return who
		}
	}
	return nil
}

const portalByHand = handVendors + `
  PORTAL_KEY:
    procedure: any
    issuer: {vendor: portal, kind: portal-key, name: console-<date>, create: ["New key, named {name}."], revoke: ["Delete {name}."], headers: {Authorization: "Bearer {value}"}}
    store: {vendor: infisical, path: /MooseQuest/portal/, environment: prod, slots: {<name>: "{value}"}}
    validate: [{url: "https://portal.example.com/v1/me"}]
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{value}"}}]
`

// TestByHandInAPortal follows the page of assisted mode: the person goes to the
// portal when the page says so, and the value comes from a hidden prompt.
func TestByHandInAPortal(t *testing.T) {
	t.Parallel()
	h := atHand(t, portalByHand, "", func(s *sim.State) { s.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
	if !strings.Contains(h.page, "**assisted**") || !strings.Contains(h.page, "New key, named {name}.") {
		t.Error("the page does not say what the person does")
	}
	part := func(stdin, from, to string) {
		t.Helper()
		var lay []string
		if from != "\n## Steps\n" {
			lay = h.again()
		}
		if err := h.follow(stdin, lay, blocks(t, h.page, from, to)); err != nil {
			t.Fatalf("%v\n%s", err, h.said.String())
		}
	}
	part("console-2026-08-23\n", "\n## Steps\n", "\n#### Create the new credential\n")
	name, err := os.ReadFile(filepath.Join(h.desk(), "new-name"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(h.base+"/portal/keys", "application/json", strings.NewReader(`{"name":"`+string(name)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var made struct{ Value string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Value == "" {
		t.Fatal(err)
	}
	part(made.Value+"\n", "\n#### Create the new credential\n", "\n#### Delete the old credential\n")
	req, err := http.NewRequest(http.MethodDelete, h.base+"/portal/keys/console-2026-08-23", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended, err := http.DefaultClient.Do(req)
	if err != nil || ended.StatusCode != http.StatusOK {
		t.Fatal(err, ended.Status)
	}
	_ = ended.Body.Close()
	part("console-2026-08-23\n", "\n#### Delete the old credential\n", "\n## Rollback\n")
	w := h.world()
	if vars := w.Heroku.Apps[0].Releases[len(w.Heroku.Apps[0].Releases)-1].Vars; len(w.Portal.Keys) != 1 || vars["PORTAL_KEY"] != made.Value {
		t.Errorf("%d keys; the app does not hold the live one\n%s", len(w.Portal.Keys), h.said.String())
	}
	h.clean(true)
}

// onlyWhole runs beside the others, and only with -whole: instead says which test
// that always runs has the same blocks.
func onlyWhole(t *testing.T, instead string) {
	t.Helper()
	t.Parallel()
	if !*whole {
		sampled(t, "not followed ("+instead+")")
		t.Skip("A SAMPLE: " + instead)
	}
}

// all follows every step, and looks at what it left behind.
func (h *hand) all() {
	h.Helper()
	if err := h.follow("", h.steps("\n## Rollback\n")); err != nil {
		h.Fatalf("%v\n%s", err, h.said.String())
	}
	h.clean(true)
}
