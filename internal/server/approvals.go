package server

import (
	"context"
	"net/http"

	"rekey/internal/api"
)

func (s *Server) listApprovals(w http.ResponseWriter, r *http.Request) error {
	list, err := s.o.Engine.Approvals(r.Context())
	if err != nil {
		return err
	}
	return s.give(w, r, api.Approvals{Approvals: list})
}

func (s *Server) approve(w http.ResponseWriter, r *http.Request) error {
	return once(s, w, r, done(s.o.Engine.Approve))
}

func (s *Server) refuseRequest(w http.ResponseWriter, r *http.Request) error {
	return once(s, w, r, done(s.o.Engine.Refuse))
}

func (s *Server) takeBack(w http.ResponseWriter, r *http.Request) error {
	return once(s, w, r, done(s.o.Engine.TakeBack))
}

func (s *Server) newKey(w http.ResponseWriter, r *http.Request) error {
	return once(s, w, r, done(s.o.Engine.NewKey))
}

// done is an operation whose answer is the request's.
func done[In, Out any](ask func(context.Context, In) (Out, error)) func(context.Context, In) error {
	return func(ctx context.Context, in In) error {
		_, err := ask(ctx, in)
		return err
	}
}
