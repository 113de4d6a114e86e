package contract

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Recorder judges everything that passes through its transports. It may be used
// from several goroutines.
type Recorder struct {
	mu     sync.Mutex
	counts map[string]int
	bad    map[string]int
	needed map[int]int
	sites  map[string]bool
}

// New returns an empty recorder.
func New() *Recorder {
	return &Recorder{counts: map[string]int{}, bad: map[string]int{}, needed: map[int]int{}, sites: map[string]bool{}}
}

type transport struct {
	r    *Recorder
	next http.RoundTripper
}

// Around returns a transport that sends through next and judges what passes. It
// changes nothing of it.
func (r *Recorder) Around(next http.RoundTripper) http.RoundTripper { return transport{r, next} }

// RoundTrip sends the request on and judges it with its answer.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := Exchange{Method: req.Method, URL: req.URL, Header: req.Header.Clone()}
	out := req
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		x.Body = b
		out = req.Clone(req.Context())
		out.Body = io.NopCloser(bytes.NewReader(b))
	}
	t.r.site()
	// A simulated kill panics out of next: what was sent is judged all the same.
	defer func() { t.r.add(Check(x)) }()
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b), failing{err}))
	if err == nil {
		x.Status, x.AnswerHeader, x.Answer = resp.StatusCode, resp.Header, b
	}
	resp.Request = req
	return resp, nil
}

// failing passes on how reading the answer ended.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

func (r *Recorder) add(v Verdict) {
	if v.Operation == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[v.Operation]++
	for _, b := range v.Violations {
		r.bad[b.String()]++
	}
	for _, i := range v.Excepted {
		r.needed[i]++
	}
}

// site notes which lines of our clients led to the request.
func (r *Recorder) site() {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		f, more := frames.Next()
		if _, below, ok := strings.Cut(f.File, "internal/provider/"); ok {
			r.sites[fmt.Sprintf("%s:%d", below, f.Line)] = true
		}
		if !more {
			return
		}
	}
}

// Counts are the exchanges by operation.
func (r *Recorder) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// Sites are the lines of our clients that led to a request: cloudflare/admit.go:61.
func (r *Recorder) Sites() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.sites)
}

// Violations are all that were seen, each once and with how often, in order.
func (r *Recorder) Violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, v := range slices.Sorted(maps.Keys(r.bad)) {
		out = append(out, fmt.Sprintf("%s (%d times)", v, r.bad[v]))
	}
	return out
}

// Unneeded are the exceptions without which nothing would have been a violation.
func (r *Recorder) Unneeded() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for i, e := range Exceptions {
		if r.needed[i] == 0 {
			out = append(out, e.String())
		}
	}
	return out
}
