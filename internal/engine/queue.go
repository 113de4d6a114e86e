package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/lease"
)

// advance is the job that wakes a worker for a run. What it may do then is for the lease
// to say: a job of an epoch that has passed does nothing.
type advance struct {
	Run   string `json:"run"`
	Epoch int64  `json:"epoch"`
}

// Kind names the job in the queue.
func (advance) Kind() string { return "advance" }

// InsertOpts say that there is one job for each epoch of a run. It is tried once: what
// becomes of it stands in the lease, by which runs that nobody is at are found.
func (advance) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// opened is what the engine works with, once it is opened.
type opened struct {
	journal *journal.Journal
	closing func() error
	db      *sql.DB
	dialect journal.Dialect
	leases  *lease.Store
	limits  *lease.Limits
	queue   *river.Client[*sql.Tx] // puts jobs in, and takes none out
}

func open(ctx context.Context, es *estate.Estate) (*opened, error) {
	j, closing, err := es.Journal()
	if err != nil {
		return nil, err
	}
	o := &opened{journal: j, closing: closing}
	o.db, o.dialect = j.DB()
	if o.leases, err = lease.Open(ctx, j); err == nil {
		o.limits = o.leases.Limits()
		if err = o.tables(ctx); err == nil {
			o.queue, err = river.NewClient(o.driver(), &river.Config{Logger: slog.New(slog.DiscardHandler)})
		}
	}
	if err != nil {
		return nil, errors.Join(err, closing())
	}
	return o, nil
}

// driver is the queue's way to the journal's database.
func (o *opened) driver() riverdriver.Driver[*sql.Tx] {
	if o.dialect == journal.Postgres {
		return riverdatabasesql.New(o.db)
	}
	return riversqlite.New(o.db)
}

// tables makes the queue's tables or brings them up to date, one process at a time.
func (o *opened) tables(ctx context.Context) error {
	m, err := rivermigrate.New(o.driver(), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("make the tables for the queue: %w", err)
	}
	if v, err := m.Validate(ctx, nil); err == nil && v.OK {
		return nil
	}
	release, err := o.journal.Hold(ctx, "tables for the queue")
	if err != nil {
		return err
	}
	defer release()
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("make the tables for the queue: %w", err)
	}
	return nil
}

// enqueue has a worker woken for a run, in the transaction that makes it due.
func (o *opened) enqueue(ctx context.Context, tx *sql.Tx, d lease.Due) error {
	opts := inLine(d)
	if d.Wake > 0 {
		opts.ScheduledAt = time.Now().Add(d.Wake)
	}
	if _, err := o.queue.InsertTx(ctx, tx, advance{Run: d.Run, Epoch: d.Epoch}, opts); err != nil {
		return fmt.Errorf("wake a worker for run %s: %w", d.Run, err)
	}
	return nil
}

// queued are the jobs that wait for a worker with a hand free.
func (o *opened) queued(ctx context.Context) (map[advance]bool, error) {
	out := map[advance]bool{}
	p := river.NewJobListParams().Kinds(advance{}.Kind()).States("available").First(10000)
	list, err := o.queue.JobList(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", o.journal.Told(err))
	}
	for _, job := range list.Jobs {
		var a advance
		if err := json.Unmarshal(job.EncodedArgs, &a); err != nil {
			return nil, fmt.Errorf("read the queue: %w", err)
		}
		out[a] = true
	}
	return out, nil
}

// added makes a run due that is opened in this transaction.
func (o *opened) added(ctx context.Context, tx *sql.Tx, s estate.Said) error {
	plan := ""
	if s.Reviewed != nil {
		b, err := json.Marshal(s.Reviewed)
		if err != nil {
			return err
		}
		plan = string(b)
	}
	d, err := o.leases.Add(ctx, tx, s.Run, s.Credential, plan, rankOf(s))
	if err != nil {
		return err
	}
	return o.enqueue(ctx, tx, d)
}

// said makes a run due to which something is said in this transaction, or has its holder
// hear it.
func (o *opened) said(ctx context.Context, tx *sql.Tx, s estate.Said) error {
	return o.saidOf(ctx, tx, s, lease.Wanted)
}

// turned is said of a run that is to go back.
func (o *opened) turned(ctx context.Context, tx *sql.Tx, s estate.Said) error {
	return o.saidOf(ctx, tx, s, lease.Urgent)
}

func (o *opened) saidOf(ctx context.Context, tx *sql.Tx, s estate.Said, rank int64) error {
	d, err := o.leases.Say(ctx, tx, s.Run, s.Credential, rank)
	if err != nil || d == nil {
		return err
	}
	return o.enqueue(ctx, tx, *d)
}
