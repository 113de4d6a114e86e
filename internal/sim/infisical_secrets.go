package sim

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

// listSecrets answers a missing folder or environment as an empty one (recorded:
// 21-list.json), where the recorded server adds imports and otherwise does not.
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
	if s != nil && (!wants || i.old()) {
		version = len(s.Versions)
	}
	if s == nil || version < 1 || version > len(s.Versions) {
		a.fail(http.StatusNotFound, "NotFound", fmt.Sprintf("Secret with name '%s' not found", name))
		return
	}
	a.answer(map[string]any{"secret": i.shown(s, version, shownAlone)})
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
	case a.requested():
		return
	}
	s := a.state.create(at.environment, at.path, name, a.field("secretValue"))
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
	case a.requested():
		return
	}
	if comment, given := fields["secretComment"].(string); given {
		s.Comment = comment
	}
	if value, given := fields["secretValue"].(string); given && !s.Rotated {
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
	case a.requested():
		return
	}
	i.Secrets = slices.DeleteFunc(i.Secrets, func(x *StoredSecret) bool { return x == s })
	a.answer(map[string]any{"secret": i.shown(s, len(s.Versions), shownWritten)})
}

// requested answers 200 although nothing is written, where a change policy makes
// a request of it (infisical.md §1.2).
func (a *asked) requested() bool {
	if !a.server().Approval {
		return false
	}
	a.answer(map[string]any{"approval": map[string]any{"id": a.state.uuid(), "status": "open", "hasMerged": false}})
	return true
}

// write adds a version; what was noted beside the one before stays, unless it is
// replaced.
func (a *asked) write(at place, key, value string, metadata []Metadatum) *StoredSecret {
	s := a.state.put(at.environment, at.path, key, value)
	latest := &s.Versions[len(s.Versions)-1]
	latest.Metadata = metadata
	if n := len(s.Versions); metadata == nil && n > 1 {
		latest.Metadata = s.Versions[n-2].Metadata
	}
	return s
}
