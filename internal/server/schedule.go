package server

import (
	"context"
	"net/http"

	"rekey/internal/api"
)

func (s *Server) getSchedule(w http.ResponseWriter, r *http.Request) error {
	known, err := s.o.Engine.Schedule(r.Context())
	if err != nil {
		return err
	}
	return s.give(w, r, known)
}

func (s *Server) pause(w http.ResponseWriter, r *http.Request) error {
	return s.said(w, r, s.o.Engine.Pause)
}

func (s *Server) goOn(w http.ResponseWriter, r *http.Request) error {
	return s.said(w, r, s.o.Engine.Continue)
}

func (s *Server) said(w http.ResponseWriter, r *http.Request, say func(context.Context, string) error) error {
	var why api.Reason
	return s.once(w, r, &why, func(ctx context.Context) error { return say(ctx, why.Reason) })
}
