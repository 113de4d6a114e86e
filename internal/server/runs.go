package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// openRun opens a run, and returns its id.
func (s *Server) openRun(w http.ResponseWriter, r *http.Request) error {
	var o estate.Opening
	return s.once(w, r, &o, func(ctx context.Context) error {
		_, err := s.o.Engine.Begin(ctx, o)
		return err
	})
}

// advanceRun takes an open run up.
func (s *Server) advanceRun(w http.ResponseWriter, r *http.Request) error {
	var a api.Advancing
	return s.once(w, r, &a, func(ctx context.Context) error {
		_, err := s.o.Engine.TakeUp(ctx, estate.Advancing{Run: meant(r), Confirm: a.Confirm, Reason: a.Reason, Despite: a.Despite, Without: a.Without})
		return err
	})
}

// goBack turns an open run back.
func (s *Server) goBack(w http.ResponseWriter, r *http.Request) error {
	var b api.Backing
	return s.once(w, r, &b, func(ctx context.Context) error {
		_, err := s.o.Engine.TurnBack(ctx, estate.Backing{Run: meant(r), Reason: b.Reason, Without: b.Without})
		return err
	})
}

// meant is the run that a path names; "": the only open one, of which there is none, or
// more, as the operation will say.
func meant(r *http.Request) string {
	if run := r.PathValue("run"); run != api.OnlyOpen {
		return run
	}
	return ""
}

// planBack tells what going back would do.
func (s *Server) planBack(w http.ResponseWriter, r *http.Request) error {
	back, err := s.o.Engine.PlanBack(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	return s.give(w, r, back)
}

// getRun tells of one run.
func (s *Server) getRun(w http.ResponseWriter, r *http.Request) error {
	one, err := s.o.Engine.OneRun(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	return s.give(w, r, one)
}

// listOpenRuns tells of those that are open.
func (s *Server) listOpenRuns(w http.ResponseWriter, r *http.Request) error {
	open, err := s.o.Engine.OpenRuns(r.Context())
	if err != nil {
		return err
	}
	return s.give(w, r, api.OpenRuns{Runs: open})
}

// listRuns tells of all, newest first.
func (s *Server) listRuns(w http.ResponseWriter, r *http.Request) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	runs, err := s.listed(r, q)
	if err != nil {
		return err
	}
	slices.Reverse(runs)
	runs = slices.DeleteFunc(runs, func(x estate.Summary) bool {
		return q.Has("credential") && x.Credential != q.Get("credential") || q.Has("open") && x.Open() != (q.Get("open") == "true")
	})
	// Runs are only added before the first page, so a page goes on after the last run that
	// was given.
	from := p.after(len(runs), func(i int) string { return runs[i].Run })
	given, next := cut(runs, from, p.limit)
	out := api.Runs{Runs: given}
	if next {
		out.Next = p.cursor(given[len(given)-1].Run, len(runs)-from-len(given))
	}
	return s.give(w, r, out)
}

// listed are the runs that a list is made of: no more are read than it wants.
func (s *Server) listed(r *http.Request, q url.Values) ([]estate.Summary, error) {
	if q.Has("credential") {
		return s.o.Engine.RunsOf(r.Context(), q.Get("credential"))
	}
	if q.Get("open") == "true" {
		open, err := s.o.Engine.OpenRuns(r.Context())
		runs := make([]estate.Summary, len(open))
		for i, o := range open {
			runs[i] = o.Summary
		}
		return runs, err
	}
	return s.o.Engine.Runs(r.Context())
}

// getLog tells everything of a run.
func (s *Server) getLog(w http.ResponseWriter, r *http.Request) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	logged, err := s.o.Engine.Log(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	from := p.after(len(logged.Entries), func(i int) string { return logged.Entries[i].Hash })
	given, next := cut(logged.Entries, from, p.limit)
	out := api.Log{Entries: given}
	if next {
		out.Next = p.cursor(given[len(given)-1].Hash, len(logged.Entries)-from-len(given))
	}
	return s.give(w, r, out)
}
