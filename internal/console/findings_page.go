package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"rekey/internal/discover"
	"rekey/internal/drift"
	"rekey/internal/estate"
	"rekey/internal/report"
)

type findingsBody struct {
	All      int
	Drifted  []drifted
	Others   []others
	Compared int       // credentials that were ever compared
	Looked   int       // that were ever looked for elsewhere
	First    time.Time // the oldest of these looks
	Agree    int
	Clean    int
}

type drifted struct {
	Credential string
	At         time.Time
	Findings   []drift.Finding
	Strangers  []string
	Repair     bool // a repair can be planned
}

type others struct {
	Credential string
	At         time.Time
	Findings   []discover.Finding
}

func (c *Console) findingsPage(w http.ResponseWriter, r *http.Request) error {
	noted, err := c.o.Noted(r.Context())
	if err != nil {
		return err
	}
	status, err := c.o.Ops.Status(r.Context(), estate.StatusAsked{})
	if err != nil && estate.CodeOf(err) != estate.NoCredentials {
		return err
	}
	return show(c, w, http.StatusOK, "findings", frame(c, r, "Findings", "/findings", findingsOf(noted, status.Rows)))
}

func findingsOf(noted Noted, rows []report.Row) findingsBody {
	b := findingsBody{All: len(rows)}
	oldest := func(t time.Time) {
		if b.First.IsZero() || t.Before(b.First) {
			b.First = t
		}
	}
	for _, row := range rows {
		if x, ok := noted.Compared[row.Credential]; ok {
			b.Compared++
			oldest(x.At)
			proven := row.Drift != nil && row.Drift.At.After(x.At) // a run has proven since that all agree
			if proven || len(x.Findings) == 0 && len(x.Strangers) == 0 {
				b.Agree++
			} else {
				b.Drifted = append(b.Drifted, drifted{Credential: row.Credential, At: x.At, Findings: x.Findings, Strangers: x.Strangers, Repair: x.Drifted()})
			}
		}
		if x, ok := noted.Discovered[row.Credential]; ok {
			b.Looked++
			oldest(x.At)
			if len(x.Findings) == 0 {
				b.Clean++
			} else {
				b.Others = append(b.Others, others{row.Credential, x.At, x.Findings})
			}
		}
	}
	slices.SortStableFunc(b.Drifted, func(x, y drifted) int { return -compareBool(x.Repair, y.Repair) })
	return b
}

func compareBool(a, b bool) int {
	n := map[bool]int{true: 1}
	return cmp.Compare(n[a], n[b])
}

func (c *Console) compareAll(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.o.Ops.Compare(r.Context(), nil); err != nil {
		return err
	}
	return done(w, r, "/findings")
}

func (c *Console) discoverAll(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.o.Ops.Discover(r.Context(), nil); err != nil {
		return err
	}
	return done(w, r, "/findings")
}
