package double

import (
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// Server2024 is the server whose answers were recorded: upstream at 593bda8bc6
// (2024-10-24), in production mode, without a licence. It has no v4 routes.
const Server2024 = "2024"

// Server2025 is one of the servers between: v3 alone as well, but it gives back
// the version that is asked for (Infisical issue 3263, fixed by pull request 3371 in April 2025). Nothing
// of it was recorded; all else is as of Server2024.
const Server2025 = "2025"

// Infisical is one server with one project.
type Infisical struct {
	Server       string            `json:"server,omitempty"` // "": of mid-2026, as recorded; Server2024, Server2025
	ClientID     string            `json:"client_id"`        // of the identity that Rekey is given
	ClientSecret string            `json:"client_secret"`    // and the client secret that it is given
	Project      string            `json:"project"`
	Slug         string            `json:"slug,omitempty"`   // of the project
	Others       []string          `json:"others,omitempty"` // projects in which no identity is a member
	Environments []string          `json:"environments"`
	Folders      []string          `json:"folders"` // full paths, in every environment
	Secrets      []*StoredSecret   `json:"secrets"`
	Deleted      []*StoredSecret   `json:"deleted,omitempty"` // their versions are still found by name and number
	Imports      []Import          `json:"imports,omitempty"`
	Tags         []*Tag            `json:"tags,omitempty"`
	Identities   []*Identity       `json:"identities,omitempty"`
	Access       map[string]Access `json:"access"`             // access tokens
	TTL          world.Duration    `json:"ttl"`                // of an access token, where the identity has none of its own
	Approval     bool              `json:"approval,omitempty"` // a change policy turns writes into requests
	Requests     []*ChangeRequest  `json:"requests,omitempty"` // that came of it and are open
	Rules        []*ValidationRule `json:"rules,omitempty"`
	Syncs        []*Sync           `json:"syncs,omitempty"`
	Encrypted    bool              `json:"encrypted_metadata,omitempty"` // the project takes no metadata in clear
	Blind        bool              `json:"blind,omitempty"`              // nobody may read rules and syncs
	Uses         []string          `json:"uses,omitempty"`               // variables by which processes log in
}

func (i *Infisical) old() bool { return i.Server == Server2024 || i.Server == Server2025 }

// StoredSecret is one secret with its history.
type StoredSecret struct {
	ID          string    `json:"id"`
	Environment string    `json:"environment"`
	Path        string    `json:"path"`
	Key         string    `json:"key"`
	Versions    []Version `json:"versions"` // version 1 first
	Rotated     bool      `json:"rotated,omitempty"`
	Honey       bool      `json:"honey,omitempty"` // a honey token: what is written is dropped, as for a rotated one
	Comment     string    `json:"comment,omitempty"`
	Tags        []string  `json:"tags,omitempty"`   // ids
	Hidden      bool      `json:"hidden,omitempty"` // the identity may see its name and not its value
	Created     time.Time `json:"created"`
}

// Version is one value.
type Version struct {
	Value    string      `json:"value"`
	At       time.Time   `json:"at"`
	Metadata []Metadatum `json:"metadata,omitempty"`
}

// Metadatum is a key and value beside a secret. Left out on a write, isEncrypted
// means that it is not (recorded: 2026/list.json, 2026/batch.json).
type Metadatum struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	Encrypted bool   `json:"isEncrypted"`
}

// Import is a folder that shows what another one holds, too.
type Import struct {
	Environment string `json:"environment"`
	Path        string `json:"path"`
	From        string `json:"from"` // a folder of the same environment
}

func (i *Infisical) find(environment, path, key string) *StoredSecret {
	for _, s := range i.Secrets {
		if s.Environment == environment && s.Path == path && s.Key == key {
			return s
		}
	}
	return nil
}

// Put adds a version, making the secret if need be. Every write counts one up,
// also of the same value (recorded: 12-update.json).
func (s *Double) Put(environment, path, key, value string) *StoredSecret {
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
func (s *Double) create(environment, path, key, value string) *StoredSecret {
	it := &StoredSecret{ID: s.UUID(), Environment: environment, Path: path, Key: key, Created: s.At, Versions: []Version{{Value: trim(value), At: s.At}}}
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

// What a secret is shown for: servers show more of it in a list than alone, and
// less after a write, as a version and when it is deleted.
const (
	shownWritten = iota
	shownDeleted
	shownVersion
	shownAlone
	shownInList
)

func (i *Infisical) shown(s *StoredSecret, version, for_ int) map[string]any {
	v := s.Versions[version-1]
	if s.Hidden && !i.old() { // masked, and it says so (docs/vendors/infisical.md)
		v.Value = "<hidden-by-infisical>"
	}
	out := map[string]any{
		"id": s.ID, "_id": s.ID, "workspace": i.Project, "environment": s.Environment, "version": version, "type": "shared",
		"secretKey": s.Key, "secretValue": v.Value, "secretComment": s.Comment, "secretReminderNote": nil,
		"secretReminderRepeatDays": nil, "skipMultilineEncoding": false, "createdAt": s.Created, "updatedAt": v.At,
	}
	read := for_ == shownAlone || for_ == shownInList
	if i.old() {
		if out["metadata"] = nil; read || for_ == shownVersion {
			out["tags"] = i.tagged(s)
		}
		if for_ == shownInList {
			out["secretPath"] = s.Path
		}
		return out
	}
	if out["secretValueHidden"] = s.Hidden; for_ > shownDeleted {
		out["secretPath"] = s.Path
	}
	if read || for_ == shownWritten {
		out["isRotatedSecret"], out["rotationId"] = s.Rotated, nil
		if s.Honey {
			out["isHoneyTokenSecret"] = true
		}
	}
	if read {
		out["secretMetadata"], out["tags"] = noted(v.Metadata), i.tagged(s)
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
