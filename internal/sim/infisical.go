package sim

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Infisical is one server with one project.
type Infisical struct {
	ClientID     string            `json:"client_id"`
	ClientSecret string            `json:"client_secret"`
	Project      string            `json:"project"`
	Environments []string          `json:"environments"`
	Folders      []string          `json:"folders"` // full paths
	Secrets      []*StoredSecret   `json:"secrets"`
	Access       map[string]Access `json:"access"`             // access tokens
	TTL          Duration          `json:"ttl"`                // of an access token
	Approval     bool              `json:"approval,omitempty"` // a change policy turns writes into requests
}

// Access is an access token that was given out.
type Access struct {
	Until time.Time `json:"until"`
}

// StoredSecret is one secret with its history.
type StoredSecret struct {
	ID          string    `json:"id"`
	Environment string    `json:"environment"`
	Path        string    `json:"path"`
	Key         string    `json:"key"`
	Versions    []Version `json:"versions"` // version 1 first
	Rotated     bool      `json:"rotated,omitempty"`
	Hidden      bool      `json:"hidden,omitempty"` // the identity may see its name and not its value
	Created     time.Time `json:"created"`
}

// Version is one value.
type Version struct {
	Value    string      `json:"value"`
	At       time.Time   `json:"at"`
	Metadata []Metadatum `json:"metadata,omitempty"`
}

// Metadatum is a key and value beside a secret.
type Metadatum struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (i *Infisical) find(environment, path, key string) *StoredSecret {
	for _, s := range i.Secrets {
		if s.Environment == environment && s.Path == path && s.Key == key {
			return s
		}
	}
	return nil
}

// put adds a version, making the secret if need be. Every write counts one up,
// also of the same value (recorded: 12-update.json).
func (s *State) put(environment, path, key, value string) *StoredSecret {
	value = trim(value)
	it := s.Infisical.find(environment, path, key)
	if it == nil {
		it = &StoredSecret{ID: s.uuid(), Environment: environment, Path: path, Key: key, Created: s.At}
		s.Infisical.Secrets = append(s.Infisical.Secrets, it)
	}
	it.Versions = append(it.Versions, Version{Value: value, At: s.At})
	return it
}

// trim as the server does: white space goes, one newline at the end stays
// (recorded: 10-create.json).
func trim(v string) string {
	t := strings.TrimSpace(v)
	if strings.HasSuffix(v, "\n") && t != "" {
		t += "\n"
	}
	return t
}

func (i *Infisical) shown(s *StoredSecret, version int) map[string]any {
	v := s.Versions[version-1]
	if s.Hidden { // masked, and it says so (infisical.md §2.4)
		v.Value = "<hidden-by-infisical>"
	}
	return map[string]any{
		"id": s.ID, "_id": s.ID, "workspace": i.Project, "environment": s.Environment, "version": version, "type": "shared",
		"secretKey": s.Key, "secretValue": v.Value, "secretComment": "", "secretValueHidden": s.Hidden, "secretReminderNote": nil,
		"secretReminderRepeatDays": nil, "skipMultilineEncoding": false, "metadata": nil, "createdAt": s.Created, "updatedAt": v.At,
		"secretPath": s.Path, "tags": []any{}, "secretMetadata": noted(v.Metadata), "isRotatedSecret": s.Rotated,
	}
}

func noted(m []Metadatum) []Metadatum {
	if m == nil {
		return []Metadatum{}
	}
	return m
}

func infisicalFailure(rw http.ResponseWriter, status int, name, message string) {
	writeJSON(rw, status, map[string]any{"reqId": "req-simulated", "statusCode": status, "message": message, "error": name})
}

// infisicalRoutes: infisical.md §2, a server of 2026.
func (w *World) infisicalRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v1/auth/universal-auth/login", w.infisicalLogin)
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, req *http.Request) {
			if w.infisicalGate(rw, req) {
				f(rw, req)
			}
		})
	}
	handle("GET /api/v1/workspace/{project}", w.showProject)
	handle("GET /api/v4/secrets", w.listSecrets)
	handle("GET /api/v4/secrets/{name}", w.getSecret)
	handle("PATCH /api/v4/secrets/batch", w.patchSecrets)
	handle("DELETE /api/v4/secrets/batch", w.deleteSecrets)
	mux.HandleFunc("/", func(rw http.ResponseWriter, req *http.Request) {
		writeJSON(rw, http.StatusNotFound, map[string]any{
			"message": "Route " + req.Method + ":" + req.URL.RequestURI() + " not found", "error": "Not Found", "statusCode": 404,
		})
	})
}

// infisicalLogin: recorded 01-login.json; an unknown client id is 401 today.
func (w *World) infisicalLogin(rw http.ResponseWriter, req *http.Request) {
	var in struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	}
	i := &w.state.Infisical
	switch err := readJSON(req, &in); {
	case errors.Is(err, io.EOF), err != nil:
		infisicalFailure(rw, http.StatusInternalServerError, "InternalServerError", "Something went wrong")
		return
	case in.ClientID == "" || in.ClientSecret == "":
		infisicalFailure(rw, http.StatusUnprocessableEntity, "ValidationFailure", "Required")
		return
	case in.ClientID != i.ClientID || in.ClientSecret != i.ClientSecret:
		infisicalFailure(rw, http.StatusUnauthorized, "UnauthorizedError", "Invalid credentials")
		return
	}
	token := "simulated-access-" + w.state.random(24)
	if i.Access == nil {
		i.Access = map[string]Access{}
	}
	for t, a := range i.Access {
		if a.Until.Before(w.state.At) {
			delete(i.Access, t)
		}
	}
	i.Access[token] = Access{Until: w.state.At.Add(i.TTL.std())}
	seconds := int64(i.TTL.std() / time.Second)
	writeJSON(rw, http.StatusOK, map[string]any{"accessToken": token, "expiresIn": seconds, "accessTokenMaxTTL": seconds, "tokenType": "Bearer"})
}

// infisicalGate: recorded 02-access-token-errors.json and 03-token-renew-revoke.json.
func (w *World) infisicalGate(rw http.ResponseWriter, req *http.Request) bool {
	token, bearer := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	switch a, known := w.state.Infisical.Access[token]; {
	case !bearer || token == "":
		infisicalFailure(rw, http.StatusUnauthorized, "UnauthorizedError", "Token missing")
	case !known:
		infisicalFailure(rw, http.StatusForbidden, "TokenError", "The provided access token is malformed. Please use a valid token or generate a new one and try again.")
	case a.Until.Before(w.state.At):
		infisicalFailure(rw, http.StatusForbidden, "TokenError", "Your token has expired. Please re-authenticate.")
	default:
		return true
	}
	return false
}

// place checks project, environment and folder; a list answers a missing folder
// with nothing, everything else with 404 (recorded: 11-read.json, 21-list.json).
func (w *World) place(rw http.ResponseWriter, project, environment, path, operation string) (string, bool) {
	i := &w.state.Infisical
	path = "/" + strings.Trim(path, "/")
	switch {
	case project != i.Project:
		infisicalFailure(rw, http.StatusNotFound, "NotFound", fmt.Sprintf("Project with ID '%s' not found", project))
	case environment == "":
		infisicalFailure(rw, http.StatusBadRequest, "BadRequest", "Missing environment")
	case !i.has(environment, path):
		infisicalFailure(rw, http.StatusNotFound, operation, fmt.Sprintf("Folder with path '%s' in environment with slug '%s' not found", path, environment))
	default:
		return path, true
	}
	return "", false
}

func (i *Infisical) has(environment, path string) bool {
	return slices.Contains(i.Environments, environment) && (path == "/" || slices.Contains(i.Folders, path))
}

func (w *World) listSecrets(rw http.ResponseWriter, req *http.Request) {
	i, q := &w.state.Infisical, req.URL.Query()
	path := "/" + strings.Trim(q.Get("secretPath"), "/")
	if q.Get("projectId") != i.Project {
		infisicalFailure(rw, http.StatusForbidden, "Identity is not a member of the specified project with ID '"+q.Get("projectId")+"'", "You are not allowed to access this resource")
		return
	}
	out := []map[string]any{}
	// Recursive: everything below as well, each with its path (recorded:
	// 21-list.json, "list recursive from /").
	below := strings.TrimSuffix(path, "/") + "/"
	for _, s := range i.Secrets {
		if s.Environment == q.Get("environment") && (s.Path == path || q.Get("recursive") == "true" && strings.HasPrefix(s.Path, below)) {
			out = append(out, i.shown(s, len(s.Versions)))
		}
	}
	writeJSON(rw, http.StatusOK, map[string]any{"secrets": out, "imports": []any{}})
}

// showProject answers the part that clients read: which environments there are
// (api-reference/endpoints/workspaces/get-workspace).
func (w *World) showProject(rw http.ResponseWriter, req *http.Request) {
	i := &w.state.Infisical
	if req.PathValue("project") != i.Project {
		infisicalFailure(rw, http.StatusForbidden, "Identity is not a member of the specified project with ID '"+req.PathValue("project")+"'", "You are not allowed to access this resource")
		return
	}
	environments := []map[string]string{}
	for _, slug := range i.Environments {
		environments = append(environments, map[string]string{"id": idOf("environment", slug), "name": slug, "slug": slug})
	}
	writeJSON(rw, http.StatusOK, map[string]any{"workspace": map[string]any{
		"id": i.Project, "_id": i.Project, "name": "MooseQuest", "slug": "moosequest-1", "environments": environments,
	}})
}

func (w *World) getSecret(rw http.ResponseWriter, req *http.Request) {
	i, q, name := &w.state.Infisical, req.URL.Query(), req.PathValue("name")
	path, ok := w.place(rw, q.Get("projectId"), q.Get("environment"), q.Get("secretPath"), "GetSecretByName")
	if !ok {
		return
	}
	s := i.find(q.Get("environment"), path, name)
	version := 0
	if s != nil {
		version = len(s.Versions)
		if v := q.Get("version"); v != "" {
			version, _ = strconv.Atoi(v)
		}
	}
	if s == nil || version < 1 || version > len(s.Versions) {
		infisicalFailure(rw, http.StatusNotFound, "NotFound", fmt.Sprintf("Secret with name '%s' not found", name))
		return
	}
	writeJSON(rw, http.StatusOK, map[string]any{"secret": i.shown(s, version)})
}

// batch is the body of the batch routes.
type batch struct {
	Project     string `json:"projectId"`
	Environment string `json:"environment"`
	Path        string `json:"secretPath"`
	Mode        string `json:"mode"`
	Secrets     []struct {
		Key      string      `json:"secretKey"`
		Value    *string     `json:"secretValue"`
		Metadata []Metadatum `json:"secretMetadata"`
	} `json:"secrets"`
}

func (w *World) readBatch(rw http.ResponseWriter, req *http.Request, operation string) (batch, bool) {
	var in batch
	if err := readJSON(req, &in); err != nil {
		infisicalFailure(rw, http.StatusInternalServerError, "InternalServerError", "Something went wrong")
		return in, false
	}
	if len(in.Secrets) == 0 {
		infisicalFailure(rw, http.StatusUnprocessableEntity, "ValidationFailure", "Array must contain at least 1 element(s)")
		return in, false
	}
	path, ok := w.place(rw, in.Project, in.Environment, in.Path, operation)
	in.Path = path
	return in, ok
}

// patchSecrets: one transaction for all names; with mode upsert those that do
// not exist are made, without it one missing name refuses everything
// (infisical.md §1.1, recorded: 20-batch.json).
func (w *World) patchSecrets(rw http.ResponseWriter, req *http.Request) {
	in, ok := w.readBatch(rw, req, "UpdateManySecret")
	if !ok {
		return
	}
	i := &w.state.Infisical
	seen := map[string]bool{}
	for _, s := range in.Secrets {
		missing := in.Mode != "upsert" && i.find(in.Environment, in.Path, s.Key) == nil
		if missing || seen[s.Key] {
			infisicalFailure(rw, http.StatusNotFound, "NotFound", "Secret does not exist: "+s.Key+" in path "+in.Path)
			return
		}
		seen[s.Key] = true
	}
	if i.Approval {
		// 200, and nothing is written (infisical.md §1.2).
		writeJSON(rw, http.StatusOK, map[string]any{"approval": map[string]any{"id": w.state.uuid(), "status": "open", "hasMerged": false}})
		return
	}
	out := []map[string]any{}
	for _, s := range in.Secrets {
		it := i.find(in.Environment, in.Path, s.Key)
		switch {
		case it != nil && it.Rotated:
			// The new value is dropped in silence (infisical.md §1.13).
		case s.Value != nil:
			it = w.state.put(in.Environment, in.Path, s.Key, *s.Value)
			latest := &it.Versions[len(it.Versions)-1]
			latest.Metadata = s.Metadata
			if n := len(it.Versions); s.Metadata == nil && n > 1 {
				latest.Metadata = it.Versions[n-2].Metadata
			}
		}
		out = append(out, i.shown(it, len(it.Versions)))
	}
	writeJSON(rw, http.StatusOK, map[string]any{"secrets": out})
}

func (w *World) deleteSecrets(rw http.ResponseWriter, req *http.Request) {
	in, ok := w.readBatch(rw, req, "DeleteManySecret")
	if !ok {
		return
	}
	i := &w.state.Infisical
	for _, s := range in.Secrets {
		if i.find(in.Environment, in.Path, s.Key) == nil {
			infisicalFailure(rw, http.StatusNotFound, "NotFound", "One or more secrets does not exist: "+s.Key)
			return
		}
	}
	out := []map[string]any{}
	for _, s := range in.Secrets {
		it := i.find(in.Environment, in.Path, s.Key)
		out = append(out, i.shown(it, len(it.Versions)))
		i.Secrets = slices.DeleteFunc(i.Secrets, func(x *StoredSecret) bool { return x == it })
	}
	writeJSON(rw, http.StatusOK, map[string]any{"secrets": out})
}
