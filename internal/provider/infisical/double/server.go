package double

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/world"
)

// asked is one request to Infisical, with whoever makes it.
type asked struct {
	*Double
	rw    http.ResponseWriter
	req   *http.Request
	body  any       // as decoded; nil: there is none
	token string    // access token; "" on routes that need none
	who   *Identity // whose it is
}

func (a *asked) server() *Infisical { return a.Infisical }

func (a *asked) query(name string) string { return a.req.URL.Query().Get(name) }

func (a *asked) answer(v any) { world.WriteJSON(a.rw, http.StatusOK, v) }

// fail answers in the server's shape; today there is a request id, and details
// where something is not allowed (docs/vendors/infisical.md).
func (a *asked) fail(status int, name string, message any) {
	infisicalFailure(a.rw, status, name, message, a.server().old())
}

func infisicalFailure(rw http.ResponseWriter, status int, name string, message any, old bool) {
	more := map[string]any{}
	if !old {
		more["reqId"] = "req-simulated"
		if status == http.StatusForbidden && name != "TokenError" { // recorded: 2026/batch.json
			more["details"] = []any{}
		}
	}
	infisicalSays(rw, status, name, message, more)
}

// infisicalSays answers in the server's own shape, with more beside it.
func infisicalSays(rw http.ResponseWriter, status int, name string, message any, more map[string]any) {
	out := map[string]any{"statusCode": status, "message": message, "error": name}
	maps.Copy(out, more)
	world.WriteJSON(rw, status, out)
}

// somethingWentWrong is what malformed JSON, no body and a crash look like
// (recorded: 10-create.json; the same branch in today's error handler).
func (a *asked) somethingWentWrong() {
	a.fail(http.StatusInternalServerError, "InternalServerError", "Something went wrong")
}

// Routes: docs/vendors/infisical.md. Both servers have the v3 routes, which
// are called deprecated today; only that of 2026 has v4.
func (w *Double) Routes(mux *http.ServeMux) {
	on := func(pattern, bucket string, open bool, f func(*asked)) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, req *http.Request) {
			w.infisicalServe(rw, req, bucket, open, f)
		})
	}
	for _, secrets := range []string{"/api/v3/secrets/raw", "/api/v4/secrets"} {
		batch := "/api/v3/secrets/batch/raw"
		if secrets != "/api/v3/secrets/raw" {
			batch = secrets + "/batch"
		}
		on("GET "+secrets, "secret", false, (*asked).listSecrets)
		on("GET "+secrets+"/{name}", "secret", false, (*asked).getSecret)
		on("POST "+secrets+"/{name}", "secret", false, (*asked).createSecret)
		on("PATCH "+secrets+"/{name}", "secret", false, (*asked).updateSecret)
		on("DELETE "+secrets+"/{name}", "secret", false, (*asked).deleteSecret)
		on("POST "+batch, "secret", false, (*asked).createSecrets)
		on("PATCH "+batch, "secret", false, (*asked).patchSecrets)
		on("DELETE "+batch, "secret", false, (*asked).deleteSecrets)
	}
	on("GET /api/v1/secret/{id}/secret-versions", "", false, (*asked).noVersions)

	const ua = "/api/v1/auth/universal-auth"
	on("POST "+ua+"/login", "write", true, (*asked).login)
	on("POST /api/v1/auth/token/renew", "write", true, (*asked).renew)
	on("POST /api/v1/auth/token/revoke", "write", true, (*asked).revokeToken)
	on("GET "+ua+"/identities/{identity}", "read", false, (*asked).getAuth)
	on("GET "+ua+"/identities/{identity}/client-secrets", "read", false, (*asked).listClientSecrets)
	on("POST "+ua+"/identities/{identity}/client-secrets", "write", false, (*asked).createClientSecret)
	on("GET "+ua+"/identities/{identity}/client-secrets/{id}", "read", false, (*asked).getClientSecret)
	on("POST "+ua+"/identities/{identity}/client-secrets/{id}/revoke", "write", false, (*asked).revokeClientSecret)

	for _, folders := range []string{"/api/v1/folders", "/api/v2/folders"} {
		on("GET "+folders, "read", false, (*asked).listFolders)
		on("POST "+folders, "secret", false, (*asked).createFolder)
	}
	for _, project := range []string{"/api/v1/workspace/{project}", "/api/v1/projects/{project}"} {
		on("GET "+project, "read", false, (*asked).getProject)
		on("GET "+project+"/tags", "read", false, (*asked).listTags)
		on("POST "+project+"/tags", "write", false, (*asked).createTag)
	}
	on("GET /api/v1/projects/{project}/secret-validation-rules", "read", false, (*asked).listRules)
	on("GET /api/v1/secret-syncs", "read", false, (*asked).listSyncs)
	mux.HandleFunc("/", noRoute)
}

// newer are paths that the recorded server does not have.
var newer = []string{"/api/v4/", "/api/v2/folders", "/api/v1/projects/", "/api/v1/secret-syncs"}

// noRoute: recorded 02-access-token-errors.json.
func noRoute(rw http.ResponseWriter, req *http.Request) {
	world.WriteJSON(rw, http.StatusNotFound, map[string]any{
		"message": "Route " + req.Method + ":" + req.URL.RequestURI() + " not found", "error": "Not Found", "statusCode": 404,
	})
}

// infisicalServe: who asks, then the body, then the limit, then the route. That
// order shows in the recorded answers: neither a refused token nor malformed JSON
// comes with the headers of a limit, and a failed validation does.
func (w *Double) infisicalServe(rw http.ResponseWriter, req *http.Request, bucket string, open bool, f func(*asked)) {
	for _, p := range newer {
		if w.Infisical.old() && strings.HasPrefix(req.URL.Path, p) {
			noRoute(rw, req)
			return
		}
	}
	out := world.NewReply()
	a := &asked{Double: w, rw: out, req: req}
	if (open || a.letIn()) && a.readBody() && !w.infisicalLimit(out, bucket) {
		f(a)
	}
	world.CopyHeader(rw.Header(), out.Header())
	sum := sha1.Sum(out.Body.Bytes())
	tag := `"` + base64.StdEncoding.EncodeToString(sum[:]) + `"`
	if out.Status == http.StatusOK {
		// Recorded: 21-list.json, "If-None-Match with the same etag".
		rw.Header().Set("Etag", tag)
		if req.Method == http.MethodGet && req.Header.Get("If-None-Match") == tag {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
	}
	rw.WriteHeader(out.Status)
	_, _ = rw.Write(out.Body.Bytes())
}

// readBody decodes JSON and forms; other text stays text (recorded: 01-login.json,
// 10-create.json).
func (a *asked) readBody() bool {
	b, err := io.ReadAll(io.LimitReader(a.req.Body, 1<<20+1))
	kind := a.req.Header.Get("Content-Type")
	switch {
	case a.req.Method == http.MethodGet:
		return true
	case err != nil, len(b) > 1<<20:
		a.somethingWentWrong()
		return false
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		form, _ := url.ParseQuery(string(b))
		fields := map[string]any{}
		for k, v := range form {
			fields[k] = v[0]
		}
		a.body = fields
		return true
	case strings.HasPrefix(kind, "text/"):
		a.body = string(b)
		return true
	}
	if json.Unmarshal(b, &a.body) != nil {
		a.somethingWentWrong()
		return false
	}
	return true
}

// field is a text of the body.
func (a *asked) field(name string) string {
	fields, _ := a.body.(map[string]any)
	v, _ := fields[name].(string)
	return v
}

// noVersions: lists of versions are for people's sessions, and an identity is
// never one (recorded: 22-versions.json; AuthMode.JWT alone today).
func (a *asked) noVersions() {
	a.fail(http.StatusForbidden, "Forbidden access to "+a.req.URL.RequestURI(), "You are not allowed to access this resource")
}

// place is where a request is about.
type place struct{ environment, path string }

// where reads project, environment and folder from the query or the body, and
// checks that the project is there and the identity a member of it.
func (a *asked) where(from func(string) string) (place, bool) {
	i := a.server()
	project := from("workspaceId")
	if p := from("projectId"); p != "" && !i.old() {
		project = p
	}
	if slug := from("workspaceSlug"); slug != "" && slug == i.Slug {
		project = i.Project
	}
	at := place{from("environment"), "/" + strings.Trim(from("secretPath"), "/")}
	return at, a.member(project)
}

func (a *asked) member(project string) bool {
	i := a.server()
	if project == i.Project {
		return true
	}
	for _, other := range i.Others {
		if project == other {
			// Recorded: 11-read.json, "get from a project without access".
			a.fail(http.StatusForbidden, "Identity is not a member of the specified project with ID '"+project+"'", "You are not allowed to access this resource")
			return false
		}
	}
	// Both texts were seen of servers of today as well (docs/vendors/infisical.md).
	message := fmt.Sprintf("Project with ID %s not found", project)
	if i.old() || strings.Contains(a.req.URL.Path, "/secrets") {
		message = fmt.Sprintf("Project with ID '%s' not found during bot lookup. Are you sure you are using the correct project ID?", project)
	}
	a.fail(http.StatusNotFound, "NotFound", message)
	return false
}

// found checks the folder. The server of 2024 says the same of a missing environment
// (recorded: 11-read.json); today a write tells them apart.
func (a *asked) found(at place, operation string) bool {
	i := a.server()
	if i.has(at.environment, at.path) {
		return true
	}
	if !i.old() {
		if operation = "NotFound"; a.req.Method != http.MethodGet && !slices.Contains(i.Environments, at.environment) {
			a.fail(http.StatusNotFound, operation, fmt.Sprintf("Environment with slug '%s' in project with ID %s not found", at.environment, i.Project))
			return false
		}
	}
	a.fail(http.StatusNotFound, operation, fmt.Sprintf("Folder with path '%s' in environment with slug '%s' not found", at.path, at.environment))
	return false
}

// may checks the role: the viewer of 12-update.json may read.
func (a *asked) may(what string) bool {
	if !a.who.Viewer {
		return true
	}
	a.fail(http.StatusForbidden, "PermissionDenied", "You are not allowed to "+what+" on secrets")
	return false
}
