package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Lease tells who advances an open run, or what it waits for.
type Lease struct {
	Run        string    `json:"run"`
	Credential string    `json:"credential"`
	Epoch      int64     `json:"epoch"`             // grows whenever the run is handed on
	Holder     string    `json:"holder,omitempty"`  // the process that is at it; "": none
	Expires    time.Time `json:"expires,omitzero"`  // when it is handed on unless its holder renews that
	Lapsed     bool      `json:"lapsed,omitempty"`  // that time has passed
	Wake       time.Time `json:"wake,omitzero"`     // when a worker is to take it up; zero: when a person says so
	Late       bool      `json:"late,omitempty"`    // that is a minute ago: no worker has a hand free, or none runs
	Waits      string    `json:"waits,omitempty"`   // for whom it waits, where a person has to say so
	Keeps      string    `json:"keeps,omitempty"`   // why its holder does not let go of it although it waits
	Trouble    string    `json:"trouble,omitempty"` // why it could not be carried out, the last time
}

// Says tells what becomes of a run next; "": its holder is at it.
func (l Lease) Says(now time.Time) string {
	switch {
	case l.Lapsed:
		return "its worker sent no heartbeat in time; another worker takes over"
	case l.Holder != "" && l.Waits != "":
		return "asks a person: " + l.Waits
	case l.Holder != "" && l.Keeps != "":
		return "waits, and is held: " + l.Keeps
	case l.Holder != "":
		return ""
	case l.Late:
		return "due, and no worker picks it up: all are busy, or none is running"
	case l.Wake.After(now):
		return "waits; a worker picks it up when the time has come"
	case !l.Wake.IsZero():
		return "due; the next free worker picks it up"
	}
	return cmp.Or(l.Waits, nobody)
}

// Worker is a process that carries runs out.
type Worker struct {
	Name  string        `json:"name"`
	Seen  time.Time     `json:"seen"`  // when it last said that it lives
	Ago   time.Duration `json:"ago"`   // how long that is ago, in nanoseconds
	Holds int64         `json:"holds"` // runs that it is at
}

// Leases tells how every open run stands with the workers, by run. Its times are of the
// database's clock.
func (e *Engine) Leases(ctx context.Context) ([]Lease, error) {
	o, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := o.leases.Rows(ctx, "")
	out := make([]Lease, 0, len(rows))
	for _, r := range rows {
		out = append(out, Lease{Run: r.Run, Credential: r.Credential, Epoch: r.Epoch, Holder: r.Holder, Expires: r.Expires, Lapsed: r.Lapsed, Wake: r.Wake, Late: r.Late, Waits: r.Waits, Keeps: r.Keeps, Trouble: r.Trouble})
	}
	return out, err
}

// Unwritten tells why this process's worker could not write beside the journal when it
// tried last, every few seconds: the disk is full, or the database is gone. nil: it could, or
// no worker runs in this process.
func (e *Engine) Unwritten() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unwritten
}

// clocksDiffer is from how much on the difference to the database's clock is told.
const clocksDiffer = 5 * time.Second

// Clock tells why this machine's clock is not to be trusted; nil: it goes with the database's.
// Leases and timers go by the database's, but what is waited for in a run is counted from
// times in the journal, which are of the machine that wrote them.
func (e *Engine) Clock(ctx context.Context) error {
	o, err := e.open(ctx)
	if err != nil {
		return err
	}
	ahead, err := o.leases.Ahead(ctx, e.o.Now)
	if err != nil || ahead.Abs() < clocksDiffer {
		return err
	}
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	return fmt.Errorf("the clock of this machine is %s %s the database's: waits in a run are wrong by as much; synchronize it by NTP", ahead.Abs().Round(time.Second), word)
}

// Workers tells of every worker that shares the journal and was heard of within a day.
func (e *Engine) Workers(ctx context.Context) ([]Worker, error) {
	o, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := o.leases.Workers(ctx)
	out := make([]Worker, 0, len(rows))
	for _, r := range rows {
		out = append(out, Worker{Name: r.Name, Seen: r.Seen, Ago: r.Ago, Holds: r.Holds})
	}
	return out, err
}
