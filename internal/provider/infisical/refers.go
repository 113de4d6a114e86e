package infisical

import (
	"context"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// Refer returns the secret that ENV/path/KEY names: an environment's slug, the folder
// from the root, and the secret's name, as in prod/team/KEY. Absent: there is none.
// Read-only; one call, and a login before the first.
func (s *Server) Refer(ctx context.Context, rest string) (secret.Value, error) {
	environment, where, found := strings.Cut(rest, "/")
	slash := strings.LastIndex(where, "/")
	key := where[slash+1:]
	if !found || environment == "" || key == "" {
		return secret.Value{}, &cred.Error{Vendor: s.api.Vendor, Op: "read a reference", Class: cred.Unsent, Why: "want ENV/path/KEY"}
	}
	s.keeps.Store(true)
	f := &folder{Server: s, at: Settings{Environment: environment, Path: clean(where[:max(slash, 0)])}}
	held, err := f.Read(ctx, []string{key})
	if err == nil && !held[key].Present {
		err = &cred.Error{Vendor: s.api.Vendor, Op: "read a reference", Class: cred.Absent, Why: "there is no secret " + key + " in this folder"}
	}
	return held[key].Value, err
}

var _ provider.Refers = (*Server)(nil)
