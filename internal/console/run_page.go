package console

import (
	"net/http"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// runBody is everything about one run.
type runBody struct {
	Run, Credential string
	Seq             int64 // of the newest entry that is shown
	Entries         int
	Over            bool // nothing more will happen
	State           need
	Doing           string // "rotate", in words
	Opened          *rotation.Opened
	OpenedAt        time.Time
	Ended           time.Time // or now
	Strategy        string

	Ask      *rotation.Ask
	Stuck    *rotation.Stuck
	Held     []rotation.Copy // places that may be left with a dead one, by a person's word
	Wait     *rotation.Wait
	Since    string // why its time has not come
	Closed   *rotation.Closed
	Shown    []report.Shown
	After    []string // what was seen after going back
	Whole    bool
	Old      cred.Handle
	New      *cred.Handle
	NextDue  time.Time
	CanBack  bool
	Turned   string        // why it goes back
	Worker   string        // that is at it; "": none, or nobody tells
	Trouble  string        // why no worker could carry it out, the last time
	Approval *approvalView // somebody has to agree before it goes on
	ByHand   *byHand       // what only a person can do is asked here; nil: nothing of it is by hand
	Said     bool          // what it waits for was confirmed, and a worker is to come

	Asking string // for what it stops before anything is taken from the old one
	Steps  []stepView
	Back   []stepView
	Done   int
	Of     int
	Now    string // what is being done, in one line; it is read out when it changes
	People []deed

	SetAside []string // rules that it was begun without
	Lines    *overlap
	Log      []logLine
	Notes    []string
}

func (c *Console) runPage(w http.ResponseWriter, r *http.Request) error {
	b, err := c.runNow(r)
	if err != nil {
		return err
	}
	if b.ByHand, err = c.byHandOf(r, b); err != nil {
		return err
	}
	return show(c, w, http.StatusOK, "run", frame(c, r, b.Title(), "/runs", b))
}

// Title is what a tab says of it: how it stands, first.
func (b runBody) Title() string { return b.State.Word + " · " + b.Credential + " · run " + b.Run }

// runNow is the run that is asked for, as the journal tells it now.
func (c *Console) runNow(r *http.Request) (runBody, error) {
	id := r.PathValue("run")
	logged, err := c.o.Ops.Log(r.Context(), id)
	if err != nil {
		return runBody{}, noJournalNoRun(err, id)
	}
	return c.runBody(r, logged)
}

// runBody is a run with who is at it.
func (c *Console) runBody(r *http.Request, logged estate.Logged) (runBody, error) {
	b := runOf(logged, c.o.Now())
	if b.Ask != nil {
		all, err := c.o.Ops.Approvals(r.Context())
		if err = withoutRole(err); err != nil {
			return b, err
		}
		me, _ := c.o.Ops.Whoami(r.Context()) // what he may is said when he answers
		for _, s := range all {
			if s.Request.Run == b.Run {
				v := approvalViewOf(s, me.Who)
				v.Ask = b.Ask
				b.Approval = &v
				b.State.Word = "Waits for approval"
				b.State.Says = "It continues when enough people have approved"
			}
		}
	}
	if c.o.Leases == nil || b.Over {
		return b, nil
	}
	leases, err := c.o.Leases(r.Context())
	for _, l := range leases {
		if l.Run == b.Run {
			b.Worker, b.Trouble = l.Holder, l.Trouble
		}
	}
	return b, err
}

// noJournalNoRun: where there is no journal, there is no such run either.
func noJournalNoRun(err error, run string) error {
	if estate.CodeOf(err) == estate.NoJournal {
		return &estate.Error{Code: estate.NoRun, Run: run}
	}
	return err
}

// doing says what a run is for.
func doing(p sop.Purpose) string {
	switch p {
	case "":
		return "rotate"
	case sop.ToRevoke:
		return "revoke in an emergency"
	case sop.ToDelete:
		return "delete in an emergency"
	case sop.ToForget:
		return "retire a former name"
	case sop.AfterRevoke:
		return "replace what was revoked"
	}
	return string(p)
}

func runOf(logged estate.Logged, now time.Time) runBody {
	st := rotation.Fold(logged.Events)
	b := runBody{Run: st.Run, Entries: len(logged.Entries), Over: st.Closed != nil, OpenedAt: st.OpenedAt, Opened: st.Opened, Ended: now, Closed: st.Closed, Stuck: st.Stuck, Turned: st.TurnedWhy}
	if n := len(logged.Entries); n > 0 {
		b.Seq, b.Run = logged.Entries[n-1].Seq, logged.Entries[0].Run
	}
	b.Credential, b.Doing = st.Opened.Credential, doing(st.Opened.Spec.Purpose)
	if b.Over {
		b.Ended = st.ClosedAt
	}
	b.CanBack = st.IsOpen() && !st.Final && st.Mode != rotation.Back && st.Opened.Spec.Purpose != sop.ToDelete
	times := timesOf(logged.Events)
	if p := st.Plan; p != nil {
		b.Strategy, b.Old, b.Notes = strategyName(p.Strategy), p.Old, p.Notes
		times = known(times, st)
		b.Asking = askingWords(p.Spec)
		b.Steps = stepsOf(p.Steps, st, times)
		b.Back = backOf(st, times)
		b.Done, b.Of = doneOf(b.Steps)
		b.Lines = overlapOf(st, times, now)
	}
	if st.Made != nil {
		b.New = st.Made.Handle
	}
	for _, o := range st.Opened.Overrides {
		b.SetAside = append(b.SetAside, setAside(o))
	}
	b.People, b.Log = deedsOf(logged.Events), linesOf(logged.Events)
	b.stand(st, now)
	return b
}

// stand says how the run stands, what it waits for, and what came of it.
func (b *runBody) stand(st *rotation.State, now time.Time) {
	switch {
	case st.Closed != nil:
		b.State = endingOf(st.Closed.Ending)
		b.Now = b.State.Word
		b.Shown = report.Proofs(st)
		if st.Closed.Ending == rotation.RolledBack {
			b.After, b.Whole = report.AfterBack(st)
		}
		if st.Closed.Ending == rotation.Rotated && st.Plan != nil && st.Plan.Spec.Cadence > 0 {
			b.NextDue = st.ClosedAt.Add(st.Plan.Spec.Cadence)
		}
	case st.Stuck != nil:
		b.State, b.Held = ending(estate.Summary{Stuck: st.Stuck.Why}), st.Held()
		b.Now = "Stuck: " + st.Stuck.Why
	default:
		d := rotation.Next(st, now, true)
		b.State = running
		busy := busyWith(append(slices.Clone(b.Steps), b.Back...))
		switch {
		case d.Ask != nil && st.Answered(*d.Ask):
			b.Said = true
			b.Now = "It was confirmed, and continues as soon as a worker is free"
		case d.Ask != nil && busy == "":
			b.Ask = d.Ask
			b.State = need{"Waits for you", "It continues when somebody types the credential's name", "mind", "person"}
			b.Now = "It waits for somebody to confirm"
		case d.Wait != nil:
			b.Wait, b.Since = d.Wait, sinceOf(st, *d.Wait)
			b.State = need{"Waiting", "It continues automatically", "info", "clock"}
			b.Now = "Waiting for " + first(d.Wait.For)
			markWaiting(b.Steps, *d.Wait)
			markWaiting(b.Back, *d.Wait)
		case st.Plan == nil:
			b.Now = "Looking at issuer, store and consumers"
		default:
			b.Now = busy
		}
		if st.Mode == rotation.Back {
			b.State.Word = "Going back"
			b.State.Icon = "back"
		}
	}
}

func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

// strategyName is the strategy in a word or two.
func strategyName(s string) string {
	switch s {
	case rotation.RollWithGrace:
		return "roll with grace"
	case rotation.RollAtOnce:
		return "roll at once"
	}
	return s
}
