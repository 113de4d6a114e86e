package double

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Tag is a label of a project that secrets may carry.
type Tag struct {
	ID      string    `json:"id"`
	Slug    string    `json:"slug"`
	Color   string    `json:"color"`
	By      string    `json:"by"` // id of an identity
	Created time.Time `json:"created"`
}

// Derived is an id made from what it is of: folders and environments have no
// state of their own here.
func Derived(of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	h := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

func (i *Infisical) folder(environment, full string) map[string]any {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // not kept
	return map[string]any{
		"id": Derived(i.Project, environment, full), "name": path.Base(full), "version": 1, "createdAt": made, "updatedAt": made,
		"envId": Derived(i.Project, environment), "parentId": Derived(i.Project, environment, path.Dir(full)), "isReserved": false,
	}
}

// listFolders: recorded 26-folders-tags.json; a missing place has none.
func (a *asked) listFolders() {
	at, ok := a.where(a.query)
	if !ok {
		return
	}
	i, out := a.server(), []map[string]any{}
	if p := a.query("path"); p != "" {
		at.path = "/" + strings.Trim(p, "/")
	}
	for _, f := range i.Folders {
		if path.Dir(f) == at.path && slices.Contains(i.Environments, at.environment) {
			out = append(out, i.folder(at.environment, f))
		}
	}
	a.answer(map[string]any{"folders": out})
}

// createFolder is idempotent and makes parents (recorded: 26-folders-tags.json).
func (a *asked) createFolder() {
	var is issues
	if fields := is.object(a.body); fields != nil {
		is.text(fields, "environment", false)
		is.text(fields, "name", false)
	}
	if !a.valid(is) {
		return
	}
	at, ok := a.where(a.field)
	if !ok || !a.may("create") {
		return
	}
	i := a.server()
	if p := a.field("path"); p != "" {
		at.path = "/" + strings.Trim(p, "/")
	}
	switch {
	case strings.Contains(a.field("name"), "."):
		a.fail(http.StatusInternalServerError, "Find by secret path", "Something went wrong")
		return
	case !slices.Contains(i.Environments, at.environment):
		a.fail(http.StatusNotFound, "CreateFolder", fmt.Sprintf("Environment with slug '%s' in project with ID %s not found", at.environment, i.Project))
		return
	}
	full := path.Join(at.path, a.field("name"))
	parts := strings.Split(strings.Trim(full, "/"), "/")
	for n := range parts {
		if f := "/" + strings.Join(parts[:n+1], "/"); !slices.Contains(i.Folders, f) {
			i.Folders = append(i.Folders, f)
		}
	}
	a.answer(map[string]any{"folder": i.folder(at.environment, full)})
}

// getProject shows the environments [D api-reference/endpoints/workspaces].
func (a *asked) getProject() {
	if !a.member(a.req.PathValue("project")) {
		return
	}
	i, envs := a.server(), []map[string]any{}
	for _, e := range i.Environments {
		envs = append(envs, map[string]any{"id": Derived(i.Project, e), "name": e, "slug": e})
	}
	project := map[string]any{"id": i.Project, "name": "simulated", "slug": i.Slug, "environments": envs}
	if !i.old() { // recorded: 2026/rules-and-syncs.json
		made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // not kept
		for k, v := range map[string]any{
			"_id": i.Project, "description": nil, "type": "secret-manager", "defaultProduct": nil, "autoCapitalization": false, "orgId": Derived(i.Project, "org"),
			"createdAt": made, "updatedAt": made, "version": 3, "upgradeStatus": nil, "pitVersionLimit": 10, "kmsCertificateKeyId": nil, "auditLogsRetentionDays": nil,
			"hasDeleteProtection": false, "secretSharing": true, "showSnapshotsLegacy": false, "secretDetectionIgnoreValues": nil,
			"enforceEncryptedSecretManagerSecretMetadata": i.Encrypted,
		} {
			project[k] = v
		}
	}
	if strings.HasPrefix(a.req.URL.Path, "/api/v1/projects/") {
		a.answer(map[string]any{"project": project})
		return
	}
	a.answer(map[string]any{"workspace": project})
}

func (t *Tag) shown(project string) map[string]any {
	return map[string]any{
		"id": t.ID, "slug": t.Slug, "color": t.Color, "createdAt": t.Created, "updatedAt": t.Created,
		"createdBy": t.By, "projectId": project, "createdByActorType": "identity",
	}
}

// listTags and createTag: recorded 26-folders-tags.json.
func (a *asked) listTags() {
	if !a.member(a.req.PathValue("project")) {
		return
	}
	out := []map[string]any{}
	for _, t := range a.server().Tags {
		out = append(out, t.shown(a.server().Project))
	}
	a.answer(map[string]any{"workspaceTags": out})
}

func (a *asked) createTag() {
	if !a.member(a.req.PathValue("project")) {
		return
	}
	t := &Tag{ID: a.UUID(), Slug: a.field("slug"), Color: a.field("color"), By: a.who.ID, Created: a.At}
	a.server().Tags = append(a.server().Tags, t)
	a.answer(map[string]any{"workspaceTag": t.shown(a.server().Project)})
}

// tagIDs reads the tags of a create; ok is false where one is not there.
func (i *Infisical) tagIDs(fields map[string]any) (ids []string, ok bool) {
	list, _ := fields["tagIds"].([]any)
	for _, x := range list {
		id, _ := x.(string)
		if !slices.ContainsFunc(i.Tags, func(t *Tag) bool { return t.ID == id }) {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

func (i *Infisical) tagged(s *StoredSecret) []map[string]any {
	out := []map[string]any{}
	for _, t := range i.Tags {
		if slices.Contains(s.Tags, t.ID) {
			out = append(out, map[string]any{"id": t.ID, "slug": t.Slug, "color": t.Color, "name": t.Slug})
		}
	}
	return out
}
