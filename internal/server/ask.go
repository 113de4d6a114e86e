package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// asked answers one operation within its limits.
func (s *Server) asked(way api.Way, answer answer) http.HandlerFunc {
	within := s.o.Limits.Answer
	if way.Type != api.JSON {
		within = s.o.Limits.Stream
	}
	return func(w http.ResponseWriter, r *http.Request) {
		a := of(r)
		a.way = way.ID
		if s.o.Who != nil {
			if who, known := s.o.Who(r.Context()); known {
				a.caller, a.who = who.Name, callerID(who)
			}
		}
		if err := s.allowed(r, way); err != nil {
			s.refuse(w, r, err)
			return
		}
		leave, err := s.busy.enter(s.callerOf(r), way.Type != api.JSON)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		defer leave()
		ctx := estate.Through(r.Context(), "API")
		if way.Type != api.Events { // a run takes as long as it takes
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, within, errTooLong)
			defer cancel()
		}
		// The answer is written after the deadline at the latest; a stream sets its own.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(within + s.o.Limits.Write))
		if err := answer(w, r.WithContext(ctx)); err != nil {
			if errors.Is(context.Cause(ctx), errTooLong) {
				err = &estate.Error{Code: api.TookTooLong, Err: fmt.Errorf("it took longer than %s; what was started may still have finished: check before you repeat the request", within)}
			}
			s.refuse(w, r, err)
		}
	}
}

var errTooLong = errors.New("the time for an answer has passed")

// allowed refuses what is asked wrongly, and whoever may not ask for it.
func (s *Server) allowed(r *http.Request, way api.Way) error {
	if run := r.PathValue("run"); run != "" {
		if run != api.OnlyOpen && !runID.MatchString(run) {
			return &estate.Error{Code: estate.NoRun, Run: shortly(run, 40)}
		}
		of(r).run = run
	}
	if m := unknownParams(r, way); len(m) > 0 {
		return &wrong{mistakes: m}
	}
	if s.o.May == nil {
		return nil
	}
	return s.o.May(r.Context(), way.ID)
}

// runID is what an id of a run looks like; those of older journals too.
var runID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func unknownParams(r *http.Request, way api.Way) (out []api.Mistake) {
	known := map[string]api.Param{}
	for _, p := range way.Params {
		known[p.Name] = p
	}
	for name, values := range r.URL.Query() {
		p, is := known[name]
		switch {
		case !is:
			out = append(out, api.Mistake{At: shortly(name, 40), What: "this parameter is not known here"})
		case len(values) > 1 && !p.Many:
			out = append(out, api.Mistake{At: name, What: "this parameter is given twice"})
		case p.Type == "integer":
			if _, err := strconv.ParseInt(values[0], 10, 64); err != nil {
				out = append(out, api.Mistake{At: name, What: "want a number"})
			}
		case p.Type == "boolean" && values[0] != "true" && values[0] != "false":
			out = append(out, api.Mistake{At: name, What: "want true or false"})
		}
	}
	return out
}

// wrong is a request that is wrong in itself.
type wrong struct{ mistakes []api.Mistake }

func (w *wrong) Error() string {
	var parts []string
	for _, m := range w.mistakes {
		parts = append(parts, strings.TrimPrefix(m.At+": "+m.What, ": "))
	}
	return strings.Join(parts, "; ")
}

// body reads the JSON body of a request into into, or says all that is wrong with it.
func (s *Server) body(w http.ResponseWriter, r *http.Request, into any) ([]byte, error) {
	way := api.WayOf(of(r).way)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != api.JSON || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, &estate.Error{Code: api.BadType, Err: errors.New("the body has to be JSON, and Content-Type application/json")}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, &estate.Error{Code: api.BadType, Err: errors.New("the body must not be compressed")}
	}
	limit := s.o.Limits.Body
	if way.ID == "openRun" || way.ID == "verify" {
		limit = s.o.Limits.Plan
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &estate.Error{Code: api.TooLarge, Err: fmt.Errorf("the body has more than %d bytes", limit)}
	}
	if err != nil {
		return nil, &wrong{mistakes: []api.Mistake{{What: "the body could not be read to its end"}}}
	}
	if mistakes := s.bodies.Check(way.Body, b); len(mistakes) > 0 {
		return nil, &wrong{mistakes: mistakes}
	}
	if err := json.Unmarshal(b, into); err != nil {
		// What the schema allows and the type does not: a number out of its range, a time zone
		// that does not exist. The text names what was sent, so it is not passed on.
		at := ""
		if e, is := errors.AsType[*json.UnmarshalTypeError](err); is {
			at = "/" + strings.ReplaceAll(e.Field, ".", "/")
		}
		return nil, &wrong{mistakes: []api.Mistake{{At: at, What: "this value does not have the required form"}}}
	}
	return b, nil
}

// give answers with a value.
func (s *Server) give(w http.ResponseWriter, r *http.Request, v any) error {
	return s.giveAs(w, r, api.WayOf(of(r).way).Status, v)
}

func (s *Server) giveAs(w http.ResponseWriter, _ *http.Request, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", api.JSON)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // who does not read it is not told
	return nil
}

// refuse answers with a problem.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	a := of(r)
	a.failed = err
	problem := refusal(err, a.id)
	h := w.Header()
	h.Set("Content-Type", api.Problem)
	switch problem.Status {
	case http.StatusUnauthorized:
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", `Bearer realm="rekey"`)
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	case http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close")
	}
	b, err := json.Marshal(problem)
	if err != nil {
		b = fmt.Appendf(nil, `{"type":%q,"title":"failed","status":500,"code":"failed"}`, api.TypePrefix+"failed")
	}
	w.WriteHeader(problem.Status)
	_, _ = w.Write(append(b, '\n'))
}

// refusal is the problem of an error.
func refusal(err error, id string) api.Refusal {
	w, is := errors.AsType[*wrong](err)
	if !is {
		return api.Refuse(err, id)
	}
	out := api.Refuse(&estate.Error{Code: api.BadRequest, Err: w}, id)
	out.Mistakes = w.mistakes
	return out
}

// noWay answers what is not an operation.
func (s *Server) noWay(w http.ResponseWriter, r *http.Request) {
	var methods []string
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics", api.Base + "/openapi.json":
		methods = []string{http.MethodGet}
	}
	for _, way := range api.Ways() {
		if pathFits(api.Base+way.Path, r.URL.Path) {
			methods = append(methods, way.Method)
		}
	}
	if len(methods) > 0 {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		s.refuse(w, r, &estate.Error{Code: api.NoMethod, Known: methods, Err: errors.New("this path does not support this method")})
		return
	}
	s.refuse(w, r, &estate.Error{Code: api.NoWay, Err: fmt.Errorf("there is no such operation in Rekey %s; the operations are described at %s/openapi.json", s.o.Version, api.Base)})
}

// pathFits tells whether a path is one of a pattern.
func pathFits(pattern, path string) bool {
	p, q := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		if p[i] != q[i] && !strings.HasPrefix(p[i], "{") {
			return false
		}
	}
	return true
}
