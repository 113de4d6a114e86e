package service

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/server"
	"rekey/internal/traces"
	"rekey/internal/vendorhttp"
)

// tracing is what sends traces. Its methods do nothing where there is none.
type tracing struct {
	to    *traces.Exporter
	calls *traces.Calls
}

// traced reads where traces go, as OpenTelemetry's variables say; nil: nowhere.
func (s *Service) traced() (*tracing, error) {
	c, err := traces.Configured(s.o.Env, s.o.Name, s.o.Tool)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	if c == nil {
		return nil, nil
	}
	value := func(name string) string { v, _ := s.o.Env(name); return v }
	to := traces.NewExporter(c, vendorhttp.NewTransport(vendorhttp.Proxies(value)))
	s.o.Log.Info("traces are sent", "to", c.Host())
	return &tracing{to: to, calls: &traces.Calls{To: to, Log: s.o.Log}}, nil
}

// called is told of each request of a run.
func (t *tracing) called(now func() time.Time) func(string, estate.Call) {
	if t == nil {
		return nil
	}
	return func(run string, c estate.Call) { t.calls.Called(run, c, now()) }
}

// parts adds what runs beside the others: who schedules makes spans of the journal, and a
// worker of its requests.
func (t *tracing) parts(ctx context.Context, s *Service, parts map[string]func() error) {
	if t == nil {
		return
	}
	if s.has(Scheduler) {
		f := &traces.Follower{Journal: s.journal, To: t.to, Now: s.o.Now, Log: s.o.Log}
		parts["traces"] = func() error { f.Run(ctx); return nil }
	}
	if s.has(Worker) {
		parts["traces of requests"] = func() error { t.calls.Run(ctx); return nil }
	}
}

// gauges tell what was sent and dropped: of the journal by whichever process, of requests
// by this one.
func (t *tracing) gauges(ctx context.Context, j *journal.Journal) (out []server.Gauge) {
	told, ok, err := traces.StandingOf(ctx, j)
	if t == nil && !ok || err != nil {
		return nil
	}
	const sent, dropped = "Spans that a collector accepted.", "Spans that no collector accepted and that are no longer sent."
	failing := 0.0
	if told.Failing != "" {
		failing = 1
	}
	out = append(out,
		server.Gauge{Name: `rekey_trace_spans_sent{of="journal"}`, Help: sent, Value: float64(told.Sent)},
		server.Gauge{Name: `rekey_trace_spans_dropped{of="journal"}`, Help: dropped, Value: float64(told.Dropped)},
		server.Gauge{Name: "rekey_traces_failing", Help: "1: the collector accepts nothing now.", Value: failing})
	if t != nil {
		s, d := t.calls.Figures()
		out = append(out, server.Gauge{Name: `rekey_trace_spans_sent{of="requests"}`, Help: sent, Value: float64(s)},
			server.Gauge{Name: `rekey_trace_spans_dropped{of="requests"}`, Help: dropped, Value: float64(d)})
	}
	return out
}

func (t *tracing) close() {
	if t != nil {
		t.to.Close()
	}
}
