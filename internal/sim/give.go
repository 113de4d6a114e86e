package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	infisical "rekey/internal/provider/infisical/double"
)

// GiveClientSecret gives the first app a machine identity of its own: its
// processes log in with a client secret, which Infisical keeps under the same
// names, and under idKey with its id, if that is named.
func (s *State) GiveClientSecret(name, idKey string, names ...string) *Identity {
	const path = "/MooseQuest/infisical"
	s.infisical().Settle() // Rekey's own identity comes first, or the server would have none for it
	i := &s.Infisical
	born := s.At.AddDate(0, 0, -92)
	sum := sha256.Sum256([]byte(i.ClientID + name))
	who := &Identity{ID: infisical.Derived(name, "identity"), UA: infisical.Derived(name, "ua"), ClientID: infisical.Derived(name, "client"), Secrets: []*ClientSecret{{
		ID: infisical.Derived(name, "secret"), Value: hex.EncodeToString(sum[:]), Description: name + "-" + born.Format(time.DateOnly), Created: born, Updated: born,
	}}}
	i.Identities = append(i.Identities, who)
	upper := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	s.Env["APP_IDENTITY_ID"] = who.ID
	s.Env[upper+"_IDENTITY_ID"], s.Env[upper+"_CLIENT_ID"], s.Env[upper+"_CLIENT_SECRET"] = who.ID, who.ClientID, who.Secrets[0].Value
	if !slices.Contains(i.Folders, path) {
		i.Folders = append(i.Folders, path)
	}
	keep := func(key, value string) {
		s.infisical().Put("prod", path, key, "retired-long-ago")
		s.infisical().Put("prod", path, key, value)
	}
	for _, n := range names {
		keep(n, who.Secrets[0].Value)
		s.Heroku.Apps[0].Current().Vars[n] = who.Secrets[0].Value // its processes hold the same map
		i.Uses = append(i.Uses, n)
	}
	if idKey != "" {
		keep(idKey, who.Secrets[0].ID)
	}
	return who
}

// MergeRequests does what people do who approve all that is open.
func (s *State) MergeRequests() { s.infisical().MergeRequests() }

// AddReviewApp makes an app in stage review of a pipeline.
func (s *State) AddReviewApp(p *HerokuPipeline, name string) *HerokuApp {
	return s.heroku().AddReviewApp(p, name)
}

// GivePortalKey lets the first app work with a key of the portal, which Infisical
// keeps under the same name.
func (s *State) GivePortalKey(name, slot string) {
	s.GivePortalKeyTo(s.Heroku.Apps[0].Name, name, slot)
}

// GivePortalKeyTo is GivePortalKey of an app by its name.
func (s *State) GivePortalKeyTo(app, name, slot string) {
	const path = "/MooseQuest/portal"
	k := s.portal().NewKey(name)
	if !slices.Contains(s.Infisical.Folders, path) {
		s.Infisical.Folders = append(s.Infisical.Folders, path)
	}
	s.infisical().Put("prod", path, slot, "retired-long-ago")
	s.infisical().Put("prod", path, slot, k.Value)
	for _, a := range s.Heroku.Apps {
		if a.Name == app {
			a.Current().Vars[slot] = k.Value // its processes hold the same map
		}
	}
	s.Portal.Uses = append(s.Portal.Uses, slot)
}

// GiveAuthorization lets the first app work on Heroku by an authorization of its
// own, which Infisical keeps under the same names; its id too, if idKey is named.
func (s *State) GiveAuthorization(name string, scope []string, idKey string, names ...string) {
	const path = "/MooseQuest/heroku"
	a := s.heroku().Give(name, scope)
	if !slices.Contains(s.Infisical.Folders, path) {
		s.Infisical.Folders = append(s.Infisical.Folders, path)
	}
	keep := func(key, value string) {
		s.infisical().Put("prod", path, key, "retired-long-ago")
		s.infisical().Put("prod", path, key, value)
	}
	for _, n := range names {
		keep(n, a.Token)
		s.Heroku.Apps[0].Current().Vars[n] = a.Token // its processes hold the same map
		s.Heroku.Uses = append(s.Heroku.Uses, n)
	}
	if idKey != "" {
		keep(idKey, a.ID)
	}
}
