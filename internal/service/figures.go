package service

import (
	"context"
	"errors"
	"time"

	"rekey/internal/estate"
	"rekey/internal/notify"
	"rekey/internal/scheduler"
	"rekey/internal/server"
)

// workersWithin is how long ago a worker must have been heard of at least.
const workersWithin = time.Minute

// probes are what /readyz looks at beside the journal and rekey.yaml. That no worker lives
// is told, and does not keep requests away: what they ask for waits in the database.
func (s *Service) probes() []server.Probe {
	return []server.Probe{{Name: "journal can be written", Look: func(context.Context) error { return s.engine.Unwritten() }}, {Name: "journal is whole", Minor: true, Look: s.whole}, {Name: "clock", Minor: true, Look: s.engine.Clock}, {Name: "workers", Minor: true, Look: func(ctx context.Context) error {
		workers, err := s.engine.Workers(ctx)
		if err != nil {
			return err
		}
		for _, w := range workers {
			if w.Ago < workersWithin {
				return nil
			}
		}
		return errors.New("no worker sent a heartbeat within the last minute: nothing is carried out")
	}}}
}

// whole tells that the journal has lost entries, until somebody has looked.
func (s *Service) whole(ctx context.Context) error {
	why, err := s.estate.Load().SetBack(ctx)
	if err != nil || why == "" {
		return err
	}
	return errors.New(why + "; look what is live (rekey drift), then: rekey schedule continue")
}

// gauges are what the engine adds to /metrics.
func (s *Service) gauges(ctx context.Context) (out []server.Gauge) {
	if workers, err := s.engine.Workers(ctx); err == nil {
		alive, holds := 0.0, 0.0
		for _, w := range workers {
			if w.Ago < workersWithin {
				alive++
				holds += float64(w.Holds)
			}
		}
		out = append(out, server.Gauge{Name: "rekey_workers", Help: "Workers with a heartbeat within the last minute.", Value: alive},
			server.Gauge{Name: "rekey_runs_held", Help: "Runs that a worker is working on.", Value: holds})
	}
	if leases, err := s.engine.Leases(ctx); err == nil {
		lapsed, trouble, queued := 0.0, 0.0, 0.0
		for _, l := range leases {
			if l.Lapsed {
				lapsed++
			}
			if l.Trouble != "" {
				trouble++
			}
			if l.Holder == "" && !l.Wake.IsZero() {
				queued++
			}
		}
		out = append(out, server.Gauge{Name: "rekey_leases_lapsed", Help: "Runs whose worker does not renew its lease.", Value: lapsed},
			server.Gauge{Name: "rekey_runs_in_trouble", Help: "Runs that could not be carried out, the last time.", Value: trouble},
			server.Gauge{Name: "rekey_runs_queued", Help: "Runs that wait for a worker, or for a time.", Value: queued})
	}
	if at, err := scheduler.LastTick(ctx, s.journal); err == nil {
		out = append(out, server.Gauge{Name: "rekey_schedule_ticked_timestamp_seconds", Help: "When the schedule was last processed; 0: never.", Value: stamp(at)})
	}
	if n, err := notify.Undelivered(ctx, s.journal); err == nil {
		out = append(out, server.Gauge{Name: "rekey_notices_undelivered", Help: "Notices that a channel did not accept and that are sent again.", Value: float64(n)})
	}
	if at, why, err := estate.LastVerified(ctx, s.journal); err == nil {
		broken := 0.0
		if why != "" {
			broken = 1
		}
		out = append(out, server.Gauge{Name: "rekey_evidence_verified_timestamp_seconds", Help: "When the evidence was last verified automatically; 0: never.", Value: stamp(at)},
			server.Gauge{Name: "rekey_evidence_broken", Help: "1: the evidence did not verify then.", Value: broken})
	}
	return append(out, s.tracing.gauges(ctx, s.journal)...)
}

// stamp is a time as Prometheus has it; 0: never.
func stamp(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}
