package server

import (
	"context"
	"net/http"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// Tokens are what makes and ends tokens. It refuses whoever may not.
type Tokens interface {
	// Create makes one once for a request that has a key: asked again, it returns the token
	// without its text, which was shown.
	Create(ctx context.Context, w api.TokenWanted, r *estate.Request) (api.Minted, error)
	List(ctx context.Context, revoked bool) ([]api.Token, error)
	Noted() time.Duration // how often at most a use is noted
	Revoke(ctx context.Context, idOrName string) ([]api.Token, error)
	Rotate(ctx context.Context, overlap string) (api.Minted, error)
}

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request) error {
	all, err := s.o.Tokens.List(r.Context(), r.URL.Query().Get("revoked") != "false")
	if err != nil {
		return err
	}
	return s.give(w, r, api.TokenList{Tokens: all, Noted: s.o.Tokens.Noted().String()})
}

func (s *Server) createToken(w http.ResponseWriter, r *http.Request) error {
	var want api.TokenWanted
	text, err := s.body(w, r, &want)
	if err != nil {
		return err
	}
	request, err := requestOf(r, text)
	if err != nil {
		return err
	}
	made, err := s.o.Tokens.Create(r.Context(), want, request)
	if err != nil {
		return err
	}
	if made.Secret == "" {
		w.Header().Set(api.ReplayedHeader, "true")
	}
	return s.give(w, r, made)
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	var which api.WhichToken
	if _, err := s.body(w, r, &which); err != nil {
		return err
	}
	ended, err := s.o.Tokens.Revoke(r.Context(), which.Token)
	if err != nil {
		return err
	}
	return s.give(w, r, api.TokenList{Tokens: ended})
}

func (s *Server) rotateToken(w http.ResponseWriter, r *http.Request) error {
	var o api.Overlapping
	if _, err := s.body(w, r, &o); err != nil {
		return err
	}
	made, err := s.o.Tokens.Rotate(r.Context(), o.Overlap)
	if err != nil {
		return err
	}
	return s.give(w, r, made)
}
