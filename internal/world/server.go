package world

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Reply collects an answer before it is sent, changed or thrown away.
type Reply struct {
	Status int
	Body   bytes.Buffer
	header http.Header
}

// NewReply is 200 with nothing in it.
func NewReply() *Reply { return &Reply{Status: http.StatusOK, header: http.Header{}} }

// Header is that of the answer.
func (r *Reply) Header() http.Header { return r.header }

// WriteHeader sets the status.
func (r *Reply) WriteHeader(status int) { r.Status = status }

// Write adds to the body.
func (r *Reply) Write(b []byte) (int, error) { return r.Body.Write(b) }

// CopyHeader copies every field.
func CopyHeader(to, from http.Header) {
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
	skew := w.state.Knobs.Skew[vendor].Std()
	delay := w.state.Knobs.Latency.Std()
	fault := w.state.fault(vendor, pattern)
	if fault != nil {
		delay += fault.Delay.Std()
	}
	w.mu.Unlock()
	if delay > 0 {
		w.Sleep(delay)
	}

	req = skewedRequest(req, skew)
	real := NewReply()
	err := w.handle(real, req, vendor, pattern, mux, fault)
	w.mu.Lock()
	rw.Header().Set("Date", w.state.At.Add(skew).Format(http.TimeFormat))
	w.mu.Unlock()
	real.skew(skew)
	switch {
	case err != nil:
		http.Error(rw, "the simulated world cannot be saved: "+err.Error(), http.StatusInsufficientStorage)
	case fault != nil && (fault.Status != 0 || fault.HTML || fault.Cut || fault.Empty || fault.Half):
		fault.answer(rw, w.fails(vendor), real)
	default:
		CopyHeader(rw.Header(), real.header)
		rw.WriteHeader(real.Status)
		_, _ = rw.Write(real.Body.Bytes())
	}
}

// handle lets the request take effect, unless a fault prevents it.
func (w *World) handle(real *Reply, req *http.Request, vendor, pattern string, mux *http.ServeMux, fault *Fault) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	w.count(req, vendor, pattern)
	if l, ok := w.double(vendor).(Limits); ok && l.Limited(real) {
		return nil
	}
	prevented := fault != nil && !fault.Applied && (fault.Status != 0 || fault.HTML || fault.Cut || fault.Empty)
	if !prevented {
		mux.ServeHTTP(real, req)
		w.judge()
	}
	if w.Saved != nil {
		return w.Saved(w)
	}
	return nil
}

// double is the one of this name, nil if there is none.
func (w *World) double(name string) Double {
	for _, d := range w.doubles {
		if d.Name() == name {
			return d
		}
	}
	return nil
}

// fails is a double that has failures of its own shape, nil if this one has none.
func (w *World) fails(name string) Fails {
	f, _ := w.double(name).(Fails)
	return f
}

// count counts calls to vendors, and apart from them visits to the sites that
// an edge guards.
func (w *World) count(req *http.Request, vendor, pattern string) {
	if _, ok := w.double(vendor).(Elsewhere); ok {
		host, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
		w.state.Visits[host]++
		return
	}
	if w.state.Calls[vendor] == nil {
		w.state.Calls[vendor] = map[string]int{}
	}
	w.state.Calls[vendor][pattern]++
}

// RoundTrip makes a World the network: every address is led to the
// double that it means, and any other host to the one that stands for every other.
func (w *World) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	inner := req.Clone(req.Context())
	inner.URL = w.Rewrite(req.URL)
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
	r := NewReply()
	w.ServeHTTP(r, inner)
	return &http.Response{
		StatusCode: r.Status, Header: r.header, Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(r.Body.Bytes())), ContentLength: int64(r.Body.Len()),
	}, nil
}

// Rewrite turns a real address into a path of this world.
func (w *World) Rewrite(u *url.URL) *url.URL { return rewrite(u, w.hosts, w.elsewhere) }

// Host is which double stands for an address, nil if none does by name.
func (w *World) Host(host string) Double { return w.double(w.hosts[host]) }

// WriteJSON answers with a value.
func WriteJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

// ReadJSON reads a body; io.EOF if there is none.
func ReadJSON(req *http.Request, v any) error {
	b, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return io.EOF
	}
	return json.Unmarshal(b, v)
}
