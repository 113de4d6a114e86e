package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// lines writes an answer that is made while it is sent: one JSON value a line. Until the
// first one a problem is a problem; after that it is the last line.
type lines struct {
	s     *Server
	w     http.ResponseWriter
	ctx   context.Context // whoever asked may be answered as long as it is not done
	begun bool
}

// next writes one line more, unless whoever asked is not to be answered any more.
func (l *lines) next(v any) error {
	if l.ctx.Err() != nil {
		return &estate.Error{Code: estate.Interrupted, Err: context.Cause(l.ctx)}
	}
	return l.write(v)
}

// write sends one line, or ends the request of whoever does not read it.
func (l *lines) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	c := http.NewResponseController(l.w)
	_ = c.SetWriteDeadline(time.Now().Add(l.s.o.Limits.Write))
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", api.Lines)
		l.w.WriteHeader(http.StatusOK)
	}
	if _, err := l.w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("send the answer: %w", err)
	}
	return c.Flush()
}

// written hands the written procedures over, page by page.
func (s *Server) written(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	out := &lines{s: s, w: w, ctx: r.Context()}
	asked := estate.Documenting{Credentials: q["credential"], HTML: q.Get("html") == "true", Stable: q.Get("stable") == "true"}
	err := s.o.Engine.Document(r.Context(), asked, func(p estate.Page) error { return out.next(api.Written{Page: &p}) })
	if err == nil {
		err = out.next(api.Written{End: true})
	}
	return out.ended(r, err, func(problem *api.Refusal) any { return api.Written{Problem: problem} })
}

// evidence hands evidence over while it is made.
func (s *Server) evidence(w http.ResponseWriter, r *http.Request) error {
	var p api.Period
	if _, err := s.body(w, r, &p); err != nil {
		return err
	}
	out := &lines{s: s, w: w, ctx: r.Context()}
	var each func([]byte) error
	if p.Lines {
		each = func(b []byte) error { return out.next(api.Proof{Lines: strings.ToValidUTF8(string(b), "�")}) }
	}
	found, err := s.o.Engine.Evidence(r.Context(), p.Period, each)
	if err == nil {
		err = out.next(api.Proof{End: &found})
	}
	return out.ended(r, err, func(problem *api.Refusal) any { return api.Proof{Problem: problem} })
}

// ended ends with a problem where there is one.
func (l *lines) ended(r *http.Request, err error, last func(*api.Refusal) any) error {
	if err == nil || !l.begun {
		return err
	}
	a := of(r)
	a.failed = err
	problem := refusal(err, a.id)
	_ = l.write(last(&problem))
	return nil
}
