package service_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/service"
	"rekey/internal/traces"
)

// sent is what a collector gets in OTLP's JSON, as far as it is looked at.
type sent struct {
	ResourceSpans []struct {
		ScopeSpans []struct {
			Spans []span `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
}

type span struct {
	TraceID    string `json:"traceId"`
	Parent     string `json:"parentSpanId"`
	Name       string `json:"name"`
	Kind       int    `json:"kind"`
	Attributes []struct {
		Key   string `json:"key"`
		Value struct {
			StringValue string `json:"stringValue"`
		} `json:"value"`
	} `json:"attributes"`
}

// collector keeps what it gets.
type collector struct {
	mu    sync.Mutex
	raw   strings.Builder
	spans []span
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var got sent
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(b)
	for _, of := range got.ResourceSpans {
		for _, s := range of.ScopeSpans {
			c.spans = append(c.spans, s.Spans...)
		}
	}
}

// root is the trace of the run that is over; "": none is.
func (c *collector) root() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == "rotate" && s.Parent == "" {
			return s.TraceID
		}
	}
	return ""
}

func (p *place) rotates() (run string) {
	p.Helper()
	resp, err := http.Post(p.at+"/api/v1/runs", "application/json", strings.NewReader(`{"credential":"CF_ACCESS_SVC_CONSOLE","reason":"because of canary-reason","confirm":"CF_ACCESS_SVC_CONSOLE","outside_window":true}`))
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var opened struct {
		Run string `json:"run"`
	}
	b, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(b, &opened); err != nil || opened.Run == "" {
		p.Fatalf("%d %s", resp.StatusCode, b)
	}
	return opened.Run
}

// TestARunIsTraced: its steps and its requests are one trace, whose id is the run's, and
// nothing that is secret or that a person wrote is in it.
func TestARunIsTraced(t *testing.T) {
	t.Parallel()
	c := &collector{}
	at := httptest.NewServer(c)
	defer at.Close()
	p := serveWith(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at.URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
	p.until("/metrics", `rekey_trace_spans_sent{of="journal"} 0`) // it follows the journal by now
	run := p.rotates()
	p.until("/api/v1/runs/"+run, `"ending":"rotated"`)
	for deadline := time.Now().Add(20 * time.Second); c.root() == "" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	if err := p.stop(); err != nil { // what waits is sent before the end
		t.Errorf("it stopped with %v", err)
	}
	if c.root() != traces.TraceID(run) {
		t.Fatalf("the trace is %q, and of run %s it is %s", c.root(), run, traces.TraceID(run))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	steps, requests := map[string]bool{}, map[string]bool{}
	for _, s := range c.spans {
		if s.TraceID != traces.TraceID(run) {
			t.Errorf("%s is in another trace", s.Name)
		}
		for _, a := range s.Attributes {
			switch {
			case s.Kind == 3 && a.Key == "rekey.vendor":
				requests[a.Value.StringValue] = true
			case s.Kind == 1 && a.Key == "rekey.outcome":
				steps[s.Name+" "+a.Value.StringValue] = true
			}
		}
	}
	for _, want := range []string{"create done", "store done", "propagate done", "quiet done", "delete done"} {
		if !steps[want] {
			t.Errorf("no step says %q: %v", want, steps)
		}
	}
	for _, want := range []string{"cloudflare", "infisical", "heroku"} {
		if !requests[want] {
			t.Errorf("no request to %s: %v", want, requests)
		}
	}
	raw := c.raw.String()
	p.nothingSecretIn(raw)
	for _, never := range []string{"canary-reason", "alice", "?", "Bearer"} {
		if strings.Contains(raw, never) {
			t.Errorf("%q is told", never)
		}
	}
}

// TestACollectorThatHangsHoldsNothingUp: a run ends as without one, and so does the process.
func TestACollectorThatHangsHoldsNothingUp(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	at := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
		}
	}))
	defer at.Close()
	defer close(released)
	p := serveWith(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at.URL, "OTEL_EXPORTER_OTLP_TIMEOUT": "200"})
	p.until("/metrics", `rekey_trace_spans_sent{of="journal"} 0`)
	p.until("/api/v1/runs/"+p.rotates(), `"ending":"rotated"`)
	p.until("/metrics", "rekey_traces_failing 1")
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.log.String(), "traces are not sent") && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	if err := p.stop(); err != nil {
		t.Errorf("it stopped with %v", err)
	}
	if log := p.log.String(); !strings.Contains(log, "traces are not sent") || strings.Contains(log, at.URL) {
		t.Errorf("the log does not tell of it: %s", log)
	}
}

// TestWrongVariablesOfTracesAreToldAtOnce: nobody learns after an incident that there are
// no traces of it.
func TestWrongVariablesOfTracesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t)
	_, err := service.Open(t.Context(), service.Options{File: p.file, Listen: "127.0.0.1:0", Name: "two", Tool: "test",
		Env: func(name string) (string, bool) {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}[name], true
		},
		User: func() string { return "alice" }, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_ENDPOINT: want http://host:4318") {
		t.Errorf("it began: %v", err)
	}
}
