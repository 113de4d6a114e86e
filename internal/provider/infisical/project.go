package infisical

import (
	"context"
	"net/http"
	"net/url"

	"rekey/internal/vendorhttp"
)

// project is what is read of one.
type project struct {
	Environments []environment `json:"environments"`
	// Encrypted: the project takes metadata beside secrets only encrypted.
	Encrypted bool `json:"enforceEncryptedSecretManagerSecretMetadata"`
}

// environment is one of the project.
type environment struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// read: GET /api/v1/workspace/{projectId}, which is called deprecated today and is
// what servers of every age have.
func (s *Server) read(ctx context.Context) (project, error) {
	const op = "read the project"
	var out struct {
		Workspace project `json:"workspace"`
	}
	resp, err := s.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/api/v1/workspace/" + url.PathEscape(s.project)})
	if err != nil {
		return project{}, s.session.ended(err, op)
	}
	if err := resp.Decode(&out); err != nil {
		return project{}, err
	}
	if len(out.Workspace.Environments) == 0 {
		return project{}, resp.Nonsense("the answer names no environment")
	}
	return out.Workspace, nil
}
