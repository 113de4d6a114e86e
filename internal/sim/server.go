package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Vendors are the base paths: /cloudflare/client/v4, /infisical, /heroku, /portal,
// /hooks and /edge/<host>.
var Vendors = []string{"cloudflare", "infisical", "heroku", "portal", "hooks", "edge"}

// Hosts are the real addresses that a simulated run is led away from.
var Hosts = map[string]string{
	"api.cloudflare.com": "cloudflare",
	"app.infisical.com":  "infisical",
	"api.heroku.com":     "heroku",
	PortalHost:           "portal",
	HooksHost:            "hooks",
}

// routes builds the handlers.
func (w *World) routes() {
	w.mux = map[string]*http.ServeMux{}
	for _, v := range Vendors {
		w.mux[v] = http.NewServeMux()
	}
	w.cloudflareRoutes(w.mux["cloudflare"])
	w.infisicalRoutes(w.mux["infisical"])
	w.herokuRoutes(w.mux["heroku"])
	w.portalRoutes(w.mux["portal"])
	w.hooksRoutes(w.mux["hooks"])
	w.edgeRoutes(w.mux["edge"])
}

// reply collects an answer before it is sent, changed or thrown away.
type reply struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newReply() *reply { return &reply{status: http.StatusOK, header: http.Header{}} }

func (r *reply) Header() http.Header         { return r.header }
func (r *reply) WriteHeader(status int)      { r.status = status }
func (r *reply) Write(b []byte) (int, error) { return r.body.Write(b) }

func copyHeader(to, from http.Header) {
	for k, v := range from {
		to[k] = v
	}
}

// ServeHTTP serves the whole world.
func (w *World) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	vendor, rest, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	switch vendor {
	case "_world", "_faults", "_env":
		if vendor == "_env" && rest != "" && req.Method == http.MethodGet {
			w.clientEnv(rw, req, rest)
			return
		}
		w.control(rw, req, vendor)
		return
	}
	mux := w.mux[vendor]
	if mux == nil {
		http.NotFound(rw, req)
		return
	}
	inner := req.Clone(req.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+rest, ""
	if raw := req.URL.RawPath; raw != "" {
		_, rawRest, _ := strings.Cut(strings.TrimPrefix(raw, "/"), "/")
		inner.URL.RawPath = "/" + rawRest
	}
	w.serve(rw, inner, vendor, mux)
}

// serve handles one request of a vendor: latency, count, fault, effect, answer.
func (w *World) serve(rw http.ResponseWriter, req *http.Request, vendor string, mux *http.ServeMux) {
	_, pattern := mux.Handler(req)
	if w.Trace != nil {
		w.Trace(vendor, pattern)
	}
	w.mu.Lock()
	skew := w.state.Knobs.Skew[vendor].std()
	delay := w.state.Knobs.Latency.std()
	fault := w.state.fault(vendor, pattern)
	if fault != nil {
		delay += fault.Delay.std()
	}
	w.mu.Unlock()
	if delay > 0 {
		w.Sleep(delay)
	}

	req = skewedRequest(req, skew)
	real := newReply()
	err := w.handle(real, req, vendor, pattern, mux, fault)
	w.mu.Lock()
	rw.Header().Set("Date", w.state.At.Add(skew).Format(http.TimeFormat))
	w.mu.Unlock()
	real.skew(skew)
	switch {
	case err != nil:
		http.Error(rw, "the simulated world cannot be saved: "+err.Error(), http.StatusInsufficientStorage)
	case fault != nil && (fault.Status != 0 || fault.HTML || fault.Cut || fault.Empty || fault.Half):
		fault.answer(rw, vendor, real)
	default:
		copyHeader(rw.Header(), real.header)
		rw.WriteHeader(real.status)
		_, _ = rw.Write(real.body.Bytes())
	}
}

// handle lets the request take effect, unless a fault prevents it.
func (w *World) handle(real *reply, req *http.Request, vendor, pattern string, mux *http.ServeMux, fault *Fault) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	w.count(req, vendor, pattern)
	if w.state.limited(real, vendor) {
		return nil
	}
	prevented := fault != nil && !fault.Applied && (fault.Status != 0 || fault.HTML || fault.Cut || fault.Empty)
	if !prevented {
		mux.ServeHTTP(real, req)
		w.state.judge()
	}
	if w.Saved != nil {
		return w.Saved(&w.state)
	}
	return nil
}

// count counts calls to vendors, and apart from them visits to the sites that
// the edge guards.
func (w *World) count(req *http.Request, vendor, pattern string) {
	if vendor == "edge" {
		host, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
		w.state.Visits[host]++
		return
	}
	if w.state.Calls[vendor] == nil {
		w.state.Calls[vendor] = map[string]int{}
	}
	w.state.Calls[vendor][pattern]++
}

// control is the world's own interface, for tests and people.
func (w *World) control(rw http.ResponseWriter, req *http.Request, what string) {
	switch {
	case what == "_world" && req.Method == http.MethodGet:
		w.Look(func(s *State) { writeJSON(rw, http.StatusOK, s.view()) })
	case what == "_env" && req.Method == http.MethodGet:
		writeJSON(rw, http.StatusOK, w.Env())
	case what == "_faults" && req.Method == http.MethodPost:
		var in struct {
			Faults []Fault         `json:"faults"`
			World  json.RawMessage `json:"world"`
			Clear  bool            `json:"clear"`
		}
		dec := json.NewDecoder(io.LimitReader(req.Body, 1<<20))
		dec.DisallowUnknownFields()
		err := dec.Decode(&in)
		w.Turn(func(k *Knobs) {
			if err == nil && len(in.World) > 0 {
				d := json.NewDecoder(bytes.NewReader(in.World))
				d.DisallowUnknownFields()
				err = d.Decode(k)
			}
			if err == nil && in.Clear {
				w.state.Faults = nil
			}
		})
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		w.Inject(in.Faults...)
		writeJSON(rw, http.StatusOK, map[string]int{"injected": len(in.Faults)})
	case what == "_faults" && req.Method == http.MethodGet:
		w.Look(func(s *State) {
			writeJSON(rw, http.StatusOK, map[string]any{"faults": append([]*Fault{}, s.Faults...), "world": s.Knobs})
		})
	case what == "_faults" && req.Method == http.MethodDelete:
		taken := 0
		w.Turn(func(k *Knobs) {
			taken, w.state.Faults, *k = len(w.state.Faults), nil, w.healthy
		})
		writeJSON(rw, http.StatusOK, map[string]int{"taken_back": taken})
	default:
		http.Error(rw, "GET /_world, GET /_env, or GET, POST, DELETE /_faults", http.StatusMethodNotAllowed)
	}
}

// RoundTrip lets a World stand in for the network: every address is led to the
// vendor that it means, and any other host to the edge.
func (w *World) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	inner := req.Clone(req.Context())
	inner.URL = Rewrite(req.URL)
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	r := newReply()
	w.ServeHTTP(r, inner)
	return &http.Response{
		StatusCode: r.status, Header: r.header, Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(r.body.Bytes())), ContentLength: int64(r.body.Len()),
	}, nil
}

// Rewrite turns a real address into a path of the simulated world.
func Rewrite(u *url.URL) *url.URL {
	out := *u
	prefix := "/edge/" + u.Host
	if vendor, ok := Hosts[u.Host]; ok {
		prefix = "/" + vendor
	}
	out.Path = prefix + u.Path
	if u.RawPath != "" {
		out.RawPath = prefix + u.RawPath
	}
	return &out
}

// Remote leads requests to a world that is served elsewhere.
type Remote struct {
	Base      *url.URL // http://127.0.0.1:7777
	Transport http.RoundTripper
}

// RoundTrip sends the request to the world.
func (r Remote) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	if req.URL.Host == r.Base.Host {
		return nil, errors.New("the request is already meant for the simulated world")
	}
	out.URL = Rewrite(req.URL)
	out.URL.Scheme, out.URL.Host = r.Base.Scheme, r.Base.Host
	out.Host = r.Base.Host
	return r.Transport.RoundTrip(out)
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

func readJSON(req *http.Request, v any) error {
	b, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return io.EOF
	}
	return json.Unmarshal(b, v)
}

// Env asks the world what a person would have in the environment.
func (r Remote) Env() (map[string]string, error) {
	req, err := http.NewRequest(http.MethodGet, r.Base.JoinPath("_env").String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var out map[string]string
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&out)
	return out, err
}
