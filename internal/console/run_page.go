package console

import (
	"net/http"
	"slices"
	"strings"
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
	Said     bool          // what it waits for was confirmed, and a worker is to come

	Steps  []stepView
	Back   []stepView
	Done   int
	Of     int
	Now    string // what is being done, in one line; it is read out when it changes
	People []deed
	Lines  *overlap
	Log    []logLine
	Notes  []string
}

// stepView is one step of the list.
type stepView struct {
	ID                  string
	N                   int
	Title, Change, Call string
	Word, Tone, Icon    string
	Note                string
	Evidence            []string
	Took                time.Duration
	Began, Ended        time.Time
	Next                time.Time // it is tried again then
	Asks, Final         bool      // a line before it: asks for the name; the point of no return
	Effect              bool
}

// More reports whether there is more to tell of it than its line.
func (s stepView) More() bool { return s.Call != "" || s.Change != "" || len(s.Evidence) > 1 }

// Brief is what its line says beside the title.
func (s stepView) Brief() string {
	if s.Note != "" || len(s.Evidence) == 0 {
		return s.Note
	}
	return s.Evidence[0]
}

// deed is something that a person did.
type deed struct {
	At   time.Time
	Who  string
	What string
	Why  string
}

// logLine is one line of the journal, in words.
type logLine struct {
	At   time.Time
	Text string
}

func (c *Console) runPage(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("run")
	logged, err := c.o.Ops.Log(r.Context(), id)
	if err != nil {
		return noJournalNoRun(err, id)
	}
	b, err := c.runBody(r, logged)
	if err != nil {
		return err
	}
	return show(c, w, http.StatusOK, "run", frame(c, r, "Run "+b.Run+" of "+b.Credential, "/runs", b))
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
				b.Approval = &v
				b.State.Word = "Waits for approval"
				b.State.Says = "It goes on when enough people have agreed"
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
		b.Steps = stepsOf(p.Steps, st, times)
		b.Back = backOf(st, times)
		b.Done, b.Of = doneOf(b.Steps)
		b.Lines = overlapOf(st, times, now)
	}
	if st.Made != nil {
		b.New = st.Made.Handle
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
		b.State = need{"Running", "It goes on by itself", "info", "half"}
		busy := busyWith(append(slices.Clone(b.Steps), b.Back...))
		switch {
		case d.Ask != nil && st.Answered(*d.Ask):
			b.Said = true
			b.Now = "It was confirmed, and goes on as soon as a worker is there"
		case d.Ask != nil && busy == "":
			b.Ask = d.Ask
			b.State = need{"Waits for you", "It goes on when somebody types the credential's name", "mind", "person"}
			b.Now = "It waits for somebody to confirm"
		case d.Wait != nil:
			b.Wait = d.Wait
			b.State = need{"Waiting", "It goes on by itself", "info", "clock"}
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

// markWaiting marks the steps whose time has not come, and that are next.
func markWaiting(steps []stepView, w rotation.Wait) {
	for i := range steps {
		if steps[i].Icon == "ring" && slices.Contains(w.For, steps[i].Title) {
			steps[i].Word, steps[i].Tone, steps[i].Icon, steps[i].Next = "Waiting", "info", "clock", w.Until
		}
	}
}

func busyWith(steps []stepView) string {
	for _, s := range steps {
		if s.Icon == "half" {
			return s.Title
		}
	}
	return ""
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

// stepTimes are when a step was begun first and ended last.
type stepTimes struct{ began, ended time.Time }

func timesOf(events []rotation.Event) map[string]stepTimes {
	out := map[string]stepTimes{}
	for _, e := range events {
		switch {
		case e.Intent != nil:
			for _, id := range e.Intent.Steps {
				if t := out[id]; t.began.IsZero() {
					t.began = e.At
					out[id] = t
				}
			}
		case e.Outcome != nil:
			t := out[e.Outcome.Step]
			if t.began.IsZero() {
				t.began = e.At
			}
			t.ended = e.At
			out[e.Outcome.Step] = t
		}
	}
	return out
}

// stepsOf are the steps of a plan as they stand.
func stepsOf(steps []rotation.Step, st *rotation.State, times map[string]stepTimes) (out []stepView) {
	asked := false
	for _, s := range steps {
		p := st.Step(s.ID)
		if (s.Strays || s.Recurs) && p.Status == rotation.Idle {
			continue // only after a lost answer, or when time runs low
		}
		v := viewOf(s, p, times[s.ID], st)
		v.N = len(out) + 1
		v.Asks, v.Final = s.Ask && !asked, s.Final
		asked = asked || s.Ask
		out = append(out, v)
	}
	return out
}

// backOf are the steps on the way back, where it goes or went back.
func backOf(st *rotation.State, times map[string]stepTimes) (out []stepView) {
	if st.Mode == rotation.Forward {
		return nil
	}
	for _, s := range st.Active() {
		v := viewOf(s, st.Step(s.ID), times[s.ID], st)
		v.N = len(out) + 1
		out = append(out, v)
	}
	return out
}

func viewOf(s rotation.Step, p *rotation.Progress, t stepTimes, st *rotation.State) stepView {
	v := stepView{ID: s.ID, Title: s.Title, Change: s.Change, Call: s.Call, Effect: s.Verb.Effect(), Began: t.began}
	over := st.Closed != nil
	if p.Last != nil {
		v.Note, v.Evidence = p.Last.Why, p.Last.Evidence
	}
	switch p.Status {
	case rotation.Ended:
		v.Word, v.Tone, v.Icon, v.Ended = "Done", "good", "check", t.ended
		if s.Verb != rotation.Pause && !t.began.IsZero() {
			v.Took = t.ended.Sub(t.began)
		}
	case rotation.Open:
		v.Word, v.Tone, v.Icon = "In progress", "info", "half"
	case rotation.Poll:
		v.Word, v.Tone, v.Icon, v.Next = "Not yet", "info", "clock", p.Next
	case rotation.Retry:
		v.Word, v.Tone, v.Icon, v.Next = "To be tried again", "mind", "clock", p.Next
	case rotation.Broken:
		v.Word, v.Tone, v.Icon = "Failed", "bad", "cross"
	default:
		v.Word, v.Tone, v.Icon = "To do", "idle", "ring"
		if over || st.Mode != rotation.Forward {
			v.Word, v.Icon = "Not done", "ring"
		}
	}
	if over && v.Icon != "check" && v.Icon != "cross" {
		v.Word, v.Tone, v.Icon, v.Next = "Not done", "idle", "ring", time.Time{}
	}
	return v
}

func doneOf(steps []stepView) (done, of int) {
	for _, s := range steps {
		if s.Icon == "check" {
			done++
		}
	}
	return done, len(steps)
}

// deedsOf are what people did, in order.
func deedsOf(events []rotation.Event) (out []deed) {
	for _, e := range events {
		switch {
		case e.Opened != nil:
			what := "opened it to " + doing(e.Opened.Spec.Purpose)
			for _, o := range e.Opened.Overrides {
				what += ", with " + o
			}
			out = append(out, deed{e.At, whoWords(e.Opened.Actor, e.Opened.By), what, e.Opened.Reason})
		case e.Confirmed != nil:
			if n := len(out); n > 0 && strings.HasPrefix(out[n-1].What, confirmed) {
				continue // a worker has come to what was confirmed to the service
			}
			out = append(out, deed{e.At, whoWords(e.Confirmed.Actor, e.Confirmed.By), confirmed + how(e.Confirmed.How), ""})
		case e.Asked != nil:
			out = append(out, deed{e.At, whoWords(e.Asked.Actor, e.Asked.By), askedBack, e.Asked.Reason})
		case e.Resumed != nil && e.Resumed.Worker != "":
			// A process of the service: no person has decided anything.
		case e.Resumed != nil:
			if n := len(out); n > 0 && out[n-1].What == askedBack && e.At.Sub(out[n-1].At) < time.Second {
				continue // the same wish
			}
			what := "wanted it to go on"
			if e.Resumed.Word != nil {
				what = confirmed + how(e.Resumed.Word.How)
			}
			for _, d := range e.Resumed.Despite {
				what += ", leaving " + d + " with a dead one"
			}
			out = append(out, deed{e.At, whoWords(e.Resumed.Actor, e.Resumed.By), what, e.Resumed.Reason})
		}
	}
	return out
}

const (
	confirmed = "confirmed what cannot be undone"
	askedBack = "asked to go back"
)

// how something was confirmed, where that is worth telling: on the command line and here
// it is by the name.
func how(said string) string {
	if said == "--confirm" || said == "" {
		return ""
	}
	return " (" + said + ")"
}

// linesOf is the whole journal of a run in words.
func linesOf(events []rotation.Event) (out []logLine) {
	titles := map[string]string{}
	for _, e := range events {
		if e.Planned != nil {
			for _, list := range [][]rotation.Step{e.Planned.Steps, e.Planned.Back} {
				for _, s := range list {
					titles[s.ID] = s.Title
				}
			}
		}
		for _, text := range report.Say(e, titles, report.Style{}) {
			out = append(out, logLine{e.At, text})
		}
	}
	return out
}
