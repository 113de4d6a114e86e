// Package identity finds out who runs Rekey, how sure that is, and which roles that gives.
//
// A token of a CI platform is believed once its signature, issuer, audience and
// time are verified; everything else is self-declared and shown as that. What is
// set and cannot be verified is an error: nobody becomes somebody else in silence.
package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

// How a name is known where no token proves it.
const (
	byName = "identity.name"
	byUser = "OS user"
	byCI   = "CI variables"
	// A token of Rekey's own proves it as well.
	byToken = "Rekey"
)

// Surroundings are what is asked.
type Surroundings struct {
	Transport http.RoundTripper
	Now       func() time.Time
	Env       func(name string) (string, bool)
	User      string // of the operating system, as alice@laptop
	Resolve   func(ctx context.Context, refs sop.Refs) (secret.Value, provider.Source, error)
	IsSet     func(refs sop.Refs) bool
	Text      func(t sop.Text) (string, error)
}

// Find returns who runs this: by the first token that is there, else by the
// configured name, else by what CI says of itself, else by the operating system's
// user. An error means that a token is there and does not prove anything.
func Find(ctx context.Context, id *sop.Identity, s Surroundings) (rotation.Who, error) {
	who := rotation.Who{Name: s.User, How: byUser}
	if id != nil {
		for _, o := range id.OIDC {
			token, there, err := s.token(ctx, o)
			if err != nil {
				return who, fmt.Errorf("who runs this cannot be proven: %w", err)
			}
			if !there {
				continue
			}
			said, err := NewVerifier(o.Issuer, o.Audience, "", s.Transport, s.Now).Verify(ctx, token)
			if err != nil {
				return who, fmt.Errorf("who runs this cannot be proven: the token of %s: %w", o.Issuer, err)
			}
			return Machine(id, said), nil
		}
	}
	switch name, err := s.configured(id); {
	case err != nil:
		return who, err
	case name != "":
		who.Name, who.How = name, byName
	default:
		if name := s.ci(); name != "" {
			who.Name, who.How = name, byCI
		}
	}
	who.Roles = roles(id, who, s.User, nil)
	who.Name = visible.Text(who.Name) // one line, whatever a variable or a machine's name holds
	return who, nil
}

// configured is the name under identity.name; "" if none is set.
func (s Surroundings) configured(id *sop.Identity) (string, error) {
	if id == nil || len(id.Name) == 0 {
		return "", nil
	}
	name, err := s.Text(id.Name)
	if err != nil {
		return "", nil // none of its variables is set
	}
	if len(name) > 200 {
		return "", errors.New("identity.name gives a name of more than 200 characters")
	}
	return name, nil
}

// ci is what a CI platform says in variables that any process could set.
// Sources: GitHub's "Default environment variables", GitLab's "Predefined CI/CD variables".
func (s Surroundings) ci() string {
	get := func(name string) string { v, _ := s.Env(name); return v }
	switch {
	case get("GITHUB_ACTIONS") == "true" && get("GITHUB_ACTOR") != "":
		return fmt.Sprintf("%s by github-actions (%s, run %s)", get("GITHUB_ACTOR"), get("GITHUB_REPOSITORY"), get("GITHUB_RUN_ID"))
	case get("GITLAB_CI") == "true" && get("GITLAB_USER_LOGIN") != "":
		return fmt.Sprintf("%s by gitlab-ci (%s, job %s)", get("GITLAB_USER_LOGIN"), get("CI_PROJECT_PATH"), get("CI_JOB_ID"))
	}
	return ""
}
