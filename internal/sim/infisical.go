package sim

import (
	"slices"
	"strings"
	"time"
)

// Server2024 is the server whose answers were recorded: upstream at 593bda8bc6
// (2024-10-24), in production mode, without a licence. It has no v4 routes.
const Server2024 = "2024"

// Infisical is one server with one project.
type Infisical struct {
	Server       string            `json:"server,omitempty"` // "": of 2026, by its source; Server2024: as recorded
	ClientID     string            `json:"client_id"`        // of the identity that Rekey is given
	ClientSecret string            `json:"client_secret"`    // and the client secret that it is given
	Project      string            `json:"project"`
	Slug         string            `json:"slug,omitempty"`   // of the project
	Others       []string          `json:"others,omitempty"` // projects in which no identity is a member
	Environments []string          `json:"environments"`
	Folders      []string          `json:"folders"` // full paths, in every environment
	Secrets      []*StoredSecret   `json:"secrets"`
	Tags         []*Tag            `json:"tags,omitempty"`
	Identities   []*Identity       `json:"identities,omitempty"`
	Access       map[string]Access `json:"access"`             // access tokens
	TTL          Duration          `json:"ttl"`                // of an access token, where the identity has none of its own
	Approval     bool              `json:"approval,omitempty"` // a change policy turns writes into requests
}

func (i *Infisical) old() bool { return i.Server == Server2024 }

// StoredSecret is one secret with its history.
type StoredSecret struct {
	ID          string    `json:"id"`
	Environment string    `json:"environment"`
	Path        string    `json:"path"`
	Key         string    `json:"key"`
	Versions    []Version `json:"versions"` // version 1 first
	Rotated     bool      `json:"rotated,omitempty"`
	Comment     string    `json:"comment,omitempty"`
	Tags        []string  `json:"tags,omitempty"` // ids
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
		return s.create(environment, path, key, value)
	}
	it.Versions = append(it.Versions, Version{Value: value, At: s.At})
	return it
}

// create makes a secret, also beside another of the same name: that is what the
// recorded server does with a name twice in one batch (20-batch.json).
func (s *State) create(environment, path, key, value string) *StoredSecret {
	it := &StoredSecret{ID: s.uuid(), Environment: environment, Path: path, Key: key, Created: s.At, Versions: []Version{{Value: trim(value), At: s.At}}}
	s.Infisical.Secrets = append(s.Infisical.Secrets, it)
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

// What a secret is shown for: the recorded server shows more of it in a list
// than alone, and least after a write.
const (
	shownWritten = iota
	shownAlone
	shownInList
)

func (i *Infisical) shown(s *StoredSecret, version, for_ int) map[string]any {
	v := s.Versions[version-1]
	out := map[string]any{
		"id": s.ID, "_id": s.ID, "workspace": i.Project, "environment": s.Environment, "version": version, "type": "shared",
		"secretKey": s.Key, "secretValue": v.Value, "secretComment": s.Comment, "secretReminderNote": nil,
		"secretReminderRepeatDays": nil, "skipMultilineEncoding": false, "metadata": nil, "createdAt": s.Created, "updatedAt": v.At,
	}
	if for_ != shownWritten || !i.old() {
		out["tags"] = i.tagged(s)
	}
	if for_ == shownInList || !i.old() {
		out["secretPath"] = s.Path
	}
	if !i.old() {
		out["secretValueHidden"], out["secretMetadata"], out["isRotatedSecret"] = false, noted(v.Metadata), s.Rotated
	}
	return out
}

func noted(m []Metadatum) []Metadatum {
	if m == nil {
		return []Metadatum{}
	}
	return m
}

func (i *Infisical) has(environment, path string) bool {
	return slices.Contains(i.Environments, environment) && (path == "/" || slices.Contains(i.Folders, path))
}
