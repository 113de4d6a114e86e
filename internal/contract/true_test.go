package contract_test

import (
	"net/http"
	"net/url"

	"rekey/internal/contract"
)

// sample is an exchange as the vendors' pages show it; not one that our simulator made.
type sample struct {
	name, method, url string
	body              string
	status            int
	answer            string
	required          []string // fields of the answer that Cloudflare's document requires, below result
	needs             []string // fields that the request must have
}

const (
	account = "023e105f4ecef8ad9ca31a8372d0c353"
	cfAPI   = "https://api.cloudflare.com/client/v4"
	access  = cfAPI + "/accounts/" + account + "/access"
	uuid    = "3537a672-e4d8-4d89-aab9-26cb622918a1"
	tokenID = "ed17574386854bf78a67040be0a770b0"
	hkAPI   = "https://api.heroku.com"
	hkUUID  = "01234567-89ab-cdef-0123-456789abcdef"
)

// samples: Cloudflare's after docs/vendors/cloudflare.md, Heroku's after the
// examples in the schema.
var samples = []sample{
	{name: "create a service token", method: "POST", url: access + "/service_tokens", body: `{"name":"console","duration":"8760h"}`, status: 201,
		answer: `{"success":true,"errors":[],"messages":[],"result":{"id":"` + uuid + `","name":"console","client_id":"88bf3b6d86161464f6509f7219099e57.access",
			"client_secret":"bdd31cbc4dec990953e39163fbbb194c93313ca9f0a6e420346af9d326b1d2a5","duration":"8760h","created_at":"2026-11-23T10:00:00Z",
			"updated_at":"2026-11-23T10:00:00Z","expires_at":"2027-11-23T10:00:00Z","client_secret_version":1}}`,
		required: []string{"id", "client_id", "client_secret", "name"}, needs: []string{"name"}},
	{name: "list service tokens", method: "GET", url: access + "/service_tokens?page=1&per_page=100", status: 200,
		answer: `{"success":true,"errors":[],"messages":[],"result":[{"id":"` + uuid + `","name":"console","client_id":"88bf3b6d86161464f6509f7219099e57.access",
			"duration":"8760h","created_at":"2026-11-23T10:00:00Z","updated_at":"2026-11-23T10:00:00Z","expires_at":"2027-11-23T10:00:00Z","enabled":true,"last_seen_at":null}],
			"result_info":{"page":1,"per_page":100,"count":1,"total_count":1}}`},
	{name: "rotate a service token", method: "POST", url: access + "/service_tokens/" + uuid + "/rotate", body: `{"previous_client_secret_expires_at":"2026-11-24T10:00:00Z"}`, status: 200,
		answer: `{"success":true,"errors":[],"messages":[],"result":{"id":"` + uuid + `","name":"console","client_id":"88bf3b6d86161464f6509f7219099e57.access",
			"client_secret":"bdd31cbc4dec990953e39163fbbb194c93313ca9f0a6e420346af9d326b1d2a5","duration":"8760h"}}`, required: []string{"id", "client_secret"}},
	{name: "delete a service token that is in use", method: "DELETE", url: access + "/service_tokens/" + uuid, status: 400,
		answer: `{"success":false,"errors":[{"code":12139,"message":"access.api.error.service_token_in_use"}],"messages":[],"result":null}`},
	{name: "change a reusable policy", method: "PUT", url: access + "/policies/" + uuid,
		body: `{"name":"auth","decision":"non_identity","include":[{"service_token":{"token_id":"` + uuid + `"}},{"group":{"id":"` + uuid + `"}}],"require":[],"exclude":[]}`, status: 200,
		answer: `{"success":true,"errors":[],"messages":[],"result":{"id":"` + uuid + `","name":"auth","decision":"non_identity","reusable":true,"app_count":2,
			"include":[{"service_token":{"token_id":"` + uuid + `"}},{"any_valid_service_token":{}}],"require":[],"exclude":[],"created_at":"2026-11-23T10:00:00Z","updated_at":"2026-11-23T10:00:00Z"}}`,
		needs: []string{"name", "decision", "include"}},
	{name: "create an API token", method: "POST", url: cfAPI + "/user/tokens",
		body: `{"name":"dns","policies":[{"effect":"allow","permission_groups":[{"id":"c8fed203ed3043cba015a93ad1616f1f"}],"resources":{"com.cloudflare.api.account.zone.x":"*"}}]}`, status: 200,
		answer: `{"success":true,"errors":[],"messages":[],"result":{"id":"` + tokenID + `","name":"dns","status":"active","issued_on":"2026-11-23T10:00:00Z","modified_on":"2026-11-23T10:00:00Z",
			"policies":[{"id":"f267e341f3dd4697bd3b9f71dd96247f","effect":"allow","permission_groups":[{"id":"c8fed203ed3043cba015a93ad1616f1f","name":"DNS Write"}],"resources":{"com.cloudflare.api.account.zone.x":"*"}}],
			"value":"8M7wS6hCpXVc-DoRnPPY_UCWPgy8aea4Wy6kCe5T"}}`,
		required: []string{"id", "name", "status", "policies"}, needs: []string{"name", "policies"}},
	{name: "verify an API token", method: "GET", url: cfAPI + "/user/tokens/verify", status: 200,
		answer:   `{"success":true,"errors":[],"messages":[{"code":10000,"message":"This API Token is valid and active"}],"result":{"id":"` + tokenID + `","status":"active"}}`,
		required: []string{"id", "status"}},
	{name: "roll an API token", method: "PUT", url: cfAPI + "/user/tokens/" + tokenID + "/value", body: `{}`, status: 200,
		answer: `{"success":true,"errors":[],"messages":[],"result":"8M7wS6hCpXVc-DoRnPPY_UCWPgy8aea4Wy6kCe5T"}`},

	{name: "set config vars", method: "PATCH", url: hkAPI + "/apps/example/config-vars", body: `{"FOO":"bar","BAZ":null}`, status: 200, answer: `{"FOO":"bar"}`},
	{name: "list releases", method: "GET", url: hkAPI + "/apps/example/releases", status: 206, answer: `[` + releaseJSON + `]`},
	{name: "roll back", method: "POST", url: hkAPI + "/apps/" + hkUUID + "/releases", body: `{"release":"` + hkUUID + `"}`, status: 201, answer: releaseJSON, needs: []string{"release"}},
	{name: "list dynos", method: "GET", url: hkAPI + "/apps/example/dynos", status: 200,
		answer: `[{"attach_url":null,"command":"bash","created_at":"2012-01-01T12:00:00Z","id":"` + hkUUID + `","name":"run.1","release":{"id":"` + hkUUID + `","version":11},
			"app":{"name":"example","id":"` + hkUUID + `"},"size":"standard-1X","state":"up","type":"run","updated_at":"2012-01-01T12:00:00Z"}]`},
	{name: "create an authorization", method: "POST", url: hkAPI + "/oauth/authorizations", body: `{"description":"sample","scope":["identity"],"expires_in":2592000}`, status: 201,
		answer: `{"access_token":{"expires_in":2592000,"id":"` + hkUUID + `","token":"HRKU-` + hkUUID + `"},"client":null,"created_at":"2012-01-01T12:00:00Z","description":"sample","grant":null,
			"id":"` + hkUUID + `","refresh_token":null,"scope":["global"],"session":null,"updated_at":"2012-01-01T12:00:00Z",
			"user":{"id":"` + hkUUID + `","email":"username@example.com","full_name":"Tina Edmonds"}}`, needs: []string{"scope"}},
	{name: "list couplings", method: "GET", url: hkAPI + "/pipelines/" + hkUUID + "/pipeline-couplings", status: 200,
		answer: `[{"app":{"id":"` + hkUUID + `"},"created_at":"2012-01-01T12:00:00Z","id":"` + hkUUID + `","pipeline":{"id":"` + hkUUID + `"},"stage":"production","updated_at":"2012-01-01T12:00:00Z"}]`},
	{name: "too many calls", method: "GET", url: hkAPI + "/apps/example/config-vars", status: 429,
		answer: `{"id":"rate_limit","message":"Your account reached the API rate limit","url":"https://devcenter.heroku.com/articles/platform-api-reference#rate-limits"}`},
}

const releaseJSON = `{"addon_plan_names":["heroku-postgresql:dev"],"artifacts":[{"type":"slug","id":"` + hkUUID + `"}],"app":{"name":"example","id":"` + hkUUID + `"},
	"created_at":"2012-01-01T12:00:00Z","description":"Added new feature","status":"succeeded","id":"` + hkUUID + `","slug":{"id":"` + hkUUID + `"},"updated_at":"2012-01-01T12:00:00Z",
	"user":{"id":"` + hkUUID + `","email":"username@example.com"},"version":11,"current":true,"output_stream_url":null,"eligible_for_rollback":true}`

// exchange is the sample as it passes through a transport.
func (s sample) exchange() contract.Exchange {
	u, err := url.Parse(s.url)
	if err != nil {
		panic(err)
	}
	x := contract.Exchange{
		Method: s.method, URL: u, Status: s.status, Answer: []byte(s.answer),
		Header:       http.Header{"Authorization": {"Bearer sample"}, "Accept": {"application/json"}},
		AnswerHeader: http.Header{"Content-Type": {"application/json"}},
	}
	if u.Host == "api.heroku.com" {
		x.Header.Set("Accept", "application/vnd.heroku+json; version=3")
	}
	if s.body != "" {
		x.Body = []byte(s.body)
		x.Header.Set("Content-Type", "application/json")
	}
	return x
}

func (s sample) heroku() bool { return s.exchange().URL.Host == "api.heroku.com" }
