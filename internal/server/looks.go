package server

import (
	"context"
	"net/http"
	"slices"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
)

// look answers an operation that takes a body and returns what it has seen.
func look[In, Out any](s *Server, w http.ResponseWriter, r *http.Request, ask func(context.Context, In) (Out, error)) error {
	var in In
	if _, err := s.body(w, r, &in); err != nil {
		return err
	}
	out, err := ask(r.Context(), in)
	if err != nil {
		return err
	}
	return s.give(w, r, out)
}

func (s *Server) check(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, s.o.Engine.Check)
}

func (s *Server) plan(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, s.o.Engine.Plan)
}

func (s *Server) compare(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, func(ctx context.Context, n api.Named) (estate.Compared, error) {
		return s.o.Engine.Compare(ctx, n.Credentials)
	})
}

func (s *Server) discover(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, func(ctx context.Context, n api.Named) (estate.Discovered, error) {
		return s.o.Engine.Discover(ctx, n.Credentials)
	})
}

func (s *Server) formerNames(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, func(ctx context.Context, n api.Named) (estate.FormerNames, error) {
		return s.o.Engine.FormerNames(ctx, n.Credentials)
	})
}

func (s *Server) doctor(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, func(ctx context.Context, n api.Named) (api.Findings, error) {
		found, err := s.o.Engine.Doctor(ctx, n.Credentials)
		return api.Findings{Findings: found}, err
	})
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request) error {
	return look(s, w, r, s.o.Engine.Verify)
}

// getStatus tells of every credential. What is live is one page: a second one would ask
// the vendors again.
func (s *Server) getStatus(w http.ResponseWriter, r *http.Request) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	asked := estate.StatusAsked{Live: q.Get("live") == "true", Working: q.Get("working") == "true"}
	seen, err := s.o.Engine.Status(r.Context(), asked)
	if err != nil {
		return err
	}
	out := api.Status{Status: seen}
	if !asked.Live {
		rows := seen.Rows
		from := p.after(len(rows), func(i int) string { return rows[i].Credential })
		given, next := cut(rows, from, p.limit)
		if out.Rows = given; next {
			out.Next = p.cursor(given[len(given)-1].Credential, len(rows)-from-len(given))
		}
	}
	if out.Rows == nil {
		out.Rows = []report.Row{}
	}
	return s.give(w, r, out)
}

// getCredentials tells what rekey.yaml says of what whoever asks may see.
func (s *Server) getCredentials(w http.ResponseWriter, r *http.Request) error {
	told := s.o.Configured()
	if s.o.Sees != nil && !s.o.Sees(r.Context(), "") {
		told.Credentials = slices.DeleteFunc(slices.Clone(told.Credentials), func(c sop.Spec) bool { return !s.o.Sees(r.Context(), c.Name) })
		used := map[string]bool{}
		for _, c := range told.Credentials {
			used[c.Issuer.Vendor] = true
			for _, p := range slices.Concat([]sop.Place{c.Store}, c.Further, c.Consumers) {
				used[p.Vendor] = true
			}
		}
		told.Vendors = slices.DeleteFunc(slices.Clone(told.Vendors), func(name string) bool { return !used[name] })
		// A mistake names whatever it is about.
		if told.Mistakes = nil; len(told.Wrong) > 0 {
			told.Wrong = []string{"callers who may see all credentials get the list of mistakes"}
		}
	}
	return s.give(w, r, told)
}

func (s *Server) whoami(w http.ResponseWriter, r *http.Request) error {
	me, err := s.o.Engine.Whoami(r.Context())
	if err != nil {
		return err
	}
	return s.give(w, r, me)
}

// empty refuses a body where none is taken.
func (s *Server) empty(r *http.Request) error {
	if r.ContentLength > 0 || len(r.TransferEncoding) > 0 {
		return &wrong{mistakes: []api.Mistake{{What: "a request body is not allowed here"}}}
	}
	return nil
}

func (s *Server) sign(w http.ResponseWriter, r *http.Request) error {
	if err := s.empty(r); err != nil {
		return err
	}
	signed, err := s.o.Engine.Sign(r.Context())
	if err != nil {
		return err
	}
	return s.give(w, r, signed)
}

func (s *Server) getKey(w http.ResponseWriter, r *http.Request) error {
	if err := s.empty(r); err != nil {
		return err
	}
	public, err := s.o.Engine.Key(r.Context())
	if err != nil {
		return err
	}
	return s.give(w, r, api.Key{Public: public})
}
