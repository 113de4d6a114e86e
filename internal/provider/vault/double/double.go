// Package double is a Vault to test with: KV version 2 and AppRole, as the core of Vault 1.14.1 answers.
//
// What it answers is what the real core answers to the same requests, which
// TestTheDoubleAnswersAsTheRealCore asks both (servers/vault); the other tests of the
// driver run on both, too. It knows policies as JSON, one root token and the
// tokens that it makes, and no namespaces.
package double

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is one Vault.
type Server struct {
	Root   string // its root token
	Sealed bool   // it answers nothing

	now      func() time.Time
	mu       sync.Mutex
	serial   int
	tokens   map[string][]string            // names of policies, by token
	policies map[string]map[string][]string // capabilities by path, by name
	engines  map[string]*engine             // by mount
	roles    map[string]*role               // by mount/name
	approles map[string]bool                // mounts
	refused  map[string][]time.Time         // logins, by role id
}

// New returns a Vault with nothing in it but a KV version 2 engine at secret/, as a
// server in development mode has, and its root token.
func New(now func() time.Time) *Server {
	return &Server{Root: "hvs.root-of-the-double", now: now,
		tokens: map[string][]string{"hvs.root-of-the-double": {"root"}}, policies: map[string]map[string][]string{"default": {
			"sys/capabilities-self": {"update"}, "auth/token/revoke-self": {"update"}, "sys/internal/ui/mounts/*": {"read"},
		}},
		engines: map[string]*engine{"secret": newEngine(true)}, roles: map[string]*role{}, approles: map[string]bool{}, refused: map[string][]time.Time{}}
}

// said is an answer: a status, and data or errors.
type said struct {
	status int
	data   any
	auth   any
	errors []string
}

func ok(data any) said { return said{status: http.StatusOK, data: data} }

func refuse(status int, format string, args ...any) said {
	return said{status: status, errors: []string{fmt.Sprintf(format, args...)}}
}

// Answers that are given everywhere.
var (
	done    = said{status: http.StatusNoContent}
	nothing = said{status: http.StatusNotFound, errors: []string{}}
	unknown = said{status: http.StatusForbidden, errors: []string{"permission denied"}} // no such token
	denied  = said{status: http.StatusForbidden, errors: []string{"1 error occurred:\n\t* permission denied\n\n"}}
)

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answer(r, body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if a.status == http.StatusNoContent {
		w.WriteHeader(a.status)
		return
	}
	w.WriteHeader(a.status)
	if a.errors != nil {
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": a.errors})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"request_id": s.name("request"), "lease_id": "", "renewable": false, "lease_duration": 0,
		"data": a.data, "wrap_info": nil, "warnings": nil, "auth": a.auth})
}

// request is one, taken apart.
type request struct {
	path, op, token string
	version         string
	body            map[string]json.RawMessage
}

func (r request) text(name string) (out string) {
	_ = json.Unmarshal(r.body[name], &out)
	return out
}

func (r request) number(name string) (out int, given bool) {
	given = r.body[name] != nil && json.Unmarshal(r.body[name], &out) == nil
	return out, given
}

func (s *Server) answer(h *http.Request, body []byte) said {
	path, inside := strings.CutPrefix(h.URL.Path, "/v1/")
	switch {
	case !inside:
		return nothing
	case s.Sealed:
		return refuse(http.StatusServiceUnavailable, "Vault is sealed")
	}
	r := request{path: strings.TrimSuffix(path, "/"), token: h.Header.Get("X-Vault-Token"), version: h.URL.Query().Get("version"), body: map[string]json.RawMessage{}}
	r.op = map[string]string{"GET": "read", "LIST": "list", "POST": "update", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[h.Method]
	if r.op == "read" && h.URL.Query().Get("list") == "true" {
		r.op = "list"
	}
	if r.op == "patch" && h.Header.Get("Content-Type") != "application/merge-patch+json" {
		return refuse(http.StatusUnsupportedMediaType, "PATCH requires Content-Type of application/merge-patch+json, provided %s", h.Header.Get("Content-Type"))
	}
	if len(body) > 0 && json.Unmarshal(body, &r.body) != nil {
		return refuse(http.StatusBadRequest, "failed to parse JSON input")
	}
	if strings.HasPrefix(r.path, "auth/") && strings.HasSuffix(r.path, "/login") {
		return s.login(r)
	}
	policies, alive := s.tokens[r.token]
	if !alive {
		return unknown
	}
	if !slices.Contains(policies, "root") && !s.allowed(policies, r) {
		return denied
	}
	return s.route(r)
}

// allowed goes by the policies of a token, and by that of everybody.
func (s *Server) allowed(policies []string, r request) bool {
	can := s.capabilities(policies, r.path)
	return slices.Contains(can, r.op) || r.op == "update" && slices.Contains(can, "create")
}

// capabilities on a path: of the longest pattern that fits.
func (s *Server) capabilities(policies []string, path string) []string {
	best, out := -1, []string{}
	for _, name := range append(slices.Clone(policies), "default") {
		if name == "root" {
			return []string{"root"}
		}
		for pattern, can := range s.policies[name] {
			prefix, glob := strings.CutSuffix(pattern, "*")
			switch {
			case !(pattern == path || glob && strings.HasPrefix(path, prefix)) || len(pattern) < best:
			case len(pattern) == best:
				out = append(out, can...)
			default:
				best, out = len(pattern), slices.Clone(can)
			}
		}
	}
	if len(out) == 0 {
		return []string{"deny"}
	}
	return out
}

func (s *Server) route(r request) said {
	below := func(prefix string) (string, bool) { return strings.CutPrefix(r.path, prefix) }
	if r.path == "sys/capabilities-self" {
		return s.mine(r)
	}
	if path, is := below("sys/internal/ui/mounts/"); is {
		return s.mount(r, path)
	}
	if path, is := below("sys/mounts/"); is {
		var options map[string]string
		_ = json.Unmarshal(r.body["options"], &options)
		s.engines[path] = newEngine(options["version"] == "2")
		return done
	}
	if path, is := below("sys/auth/"); is {
		s.approles[path] = true
		return done
	}
	if name, is := below("sys/policies/acl/"); is {
		return s.policy(r, name)
	}
	switch r.path {
	case "auth/token/create":
		var names []string
		_ = json.Unmarshal(r.body["policies"], &names)
		return said{status: http.StatusOK, auth: map[string]any{"client_token": s.token(names), "policies": names, "lease_duration": 2764800}}
	case "auth/token/revoke-self":
		delete(s.tokens, r.token)
		return done
	}
	if path, is := below("auth/"); is {
		return s.role(r, path)
	}
	for at, e := range s.engines {
		if path, is := below(at + "/"); is {
			return e.answer(s.now().UTC(), r, path)
		}
	}
	return refuse(http.StatusNotFound, "no handler for route %q. route entry not found.", r.path)
}

// mine: POST sys/capabilities-self.
func (s *Server) mine(r request) said {
	var paths []string
	_ = json.Unmarshal(r.body["paths"], &paths)
	if one := r.text("path"); one != "" {
		paths = append(paths, one)
	}
	out := map[string]any{}
	for _, p := range paths {
		out[p] = s.capabilities(s.tokens[r.token], p)
	}
	if len(paths) == 1 { // older clients ask about one, and look here
		out["capabilities"] = out[paths[0]]
	}
	return ok(out)
}

// mount: what is mounted there, told to whom a policy lets in below it.
func (s *Server) mount(r request, path string) said {
	for at, e := range s.engines {
		if path != at && !strings.HasPrefix(path, at+"/") {
			continue
		}
		for _, p := range s.tokens[r.token] {
			for pattern := range s.policies[p] {
				if strings.HasPrefix(pattern, at+"/") {
					return ok(e.tells(at))
				}
			}
			if p == "root" {
				return ok(e.tells(at))
			}
		}
	}
	return refuse(http.StatusForbidden, "preflight capability check returned 403, please ensure client's policies grant access to path %q", path+"/")
}

// policy takes one written as JSON.
func (s *Server) policy(r request, name string) said {
	var p struct {
		Path map[string]struct {
			Capabilities []string `json:"capabilities"`
		} `json:"path"`
	}
	if json.Unmarshal([]byte(r.text("policy")), &p) != nil {
		return refuse(http.StatusBadRequest, "failed to parse policy")
	}
	s.policies[name] = map[string][]string{}
	for path, x := range p.Path {
		s.policies[name][path] = x.Capabilities
	}
	return done
}

func (s *Server) token(policies []string) string {
	t := "hvs." + s.name("token")
	s.tokens[t] = policies
	return t
}

// name makes an identifier that no other has, the same in every run.
func (s *Server) name(of string) string {
	s.serial++
	return fmt.Sprintf("%s-%08d", url.PathEscape(of), s.serial)
}
