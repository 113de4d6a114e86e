package console

import (
	"net/http"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/evidence"
)

type healthBody struct {
	Workers  []engine.Worker
	Leases   []engine.Lease
	Queue    []filter // how the open runs stand with the workers
	Facts    []Fact
	Standing evidence.Standing
	Journal  bool
	Open     []runRow
	Doctor   []estate.Finding // nil: it was not asked
	Asked    bool
	CanAsk   bool
	Wrong    int
	Fine     int
	Mistakes []string
}

// healthPage tells how the service is, and how far the journal is signed and sent.
func (c *Console) healthPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	status, err := c.o.Ops.Status(ctx, estate.StatusAsked{Working: true})
	if err != nil && estate.CodeOf(err) != estate.NoCredentials {
		return err
	}
	b := healthBody{Standing: status.Evidence, Journal: status.Evidence.Entries > 0, CanAsk: c.o.Doctor != nil}
	for _, row := range status.Rows {
		if row.Open != nil {
			x := runRowOf(*row.Open)
			x.as(row)
			b.Open = append(b.Open, x)
		}
	}
	if c.o.Workers != nil {
		if b.Workers, err = c.o.Workers(ctx); err != nil {
			return err
		}
	}
	if c.o.Leases != nil {
		if b.Leases, err = c.o.Leases(ctx); err != nil {
			return err
		}
		b.Queue = queueOf(b.Leases)
	}
	if c.o.Facts != nil {
		if b.Facts, err = c.o.Facts(ctx); err != nil {
			return err
		}
	}
	if c.o.Mistakes != nil {
		b.Mistakes = c.o.Mistakes(ctx)
	}
	if c.o.Doctor != nil && r.URL.Query().Has("doctor") {
		b.Asked = true
		if b.Doctor, err = c.o.Doctor(ctx, nil); err != nil {
			return err
		}
		for _, f := range b.Doctor {
			if !f.OK {
				b.Wrong++
			} else {
				b.Fine++
			}
		}
	}
	return show(c, w, http.StatusOK, "health", frame(c, r, "Health", "/health", b))
}

// queueOf counts how open runs stand with the workers.
func queueOf(leases []engine.Lease) []filter {
	out := []filter{{Text: "a worker is working on it"}, {Text: "due, and waiting for a worker"}, {Text: "waiting for their time"}, {Text: "waiting for a person"}}
	for _, l := range leases {
		switch {
		case l.Holder != "" && !l.Lapsed:
			out[0].N++
		case l.Late, l.Lapsed:
			out[1].N++
			out[1].Tone = "bad"
		case !l.Wake.IsZero():
			out[2].N++
		default:
			out[3].N++
		}
	}
	return out
}
