package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// GiveClientSecret gives the first app a machine identity of its own: its
// processes log in with a client secret, which Infisical keeps under the same
// names, and under idKey with its id, if that is named.
func (s *State) GiveClientSecret(name, idKey string, names ...string) *Identity {
	const path = "/MooseQuest/infisical"
	s.settle() // Rekey's own identity comes first, or the server would have none for it
	i := &s.Infisical
	born := s.At.AddDate(0, 0, -92)
	sum := sha256.Sum256([]byte(i.ClientID + name))
	who := &Identity{ID: derived(name, "identity"), UA: derived(name, "ua"), ClientID: derived(name, "client"), Secrets: []*ClientSecret{{
		ID: derived(name, "secret"), Value: hex.EncodeToString(sum[:]), Description: name + "-" + born.Format(time.DateOnly), Created: born, Updated: born,
	}}}
	i.Identities = append(i.Identities, who)
	upper := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	s.Env["APP_IDENTITY_ID"] = who.ID
	s.Env[upper+"_IDENTITY_ID"], s.Env[upper+"_CLIENT_ID"], s.Env[upper+"_CLIENT_SECRET"] = who.ID, who.ClientID, who.Secrets[0].Value
	if !slices.Contains(i.Folders, path) {
		i.Folders = append(i.Folders, path)
	}
	keep := func(key, value string) {
		s.put("prod", path, key, "retired-long-ago")
		s.put("prod", path, key, value)
	}
	for _, n := range names {
		keep(n, who.Secrets[0].Value)
		s.Heroku.Apps[0].current().Vars[n] = who.Secrets[0].Value // its processes hold the same map
		i.Uses = append(i.Uses, n)
	}
	if idKey != "" {
		keep(idKey, who.Secrets[0].ID)
	}
	return who
}
