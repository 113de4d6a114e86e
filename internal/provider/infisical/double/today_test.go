package double_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// today is the simulated server of 2026, with a folder of its own.
func today(t *testing.T) *replay {
	r := newReplay(t)
	state := sim.New(sim.Options{Seed: 1, Now: r.now})
	state.Infisical.Folders = append(state.Infisical.Folders, "/t")
	r.world = sim.Open(state, func() time.Time { return r.now })
	return r
}

// TestServerOf2026SaysWhatIsCited holds it to what was measured of a server of
// mid-2026 without a recorded answer (docs/vendors/infisical.md), and to upstream's
// own tests (TestSecret_Batch).
func TestServerOf2026SaysWhatIsCited(t *testing.T) {
	r := today(t)
	var project, client string
	r.world.Look(func(s *sim.State) { project, client = s.Infisical.Project, s.Infisical.ClientID })
	place := func(more string) string {
		return fmt.Sprintf(`{"projectId":%q,"workspaceId":%[1]q,"environment":"dev","secretPath":"/t"%s}`, project, more)
	}
	secrets := func(list string) string { return place(`,"secrets":[` + list + `]`) }
	const a, b, missing = `{"secretKey":"A","secretValue":"1"}`, `{"secretKey":"B","secretValue":"1"}`, `{"secretKey":"MISSING","secretValue":"1"}`
	for _, c := range []struct {
		what, method, path, body string
		status                   int
		name, message            string // "" message: it is none or a list
	}{
		{"a secret is made", "POST", "/api/v4/secrets/batch", secrets(b), 200, "", ""},
		{"one of two exists", "POST", "/api/v4/secrets/batch", secrets(a + "," + b), 400, "BadRequest", "Secret already exists: 'B' in path '/t' of environment 'dev'"},
		{"so none was made", "GET", "/api/v4/secrets/A?projectId=" + project + "&environment=dev&secretPath=/t", "", 404, "NotFound", "Secret with name 'A' not found"},
		{"one of two is missing", "PATCH", "/api/v4/secrets/batch", secrets(b + "," + missing), 404, "NotFound", "Secret does not exist: MISSING in path /t"},
		{"so none was changed", "GET", "/api/v4/secrets/B?version=2&projectId=" + project + "&environment=dev&secretPath=/t", "", 404, "NotFound", "Secret with name 'B' not found"},
		{"one of two to delete is missing", "DELETE", "/api/v4/secrets/batch", secrets(b + "," + missing), 404, "NotFound", "One or more secrets does not exist: B"},
		{"twice in one delete", "DELETE", "/api/v4/secrets/batch", secrets(b + "," + b), 404, "NotFound", ""},
		{"twice in one update", "PATCH", "/api/v4/secrets/batch", secrets(b + "," + b), 404, "NotFound", "Secret does not exist: B in path /t"},
		{"twice in one upsert", "PATCH", "/api/v4/secrets/batch", strings.Replace(secrets(b+","+b), "{", `{"mode":"upsert",`, 1), 200, "", ""},
		{"upsert is of v4", "PATCH", "/api/v3/secrets/batch/raw", strings.Replace(secrets(missing), "{", `{"mode":"upsert",`, 1), 404, "NotFound", "Secret does not exist: MISSING in path /t"},
		{"upsert", "PATCH", "/api/v4/secrets/batch", strings.Replace(secrets(a+","+b), "{", `{"mode":"upsert",`, 1), 200, "", ""},
		{"no secret at all", "PATCH", "/api/v4/secrets/batch", secrets(""), 422, "ValidationFailure", ""},
		{"no value", "POST", "/api/v4/secrets/X", place(""), 422, "ValidationFailure", ""},
		{"a colon in a name", "POST", "/api/v4/secrets/X:Y", place(`,"secretValue":"1"`), 422, "ValidationFailure", ""},
		{"a slash in a name", "POST", "/api/v4/secrets/batch", secrets(`{"secretKey":"X/Y","secretValue":"1"}`), 422, "ValidationFailure", ""},
		{"an unknown project", "GET", "/api/v4/secrets?projectId=nope&environment=dev&secretPath=/t", "", 404, "NotFound", "Project with ID 'nope' not found during bot lookup. Are you sure you are using the correct project ID?"},
		{"an unknown folder", "GET", "/api/v4/secrets/A?projectId=" + project + "&environment=dev&secretPath=/nope", "", 404, "NotFound", "Folder with path '/nope' in environment with slug 'dev' not found"},
		{"bad JSON", "PATCH", "/api/v4/secrets/batch", `{"secrets":[`, 500, "InternalServerError", "Something went wrong"},
		{"too large", "PATCH", "/api/v4/secrets/batch", `"` + strings.Repeat("x", 1<<20) + `"`, 500, "InternalServerError", "Something went wrong"},
		{"deprecated, and there", "GET", "/api/v3/secrets/raw/B?workspaceId=" + project + "&environment=dev&secretPath=/t", "", 200, "", ""},
		{"an unknown client id", "POST", "/api/v1/auth/universal-auth/login", `{"clientId":"x","clientSecret":"y"}`, 401, "UnauthorizedError", "Invalid credentials"},
		{"a wrong secret", "POST", "/api/v1/auth/universal-auth/login", fmt.Sprintf(`{"clientId":%q,"clientSecret":"y"}`, client), 401, "UnauthorizedError", "Invalid credentials"},
		{"a second time", "POST", "/api/v1/auth/universal-auth/login", fmt.Sprintf(`{"clientId":%q,"clientSecret":"y"}`, client), 401, "UnauthorizedError", "Invalid credentials"},
		{"a third time", "POST", "/api/v1/auth/universal-auth/login", fmt.Sprintf(`{"clientId":%q,"clientSecret":"y"}`, client), 401, "UnauthorizedError", "Invalid credentials"},
		{"the right one, now that everybody is locked out", "POST", "/api/v1/auth/universal-auth/login", fmt.Sprintf(`{"clientId":%q,"clientSecret":%q}`, client, r.secretOf(client)), 401, "UnauthorizedError", "This identity auth method is temporarily locked, please try again later"},
	} {
		token := r.token(client)
		got := r.send(c.method, c.path, map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}, []byte(c.body))
		var said map[string]any
		if err := json.Unmarshal(got.Body.Bytes(), &said); err != nil || got.Code != c.status {
			t.Errorf("%s: %d %s", c.what, got.Code, got.Body)
			continue
		}
		if c.status == http.StatusOK {
			continue
		}
		if said["error"] != c.name || c.message != "" && said["message"] != c.message || said["reqId"] == nil {
			t.Errorf("%s: %s", c.what, got.Body)
		}
		if _, list := said["message"].([]any); list != (c.name == "ValidationFailure") {
			t.Errorf("%s: the message is of another kind: %s", c.what, got.Body)
		}
	}
	r.now = r.now.Add(5*time.Minute + time.Second)
	r.tokens = map[string]string{}
	r.token(client) // the lock opens by itself
}

// TestServerOf2026RefusesAsCited: a role that may not write, and limits.
func TestServerOf2026RefusesAsCited(t *testing.T) {
	r := today(t)
	var project, client string
	r.world.Look(func(s *sim.State) {
		project, client = s.Infisical.Project, s.Infisical.ClientID
		s.Infisical.Identities[0].Viewer, s.Knobs.RateLimits = true, true
	})
	body := fmt.Sprintf(`{"projectId":%q,"environment":"dev","secretPath":"/t","secrets":[{"secretKey":"A","secretValue":"1"}]}`, project)
	headers := map[string]string{"Authorization": "Bearer " + r.token(client), "Content-Type": "application/json"}
	got := r.send("PATCH", "/api/v4/secrets/batch", headers, []byte(body))
	if got.Code != 403 || !strings.Contains(got.Body.String(), `"You are not allowed to edit on secrets"`) || !strings.Contains(got.Body.String(), `"details"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	var last int
	for range 120 {
		last = r.send("PATCH", "/api/v4/secrets/batch", headers, []byte(body)).Code
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("%d after 121 calls in a minute", last)
	}
	if got := r.send("GET", "/api/v1/folders?workspaceId="+project+"&environment=prod&path=/MooseQuest", headers, nil); got.Code != 200 || !strings.Contains(got.Body.String(), `"cloudflare"`) {
		t.Errorf("folders have a limit of their own: %d %s", got.Code, got.Body)
	}
}
