package engine

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Lease tells who advances an open run, or what it waits for.
type Lease struct {
	Run        string    `json:"run"`
	Credential string    `json:"credential,omitempty"`
	Epoch      int64     `json:"epoch"`             // how often it has been handed on
	Holder     string    `json:"holder,omitempty"`  // the worker that is at it; "": none
	Expires    time.Time `json:"expires,omitzero"`  // when it is handed on unless its holder renews it
	Wake       time.Time `json:"wake,omitzero"`     // when a worker is to take it up; zero: when a person says so
	Trouble    string    `json:"trouble,omitempty"` // why it could not be carried out, the last time
}

// Worker is a process that carries runs out.
type Worker struct {
	Name  string    `json:"name"`
	Seen  time.Time `json:"seen"`  // when it last said that it lives
	Holds int       `json:"holds"` // runs that it is at
}

// Leases tells of every open run that a worker is at or is to take up, by run.
func (e *Engine) Leases(context.Context) ([]Lease, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Lease
	for run := range e.at {
		out = append(out, Lease{Run: run, Holder: e.o.Name})
	}
	for run := range e.due {
		out = append(out, Lease{Run: run, Wake: e.o.Now()})
	}
	slices.SortFunc(out, func(a, b Lease) int { return strings.Compare(a.Run, b.Run) })
	return out, nil
}

// Workers tells of every worker that shares the journal.
func (e *Engine) Workers(context.Context) ([]Worker, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return []Worker{{Name: e.o.Name, Seen: e.o.Now(), Holds: len(e.at)}}, nil
}
