package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"rekey/internal/estate"
	"rekey/internal/report"
)

// Gauge is one figure, as it is now. Name is one of Prometheus, with its labels:
// rekey_leases{holder="a"}.
type Gauge struct {
	Name, Help string
	Value      float64
}

// figures are counted while the server runs.
type figures struct {
	set *metrics.Set

	mu   sync.Mutex
	seen []Gauge
	at   time.Time
}

func newFigures() *figures { return &figures{set: metrics.NewSet()} }

// buckets are in seconds: from a look at the journal to a look at every vendor.
func buckets() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
}

// answered counts one request.
func (f *figures) answered(way string, status int, took time.Duration) {
	if way == "" {
		way = "none"
	}
	f.set.GetOrCreateCounter(fmt.Sprintf(`rekey_requests_total{operation=%q,status="%d"}`, way, status)).Inc()
	if way != "followRun" { // it lasts as long as the run
		f.set.GetOrCreatePrometheusHistogramExt(fmt.Sprintf(`rekey_request_seconds{operation=%q}`, way), buckets()).Update(took.Seconds())
	}
}

const day = 24 * time.Hour

// keptFor is how long figures of the estate are told again: making them reads the journal.
const keptFor = 15 * time.Second

// metrics writes the figures in Prometheus' text format.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	of(r).way = "metrics"
	if err := s.mayAll(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	gauges, err := s.figures.gauges(s, r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	var counted, process bytes.Buffer
	s.figures.set.WritePrometheus(&counted)
	metrics.WriteProcessMetrics(&process)
	described(w, &counted)
	slices.SortStableFunc(gauges, func(a, b Gauge) int { return compareNames(a.Name, b.Name) })
	last := ""
	for _, g := range gauges {
		if name := family(g.Name); name != last {
			last = name
			_, _ = fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", name, g.Help, name)
		}
		_, _ = fmt.Fprintf(w, "%s %g\n", g.Name, g.Value)
	}
	described(w, &process)
}

// gauges reads the estate, at most now and then.
func (f *figures) gauges(s *Server, ctx context.Context) ([]Gauge, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := s.o.Now(); f.at.IsZero() || now.Sub(f.at) > keptFor {
		seen, err := s.estateGauges(ctx)
		if err != nil {
			return nil, err
		}
		f.seen, f.at = seen, now
	}
	out := append(slices.Clone(f.seen), Gauge{"rekey_streams", "Streams of runs that are open.", float64(s.busy.streams())})
	if s.o.Gauges != nil {
		out = append(out, s.o.Gauges(ctx)...)
	}
	return out, nil
}

// estateGauges are the figures that an alert is made of.
func (s *Server) estateGauges(ctx context.Context) ([]Gauge, error) {
	status, err := s.o.Probed.Status(ctx, estate.StatusAsked{})
	if err != nil {
		return nil, err
	}
	open, err := s.o.Probed.OpenRuns(ctx)
	if err != nil {
		return nil, err
	}
	needs := map[string]int{"": 0}
	for _, what := range report.Attentions() {
		needs[what] = 0 // an alert goes by a figure that is there while all is well
	}
	expiring := map[string]float64{"1d": 0, "7d": 0, "14d": 0}
	for _, row := range status.Rows {
		needs[row.Attention]++
		for within, d := range map[string]time.Duration{"1d": day, "7d": 7 * day, "14d": 14 * day} {
			if !row.Expires.IsZero() && row.Expires.Sub(s.o.Now()) < d {
				expiring[within]++
			}
		}
	}
	var out []Gauge
	for what, n := range needs {
		if what == "" {
			what = "nothing"
		}
		out = append(out, Gauge{fmt.Sprintf("rekey_credentials{needs=%q}", what), "Credentials, by what they need.", float64(n)})
	}
	for within, n := range expiring {
		out = append(out, Gauge{fmt.Sprintf("rekey_credentials_expiring{within=%q}", within), "Credentials that expire within this time, or have expired.", n})
	}
	states := map[string]int{"stuck": 0, "going": 0}
	oldest := 0.0
	for _, run := range open {
		if run.Stuck != "" {
			states["stuck"]++
		} else {
			states["going"]++
		}
		oldest = max(oldest, s.o.Now().Sub(run.Opened).Seconds())
	}
	for state, n := range states {
		out = append(out, Gauge{fmt.Sprintf("rekey_open_runs{state=%q}", state), "Runs that are open.", float64(n)})
	}
	wrong := 0.0
	if len(s.o.Configured().Wrong) > 0 {
		wrong = 1
	}
	return append(out,
		Gauge{"rekey_oldest_open_run_seconds", "Age of the oldest open run; 0: none is open.", oldest},
		Gauge{"rekey_configuration_wrong", "1: the newest version of rekey.yaml has mistakes, and the previous one is in use.", wrong},
		Gauge{"rekey_evidence_uncovered_entries", "Entries of the journal that no checkpoint covers.", float64(status.Evidence.Uncovered)},
		Gauge{"rekey_evidence_lagging_sinks", "Sinks that do not have the newest checkpoint.", float64(len(status.Evidence.Lagging))},
	), nil
}

// family is a figure's name without its labels.
func family(name string) string {
	base, _, _ := strings.Cut(name, "{")
	return base
}

func compareNames(a, b string) int {
	return cmp.Or(strings.Compare(family(a), family(b)), strings.Compare(a, b))
}
