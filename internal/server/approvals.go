package server

import (
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
	return look(s, w, r, s.o.Engine.Approve)
}

func (s *Server) refuseRequest(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, s.o.Engine.Refuse)
}

func (s *Server) takeBack(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, s.o.Engine.TakeBack)
}
