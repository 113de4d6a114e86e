package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// openRun opens a run, and returns its id.
func (s *Server) openRun(w http.ResponseWriter, r *http.Request) error {
	var o estate.Opening
	text, err := s.body(w, r, &o)
	if err != nil {
		return err
	}
	if o.Request, err = s.requestOf(r, text); err != nil {
		return err
	}
	if run, err := s.openedBy(r, o.Request); err != nil || run != "" {
		return s.begun(w, r, run, true, err)
	}
	run, err := s.o.Engine.Begin(r.Context(), o)
	if err != nil && o.Request != "" {
		// The same request may have been under way: what it has opened is this one's answer.
		if earlier, again := s.openedBy(r, o.Request); again == nil && earlier != "" {
			return s.begun(w, r, earlier, true, nil)
		}
	}
	return s.begun(w, r, run, false, err)
}

func (s *Server) begun(w http.ResponseWriter, r *http.Request, run string, repeated bool, err error) error {
	if err != nil {
		return err
	}
	of(r).run = run
	w.Header().Set("Location", api.Base+"/runs/"+run)
	status := http.StatusCreated
	if repeated {
		status = http.StatusOK
	}
	return s.giveAs(w, r, status, api.Begun{Run: run, Repeated: repeated})
}

// requestOf is what the journal keeps of a request, so that it is known again: which
// caller's key it bears, and which operation and body it was. "": it bears no key.
func (s *Server) requestOf(r *http.Request, body []byte) (string, error) {
	keys := r.Header.Values(api.RequestHeader)
	if len(keys) == 0 {
		return "", nil
	}
	key := keys[0]
	if len(keys) > 1 || key == "" || len(key) > 200 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", &wrong{mistakes: []api.Mistake{{At: api.RequestHeader, What: "want one key of 1 to 200 visible ASCII characters"}}}
	}
	// The caller's own: a key that somebody else has used is another one. Where nobody is
	// signed in, all callers are one.
	return digest(of(r).caller, key) + "." + digest(r.Method, r.URL.Path, string(body)), nil
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// sameRequest tells whether a request is one that the journal knows; an error where only
// its key is.
func sameRequest(request, known string) (bool, error) {
	key, _, _ := strings.Cut(request, ".")
	had, _, _ := strings.Cut(known, ".")
	switch {
	case request == "" || key != had:
		return false, nil
	case request != known:
		return false, &estate.Error{Code: api.OtherUse, Err: errors.New("this key was used for another request; a new request wants a new key")}
	}
	return true, nil
}

// openedBy returns the run that a request has opened.
func (s *Server) openedBy(r *http.Request, request string) (string, error) {
	if request == "" {
		return "", nil
	}
	runs, err := s.o.Engine.Runs(r.Context())
	if err != nil {
		return "", err
	}
	for _, run := range slices.Backward(runs) {
		if same, err := sameRequest(request, run.Request); err != nil || same {
			return run.Run, err
		}
	}
	return "", nil
}

// advanceRun takes an open run up.
func (s *Server) advanceRun(w http.ResponseWriter, r *http.Request) error {
	var a api.Advancing
	text, err := s.body(w, r, &a)
	if err != nil {
		return err
	}
	return s.take(w, r, text, func(run, request string) (string, error) {
		return s.o.Engine.TakeUp(r.Context(), estate.Advancing{Run: run, Confirm: a.Confirm, Reason: a.Reason, Despite: a.Despite, Without: a.Without, Request: request})
	})
}

// goBack turns an open run back.
func (s *Server) goBack(w http.ResponseWriter, r *http.Request) error {
	var b api.Backing
	text, err := s.body(w, r, &b)
	if err != nil {
		return err
	}
	return s.take(w, r, text, func(run, request string) (string, error) {
		return s.o.Engine.TurnBack(r.Context(), estate.Backing{Run: run, Reason: b.Reason, Without: b.Without, Request: request})
	})
}

// take has a run taken up by f, unless the same request has done it already.
func (s *Server) take(w http.ResponseWriter, r *http.Request, text []byte, f func(run, request string) (string, error)) error {
	request, err := s.requestOf(r, text)
	if err != nil {
		return err
	}
	run, err := s.meant(r)
	if err != nil {
		return err
	}
	var after int64
	if run != "" {
		logged, err := s.o.Engine.Log(r.Context(), run)
		if err != nil && estate.CodeOf(err) != estate.NoRun && estate.CodeOf(err) != estate.NoJournal {
			return err
		}
		for _, e := range logged.Events {
			if e.Resumed != nil {
				if same, err := sameRequest(request, e.Resumed.Request); err != nil {
					return err
				} else if same {
					return s.give(w, r, api.Taken{Run: run, After: after, Repeated: true})
				}
			}
			after = e.Seq
		}
	}
	if run, err = f(run, request); err != nil {
		return err
	}
	of(r).run = run
	return s.give(w, r, api.Taken{Run: run, After: after})
}

// meant is the run that a path names; "": the only open one, of which there is none, or
// more, as the operation will say.
func (s *Server) meant(r *http.Request) (string, error) {
	run := r.PathValue("run")
	if run != api.OnlyOpen {
		return run, nil
	}
	open, err := s.o.Engine.OpenRuns(r.Context())
	if err != nil || len(open) != 1 {
		return "", err
	}
	return open[0].Run, nil
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
		out.Next = p.cursor(given[len(given)-1].Run)
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
		out.Next = p.cursor(given[len(given)-1].Hash)
	}
	return s.give(w, r, out)
}
