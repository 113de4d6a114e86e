package server

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/report"
)

// listFindings tells what the last looks have found, page by page.
func (s *Server) listFindings(w http.ResponseWriter, r *http.Request) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	known, err := s.o.Engine.Findings(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	all := slices.DeleteFunc(known.Findings, func(f report.Finding) bool {
		return q.Has("credential") && f.Credential != q.Get("credential") || q.Has("acknowledged") && strconv.FormatBool(f.Acknowledged != nil) != q.Get("acknowledged")
	})
	from := p.after(len(all), func(i int) string { return all[i].ID })
	given, next := cut(all, from, p.limit)
	out := api.FoundList{At: known.At, Findings: given}
	if next {
		out.Next = p.cursor(given[len(given)-1].ID, len(all)-from-len(given))
	}
	return s.give(w, r, out)
}

func (s *Server) acknowledge(w http.ResponseWriter, r *http.Request) error {
	var a estate.Acknowledging
	return s.once(w, r, &a, func(ctx context.Context) error {
		_, err := s.o.Engine.Acknowledge(ctx, a)
		return err
	})
}
