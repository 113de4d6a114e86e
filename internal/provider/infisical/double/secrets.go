package double

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// projectField is what v3 and v4 call the project.
func (a *asked) projectField() string {
	if strings.HasPrefix(a.req.URL.Path, "/api/v4/") {
		return "projectId"
	}
	return "workspaceId"
}

// listSecrets: the server of 2024 answers a missing folder or environment as an
// empty one, and adds imports there (recorded: 21-list.json); today it is 404
// (recorded: 2026/list.json).
func (a *asked) listSecrets() {
	i := a.server()
	if a.query("environment") == "" || a.query(a.projectField()) == "" && a.query("workspaceSlug") == "" {
		a.fail(http.StatusBadRequest, "BadRequest", "Missing workspace id or environment")
		return
	}
	at, ok := a.where(a.query)
	if !ok {
		return
	}
	if !i.old() && !i.has(at.environment, at.path) {
		name := "SecretPathNotFound"
		if a.query("recursive") == "true" && !slices.Contains(i.Environments, at.environment) {
			name = "NotFound"
		}
		a.fail(http.StatusNotFound, name, fmt.Sprintf("Folder with path '%s' in environment '%s' was not found. Please ensure the environment slug and secret path is correct.", at.path, at.environment))
		return
	}
	out := []map[string]any{}
	for _, s := range i.Secrets {
		below := s.Path == at.path || a.query("recursive") == "true" && strings.HasPrefix(s.Path, strings.TrimSuffix(at.path, "/")+"/")
		if s.Environment == at.environment && below {
			out = append(out, i.shown(s, len(s.Versions), shownInList))
		}
	}
	answer := map[string]any{"secrets": out}
	if !i.old() || !i.has(at.environment, at.path) || a.query("include_imports") == "true" {
		answer["imports"] = []any{}
	}
	a.answer(answer)
}

// getSecret: the server of 2024 takes any number for a version and answers with
// the present one (recorded: 22-versions.json; fixed by pull request 3371).
func (a *asked) getSecret() {
	i, name := a.server(), a.req.PathValue("name")
	version, wants := 0, a.req.URL.Query().Has("version")
	if wants {
		var err error
		if version, err = strconv.Atoi(a.query("version")); err != nil {
			var is issues
			is = append(is, map[string]any{"code": "invalid_type", "expected": "number", "received": "nan", "path": []any{"version"}, "message": "Expected number, received nan"})
			a.valid(is)
			return
		}
	}
	if a.query("environment") == "" {
		a.fail(http.StatusBadRequest, "BadRequest", "Missing environment")
		return
	}
	at, ok := a.where(a.query)
	if !ok || !a.found(at, "GetSecretByName") {
		return
	}
	s := i.find(at.environment, at.path, name)
	if s != nil && (!wants || i.Server == Server2024) {
		version = len(s.Versions)
	}
	if wants && !i.old() {
		if dead := i.earlier(at, name, version); dead != nil {
			s = dead
		}
	}
	for_ := shownAlone
	if wants {
		for_ = shownVersion
	}
	if s == nil || version < 1 || version > len(s.Versions) {
		// What the folder itself lacks, one that it imports may have.
		if s = i.imported(at, name); s == nil || a.query("includeImports") == "false" || i.old() {
			a.fail(http.StatusNotFound, "NotFound", fmt.Sprintf("Secret with name '%s' not found", name))
			return
		}
		version, for_ = len(s.Versions), shownAlone
	}
	a.answer(map[string]any{"secret": i.shown(s, version, for_)})
}

// earlier is a deleted secret that had this version: one is looked up by folder,
// name and number, so of a name that was made again its earlier life is found.
func (i *Infisical) earlier(at place, name string, version int) *StoredSecret {
	for _, s := range i.Deleted {
		if s.Environment == at.environment && s.Path == at.path && s.Key == name && version >= 1 && version <= len(s.Versions) {
			return s
		}
	}
	return nil
}

// imported is the secret of this name in a folder that the place imports (recorded:
// 2026/one-secret.json).
func (i *Infisical) imported(at place, name string) *StoredSecret {
	for _, m := range i.Imports {
		if m.Environment == at.environment && m.Path == at.path {
			if s := i.find(at.environment, m.From, name); s != nil {
				return s
			}
		}
	}
	return nil
}

// bury takes a secret away and keeps its versions.
func (i *Infisical) bury(s *StoredSecret) {
	i.Secrets = slices.DeleteFunc(i.Secrets, func(x *StoredSecret) bool { return x == s })
	if !i.old() {
		i.Deleted = append(i.Deleted, s)
	}
}

// named refuses names as the newer source does (SecretNameSchema); the recorded
// server takes colon, slash and space (10-create.json).
func (a *asked) named(is *issues, name string, path ...any) {
	if a.server().old() {
		return
	}
	for sign, what := range map[string]string{":": "colon", "/": "slash"} {
		if strings.Contains(name, sign) {
			*is = append(*is, map[string]any{"code": "custom", "message": "Secret name cannot contain " + what, "path": path})
		}
	}
}

// body of a write of one secret, where it is valid and somebody may write there.
func (a *asked) one(what, operation string, valueOptional bool) (fields map[string]any, at place, ok bool) {
	var is issues
	if fields = is.object(a.body); fields != nil {
		is.text(fields, a.projectField(), false)
		is.text(fields, "environment", false)
		if what != "delete" {
			is.text(fields, "secretValue", valueOptional)
		}
		if what == "create" {
			a.named(&is, a.req.PathValue("name"), "secretName")
		}
	}
	if !a.valid(is) {
		return nil, at, false
	}
	at, ok = a.where(a.field)
	return fields, at, ok && a.may(what) && a.found(at, operation)
}

// createSecret: recorded 10-create.json.
func (a *asked) createSecret() {
	fields, at, ok := a.one("create", "CreateSecret", false)
	if !ok {
		return
	}
	i, name := a.server(), a.req.PathValue("name")
	tags, known := i.tagIDs(fields)
	switch {
	case i.find(at.environment, at.path, name) != nil:
		a.fail(http.StatusBadRequest, "BadRequest", "Secret already exist")
		return
	case !known:
		a.fail(http.StatusNotFound, "NotFound", "One or more tags not found")
		return
	case a.ruled(at, []entry{{Key: name, Value: text(fields, "secretValue")}}), a.requested(at, []entry{{Key: name, Value: text(fields, "secretValue")}}):
		return
	}
	s := a.create(at.environment, at.path, name, a.field("secretValue"))
	s.Comment, s.Tags = a.field("secretComment"), tags
	a.answer(map[string]any{"secret": i.shown(s, 1, shownWritten)})
}

// updateSecret: recorded 12-update.json. The answer is no full echo: a comment
// that is kept is not shown (26-folders-tags.json).
func (a *asked) updateSecret() {
	i, name := a.server(), a.req.PathValue("name")
	fields, at, ok := a.one("edit", "UpdateSecret", !i.old())
	if !ok {
		return
	}
	s := i.find(at.environment, at.path, name)
	switch {
	case s == nil:
		a.fail(http.StatusNotFound, "NotFound", fmt.Sprintf("Secret with name %s not found", name))
		return
	case a.ruled(at, []entry{{Key: name, Value: text(fields, "secretValue")}}), a.requested(at, []entry{{Key: name, Value: text(fields, "secretValue")}}):
		return
	}
	if comment, given := fields["secretComment"].(string); given {
		s.Comment = comment
	}
	if value, given := fields["secretValue"].(string); given && !s.Rotated && !s.Honey {
		a.write(at, s.Key, value, nil)
	}
	shown := i.shown(s, len(s.Versions), shownWritten)
	shown["secretComment"] = a.field("secretComment")
	a.answer(map[string]any{"secret": shown})
}

// deleteSecret: recorded 23-delete-recreate.json.
func (a *asked) deleteSecret() {
	_, at, ok := a.one("delete", "DeleteSecret", true)
	if !ok {
		return
	}
	i, name := a.server(), a.req.PathValue("name")
	s := i.find(at.environment, at.path, name)
	switch {
	case s == nil:
		a.fail(http.StatusNotFound, "DeleteSecret", fmt.Sprintf("Secret with name '%s' not found", name))
		return
	case a.requested(at, []entry{{Key: name}}):
		return
	}
	i.bury(s)
	a.answer(map[string]any{"secret": i.shown(s, len(s.Versions), shownDeleted)})
}

// requested answers 200 although nothing is written, where a change policy makes
// a request of it (docs/vendors/infisical.md).
func (a *asked) requested(at place, entries []entry) bool {
	i := a.server()
	if !i.Approval {
		return false
	}
	r := &ChangeRequest{ID: a.UUID(), Environment: at.environment, Path: at.path}
	for _, e := range entries {
		r.Changes = append(r.Changes, Change{e.Key, e.Value, e.Metadata})
	}
	i.Requests = append(i.Requests, r)
	a.answer(map[string]any{"approval": map[string]any{"id": r.ID, "status": "open", "hasMerged": false}})
	return true
}

// ChangeRequest is a write that people have to approve and merge.
type ChangeRequest struct {
	ID          string   `json:"id"`
	Environment string   `json:"environment"`
	Path        string   `json:"path"`
	Changes     []Change `json:"changes"`
}

// Change is one secret in a request.
type Change struct {
	Key      string      `json:"key"`
	Value    *string     `json:"value"` // nil: it is to be deleted
	Metadata []Metadatum `json:"metadata,omitempty"`
}

// MergeRequests does what people do who approve all that is open.
func (s *Double) MergeRequests() {
	for _, r := range s.Infisical.Requests {
		for _, c := range r.Changes {
			if c.Value == nil {
				s.Infisical.Secrets = slices.DeleteFunc(s.Infisical.Secrets, func(x *StoredSecret) bool {
					return x.Environment == r.Environment && x.Path == r.Path && x.Key == c.Key
				})
				continue
			}
			it := s.Put(r.Environment, r.Path, c.Key, *c.Value)
			it.Versions[len(it.Versions)-1].Metadata = c.Metadata
		}
	}
	s.Infisical.Requests = nil
}

// write adds a version; what was noted beside the one before stays, unless it is
// replaced.
func (a *asked) write(at place, key, value string, metadata []Metadatum) *StoredSecret {
	s := a.Put(at.environment, at.path, key, value)
	latest := &s.Versions[len(s.Versions)-1]
	latest.Metadata = metadata
	if n := len(s.Versions); metadata == nil && n > 1 {
		latest.Metadata = s.Versions[n-2].Metadata
	}
	return s
}

func text(fields map[string]any, name string) *string {
	if v, ok := fields[name].(string); ok {
		return &v
	}
	return nil
}
