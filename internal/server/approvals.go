package server

import (
	"context"
	"net/http"

	"rekey/internal/api"
	"rekey/internal/estate"
)

func (s *Server) listApprovals(w http.ResponseWriter, r *http.Request) error {
	list, err := s.o.Engine.Approvals(r.Context())
	if err != nil {
		return err
	}
	return s.give(w, r, api.Approvals{Approvals: list})
}

func (s *Server) approve(w http.ResponseWriter, r *http.Request) error {
	return s.answer(w, r, s.o.Engine.Approve)
}

func (s *Server) refuseRequest(w http.ResponseWriter, r *http.Request) error {
	return s.answer(w, r, s.o.Engine.Refuse)
}

func (s *Server) takeBack(w http.ResponseWriter, r *http.Request) error {
	return s.answer(w, r, s.o.Engine.TakeBack)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, how func(context.Context, estate.Answering) (estate.Approval, error)) error {
	var a estate.Answering
	return s.once(w, r, &a, func(ctx context.Context) error {
		_, err := how(ctx, a)
		return err
	})
}

func (s *Server) newKey(w http.ResponseWriter, r *http.Request) error {
	var n estate.NewKey
	return s.once(w, r, &n, func(ctx context.Context) error {
		_, err := s.o.Engine.NewKey(ctx, n)
		return err
	})
}
