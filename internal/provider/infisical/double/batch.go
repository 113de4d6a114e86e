package double

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// entry is one secret of a batch.
type entry struct {
	Key      string      `json:"secretKey"`
	Value    *string     `json:"secretValue"`
	Comment  *string     `json:"secretComment"`
	Metadata []Metadatum `json:"secretMetadata"`
}

// batch reads the body of a batch route (recorded: 20-batch.json).
func (a *asked) batch(what, operation string, valueOptional bool) (entries []entry, at place, ok bool) {
	var is issues
	fields := is.object(a.body)
	if fields != nil {
		is.text(fields, a.projectField(), false)
		is.text(fields, "environment", false)
		list, isList := fields["secrets"].([]any)
		switch _, there := fields["secrets"]; {
		case !isList:
			is.wrong("array", fields["secrets"], there, "secrets")
		case len(list) == 0:
			is = append(is, map[string]any{"code": "too_small", "minimum": 1, "type": "array", "inclusive": true, "exact": false,
				"message": "Array must contain at least 1 element(s)", "path": []any{"secrets"}})
		}
		for n, x := range list {
			object, isObject := x.(map[string]any)
			if !isObject {
				is.wrong("object", x, true, "secrets", n)
				continue
			}
			is.text(object, "secretKey", false, "secrets", n)
			is.text(object, "secretValue", valueOptional, "secrets", n)
			if key, isText := object["secretKey"].(string); isText && what != "delete" {
				a.named(&is, key, "secrets", n, "secretKey")
			}
		}
	}
	if !a.valid(is) {
		return nil, at, false
	}
	b, _ := json.Marshal(fields["secrets"])
	_ = json.Unmarshal(b, &entries)
	at, ok = a.where(a.field)
	return entries, at, ok && a.may(what) && a.found(at, operation)
}

// there splits names into those that exist and those that do not; a name for the
// second time counts as missing (recorded: 20-batch.json, "same key twice").
func (i *Infisical) there(at place, entries []entry) (exist, missing []string) {
	seen := map[string]bool{}
	for _, e := range entries {
		if i.find(at.environment, at.path, e.Key) != nil && !seen[e.Key] {
			exist = append(exist, e.Key)
		} else {
			missing = append(missing, e.Key)
		}
		seen[e.Key] = true
	}
	return exist, missing
}

// createSecrets makes all or, where one exists, none. A name twice makes two
// (recorded: 20-batch.json; the newer source checks no better, docs/vendors/infisical.md).
func (a *asked) createSecrets() {
	entries, at, ok := a.batch("create", "CreateManySecret", false)
	if !ok {
		return
	}
	i := a.server()
	var exist []string
	for _, e := range entries {
		if i.find(at.environment, at.path, e.Key) != nil {
			exist = append(exist, e.Key)
		}
	}
	switch {
	case len(exist) > 0 && i.old():
		a.fail(http.StatusBadRequest, "BadRequest", "Secret already exist: "+strings.Join(exist, ","))
		return
	case len(exist) > 0:
		// upstream's own tests (TestSecret_Batch); docs/vendors/infisical.md
		a.fail(http.StatusBadRequest, "BadRequest", fmt.Sprintf("Secret already exists: '%s' in path '%s' of environment '%s'", exist[0], at.path, at.environment))
		return
	case a.clear(entries), a.ruled(at, entries), a.requested(at, entries):
		return
	}
	out := []map[string]any{}
	for _, e := range entries {
		s := a.create(at.environment, at.path, e.Key, *e.Value)
		if e.Comment != nil {
			s.Comment = *e.Comment
		}
		if !i.old() {
			s.Versions[0].Metadata = e.Metadata
		}
		out = append(out, i.shown(s, 1, shownWritten))
	}
	a.answer(map[string]any{"secrets": out})
}

// patchSecrets: one transaction for all names. With mode upsert those that do not
// exist are made (docs/vendors/infisical.md); without, and on a server of 2024 which does
// not know mode, one missing name refuses everything (recorded: 20-batch.json).
func (a *asked) patchSecrets() {
	i := a.server()
	entries, at, ok := a.batch("edit", "UpdateManySecret", !i.old())
	if !ok {
		return
	}
	upsert := a.field("mode") == "upsert" && strings.HasPrefix(a.req.URL.Path, "/api/v4/")
	if upsert { // of a name twice the last wins (docs/vendors/infisical.md)
		entries = last(entries)
	}
	exist, missing := i.there(at, entries)
	twice := len(missing) > 0 && len(exist)+len(missing) != distinct(entries)
	switch {
	case len(missing) > 0 && i.old():
		// The names in the text are those that do exist (recorded).
		a.fail(http.StatusNotFound, "NotFound", "Secret does not exist: "+strings.Join(exist, ","))
		return
	case len(missing) > 0 && !upsert, twice:
		// Upstream's own tests (TestSecret_Batch); the same check meets a name twice.
		a.fail(http.StatusNotFound, "NotFound", "Secret does not exist: "+missing[0]+" in path "+at.path)
		return
	case a.clear(entries), a.ruled(at, entries), a.requested(at, entries):
		return
	}
	// Updated ones come first, then created ones (docs/vendors/infisical.md).
	slices.SortStableFunc(entries, func(x, y entry) int {
		return boolOrder(i.find(at.environment, at.path, y.Key) != nil, i.find(at.environment, at.path, x.Key) != nil)
	})
	out := []map[string]any{}
	for _, e := range entries {
		s := i.find(at.environment, at.path, e.Key)
		switch {
		case s != nil && (s.Rotated || s.Honey):
			// The new value is dropped in silence, by the source of today.
		case e.Value != nil && i.old():
			s = a.write(at, e.Key, *e.Value, nil)
		case e.Value != nil:
			s = a.write(at, e.Key, *e.Value, e.Metadata)
		}
		if e.Comment != nil {
			s.Comment = *e.Comment
		}
		out = append(out, i.shown(s, len(s.Versions), shownWritten))
	}
	a.answer(map[string]any{"secrets": out})
}

// clear refuses metadata in clear where the project takes none (recorded:
// 2026/batch.json). Permissions and this setting are cached for a while, which is
// not simulated.
func (a *asked) clear(entries []entry) bool {
	open := func(m Metadatum) bool { return !m.Encrypted }
	if !a.server().Encrypted || !slices.ContainsFunc(entries, func(e entry) bool { return slices.ContainsFunc(e.Metadata, open) }) {
		return false
	}
	a.fail(http.StatusBadRequest, "BadRequest", "Encrypted secret metadata is enforced for this project. Cannot create unencrypted secret metadata.")
	return true
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// last drops every entry whose name comes again.
func last(entries []entry) (out []entry) {
	for n, e := range entries {
		if !slices.ContainsFunc(entries[n+1:], func(x entry) bool { return x.Key == e.Key }) {
			out = append(out, e)
		}
	}
	return out
}

func distinct(entries []entry) int {
	seen := map[string]bool{}
	for _, e := range entries {
		seen[e.Key] = true
	}
	return len(seen)
}

// deleteSecrets ends all or, where one is missing, none (recorded:
// 23-delete-recreate.json, whose text names those that do exist).
func (a *asked) deleteSecrets() {
	entries, at, ok := a.batch("delete", "DeleteManySecret", true)
	if !ok {
		return
	}
	i := a.server()
	exist, missing := i.there(at, entries)
	switch {
	case len(missing) > 0:
		// A name twice, too; the names in the text are those that do exist (recorded).
		a.fail(http.StatusNotFound, "NotFound", "One or more secrets does not exist: "+strings.Join(exist, ","))
		return
	case a.requested(at, entries):
		return
	}
	out := []map[string]any{}
	for _, e := range entries {
		s := i.find(at.environment, at.path, e.Key)
		out = append(out, i.shown(s, len(s.Versions), shownDeleted))
		i.bury(s)
	}
	a.answer(map[string]any{"secrets": out})
}
