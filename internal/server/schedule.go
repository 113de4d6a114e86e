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
	return once(s, w, r, said(s.o.Engine.Pause))
}

func (s *Server) goOn(w http.ResponseWriter, r *http.Request) error {
	return once(s, w, r, said(s.o.Engine.Continue))
}

func said(say func(context.Context, string) error) func(context.Context, api.Reason) error {
	return func(ctx context.Context, why api.Reason) error { return say(ctx, why.Reason) }
}
