package double

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ValidationRule is one about the values of secrets, as servers of 2026 have them
// [documentation/platform/secret-validation-rules].
type ValidationRule struct {
	Name        string `json:"name"`
	Environment string `json:"environment,omitempty"` // "": every one
	Path        string `json:"path"`                  // a folder, or all below it: /a/**
	Off         bool   `json:"off,omitempty"`
	Versions    int    `json:"versions,omitempty"` // a value may not be one of the last so many of its name
	Others      bool   `json:"others,omitempty"`   // nor be held by another name in scope
	Prefix      string `json:"prefix,omitempty"`   // of a value
	Least       int    `json:"least,omitempty"`    // characters of a value
	Key         string `json:"key,omitempty"`      // pattern of a name
	Shape       string `json:"shape,omitempty"`    // of its listing: "", "list" (April 2026), "nested" (September 2026)
}

// Sync is a secret sync of a folder.
type Sync struct {
	Name        string `json:"name"`
	Destination string `json:"destination"` // heroku
	App         string `json:"app,omitempty"`
	Environment string `json:"environment"`
	Path        string `json:"path"`
	Manual      bool   `json:"manual,omitempty"`
	KeepsOthers bool   `json:"keeps_others,omitempty"`
}

func (r *ValidationRule) covers(environment, folder string) bool {
	if r.Off || r.Environment != "" && r.Environment != environment {
		return false
	}
	if below, all := strings.CutSuffix(r.Path, "/**"); all {
		return folder == below || below == "" || strings.HasPrefix(folder, below+"/")
	}
	return path.Clean("/"+r.Path) == folder
}

func (r *ValidationRule) shown(i *Infisical) map[string]any {
	out := map[string]any{"id": Derived(i.Project, "rule", r.Name), "name": r.Name, "description": nil, "projectId": i.Project, "secretPath": r.Path, "type": "static-secrets", "isActive": !r.Off}
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // not kept
	out["createdAt"], out["updatedAt"] = made, made
	values := map[string]any{}
	var list []map[string]any
	if r.Prefix != "" {
		values["requiredPrefix"] = r.Prefix
		list = append(list, map[string]any{"type": "required-prefix", "appliesTo": "value", "value": r.Prefix})
	}
	if r.Versions > 0 {
		list = append(list, map[string]any{"type": "prevent-value-reuse", "appliesTo": "value", "value": strconv.Itoa(r.Versions)})
	}
	if r.Others {
		list = append(list, map[string]any{"type": "prevent-duplicated-values", "appliesTo": "value", "value": ""})
	}
	if r.Shape == "list" {
		out["envId"], out["inputs"] = nil, map[string]any{"constraints": list}
		if r.Environment != "" {
			out["envId"] = Derived(i.Project, r.Environment)
		}
		return out
	}
	reuse := values
	names := [2]string{"uniqueAcrossLastVersions", "uniqueWithinScope"}
	if r.Shape == "nested" {
		reuse, names = map[string]any{}, [2]string{"previousVersions", "otherSecretsInScope"}
		values["reusePrevention"] = reuse
	}
	if r.Versions > 0 {
		reuse[names[0]] = r.Versions
	}
	if r.Others {
		reuse[names[1]] = true
	}
	out["environment"], out["valueConstraints"] = nil, values
	if e := r.Environment; e != "" {
		out["environment"] = map[string]any{"id": Derived(i.Project, e), "name": e, "slug": e}
	}
	return out
}

func (a *asked) listRules() {
	if !a.member(a.req.PathValue("project")) || !a.sees() {
		return
	}
	out := []map[string]any{}
	for _, r := range a.server().Rules {
		out = append(out, r.shown(a.server()))
	}
	a.answer(map[string]any{"rules": out})
}

// sees: rules and syncs are subjects of their own in a role.
func (a *asked) sees() bool {
	if !a.server().Blind {
		return true
	}
	a.fail(http.StatusForbidden, "PermissionDenied", "You are not allowed to read on this resource")
	return false
}

func (a *asked) listSyncs() {
	if !a.member(a.query("projectId")) || !a.sees() {
		return
	}
	i, out := a.server(), []map[string]any{}
	for _, s := range i.Syncs {
		out = append(out, map[string]any{
			"id": Derived(i.Project, "sync", s.Name), "name": s.Name, "projectId": i.Project, "destination": s.Destination, "isAutoSyncEnabled": !s.Manual,
			"environment": map[string]any{"id": Derived(i.Project, s.Environment), "name": s.Environment, "slug": s.Environment},
			"folder":      map[string]any{"id": Derived(i.Project, s.Environment, s.Path), "path": s.Path},
			"syncOptions": map[string]any{"initialSyncBehavior": "overwrite-destination", "disableSecretDeletion": s.KeepsOthers}, "destinationConfig": map[string]any{"appName": s.App},
		})
	}
	a.answer(map[string]any{"secretSyncs": out})
}

// ruled refuses a write against a rule, the whole of a batch at once, before it
// is written or becomes a request, and names all that is wrong (recorded:
// 2026/batch.json).
func (a *asked) ruled(at place, entries []entry) bool {
	i := a.server()
	var wrong []string
	for _, r := range i.Rules {
		if i.old() || !r.covers(at.environment, at.path) {
			continue
		}
		for n, e := range entries {
			if e.Value == nil {
				continue
			}
			value, why := trim(*e.Value), ""
			if s := i.find(at.environment, at.path, e.Key); s != nil && r.Versions > 0 {
				last := s.Versions[max(0, len(s.Versions)-r.Versions):]
				if slices.ContainsFunc(last, func(v Version) bool { return v.Value == value }) {
					why = "value was used before (rule: \"" + r.Name + "\", constraint: Prevent value reuse)"
				}
			}
			if r.Others && (i.elsewhere(r, at, e.Key, value) || slices.ContainsFunc(entries[:n], func(x entry) bool { return x.Value != nil && trim(*x.Value) == value })) {
				why = "value is held by another secret (rule: \"" + r.Name + "\", constraint: Prevent duplicated values)"
			}
			if !strings.HasPrefix(value, r.Prefix) {
				why = "value must start with " + r.Prefix + " (rule: \"" + r.Name + "\", constraint: Required prefix)"
			}
			if n := utf8.RuneCountInString(value); n < r.Least {
				why = fmt.Sprintf("value must be at least %d characters (got %d) (rule: %q, constraint: Minimum length)", r.Least, n, r.Name)
			}
			if r.Key != "" && !regexp.MustCompile(r.Key).MatchString(e.Key) {
				why = fmt.Sprintf("key must match pattern %s (rule: %q, constraint: Regex pattern)", r.Key, r.Name)
			}
			if why != "" {
				wrong = append(wrong, fmt.Sprintf("Secret %q: %s", e.Key, why))
			}
		}
	}
	if len(wrong) == 0 {
		return false
	}
	a.fail(http.StatusBadRequest, "BadRequest", "Secret validation failed:\n"+strings.Join(wrong, "\n\n"))
	return true
}

func (i *Infisical) elsewhere(r *ValidationRule, at place, key, value string) bool {
	return slices.ContainsFunc(i.Secrets, func(s *StoredSecret) bool {
		itself := s.Environment == at.environment && s.Path == at.path && s.Key == key
		return !itself && r.covers(s.Environment, s.Path) && s.Versions[len(s.Versions)-1].Value == value
	})
}
