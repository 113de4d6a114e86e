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
	return look(s, w, r, noted(s.o.Engine.Pause))
}

func (s *Server) goOn(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, noted(s.o.Engine.Continue))
}

// noted answers that something was noted.
func noted(say func(context.Context, string) error) func(context.Context, api.Reason) (api.Noted, error) {
	return func(ctx context.Context, why api.Reason) (api.Noted, error) {
		err := say(ctx, why.Reason)
		return api.Noted{Noted: err == nil}, err
	}
}
